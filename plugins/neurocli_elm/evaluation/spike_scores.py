"""How well a probability tells the steps with an output spike from those without."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FALSE_POSITIVES = (0.0025, 0.01)
_GRID = 20_000
"""Published: the mean true positive rate below a false positive rate is taken on so many points from 0 to 1."""


@dataclass(frozen=True)
class SpikeScores:
    """Scores of a spike probability, all None where they are undefined; `undefined` then says why.

    auc: area under the ROC curve; average_precision; true_positives, partial_auc: by false positive rate, the true positive
    rate there and its mean below.
    """

    positives: int
    steps: int
    auc: float | None = None
    average_precision: float | None = None
    true_positives: dict[float, float] = field(default_factory=dict)
    partial_auc: dict[float, float] = field(default_factory=dict)
    undefined: str | None = None


def spike_scores(spike: NDArray[Any], probability: NDArray[Any]) -> SpikeScores:
    """Scores over all steps of arrays of one shape."""
    from sklearn.metrics import auc, average_precision_score, roc_curve

    truth, prediction = np.asarray(spike, bool).ravel(), np.asarray(probability, np.float64).ravel()
    positives = int(truth.sum())
    reason = undefined_because(positives, truth.size - positives)
    if reason is None and not np.isfinite(prediction).all():
        reason = "a predicted spike probability is not a number"
    if reason is not None:
        return SpikeScores(positives, truth.size, undefined=reason)
    # Points on straight lines are left out, as published: the rate nearest to the wanted one depends on it.
    false, true, _ = roc_curve(truth, prediction)
    grid = np.linspace(0, 1, _GRID)
    on_grid = np.interp(grid, false, true)
    at, below = {}, {}
    for rate in FALSE_POSITIVES:
        at[rate] = float(true[max(1, int(np.argmin(np.abs(false - rate))))])
        below[rate] = float(on_grid[: max(1, int(np.argmin(np.abs(grid - rate))))].mean())
    precision = float(average_precision_score(truth, prediction))
    return SpikeScores(positives, truth.size, float(auc(false, true)), precision, at, below)


def undefined_because(positives: int, negatives: int) -> str | None:
    """Why a ROC curve does not exist; None where it does."""
    if positives == 0:
        return "no step has an output spike: the ROC curve is undefined"
    return "every step has an output spike: the ROC curve is undefined" if negatives == 0 else None
