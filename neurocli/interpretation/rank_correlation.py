"""Spearman's rank correlation of a score with what is known, its intervals, and what is left of it given something else.

Pairs of which one side is not known take no part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from neurocli.evaluation.intervals import Estimate, interval_from_left_out
from neurocli.interpretation.roc import FEWEST_UNITS

Array = NDArray[np.float64]
FEWEST_PAIRS = 5
RESAMPLED = 999


def spearman(first: Array, second: Array) -> float:
    """Rank correlation over pairs; NaN for fewer than five, or where one side does not vary."""
    ranks = _ranks(first, second)
    return np.nan if ranks is None else _correlation(*ranks)


def spearman_estimate(first: Array, second: Array) -> Estimate:
    """`spearman` with its 95 % interval, as if pairs were independent (Bonett & Wright 2000, Psychometrika 65:23)."""
    value = spearman(first, second)
    if not np.isfinite(value):
        return Estimate(value, np.nan, np.nan)
    half = 1.96 * np.sqrt((1 + value**2 / 2) / (known_pairs(first, second) - 3))
    z = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    return Estimate(value, float(np.tanh(z - half)), float(np.tanh(z + half)))


def spearman_over_units(first: Array, second: Array, units: NDArray[np.int64]) -> Estimate:
    """`spearman` with its 95 % interval over units [pair], for pairs that hang together within a unit.

    The jackknife leaves out one unit at a time; ranks are those of all pairs. There is no interval for fewer than five units.
    """
    value = spearman(first, second)
    known = np.isfinite(first) & np.isfinite(second)
    names, unit = np.unique(units[known], return_inverse=True)
    if not np.isfinite(value) or len(names) < FEWEST_UNITS:
        return Estimate(value, np.nan, np.nan)
    a, b = (rankdata(v[known]) - (known.sum() + 1) / 2 for v in (first, second))
    sums = np.stack([np.bincount(unit, weights=w) for w in (np.ones(len(a)), a, b, a * a, b * b, a * b)])
    n, a1, b1, aa, bb, ab = sums.sum(1, keepdims=True) - sums
    with np.errstate(invalid="ignore", divide="ignore"):
        without = (ab - a1 * b1 / n) / np.sqrt((aa - a1**2 / n) * (bb - b1**2 / n))
    return Estimate(value, *interval_from_left_out(value, without, link="fisher", weights=sums[0]))


def partial_spearman(first: Array, second: Array, given: Array) -> float:
    """Spearman's between what is left of both ranks once a linear function of the ranks of `given` is taken away.

    NaN for fewer than six triples, and where nothing is left.
    """
    ranks = _ranks(first, second, given)
    if ranks is None:
        return np.nan
    a, b, c = ranks
    ab, ac, bc = (_correlation(x, y) for x, y in ((a, b), (a, c), (b, c)))
    room = (1 - ac**2) * (1 - bc**2)
    return (ab - ac * bc) / float(np.sqrt(room)) if room > 1e-12 else np.nan


def spearman_difference(first: Array, second: Array, known: Array) -> Estimate:
    """`spearman` of `first` with what is known less that of `second`, and its 95 % interval over resampled places."""
    random = np.random.default_rng(0)

    def less(chosen: NDArray[np.int64]) -> float:
        return spearman(first[chosen], known[chosen]) - spearman(second[chosen], known[chosen])

    resampled = [less(random.integers(0, len(known), len(known))) for _ in range(RESAMPLED)]
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return Estimate(less(np.arange(len(known))), float(low), float(high))


def known_pairs(first: Array, second: Array) -> int:
    """How many pairs are known on both sides."""
    return int((np.isfinite(first) & np.isfinite(second)).sum())


def _ranks(*sides: Array) -> list[Array] | None:
    """Ranks of every side over the places where all are known; None where they are too few, or a side does not vary."""
    known = np.all([np.isfinite(side) for side in sides], axis=0)
    if int(known.sum()) < FEWEST_PAIRS + len(sides) - 2 or any(np.ptp(side[known]) == 0 for side in sides):
        return None
    return [rankdata(side[known]) for side in sides]


def _correlation(first: Array, second: Array) -> float:
    return float(np.corrcoef(first, second)[0, 1])
