"""Statistics that respect worms: intervals over worms, tests by exchange within worms, rank correlations of edges."""

from __future__ import annotations

from itertools import combinations, permutations, product
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

EXACT = 20_000
"""Up to so many exchanges all are made, beyond it as many at random."""
RESAMPLES = 500
FEWEST_UNITS = 5


class Estimate(NamedTuple):
    """A value and its 95 % interval, NaN where there is none."""

    value: float
    low: float
    high: float


def over_worms(values: Array) -> Estimate:
    """Mean over worms and its t interval; no interval for fewer than three worms."""
    known = np.asarray(values, np.float64)[np.isfinite(values)]
    if len(known) < 3:
        return Estimate(float(known.mean()) if len(known) else np.nan, np.nan, np.nan)
    half = stats.t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return Estimate(float(known.mean()), float(known.mean() - half), float(known.mean() + half))


def sign_flip(differences: Array) -> float:
    """Two-sided p of a mean difference over worms: the signs of the worms' differences are exchanged, all ways if few."""
    known = differences[np.isfinite(differences)]
    n = len(known)
    if not n:
        return np.nan
    if 2**n <= EXACT:
        signs = np.array(list(product((1.0, -1.0), repeat=n)))
    else:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (EXACT, n))
    return float(np.mean(np.abs(signs @ known) >= abs(known.sum()) * (1 - 1e-12)))


def friedman_exact(values: Array) -> float:
    """p of Friedman's test for values [worm, class] by exchange of classes within worms; NaN for fewer than two of either."""
    known = values[np.isfinite(values).all(1)]
    worms, classes = known.shape
    if worms < 2 or classes < 2:
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
    return float(np.mean(spread(totals) >= observed * (1 - 1e-9)))


def least_p(worms: int) -> float:
    """The smallest p that a sign flip of so many worms can give."""
    return float(2 / 2**worms) if worms else 1.0


def holm(p: dict[str, float]) -> dict[str, float]:
    """Each p after Holm's correction for their number."""
    found, least = {}, 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        least = max(least, min(1.0, p[name] * (len(p) - rank)))
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


def spearman_over(one: Array, other: Array, units: NDArray[np.int64], seed: int = 0) -> Estimate:
    """Rank correlation of edges with its bootstrap interval over `units` [edge]: edges into one neuron hang together.

    Ranks are those of all edges in every resample.
    """
    value = spearman(one, other)
    known = np.isfinite(one) & np.isfinite(other)
    names, unit = np.unique(units[known], return_inverse=True)
    if not np.isfinite(value) or len(names) < FEWEST_UNITS:
        return Estimate(value, np.nan, np.nan)
    a, b = (stats.rankdata(v[known]) - (known.sum() + 1) / 2 for v in (one, other))
    sums = np.stack([np.bincount(unit, weights=w) for w in (np.ones(len(a)), a, b, a * a, b * b, a * b)])
    n, a1, b1, aa, bb, ab = sums @ _draws(len(names), seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (ab - a1 * b1 / n) / np.sqrt((aa - a1**2 / n) * (bb - b1**2 / n))
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def area(values: Array, member: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of values for membership, ties as one half; NaN where all are members, or none."""
    inside = int(member.sum())
    outside = len(member) - inside
    if not inside or not outside:
        return np.nan
    ranks = stats.rankdata(values)
    return float((ranks[member].sum() - inside * (inside + 1) / 2) / (inside * outside))


def area_over(values: Array, member: NDArray[np.bool_], units: NDArray[np.int64], seed: int = 0) -> Estimate:
    """`area` with its bootstrap interval over units [edge], which are drawn whole."""
    value = area(values, member)
    names, unit = np.unique(units, return_inverse=True)
    if not np.isfinite(value) or len(names) < FEWEST_UNITS:
        return Estimate(value, np.nan, np.nan)
    # What members of one unit win against the others of another, from which every resample's area follows.
    others, their_unit = values[~member], unit[~member]
    won = np.zeros((len(names), len(names)))
    for name in np.unique(unit[member]):
        own = np.sort(values[member & (unit == name)])
        above = len(own) - (np.searchsorted(own, others, "left") + np.searchsorted(own, others, "right")) / 2
        won[name] = np.bincount(their_unit, weights=above, minlength=len(names))
    draws = _draws(len(names), seed)
    inside, outside = (np.bincount(unit[chosen], minlength=len(names)) @ draws for chosen in (member, ~member))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.einsum("ur,uv,vr->r", draws, won, draws, optimize=True) / (inside * outside)
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def _draws(units: int, seed: int) -> Array:
    """[unit, resample] how often each unit is drawn."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(units, np.full(units, 1 / units), size=RESAMPLES).T.astype(np.float64)
