"""An exact test of two predictors on the same groups, for any metric that is made of sums over groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import Metric

MOST_EXCHANGES = 1024
"""All exchanges up to eleven groups, as many random ones beyond."""
_BYTES = 32 * 2**20  # of the statistics of the exchanges that are scored at once


def exchange_p(metric: Metric, first: NDArray[np.float64], second: NDArray[np.float64], *, seed: int = 0) -> float:
    """Two-sided p of the difference of the scores of `first` and `second`, both statistics [group, channel, k].

    Were the two predictors alike, which of them gave which statistics of a group would be chance. p is the share of all
    exchanges within groups whose scores differ at least as much as those observed. Exchanging a group or exchanging all
    others gives the same difference with the other sign, so one group stays as it is. Random exchanges count what was
    observed among them: no p is 0.
    """
    if metric.pooled:  # statistics may be added over channels, and so few are quick
        first, second = first.sum(1, keepdims=True), second.sum(1, keepdims=True)
    n = len(first)
    signs = _signs(n, seed)
    middle, half = (first + second).sum(0) / 2, (first - second) / 2
    flat = half.reshape(n, -1)
    size = max(1, _BYTES // (8 * flat.shape[1]))
    differences = []
    for start in range(0, len(signs), size):
        shift = (signs[start : start + size] @ flat).reshape(-1, *middle.shape)
        differences.append(np.abs(metric.value(middle + shift) - metric.value(middle - shift)))
    absolute = np.concatenate(differences)
    # What is not a number counts as at least as different: a test must not gain from it.
    return float(np.mean(~(absolute < absolute[0] * (1 - 1e-9))))


def _signs(n: int, seed: int) -> NDArray[np.float64]:
    """Exchanges [exchange, group] as signs, the first one exchanging nothing."""
    if 2 ** (n - 1) <= MOST_EXCHANGES:
        free = 1 - 2 * ((np.arange(2 ** (n - 1))[:, None] >> np.arange(n - 1)) & 1)
        return np.concatenate((np.ones((len(free), 1)), free), axis=1)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (MOST_EXCHANGES, n))
    signs[0] = 1
    return signs
