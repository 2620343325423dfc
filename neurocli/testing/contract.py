"""One model held against the contract, step by step: each step once, after those that it needs, wherever one begins."""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from neurocli.errors import Interrupted, NeuroError
from neurocli.plugin.family import ModelFamily, TrainedModel
from neurocli.plugin.registry import registry

if TYPE_CHECKING:
    from neurocli.evaluation.target import Prediction, Target
    from neurocli.recordings import Batch, Dataset, RecordingSet

PASS, WARN, FAIL, SKIPPED = "PASS", "WARN", "FAIL", "SKIPPED"


@dataclass(frozen=True)
class Check:
    """One step of the contract: PASS, WARN, FAIL, or SKIPPED because one that it needs failed."""

    model: str
    name: str
    verdict: str
    detail: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Broken(AssertionError):
    """A promise of the contract that is not kept."""


class Doubtful(UserWarning):
    """Something that is allowed, and most often a mistake."""


def require(condition: object, otherwise: str) -> None:
    """Raise Broken with `otherwise` where the condition does not hold."""
    if not condition:
        raise Broken(otherwise)


class Shared:
    """What the steps of one model hand on to each other; a step sets what it makes, and changes nothing that another made.

    network: as it was built, in eval mode and never trained; trained: the same with its dataset; changed: what a call changed in
    place, (who, array), as `predict` and `baselines` see it.
    """

    family: ModelFamily
    config: Any
    recordings: RecordingSet
    data: Dataset
    network: torch.nn.Module
    trained: TrainedModel
    targets: list[Target]
    predictions: dict[str, Prediction]
    first_batches: list[Batch]

    def __init__(self, model: str | ModelFamily, seed: int, work: Path) -> None:
        self.given = model
        self.model = model.card.name if isinstance(model, ModelFamily) else registry().model(model).name
        self.seed, self.work = seed, work
        self.changed: list[tuple[str, str]] = []


@dataclass(frozen=True)
class Step:
    """run: raises Broken, Doubtful or whatever the plugin raises, and returns what it saw; needs: steps whose work it takes."""

    name: str
    run: Callable[[Shared], str]
    needs: tuple[str, ...] = ()


class Contract:
    """The steps of one model, given by its name or as a family. Raises UnknownName for a name that nobody has.

    faults: step → what was raised, of those that failed.
    """

    def __init__(self, model: str | ModelFamily, steps: Sequence[Step], seed: int = 0) -> None:
        self._steps: Mapping[str, Step] = {step.name: step for step in steps}
        self._checks: dict[str, Check] = {}
        self.faults: dict[str, BaseException] = {}
        work = tempfile.mkdtemp(prefix="neurocli-check-")
        self.close = weakref.finalize(self, shutil.rmtree, work, ignore_errors=True)
        self._shared = Shared(model, seed, Path(work))

    def check(self, name: str) -> Check:
        """The verdict on a step, after those that it needs. Never raises for a fault of the plugin."""
        if name not in self._checks:
            self._checks[name] = self._checked(self._steps[name])
        return self._checks[name]

    def _checked(self, step: Step) -> Check:
        model = self._shared.model
        for needed in map(self.check, step.needs):
            if needed.verdict in (FAIL, SKIPPED):
                reason = needed.detail if needed.verdict == SKIPPED else f"{needed.name} failed"
                return Check(model, step.name, SKIPPED, reason, 0.0)
        started = time.perf_counter()
        verdict, detail = self._attempt(step)
        return Check(model, step.name, verdict, detail, time.perf_counter() - started)

    def _attempt(self, step: Step) -> tuple[str, str]:
        try:
            # The same random numbers, whichever steps went before.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self._shared.seed)
                return PASS, step.run(self._shared)
        except Interrupted:
            raise
        except Doubtful as doubt:
            return WARN, str(doubt)
        except (Exception, SystemExit) as fault:
            self.faults[step.name] = fault
            return FAIL, _in_words(fault)


def _in_words(fault: BaseException) -> str:
    if isinstance(fault, Broken):
        return str(fault)
    if isinstance(fault, NeuroError):
        return f"{type(fault).__name__}: {fault.message}" + (f" ({fault.where})" if fault.where else "")
    place = traceback.extract_tb(fault.__traceback__)[-1]
    return f"{type(fault).__name__}: {fault} ({Path(place.filename).name}:{place.lineno})"
