"""Trained models side by side on the same test groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath
from neurocli.workflow.finding import RUNS_DIR, AnyRun, folder_of
from neurocli.workflow.messages import Listener, Reporter

if TYPE_CHECKING:
    from neurocli.evaluation.compare import Comparison


@dataclass
class RunComparison:
    """What `compare` found; the other runs are compared with the first.

    differing: run → options in which it differs from the first; notes: which runs are not fully trained.

    >>> compared.differing[other.name]
    {'train.seed': '0 → 1'}
    """

    names: list[str]
    comparison: Comparison
    protocol: dict[str, Any]
    differing: dict[str, dict[str, Any]]
    notes: list[str]

    @property
    def leaky(self) -> bool:
        """Whether any of them was trained by a protocol that lets test data in.

        >>> compared.leaky
        False
        """
        return bool(self.protocol["leaky"])

    @property
    def scores(self) -> list[dict[str, Any]]:
        """Every score, a record each.

        >>> sorted({score["kind"] for score in compared.scores})
        ['baseline', 'model']
        """
        return [score.as_dict() for score in self.comparison.scores]

    @property
    def differences(self) -> list[dict[str, Any]]:
        """Each run less the first, with interval, p and verdict, a record each.

        >>> difference = compared.differences[0]
        >>> difference["name"] == other.name, difference["against"] == first.name, difference["n_groups"]
        (True, True, 4)
        """
        return [difference.as_dict() for difference in self.comparison.differences]


def compare(
    *runs: AnyRun,
    device: str | None = None,
    runs_dir: AnyPath = RUNS_DIR,
    progress: Listener | None = None,
) -> RunComparison:
    """Compare runs on the same test groups: scores, and paired differences with intervals.

    Raises UsageError for fewer than two, UnknownName, DataError where their test data or targets differ.

    >>> import neurocli
    >>> first = neurocli.load_run("latest")
    >>> other = neurocli.train("gat-lstm", data="worms.h5", preset="quick", seed=1, options={"max_steps": 2})
    >>> compared = neurocli.compare(first, other)
    >>> compared.names == [first.name, other.name]
    True
    """
    from neurocli.config.differing import differing
    from neurocli.errors import UsageError
    from neurocli.evaluation.compare import Contestant
    from neurocli.evaluation.compare import compare as score_all
    from neurocli.workflow.data.reopening import trained_of_run
    from neurocli.workflow.unfinished import unfinished_note

    reporter = Reporter(progress)
    folders = [folder_of(run, runs_dir) for run in runs]
    names = [folder.name for folder in folders]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise UsageError(
            "compare needs two or more different runs",
            where=" ".join(map(str, runs)),
            hint="neuro runs lists all runs",
        )
    contestants, notes = [], []
    for folder in folders:
        reporter.say(f"loading {folder.name}")
        family, trained = trained_of_run(folder, None, device, reporter)
        contestants.append(Contestant(folder.name, family, trained))
        unfinished = unfinished_note(folder)
        if unfinished:
            notes.append(f"{folder.name}: {unfinished}")
    reporter.say(f"fitting the baselines on the training groups of {names[0]}")
    comparison = score_all(contestants)
    leaky = any(c.trained.dataset.split.leaky for c in contestants)
    protocol = {**contestants[0].trained.dataset.split.as_dict(), "leaky": leaky}
    configs = [c.trained.config.model_dump(mode="json") for c in contestants]
    options = {name: differing(configs[0], config) for name, config in zip(names[1:], configs[1:], strict=True)}
    return RunComparison(names, comparison, protocol, options, notes)
