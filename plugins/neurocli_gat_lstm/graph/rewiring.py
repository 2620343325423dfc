"""Random graphs with the degrees of a given one, by swapping the ends of two edges many times (Maslov & Sneppen 2002)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SWAPS_PER_EDGE = 10
"""Accepted swaps per edge, after which a random graph is taken as mixed."""

ATTEMPTS_PER_EDGE = 200
"""Attempts per edge, after which a graph that leaves little to swap is taken as it is."""

_BLOCK = 65_536


class Bundles(NamedTuple):
    """Connections of one sort, which swap ends among each other only.

    one, other: int64 [bundle], its two nodes. mutual: whether it holds both directions, or only one→other. turnable:
    whether its two ends are alike, so that it may be swapped either way round.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    mutual: bool
    turnable: bool


def rewire(sorts: Sequence[Bundles], n_nodes: int, rng: np.random.Generator) -> list[Bundles]:
    """The bundles with new ends. Every node keeps, for each sort, how often it is at the one and at the other end.

    Two bundles a-b and c-d of a sort become a-d and c-b, unless that joins a node to itself or gives two nodes a second
    connection in the same direction. What belongs to a bundle stays with it. Together the sorts hold each ordered pair
    once and none twice.
    """
    ends = [pair for sort in sorts for pair in zip(sort.one.tolist(), sort.other.tolist(), strict=True)]
    taken = {
        cell
        for sort in sorts
        for pair in zip(sort.one.tolist(), sort.other.tolist(), strict=True)
        for cell in _cells(pair, sort.mutual, n_nodes)
    }
    left = SWAPS_PER_EDGE * len(ends)
    for i, j, sort_of, coin in _draws(sorts, rng):
        mutual, turned = sorts[sort_of].mutual, coin and sorts[sort_of].turnable
        (a, b), (c, d) = ends[i], ends[j][::-1] if turned else ends[j]
        first, second = _cells((a, d), mutual, n_nodes), _cells((c, b), mutual, n_nodes)
        if a == d or c == b or not taken.isdisjoint(first) or not taken.isdisjoint(second):
            continue
        taken.difference_update(_cells((a, b), mutual, n_nodes), _cells((c, d), mutual, n_nodes))
        taken.update(first, second)
        ends[i], ends[j] = (a, d), (b, c) if turned else (c, b)
        left -= 1
        if left == 0:
            break
    sizes = [len(sort.one) for sort in sorts]
    ends_of = np.split(np.array(ends, dtype=np.int64).reshape(-1, 2), np.cumsum(sizes)[:-1])
    return [sort._replace(one=part[:, 0], other=part[:, 1]) for sort, part in zip(sorts, ends_of, strict=True)]


def _cells(pair: tuple[int, int], mutual: bool, n_nodes: int) -> tuple[int, ...]:
    """Which ordered pairs a bundle between these nodes occupies."""
    a, b = pair
    return (a * n_nodes + b, b * n_nodes + a) if mutual else (a * n_nodes + b,)


def _draws(sorts: Sequence[Bundles], rng: np.random.Generator) -> Iterator[tuple[int, int, int, int]]:
    """Two bundles of a sort, the sort, and a coin, as often as may be tried; a sort comes as often as it has bundles."""
    sizes = np.array([len(sort.one) for sort in sorts])
    starts = np.cumsum(sizes) - sizes
    total = int(sizes.sum())
    attempts = ATTEMPTS_PER_EDGE * total
    while attempts > 0:
        block = min(attempts, _BLOCK)
        first = rng.integers(total, size=block)
        sort = np.searchsorted(starts, first, side="right") - 1
        second = starts[sort] + (rng.random(block) * sizes[sort]).astype(np.int64)
        coins = rng.integers(2, size=block)
        yield from zip(first.tolist(), second.tolist(), sort.tolist(), coins.tolist(), strict=True)
        attempts -= block
