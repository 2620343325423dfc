"""Metrics as sums over groups: each group gives statistics once, and any resampling of groups is a sum of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Link = Literal["identity", "log", "log1m", "percent", "logit", "fisher"]
Values = NDArray[Any]
"""[time, channel]"""
Mask = NDArray[np.bool_] | None
"""Which values are scored, broadcasts against them; None: all."""
Sums = NDArray[np.float64]
"""Statistics [channel, k], or what is made of them."""


def known_targets(target: Values, mask: Mask) -> NDArray[np.bool_]:
    """Which targets [time, channel] are scored: those that are numbers and that the mask, which broadcasts, lets through."""
    known = np.isfinite(target)
    return known if mask is None else known & np.broadcast_to(mask, target.shape)


def summed(columns: Iterable[Values]) -> Sums:
    """Statistics [channel, k] of k columns [time, channel]."""
    return np.stack([np.asarray(column.sum(0), np.float64) for column in columns], axis=-1)


def ratio(numerator: Sums, denominator: Sums) -> Sums:
    """numerator / denominator; NaN where the denominator is not above 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


class Metric(ABC):
    """A score of predictions against targets.

    name and unit are what tables show; `higher` says which way is better. `statistics` gives, per channel, numbers
    [channel, k] that may be added over groups; `value` turns added numbers into the score. `pooled`: statistics may be added
    over channels too, and a single group has a score (neither is so for a mean over channels of a nonlinear score). `of_change`:
    targets and predictions are given as changes from the last value seen. `link`: the scale on which the score's errors are
    nearly symmetric, on which intervals are made: `identity`, `log` for what is positive (RMSE), `log1m` for what is at most 1
    (R2: the log of 1 - score; `percent` the same of a score in percent), `logit` for what lies between 0 and 1 (AUC), `fisher` for correlations.
    `limits`: what the score can be, beyond which no interval reaches.
    """

    name: str
    unit: str
    higher: bool = True
    pooled: bool = True
    of_change: bool = False
    link: Link = "identity"
    limits: tuple[float, float] = (-math.inf, math.inf)

    @abstractmethod
    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        """Statistics [channel, k] of one group; arrays are [time, channel], `mask` broadcasts against them."""

    @abstractmethod
    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores [...] of statistics [..., channel, k], over all channels; NaN where there is nothing to score."""

    def weights(self, groups: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much each group counts [group], of statistics [group, channel, k]. Default: the sums of the first column, which
        holds the number of targets in most metrics. Uneven weights leave an interval fewer degrees of freedom."""
        return groups[..., 0].sum(-1)

    def fewest(self, groups: NDArray[np.float64]) -> str | None:
        """Why statistics [group, channel, k] are too few for an interval (too few positives for an AUC); None: they are not."""
        return None

    def per_channel(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores [channel] of statistics [channel, k], each channel alone."""
        return self.value(statistics[:, None, :])


class OfSums(Metric):
    """A score of sums over groups and channels."""

    @abstractmethod
    def of_sums(self, sums: Sums) -> Sums:
        """Scores [...] of sums [k, ...], one for each statistic; NaN where there is nothing to score."""

    def value(self, statistics: Sums) -> Sums:
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.of_sums(np.moveaxis(statistics.sum(-2), -1, 0))


class _Scaled(OfSums):
    """Errors in a unit: the recording's own, or z-scores when `sd` and `mean` of the training groups are given."""

    def __init__(self, unit: str, mean: Values | None = None, sd: Values | None = None) -> None:
        self.unit = unit
        self._mean, self._sd = mean, sd

    def _scaled(self, values: Values) -> NDArray[np.float64]:
        values = np.asarray(values, np.float64)
        return values if self._sd is None else (values - self._mean) / self._sd

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        """[channel, 5]: number of targets, sums of target, its square, squared and absolute error."""
        y = self._scaled(target)
        error = self._scaled(prediction) - y
        valid = known_targets(y, mask)
        y, error = np.where(valid, y, 0.0), np.where(valid, error, 0.0)
        return summed((valid, y, y**2, error**2, np.abs(error)))


class R2(_Scaled):
    """1 - SSE/SST around the grand mean of all targets (pooled over channels)."""

    name = "R2"
    link = "log1m"

    def of_sums(self, sums: Sums) -> Sums:
        n, y, y2, sse, _ = sums
        sst = y2 - y**2 / n
        return np.where((n > 1) & (sst > 0), 1 - sse / sst, np.nan)


class RMSE(_Scaled):
    """Root mean squared error."""

    name = "RMSE"
    higher = False
    link = "log"

    def of_sums(self, sums: Sums) -> Sums:
        n, _, _, sse, _ = sums
        return np.sqrt(ratio(sse, n))


class MAE(_Scaled):
    """Mean absolute error."""

    name = "MAE"
    higher = False
    link = "log"

    def of_sums(self, sums: Sums) -> Sums:
        n, _, _, _, absolute = sums
        return ratio(absolute, n)
