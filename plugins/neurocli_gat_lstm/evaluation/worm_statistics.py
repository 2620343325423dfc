"""Tests that respect worms: Friedman's by exchange within worms, and Holm's correction."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from neurocli.evaluation.intervals import FEWEST_FOR_P

Array = NDArray[np.float64]

EXACT = 20_000
"""Up to so many exchanges all are made, beyond it as many at random."""


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
    corrected, least = dict(p), 0.0  # what is not a number stays
    tested = sorted((name for name in p if np.isfinite(p[name])), key=lambda name: p[name])
    for rank, name in enumerate(tested):
        least = max(least, min(1.0, p[name] * (len(tested) - rank)))
        corrected[name] = least
    return corrected
