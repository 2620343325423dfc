"""Steps of the contract: what a trained model predicts, and what its predictions are held against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from neurocli.evaluation.target import Prediction, Target
from neurocli.plugin.family import NoCeiling, TrainedModel
from neurocli.testing.contract import PASS, Broken, Doubtful, Shared, require
from neurocli.testing.kept_arrays import KeptArrays


def predict(shared: Shared) -> str:
    """Every target is predicted, aligned and finite; the main one asks about test groups alone."""
    family, data, config = shared.family, shared.data, shared.config
    history = [{"epoch": 1, "train_loss": 1.0, "validation_loss": 1.0}]
    trained = TrainedModel(shared.network, config, data, shared.seed, history, None, family)
    targets = family.targets(data, config)
    require(targets, "there is no target")
    require(set(targets[0].groups) <= set(data.split.test), "the main target has groups outside of the test part")
    require(len({target.name for target in targets}) == len(targets), "two targets have the same name")
    predictions = {}
    for target in targets:
        with _watched(shared, "predict"):
            predictions[target.name] = family.predict(trained, target)
        _aligned(predictions[target.name], target, "predict")
    shared.trained, shared.targets, shared.predictions = trained, targets, predictions
    return ", ".join(predictions)


def baselines(shared: Shared) -> str:
    """There is a baseline; what each predicts is aligned and finite. A ceiling that is unknown has a reason."""
    family, data, config = shared.family, shared.data, shared.config
    with _watched(shared, "baselines"):
        references = family.baselines(data, config)
    require(references, "there is no baseline: a score without one means nothing")
    for predictor in references:
        for target in shared.targets:
            with _watched(shared, f"the baseline {predictor.name}"):
                prediction = predictor.predict(target)
            if prediction is not None:
                _aligned(prediction, target, f"the baseline {predictor.name}")
    with _watched(shared, "ceiling"):
        ceiling = family.ceiling(data, config)
    require(not isinstance(ceiling, NoCeiling) or ceiling.reason, "ceiling gives no reason")
    return ", ".join(predictor.name for predictor in references)


def look_ahead(shared: Shared) -> str:
    """No prediction, by model or baseline, changes with what follows its origin."""
    from neurocli.testing.look_ahead import look_ahead as looked

    report = looked(shared.family, shared.trained, shared.recordings, baselines_each_time=False)
    if report.seen:
        more = f" (and {len(report.seen) - 1} more)" if len(report.seen) > 1 else ""
        raise Broken(f"{report.seen[0]}{more}")
    if report.unchecked:
        raise Doubtful("; ".join(report.unchecked))
    return f"{report.compared} predictions know nothing of what follows"


def scores(shared: Shared) -> str:
    """The evaluation gives the main score, beside its baselines."""
    from neurocli.evaluation.evaluate import evaluate

    evaluation = evaluate(shared.family, shared.trained, say=lambda line: None, figures=shared.work / "evaluation")
    require(evaluation.main_score is not None, "the main score is not a number")
    best = evaluation.skill["best_baseline"]
    return f"{evaluation.metrics[0]['name']} {evaluation.main_score:.3g}, best baseline {best}"


def diagnose(shared: Shared) -> str:
    """Findings about the data and the model, each with an advice where it does not pass."""
    from neurocli.diagnosis import Finding

    family = shared.family
    of_data = family.diagnose_data(shared.recordings, shared.config)
    findings = [*of_data, *family.diagnose_model(shared.trained)]
    require(all(isinstance(f, Finding) for f in findings), "a diagnosis gives something that is not a Finding")
    require(findings, "diagnose_data finds nothing to check")
    silent = [f.check for f in findings if f.verdict != PASS and not f.advice]
    require(not silent, f"{', '.join(silent[:3])} gives no advice")
    return f"{len(findings)} checks"


def interpret(shared: Shared) -> str:
    """Exhibits, and their figures are there."""
    from neurocli.plugin.exhibit import Exhibit

    figures = shared.work / "interpretation"
    figures.mkdir()
    exhibits = shared.family.interpret(shared.trained, figures)
    require(exhibits and all(isinstance(e, Exhibit) for e in exhibits), "interpret gives no Exhibit")
    lost = [e.name for e in exhibits if e.figure is not None and not Path(e.figure).is_file()]
    require(not lost, f"the figure of {', '.join(lost[:3])} is not there")
    return ", ".join(e.name for e in exhibits)


@contextmanager
def _watched(shared: Shared, who: str) -> Iterator[None]:
    """Note what is changed in place meanwhile; whether that may be, `data-unchanged` says."""
    kept = KeptArrays(shared.data, shared.recordings)
    yield
    shared.changed.extend((who, what) for what in kept.changed())


def _aligned(prediction: Prediction, target: Target, who: str) -> None:
    require(set(prediction.values) >= set(target.groups), f"{who} leaves out groups")
    for group in target.groups:
        given, wanted = np.shape(prediction.values[group]), np.shape(target.values[group])
        require(given == wanted, f"{who} gives {given} for targets {wanted}")
        finite = np.isfinite(np.asarray(prediction.values[group]))[np.isfinite(np.asarray(target.values[group]))]
        require(finite.all(), f"{who} is not finite everywhere")
