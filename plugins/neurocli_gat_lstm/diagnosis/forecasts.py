"""Findings about forecasts: what the network adds to its linear path, against the best linear model, and on its training worms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.finding import Finding, judged
from neurocli.diagnosis.words import counted
from neurocli.evaluation.intervals import Paired, paired_means, verdict
from neurocli.evaluation.target import Target
from neurocli.plugin.family import TrainedModel
from neurocli_gat_lstm.data.dataset import Forecasts, WormData
from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.data.series import WormSeries
from neurocli_gat_lstm.evaluation import baselines, targets
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds
from neurocli_gat_lstm.model.forecasts import fold_forecasts, forecasts_of
from neurocli_gat_lstm.model.forecasts_v2 import linear_only
from neurocli_gat_lstm.model.forecasts_v3 import direct_linear
from neurocli_gat_lstm.model.rollout import BOUND
from neurocli_gat_lstm.model.v2 import GatLstm
from neurocli_gat_lstm.model.v3 import GatLstmV3

SMALLEST_SHARE = 0.02
LARGEST_GAP = 0.1
BEYOND = 2.0
"""Forecasts farther out than this many times the largest recorded z-score have run away."""
TRIVIAL = ("persistence", "mean")

Array = NDArray[np.floating[Any]]


def error_reduction(worm: WormSeries, origins: NDArray[np.int64], horizon: int, forecast: Array) -> float:
    """S = 1 - squared error over that of "nothing changes", as it is scored, over samples that are known at both ends.

    forecast: [origin, neuron] in the units of the origins.
    """
    truth, weight = worm.ahead(origins, horizon), worm.weight(origins)
    known = worm.known[origins] & worm.known[origins + horizon]
    change = (weight * np.square(truth - worm.z[origins]))[known].sum()
    return float(1 - (weight * np.square(truth - forecast))[known].sum() / change) if change > 0 else float("nan")


def forecast_findings(trained: TrainedModel) -> list[Finding]:
    """Every check of forecasts, on the test worms."""
    data, network, config = trained.dataset, trained.network, trained.config
    assert isinstance(data, WormData) and isinstance(network, (GatLstm, GatLstmV3, PlannedFolds))
    test_targets = targets.targets(data, config, "test")
    origins = {group: data.frames_of(group, at) for group, at in test_targets[0].origins.items() if len(at)}
    if not origins:
        return []
    horizons = config.evaluate.horizons
    full = {group: forecasts_of(network, data, group, at) for group, at in origins.items()}
    findings = []
    if not isinstance(network, PlannedFolds):
        linear = {group: _linear(network, data, group, at, horizons) for group, at in origins.items()}
        findings += _correction(data, origins, horizons, full, linear)
    findings += [
        *_runaway(data, full),
        *_against_linear(trained, test_targets, origins, full),
    ]
    # Worms that came after the training differ from its worms in more than having been seen.
    folds = len(network.members) // getattr(network, "members_per_fold", 1)
    left_out = folds == 1 or all(data.split.fold_of(group) is not None for group in origins)
    if left_out and set(data.split.train) <= set(data.worms):
        findings += _train_test_gap(trained, origins, full)
    return findings


def _linear(
    network: GatLstm | GatLstmV3, data: WormData, group: str, origins: NDArray[np.int64], horizons: Sequence[int]
) -> Forecasts:
    """What the model would forecast if its networks corrected nothing."""
    if isinstance(network, GatLstm):
        return dict(linear_only(network, data, group, origins, horizons))
    assert isinstance(data, DirectWormData)
    return dict(direct_linear(network, data, group, origins))


def _correction(
    data: WormData,
    origins: dict[str, Any],
    horizons: Sequence[int],
    full: dict[str, Forecasts],
    linear: dict[str, Forecasts],
) -> list[Finding]:
    """At each horizon: rms of what the network changes over that of the linear change, and S with and without it."""
    findings = []
    for h in horizons:
        added = np.sqrt(np.mean([np.square(full[g][h] - linear[g][h]).mean() for g in origins]))
        moved = np.sqrt(np.mean([np.square(linear[g][h] - data.worms[g].z[at]).mean() for g, at in origins.items()]))
        both, alone = (
            np.array([error_reduction(data.worms[g], at, h, part[g][h]) for g, at in origins.items()])
            for part in (full, linear)
        )
        share = float(added / max(added + moved, 1e-12))
        difference = paired_means(both, alone)
        result = verdict(difference, higher=True)
        worse = result == "worse"
        bad = worse or share < SMALLEST_SHARE
        advice = (
            "the linear path alone forecasts better: train longer, or on more worms"
            if worse
            else "the network hardly changes the forecast: train longer, or on more worms"
        )
        value = (
            f"{share:.1%} of the forecast change; S {np.mean(both):.3f}, linear path alone {np.mean(alone):.3f}"
            f" (difference {_with_interval(difference)})"
        )
        threshold = f"share ≥ {SMALLEST_SHARE:.0%}, S not worse than the linear path's"
        subject = f"{counted(h, 'step')}, {counted(len(both), 'worm')}"
        findings.append(Finding.graded("correction", subject, value, threshold, advice, warn=bad))
    return findings


def _with_interval(difference: Paired) -> str:
    """A difference over worms with its interval."""
    known = difference.low == difference.low
    return f"{difference.value:+.3f}" + (f" [{difference.low:+.3f}, {difference.high:+.3f}]" if known else "")


def _runaway(data: WormData, full: dict[str, Forecasts]) -> list[Finding]:
    """Rollouts that leave what was ever recorded, up to the bound at which they are stopped."""
    largest = {group: max(float(np.abs(f).max()) for f in by.values()) for group, by in full.items()}
    recorded = {group: float(np.abs(data.worms[group].z).max()) for group in full}
    stopped = [group for group, value in largest.items() if not value < 0.99 * BOUND]
    far = [group for group, value in largest.items() if not value <= BEYOND * recorded[group]]
    worst = max(full, key=lambda group: largest[group] / recorded[group])
    value = f"largest |z| forecast {largest[worst]:.3g}, recorded {recorded[worst]:.3g} ({worst})"
    advice = "forecasts grow without bound: train with a smaller learning rate, or a rollout model with a longer loss.rollout"
    threshold = f"≤ {BEYOND:g} x the largest recorded"
    return [
        Finding.graded("runaway-rollout", counted(len(full), "worm"), value, threshold, advice, warn=far, fail=stopped)
    ]


def _against_linear(
    trained: TrainedModel, test_targets: Sequence[Target], origins: dict[str, Any], full: dict[str, Forecasts]
) -> list[Finding]:
    """S of the model less that of the best linear model, paired by worm, at each horizon."""
    data = trained.dataset
    assert isinstance(data, WormData)
    linear = [baseline for baseline in baselines.baselines(data, trained.config) if baseline.name not in TRIVIAL]
    if not linear or not data.split.train:
        return []
    findings = []
    for target in test_targets:
        h = target.horizon_steps
        scores = {}
        for predictor in linear:
            prediction = predictor.predict(target)
            if prediction is None:
                continue
            scores[predictor.name] = np.array(
                [_reduction_of(target, group, prediction.values[group]) for group in origins]
            )
        if not scores:
            continue
        best = max(scores, key=lambda name: float(np.mean(scores[name])))
        model = np.array([error_reduction(data.worms[g], at, h, full[g][h]) for g, at in origins.items()])
        difference = paired_means(model, scores[best])
        worse = verdict(difference, higher=True) == "worse"
        value = f"S {np.mean(model):.3f} against {np.mean(scores[best]):.3f} (difference {_with_interval(difference)})"
        advice = (
            "a linear baseline forecasts these worms better: train longer or on more worms, or use the linear baseline"
        )
        subject = f"{target.name}, against {best}"
        findings.append(Finding.graded("S-against-linear", subject, value, "not worse", advice, fail=worse))
    return findings


def _reduction_of(target: Target, group: str, prediction: Array) -> float:
    """S of a prediction [origin, channel] to a target, over its known targets."""
    assert target.now is not None
    observed, now, prediction = (
        target.as_scored(group, v.astype(np.float64)) for v in (target.values[group], target.now[group], prediction)
    )
    known = np.isfinite(observed)
    change = np.square(observed - now)[known].sum()
    return float(1 - np.square(observed - prediction)[known].sum() / change) if change > 0 else float("nan")


def _train_test_gap(trained: TrainedModel, origins: dict[str, Any], full: dict[str, Forecasts]) -> list[Finding]:
    """S(h) on the worms that a fold was trained on, less that on the worms it had not seen; first horizon."""
    data, evaluate = trained.dataset, trained.config.evaluate
    assert isinstance(data, WormData)
    h = evaluate.horizons[0]
    seen = []
    for fold in range(data.folds):
        for worm in data.training_worms(fold):
            at = worm.origins(evaluate.context, h, 4 * evaluate.stride)
            if not len(at):
                continue
            forecast = fold_forecasts(trained.network, data, worm, fold, at, evaluate.context, [h])[0]
            seen.append(error_reduction(worm, at, h, forecast[h]))
    if not seen:
        return []
    new = float(np.mean([error_reduction(data.worms[g], at, h, full[g][h]) for g, at in origins.items()]))
    gap = float(np.mean(seen)) - new
    advice = f"S is {np.mean(seen):.3f} on training worms and {new:.3f} on test worms: use more worms, more dropout or fewer epochs"
    return [judged("train-test-gap", f"S, {counted(h, 'step')} ahead", gap, warn=LARGEST_GAP, advice=advice)]
