"""Uncertainty over independent groups: bootstrap intervals, and paired tests on the same groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import Metric

_CHUNK = 100  # resamples at a time, so that metrics with many statistics fit into memory


def interval(metric: Metric, groups: NDArray[np.float64], *, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of a metric over groups; `groups` are statistics [group, channel, k].

    NaN for fewer than three groups: an interval over two runs would be an invention.
    """
    values = _resampled(metric, groups, seed)
    if values is None:
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Paired:
    """Difference of two predictors on the same groups: value, bootstrap interval, two-sided sign-flip p."""

    value: float
    low: float
    high: float
    p: float
    n_groups: int


def paired(metric: Metric, one: NDArray[np.float64], other: NDArray[np.float64], *, seed: int = 0) -> Paired:
    """one - other, both as statistics [group, channel, k] of the same groups.

    Where a single group has a score, the p value is exact: all 2^n swaps of signs of the per-group differences (up to
    2^16, else that many random ones). For metrics that need all groups at once it is that of the bootstrap.
    """
    n = len(one)
    difference = float(metric.value(one.sum(0)) - metric.value(other.sum(0)))
    first, second = _resampled(metric, one, seed), _resampled(metric, other, seed)
    if first is None or second is None:
        return Paired(difference, float("nan"), float("nan"), float("nan"), n)
    low, high = np.nanquantile(first - second, [0.025, 0.975])
    if metric.pooled:
        p = _sign_flip(metric.value(one) - metric.value(other), seed)
    else:
        resampled = first - second
        p = min(1.0, 2 * float((1 + min((resampled <= 0).sum(), (resampled >= 0).sum())) / (1 + len(resampled))))
    return Paired(difference, float(low), float(high), p, n)


def _resampled(metric: Metric, groups: NDArray[np.float64], seed: int) -> NDArray[np.float64] | None:
    n = len(groups)
    if n < 3:
        return None
    picks = np.random.default_rng(seed).integers(0, n, (metric.resamples, n))
    weights = np.stack([np.bincount(pick, minlength=n) for pick in picks]).astype(np.float64)
    # Adding over channels first, where that may be done, keeps this small.
    kept = groups.sum(1, keepdims=True) if metric.pooled else groups
    flat = kept.reshape(n, -1)
    chunks = np.array_split(weights, -(-len(weights) // _CHUNK))
    return np.concatenate([metric.value((w @ flat).reshape(len(w), *kept.shape[1:])) for w in chunks])


def _sign_flip(differences: NDArray[np.float64], seed: int) -> float:
    differences = differences[np.isfinite(differences)]
    n = len(differences)
    if n == 0:
        return float("nan")
    if n <= 16:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        signs = np.random.default_rng(seed).choice([-1, 1], (2**16, n))
    observed = abs(differences.mean())
    return float(np.mean(np.abs((signs * differences).mean(1)) >= observed * (1 - 1e-12)))
