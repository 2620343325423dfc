"""Uncertainty over independent groups: bootstrap intervals, and paired tests on the same groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from neurocli.evaluation.metrics import Metric

RESAMPLES = 2000
FEWEST_GROUPS = 3
_CHUNK = 64  # groups at a time, so that metrics with many statistics fit into memory


def interval(metric: Metric, groups: NDArray[np.float64], *, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of a metric over groups; `groups` are statistics [group, channel, k].

    Metrics that need all groups at once take the jackknife: means over resampled groups carry the noise of the repeated ones,
    and a score of such a mean would lie below its own estimate. NaN for fewer than three groups: an interval over two runs
    would be an invention.
    """
    if len(groups) < FEWEST_GROUPS:
        return float("nan"), float("nan")
    if not metric.pooled:
        value = float(metric.value(groups.sum(0)))
        half = _jackknife_error(_left_out(metric, groups)) * float(stats.t.ppf((1 + level) / 2, len(groups) - 1))
        return value - half, value + half
    values = _resampled(metric, groups, seed)
    low, high = _quantiles(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def method(metric: Metric) -> str:
    """How `interval` and `paired` find a metric's uncertainty: `bootstrap` or `jackknife`."""
    return "bootstrap" if metric.pooled else "jackknife"


@dataclass(frozen=True)
class Paired:
    """Difference of two predictors on the same groups: value, 95 % interval, two-sided p."""

    value: float
    low: float
    high: float
    p: float
    n_groups: int


def paired(metric: Metric, one: NDArray[np.float64], other: NDArray[np.float64], *, seed: int = 0) -> Paired:
    """one - other, both as statistics [group, channel, k] of the same groups.

    Where a single group has a score, the p value is exact: all 2^n swaps of signs of the per-group differences (up to
    2^16, else that many random ones). Metrics that need all groups at once take the jackknife and its t test.
    """
    n = len(one)
    difference = float(metric.value(one.sum(0)) - metric.value(other.sum(0)))
    if n < FEWEST_GROUPS:
        return Paired(difference, float("nan"), float("nan"), float("nan"), n)
    if not metric.pooled:
        error = _jackknife_error(_left_out(metric, one) - _left_out(metric, other))
        half = error * float(stats.t.ppf(0.975, n - 1))
        p = float(2 * stats.t.sf(abs(difference) / error, n - 1)) if error > 0 else float("nan")
        return Paired(difference, difference - half, difference + half, p, n)
    low, high = _quantiles(_resampled(metric, one, seed) - _resampled(metric, other, seed), [0.025, 0.975])
    p = _sign_flip(metric.value(one) - metric.value(other), seed)
    return Paired(difference, float(low), float(high), p, n)


def _quantiles(values: NDArray[np.float64], at: list[float]) -> tuple[float, float]:
    """Quantiles of what is a number; NaN where nothing is."""
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, at)
    return float(low), float(high)


def _resampled(metric: Metric, groups: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    n = len(groups)
    picks = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    weights = np.stack([np.bincount(pick, minlength=n) for pick in picks]).astype(np.float64)
    # Pooling over channels first keeps this small.
    return metric.value((weights @ groups.sum(1))[:, None, :])


def _left_out(metric: Metric, groups: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score [group] without each group in turn."""
    total = groups.sum(0)
    parts = np.array_split(groups, -(-len(groups) // _CHUNK))
    return np.concatenate([metric.value(total - part) for part in parts])


def _jackknife_error(left_out: NDArray[np.float64]) -> float:
    """Standard error from scores with one group left out."""
    known = left_out[np.isfinite(left_out)]
    n = len(known)
    return float(np.sqrt((n - 1) / n * np.sum((known - known.mean()) ** 2))) if n > 1 else float("nan")


def _sign_flip(differences: NDArray[np.float64], seed: int) -> float:
    differences = differences[np.isfinite(differences)]
    n = len(differences)
    if n == 0:
        return float("nan")
    if n <= 16:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:  # of those that are drawn, what was observed is one: no p is 0
        drawn = np.random.default_rng(seed).choice([-1, 1], (2**16 - 1, n))
        signs = np.concatenate((np.ones((1, n), drawn.dtype), drawn))
    observed = abs(differences.mean())
    return float(np.mean(np.abs((signs * differences).mean(1)) >= observed * (1 - 1e-12)))
