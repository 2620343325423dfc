"""Squared errors worm by worm and neuron by neuron, from which all exhibits of `evaluate` are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.target import Prediction, Target

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WormErrors:
    """Sums over targets [worm, channel]: squared error of a predictor and of persistence; count of targets."""

    error: Array
    change: Array
    count: Array

    def error_reduction(self, channels: NDArray[np.bool_] | slice = slice(None)) -> Array:
        """[worm] 1 - squared error / persistence's over some channels; NaN where none is known."""
        return _share(self.error[:, channels].sum(1), self.change[:, channels].sum(1))

    def neuron_reduction(self) -> Array:
        """[channel] the same of every neuron, over all worms that have it."""
        return _share(self.error.sum(0), self.change.sum(0))

    def mse(self, channels: NDArray[np.bool_] | slice = slice(None)) -> Array:
        """[worm] mean squared error over some channels."""
        count = self.count[:, channels].sum(1)
        total = self.error[:, channels].sum(1)
        return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def errors_of(target: Target, prediction: Prediction, groups: Sequence[str]) -> WormErrors:
    """Errors of one predictor on a target, for some worms."""
    assert target.now is not None
    sums = []
    for group in groups:
        observed, *predicted = (
            target.as_scored(group, np.asarray(values[group], np.float64))
            for values in (target.values, prediction.values, target.now)
        )
        known = np.isfinite(observed)
        sums.append([*(np.where(known, observed - part, 0.0) ** 2 for part in predicted), known])
    error, change, count = (
        np.stack([sums_of.sum(0) for sums_of in by_worm]).astype(np.float64) for by_worm in zip(*sums, strict=True)
    )
    return WormErrors(error, change, count)


def _share(error: Array, change: Array) -> Array:
    return 1 - np.divide(error, change, out=np.full(change.shape, np.nan), where=change > 0)
