"""What a model can reach on a session: the noise ceiling, beside what an average and a linear fit of the training trials reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.finding import Finding
from neurocli.evaluation.scoreboard import ALL
from neurocli.evaluation.target import Prediction, Target
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.evaluation import targets
from neurocli_eirnn.evaluation.baselines import lagged_ridge, train_psth
from neurocli_eirnn.evaluation.ceiling import bound
from neurocli_eirnn.evaluation.metrics import PsthCorrelation

LOWEST_CEILING = 0.3
SMOOTHING_MS = 50.0
MARGIN = 0.02
"""A ceiling is right to so much (tests/plugins/eirnn/evaluation/test_ceiling.py): a reference within it has not passed it."""


def reference_findings(dataset: SessionData, config: EirnnConfig, subject: str) -> list[Finding]:
    """Ceilings of the test trials that `subject` names: whole trials, unsmoothed and at 50 ms, per location and around events."""
    test_targets = targets.targets(dataset, config, "test")
    averaged = train_psth(dataset)
    ridge = lagged_ridge(dataset)

    def linear(target: Target) -> Prediction:
        prediction = ridge.predict(target)
        assert prediction is not None
        return prediction

    findings = []
    for name, candidates, subset, smoothing_ms in (
        ("unsmoothed", test_targets[:1], ALL, 0.0),
        ("50 ms", test_targets[:1], ALL, SMOOTHING_MS),
        ("locations, 50 ms", test_targets[:1], targets.BY_LOCATION, SMOOTHING_MS),
        ("events, 50 ms", test_targets[1:], ALL, SMOOTHING_MS),
    ):
        metric = PsthCorrelation(smoothing_ms, dataset.bin_ms)
        usable = [target for target in candidates if subset == ALL or subset in target.averages]
        limits = [bound(dataset, target, subset, metric.sd_bins) for target in usable]
        if not limits or any(limit is None for limit in limits):
            continue
        ceiling = float(np.mean([limit for limit in limits if limit is not None]))
        references = {
            label: float(np.mean([score(target, predict(target), metric, subset) for target in usable]))
            for label, predict in (("train PSTH", averaged), ("ridge", linear))
        }
        beaten = ", ".join(label for label, r in references.items() if r > ceiling + MARGIN)
        low = ceiling < LOWEST_CEILING
        advice = (
            "these PSTHs are mostly noise: score smoothed ones, or use more trials or fewer conditions"
            if low
            else f"{beaten} exceeds the ceiling on these test trials: do not judge by one split alone, draw others (data.split_seed)"
        )
        value = f"{ceiling:.3f} ({', '.join(f'{label} {r:.3f}' for label, r in references.items())})"
        fine = not low and not beaten
        threshold = f"≥ {LOWEST_CEILING:g}, above the baselines"
        findings.append(Finding.graded("noise-ceiling", f"{subject}: {name}", value, threshold, advice, warn=not fine))
    return findings


def score(target: Target, prediction: Prediction, metric: PsthCorrelation, subset: str = ALL) -> float:
    """r of a prediction of a target, as the scoreboard has it: of all trials, of a subset, or of an average of subsets."""
    subsets = target.averages.get(subset, (subset,))
    return float(metric.value(np.concatenate([_sums(target, prediction, metric, name) for name in subsets])))


def _sums(target: Target, prediction: Prediction, metric: PsthCorrelation, subset: str) -> NDArray[np.float64]:
    """The metric's statistics [neuron, k], summed over trials."""
    masks = target.subsets.get(subset)
    total: NDArray[np.float64] | float = 0.0
    for group, observed in target.values.items():
        mask = None if masks is None else masks[group]
        total = total + metric.statistics(observed, prediction.values[group], mask)
    return np.asarray(total)
