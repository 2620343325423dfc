"""Uncertainty over independent groups: jackknife intervals, and paired differences on the same groups.

One method for every metric. The score is taken without each group in turn, on the scale on which its errors are nearly
symmetric (`Metric.link`); the spread of these scores gives a standard error, and Student's t the interval. Groups that count
unevenly leave fewer degrees of freedom: the effective number of groups (Kish), less one. Where the groups are skewed, the
interval reaches further on the side of the long tail, by the term of Johnson (1978, J. Am. Stat. Assoc. 73:536), which here
only ever widens. A percentile bootstrap over three to ten groups would be too narrow: it covers .75 to .91 where this covers
.93 to .97 (tests/core/test_coverage.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from neurocli.evaluation.exchange import exchange_p
from neurocli.evaluation.metrics import Link, Metric
from neurocli.evaluation.wording import why_no_p

FEWEST_GROUPS = 3
"""Two groups are too few for an estimate of their spread."""
FEWEST_FOR_P = 6
"""With five groups no exact two-sided p can be below 2 / 2^5 = .06."""
LEVEL = 0.95
NOT_TOLD_APART = "not told apart"
_CHUNK = 64  # groups at a time, so that metrics with many statistics fit into memory
_NONE = (math.nan, math.nan)
_TAIL = (1 + 2 * float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2) / 6  # how far skewness moves the quantile of a mean

_LINKS: dict[Link, tuple[Callable[..., NDArray[np.float64]], Callable[..., NDArray[np.float64]]]] = {
    "identity": (lambda v: v, lambda v: v),
    "log": (np.log, np.exp),
    "log1m": (lambda v: -np.log1p(-v), lambda v: -np.expm1(-v)),
    "percent": (lambda v: -np.log1p(-v / 100), lambda v: -100 * np.expm1(-v)),
    "logit": (special.logit, special.expit),
    "fisher": (np.arctanh, np.tanh),
}


class Estimate(NamedTuple):
    """A value and its 95 % interval, NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """Difference of two predictors on the same groups: value, 95 % interval, two-sided exact p; `reason`: why there is no p."""

    value: float
    low: float
    high: float
    p: float
    n_groups: int
    reason: str | None = None


def interval(metric: Metric, groups: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of a metric over groups; `groups` are statistics [group, channel, k].

    NaN for fewer than three groups that hold anything, and where `metric.fewest` says that they hold too little.
    """
    groups = groups[holding(groups)]
    if len(groups) < FEWEST_GROUPS or metric.fewest(groups) is not None:
        return _NONE
    low, high = interval_from_left_out(
        float(metric.value(groups.sum(0))), left_out(metric, groups), link=metric.link, weights=metric.weights(groups)
    )
    lowest, highest = metric.limits
    return float(np.clip(low, lowest, highest)), float(np.clip(high, lowest, highest))


def why_no_interval(metric: Metric, groups: NDArray[np.float64]) -> str | None:
    """Why `interval` gives none for statistics [group, channel, k]; None where it gives one."""
    groups = groups[holding(groups)]
    if len(groups) < FEWEST_GROUPS:
        return f"{len(groups)} group{'s' if len(groups) != 1 else ''}, and an interval needs at least three"
    few = metric.fewest(groups)
    if few is not None:
        return few
    if math.isfinite(interval(metric, groups)[0]):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        perfect = math.isinf(float(_LINKS[metric.link][0](metric.value(groups.sum(0)))))
    return "the score is perfect" if perfect else "the score is undefined when one of the groups is left out"


def interval_from_left_out(
    value: float,
    without: NDArray[np.float64],
    *,
    link: Link = "identity",
    weights: NDArray[np.float64] | None = None,
) -> tuple[float, float]:
    """95 % interval of a score from the scores `without` [group] each group in turn, which count by `weights` [group]."""
    if len(without) < FEWEST_GROUPS or not np.isfinite(without).all():
        return _NONE
    forward, back = _LINKS[link]
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, without = float(forward(np.float64(value))), forward(without)
    if not (math.isfinite(centre) and np.isfinite(without).all()):  # a perfect score has no scale to err on
        return _NONE
    below, above = _reach(without, weights)
    low, high = (float(back(np.float64(end))) for end in (centre - below, centre + above))
    return low, high


def mean_interval(
    values: NDArray[np.float64], link: Link = "identity", weights: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """95 % interval of the (weighted) mean of one value per group, values [group]; what is not a number is left out."""
    known = np.isfinite(values)
    values, weight = values[known], np.ones(int(known.sum())) if weights is None else weights[known]
    if len(values) < FEWEST_GROUPS:
        return _NONE
    total, sums = float(weight.sum()), weight * values
    without = (sums.sum() - sums) / (total - weight)
    return interval_from_left_out(float(sums.sum() / total), without, link=link, weights=weight)


def mean_estimate(values: NDArray[np.float64], link: Link = "identity") -> Estimate:
    """Mean of one value per group with its interval, values [group]; what is not a number is left out."""
    known = np.asarray(values, np.float64)[np.isfinite(values)]
    return Estimate(float(known.mean()) if len(known) else math.nan, *mean_interval(known, link))


def paired(metric: Metric, first: NDArray[np.float64], second: NDArray[np.float64]) -> Paired:
    """first - second, both as statistics [group, channel, k] of the same groups.

    The interval is that of the difference itself, in the metric's own unit. p is exact whatever the metric: were both
    predictors alike, their statistics could be exchanged within any group (see `exchange_p`).
    """
    held = holding(first)
    first, second = first[held], second[held]
    n = len(first)
    difference = float(metric.value(first.sum(0)) - metric.value(second.sum(0))) if n else math.nan
    few = why_no_p(n) if n < FEWEST_GROUPS else metric.fewest(first)
    if few is not None:
        return Paired(difference, *_NONE, math.nan, n, few)
    without = left_out(metric, first) - left_out(metric, second)
    low, high = interval_from_left_out(difference, without, weights=metric.weights(first))
    if n < FEWEST_FOR_P:
        return Paired(difference, low, high, math.nan, n, why_no_p(n))
    return Paired(difference, low, high, exchange_p(metric, first, second), n)


def paired_means(first: NDArray[np.float64], second: NDArray[np.float64]) -> Paired:
    """Mean of first - second over groups, one value [group] each; pairs that are not numbers are left out."""
    known = np.isfinite(first + second)
    sums = (np.stack([known, np.where(known, values, 0.0)], axis=-1)[:, None, :] for values in (first, second))
    return paired(_Mean(), *sums)


def verdict(difference: Paired, higher: bool) -> str | None:
    """`better` or `worse` where the interval excludes zero and a p, if there is one, is at most .05; else `not told apart`.

    higher: whether the metric is better when higher. None where there is no interval.
    """
    if not (math.isfinite(difference.low) and math.isfinite(difference.high)):
        return None
    unsure = math.isfinite(difference.p) and difference.p > 1 - LEVEL
    if difference.low <= 0 <= difference.high or unsure:
        return NOT_TOLD_APART
    return "better" if (difference.low > 0) == higher else "worse"


def left_out(metric: Metric, groups: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score [group] without each group in turn, of statistics [group, channel, k]."""
    total = groups.sum(0)
    chunks = np.array_split(groups, -(-len(groups) // _CHUNK))
    return np.concatenate([metric.value(total - chunk) for chunk in chunks])


def holding(groups: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which groups [group] hold anything: a subset may be in few of them."""
    return np.abs(groups).reshape(len(groups), -1).sum(1) > 0


def _reach(without: NDArray[np.float64], weights: NDArray[np.float64] | None) -> tuple[float, float]:
    """How far an interval reaches below and above the score, on the scale of `without` [group]."""
    n = len(without)
    influence = (n - 1) * (without.mean() - without)  # of each group on the score
    error = math.sqrt(float(np.sum(influence**2)) / (n * (n - 1)))
    if not error > 0:
        return error, error
    effective = float(n) if weights is None else float(weights.sum() ** 2 / np.square(weights).sum())
    half = error * float(stats.t.ppf((1 + LEVEL) / 2, max(effective - 1, 1.0)))
    skewness = float(np.mean(influence**3) / np.mean(influence**2) ** 1.5)
    tail = error * skewness * _TAIL / math.sqrt(n)
    return half - min(tail, 0.0), half + max(tail, 0.0)


class _Mean(Metric):
    """The mean of one value per group; statistics are [1, 2]: whether there is a value, and the value."""

    name, unit = "mean", ""

    def statistics(self, target, prediction, mask=None):
        raise TypeError("a mean takes its values as they are")

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        n, total = np.moveaxis(statistics.sum(-2), -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(n > 0, total / n, np.nan)
