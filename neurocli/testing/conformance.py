"""Take a model through the whole contract on the tiny data that its family brings.

from neurocli.testing.conformance import check_family

def test_contract():
    assert [c for c in check_family("mine-v1") if c.verdict == "FAIL"] == []
"""

from __future__ import annotations

import math
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurocli.config.resolve import preset_names, read_preset, resolve
from neurocli.errors import Interrupted, NeuroError
from neurocli.plugin.family import LossTerms, ModelFamily, NoCeiling, TrainedModel
from neurocli.plugin.registry import load_implementation, registry

PASS, WARN, FAIL, SKIPPED = "PASS", "WARN", "FAIL", "SKIPPED"


@dataclass(frozen=True)
class Check:
    """One step of the contract: PASS, WARN, FAIL, or SKIPPED because an earlier one failed."""

    model: str
    name: str
    verdict: str
    detail: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Broken(AssertionError):
    """A promise of the contract that is not kept."""


class Doubtful(Exception):
    """Something that is allowed, and most often a mistake."""


@dataclass
class _Made:
    """What the steps hand on to each other."""

    name: str
    work: Path
    values: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, key: str) -> Any:
        try:
            return self.values[key]
        except KeyError:
            raise AttributeError(key) from None


def check_family(name: str, *, seed: int = 0) -> list[Check]:
    """All checks of the model called `name`. Never raises for a fault of the plugin."""
    checks: list[Check] = []
    needed: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="neurocli-check-") as folder, torch.random.fork_rng(devices=[]):
        made = _Made(registry().model(name).name, Path(folder))
        made.values["seed"] = seed
        for step, essential in _STEPS:
            label = step.__name__.removeprefix("_").replace("_", "-")
            if needed:
                checks.append(Check(made.name, label, SKIPPED, f"{min(needed)} failed", 0.0))
                continue
            started = time.perf_counter()
            verdict, detail = _attempt(step, made)
            checks.append(Check(made.name, label, verdict, detail, time.perf_counter() - started))
            if verdict == FAIL and essential:
                needed.add(label)
    return checks


def _attempt(step: Callable[[_Made], str | None], made: _Made) -> tuple[str, str]:
    try:
        return PASS, step(made) or ""
    except Interrupted:
        raise
    except Doubtful as doubt:
        return WARN, str(doubt)
    except Broken as fault:
        return FAIL, str(fault)
    except NeuroError as error:
        return FAIL, f"{type(error).__name__}: {error.message}" + (f" ({error.where})" if error.where else "")
    except (Exception, SystemExit) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return FAIL, f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"


def _require(condition: object, otherwise: str) -> None:
    if not condition:
        raise Broken(otherwise)


# -- the steps, in order -----------------------------------------------------------------------------------------


def _card(made: _Made) -> str:
    card = registry().model(made.name)
    kind = load_implementation(card)
    _require(
        isinstance(kind, type) and issubclass(kind, ModelFamily),
        f"{card.implementation} is not a subclass of ModelFamily",
    )
    made.values["family"] = kind(card)
    if card.simulator is not None:
        registry().simulator(card.simulator)
    return card.implementation


def _config(made: _Made) -> str:
    from neurocli.config.sections import FamilyConfig

    kind = made.family.Config
    _require(issubclass(kind, FamilyConfig), "Config is not a subclass of FamilyConfig")
    made.values["config"] = resolve(kind, flags={"train.device": "cpu", "train.seed": made.seed}).config
    names = preset_names(made.family.presets)
    for name in names:
        resolve(kind, preset=read_preset(made.family.presets, name))
    if "quick" not in names:
        raise Doubtful("there is no preset quick: users expect one that takes minutes on a laptop")
    return f"presets: {', '.join(names)}"


def _example(made: _Made) -> str:
    one, again, other = (made.family.example(seed) for seed in (made.seed, made.seed, made.seed + 1))
    made.values["recordings"] = one
    _require(len(one) >= 3, f"example gives {len(one)} groups; a split needs three")
    prints = [one[g].fingerprint() for g in one]
    _require(prints == [again[g].fingerprint() for g in again], "example(seed) gives other data the second time")
    _require(len(set(prints)) == len(prints), "two groups of the example hold the same data")
    _require(prints != [other[g].fingerprint() for g in other], "example does not depend on its seed")
    return f"{len(one)} groups of {one[one.groups[0]].signal.shape}"


def _adapt(made: _Made) -> str:
    import json

    from neurocli.recordings.adapting import adapted

    data = adapted(made.family, made.recordings, made.config)
    made.values["data"] = data
    split = data.split
    _require(not split.leaky, "the default split is leaky")
    # A split with folds may have no groups to choose by: then the last epoch is kept.
    _require(split.train and split.test and (split.validation or split.folds), "a part of the split is empty")
    _require(data.steps("train") > 0, "there is no training batch")
    json.dumps(data.spec, allow_nan=False)
    fitted = set(data.normalisation.fitted_on) if data.normalisation is not None else set()
    _require(fitted <= set(split.train), f"the normalisation was fitted on {sorted(fitted - set(split.train))}")
    again = made.family.adapt(made.recordings, made.config, split)
    _require(again.split.as_dict() == split.as_dict(), "adapt does not keep the split that it is given")
    return f"{len(split.train)}/{len(split.validation)}/{len(split.test)} {data.group_name()}s"


def _batches(made: _Made) -> str:
    data = made.data
    first, again, later = (list(_few(data.batches("train", seed=made.seed, epoch=epoch))) for epoch in (0, 0, 1))
    _require(first, "batches gives nothing")
    _require(_same(first, again), "batches is not a pure function of (part, seed, epoch)")
    made.values["batch"] = first[0]
    if data.split.validation:
        _require(list(_few(data.batches("validation", seed=made.seed, epoch=0))), "there is no validation batch")
    if _same(first, later):
        raise Doubtful("the batches of two epochs are the same: is the order ever shuffled?")
    return ", ".join(f"{key} {tuple(value.shape)}" for key, value in first[0].items() if hasattr(value, "shape"))


def _build(made: _Made) -> str:
    torch.manual_seed(made.seed)
    module = made.family.build(made.config, made.data.spec)
    torch.manual_seed(made.seed)
    again = made.family.build(made.config, made.data.spec)
    _require(isinstance(module, torch.nn.Module), "build does not give a torch module")
    one, two = module.state_dict(), again.state_dict()
    _require(
        all(torch.equal(one[key], two[key]) for key in one),
        "build takes randomness from elsewhere than torch's generator",
    )
    made.values["network"] = module
    return f"{sum(p.numel() for p in module.parameters())} parameters"


def _loss(made: _Made) -> str:
    made.network.train()
    terms = made.family.loss(made.network, made.batch, made.config)
    _require(isinstance(terms, LossTerms) and terms.terms, "loss does not give LossTerms")
    for name, term in terms.terms.items():
        _require(term.ndim == 0, f"the loss term {name} has shape {tuple(term.shape)}, not a scalar")
        _require(bool(torch.isfinite(term)), f"the loss term {name} is {term.item()}")
    terms.total.backward()
    wanted = {name: p for name, p in made.network.named_parameters() if p.requires_grad}
    odd = [name for name, p in wanted.items() if p.grad is not None and not bool(torch.isfinite(p.grad).all())]
    _require(not odd, f"the gradient of {', '.join(odd[:3])} is not finite")
    untouched = [name for name, p in wanted.items() if p.grad is None]
    _require(len(untouched) < len(wanted) or not wanted, "no parameter gets a gradient")
    if untouched:
        raise Doubtful(f"no gradient reaches {', '.join(untouched[:3])}")
    return ", ".join(f"{name} {term.item():.3g}" for name, term in terms.terms.items())


def _validation_loss(made: _Made) -> str:
    made.network.eval()
    part = "validation" if made.data.split.validation else "train"
    batch = next(iter(made.data.batches(part, seed=made.seed, epoch=0)))
    with torch.no_grad():
        values = [float(made.family.validation_loss(made.network, batch, made.config)) for _ in range(2)]
    _require(math.isfinite(values[0]), f"the validation loss is {values[0]}")
    if values[0] != values[1]:
        raise Doubtful(
            "the validation loss of the same batch differs from call to call: the best epoch is chosen by chance"
        )
    return f"{values[0]:.3g}"


def _predict(made: _Made) -> str:
    history = [{"epoch": 1, "train_loss": 1.0, "validation_loss": 1.0}]
    made.values["trained"] = TrainedModel(
        made.network.eval(), made.config, made.data, made.seed, history, None, made.family
    )
    targets = made.family.targets(made.data, made.config)
    made.values["targets"] = targets
    _require(targets, "there is no target")
    _require(set(targets[0].groups) <= set(made.data.split.test), "the main target has groups outside of the test part")
    predictions = {}
    for target in targets:
        with torch.no_grad():
            prediction = made.family.predict(made.trained, target)
        _aligned(prediction, target, "predict")
        predictions[target.name] = prediction
    _require(len(predictions) == len(targets), "two targets have the same name")
    made.values["predictions"] = predictions
    return ", ".join(predictions)


def _looks_ahead(made: _Made) -> str:
    from neurocli.testing.look_ahead import look_ahead

    report = look_ahead(made.family, made.trained, made.recordings, baselines_each_time=False)
    if report.seen:
        more = f" (and {len(report.seen) - 1} more)" if len(report.seen) > 1 else ""
        raise Broken(f"{report.seen[0]}{more}")
    if not report.compared:
        raise Doubtful("no target has an origin inside of a recording, so that this cannot be checked")
    return f"{report.compared} predictions know nothing of what follows"


def _scores(made: _Made) -> str:
    from neurocli.evaluation.evaluate import evaluate

    references = made.family.baselines(made.data, made.config)
    _require(references, "there is no baseline: a score without one means nothing")
    for predictor in references:
        prediction = predictor.predict(made.targets[0])
        if prediction is not None:
            _aligned(prediction, made.targets[0], f"the baseline {predictor.name}")
    ceiling = made.family.ceiling(made.data, made.config)
    _require(not isinstance(ceiling, NoCeiling) or ceiling.reason, "ceiling gives no reason")
    found = evaluate(made.family, made.trained, say=lambda line: None, figures=made.work / "evaluation")
    _require(found.main_score is not None, "the main score is not a number")
    return f"{found.metrics[0]['name']} {found.main_score:.3g}, best baseline {found.skill['best_baseline']}"


def _diagnose(made: _Made) -> str:
    from neurocli.diagnosis import Finding

    findings = [*made.family.diagnose_data(made.recordings, made.config), *made.family.diagnose_model(made.trained)]
    _require(all(isinstance(f, Finding) for f in findings), "a diagnosis gives something that is not a Finding")
    _require(findings, "diagnose_data finds nothing to check")
    silent = [f.check for f in findings if f.verdict != PASS and not f.advice]
    _require(not silent, f"{', '.join(silent[:3])} gives no advice")
    return f"{len(findings)} checks"


def _interpret(made: _Made) -> str:
    from neurocli.plugin.exhibit import Exhibit

    figures = made.work / "interpretation"
    figures.mkdir()
    exhibits = made.family.interpret(made.trained, figures)
    _require(exhibits and all(isinstance(e, Exhibit) for e in exhibits), "interpret gives no Exhibit")
    lost = [e.name for e in exhibits if e.figure is not None and not Path(e.figure).is_file()]
    _require(not lost, f"the figure of {', '.join(lost[:3])} is not there")
    return ", ".join(e.name for e in exhibits)


def _weights_file(made: _Made) -> str:
    from safetensors.torch import load_file, save_file

    path = made.work / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in made.network.state_dict().items()}, path)
    torch.manual_seed(made.seed + 1)
    other = made.family.build(made.config, made.data.spec).eval()
    other.load_state_dict(load_file(path))
    again = TrainedModel(other, made.config, made.data, made.seed, made.trained.history)
    target = made.targets[0]
    with torch.no_grad():
        prediction = made.family.predict(again, target)
    for group in target.groups:
        same = np.allclose(
            prediction.values[group], made.predictions[target.name].values[group], rtol=1e-5, atol=1e-6, equal_nan=True
        )
        _require(same, "a model loaded from its weights answers otherwise: is something kept outside of state_dict?")
    return f"{path.stat().st_size} bytes"


_STEPS: list[tuple[Callable[[_Made], str | None], bool]] = [
    (_card, True),
    (_config, True),
    (_example, True),
    (_adapt, True),
    (_batches, True),
    (_build, True),
    (_loss, True),
    (_validation_loss, False),
    (_predict, True),
    (_looks_ahead, False),
    (_scores, False),
    (_diagnose, False),
    (_interpret, False),
    (_weights_file, False),
]


def _aligned(prediction: Any, target: Any, who: str) -> None:
    _require(set(prediction.values) >= set(target.groups), f"{who} leaves out groups")
    for group in target.groups:
        given, wanted = np.shape(prediction.values[group]), np.shape(target.values[group])
        _require(given == wanted, f"{who} gives {given} for targets {wanted}")
        finite = np.isfinite(np.asarray(prediction.values[group]))[np.isfinite(np.asarray(target.values[group]))]
        _require(finite.all(), f"{who} is not finite everywhere")


def _few(batches: Iterator[Any], n: int = 3) -> Iterator[Any]:
    for number, batch in enumerate(batches):
        if number == n:
            return
        yield batch


def _same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    return len(one) == len(other) and all(
        a.keys() == b.keys()
        and all(torch.equal(a[k], b[k]) if isinstance(a[k], torch.Tensor) else a[k] == b[k] for k in a)
        for a, b in zip(one, other, strict=True)
    )
