"""Statistics that respect worms: means over worms, Friedman's test by exchange within worms, rank correlations of edges."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from neurocli.evaluation.intervals import FEWEST_FOR_P, interval_from_left_out, mean_interval
from neurocli.evaluation.metrics import Link

Array = NDArray[np.float64]

EXACT = 20_000
"""Up to so many exchanges all are made, beyond it as many at random."""
FEWEST_UNITS = 5
FEWEST_EDGES = 10
"""An area needs so many edges of either sort for an interval."""


class Estimate(NamedTuple):
    """A value and its 95 % interval, NaN where there is none."""

    value: float
    low: float
    high: float


def over_worms(values: Array, link: Link = "identity") -> Estimate:
    """Mean over worms with its interval; none for fewer than three worms."""
    known = np.asarray(values, np.float64)[np.isfinite(values)]
    return Estimate(float(known.mean()) if len(known) else np.nan, *mean_interval(known, link))


def friedman_exact(values: Array) -> float:
    """p of Friedman's test for values [worm, class] by exchange of classes within worms.

    NaN below six worms, as for every p of ours, and for fewer than two classes.
    """
    known = values[np.isfinite(values).all(1)]
    worms, classes = known.shape
    if worms < FEWEST_FOR_P or classes < 2:
        return np.nan
    ranks = stats.rankdata(known, axis=1)

    def spread(totals: Array) -> Array:
        return np.square(totals - totals.mean(-1, keepdims=True)).sum(-1)

    observed = spread(ranks.sum(0))
    ways = np.array(list(permutations(range(classes))))
    if factorial(classes) ** (worms - 1) <= EXACT:
        totals = ranks[0][None]  # the order of the first worm may stay: only orders against each other count
        for row in ranks[1:]:
            totals = (totals[:, None] + row[ways][None]).reshape(-1, classes)
    else:
        rng = np.random.default_rng(0)
        picked = ways[rng.integers(len(ways), size=(EXACT, worms))]
        totals = np.take_along_axis(np.broadcast_to(ranks, (EXACT, worms, classes)), picked, axis=2).sum(1)
        totals = np.concatenate((totals, ranks.sum(0)[None]))  # what was observed is one of the ways: no p is 0
    return float(np.mean(spread(totals) >= observed * (1 - 1e-9)))


def holm(p: dict[str, float]) -> dict[str, float]:
    """Each p after Holm's correction for their number."""
    found, least = dict(p), 0.0  # what is not a number stays
    tested = sorted((name for name in p if np.isfinite(p[name])), key=lambda name: p[name])
    for rank, name in enumerate(tested):
        least = max(least, min(1.0, p[name] * (len(tested) - rank)))
        found[name] = least
    return found


def pairs_of(classes: tuple[str, ...]) -> list[tuple[str, str]]:
    return list(combinations(classes, 2))


def spearman(one: Array, other: Array) -> float:
    """Rank correlation over the places where both are known; NaN for fewer than four, or where one does not vary."""
    known = np.isfinite(one) & np.isfinite(other)
    a, b = one[known], other[known]
    if len(a) < 4 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


def spearman_over(one: Array, other: Array, units: NDArray[np.int64]) -> Estimate:
    """Rank correlation of edges with its interval over `units` [edge]: edges into one neuron hang together.

    The jackknife leaves out one unit at a time; ranks are those of all edges.
    """
    value = spearman(one, other)
    known = np.isfinite(one) & np.isfinite(other)
    names, unit = np.unique(units[known], return_inverse=True)
    if not np.isfinite(value) or len(names) < FEWEST_UNITS:
        return Estimate(value, np.nan, np.nan)
    a, b = (stats.rankdata(v[known]) - (known.sum() + 1) / 2 for v in (one, other))
    sums = np.stack([np.bincount(unit, weights=w) for w in (np.ones(len(a)), a, b, a * a, b * b, a * b)])
    n, a1, b1, aa, bb, ab = sums.sum(1, keepdims=True) - sums
    with np.errstate(invalid="ignore", divide="ignore"):
        without = (ab - a1 * b1 / n) / np.sqrt((aa - a1**2 / n) * (bb - b1**2 / n))
    return Estimate(value, *interval_from_left_out(value, without, link="fisher", weights=sums[0]))


def area(values: Array, member: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of values for membership, ties as one half; NaN where all are members, or none."""
    inside = int(member.sum())
    outside = len(member) - inside
    if not inside or not outside:
        return np.nan
    ranks = stats.rankdata(values)
    return float((ranks[member].sum() - inside * (inside + 1) / 2) / (inside * outside))


def area_over(values: Array, member: NDArray[np.bool_], units: NDArray[np.int64]) -> Estimate:
    """`area` with its interval over units [edge], by the jackknife; none for fewer than ten members or others."""
    value = area(values, member)
    names, unit = np.unique(units, return_inverse=True)
    few = min(int(member.sum()), int((~member).sum())) < FEWEST_EDGES
    if not np.isfinite(value) or len(names) < FEWEST_UNITS or few:
        return Estimate(value, np.nan, np.nan)
    # What members of one unit win against the others of another, from which the area without each unit follows.
    others, their_unit = values[~member], unit[~member]
    won = np.zeros((len(names), len(names)))
    for name in np.unique(unit[member]):
        own = np.sort(values[member & (unit == name)])
        above = len(own) - (np.searchsorted(own, others, "left") + np.searchsorted(own, others, "right")) / 2
        won[name] = np.bincount(their_unit, weights=above, minlength=len(names))
    inside, outside = (np.bincount(unit[chosen], minlength=len(names)) for chosen in (member, ~member))
    left = won.sum() - won.sum(0) - won.sum(1) + np.diag(won)
    with np.errstate(invalid="ignore", divide="ignore"):
        without = left / ((inside.sum() - inside) * (outside.sum() - outside))
    weights = (inside + outside).astype(np.float64)
    return Estimate(value, *interval_from_left_out(value, without, link="logit", weights=weights))
