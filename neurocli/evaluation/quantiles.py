"""Quantiles of more numbers than memory holds: exactly those of numpy, from numbers that come part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HALF = np.uint32(16)
_VALUES = 2**16


def quantiles(parts: Callable[[], Iterable[NDArray[np.float32]]], at: Sequence[float]) -> NDArray[np.float64]:
    """What np.quantile gives `at` these shares for all parts joined, as float64 [share].

    parts: gives float32 arrays that hold no NaN, the same ones each time; it is called twice. float32 numbers have an order of 2^32 places: the
    first pass counts them by the upper half of their place, the second by the lower half, where a quantile lies.
    """
    upper = _summed(np.bincount(_places(part) >> _HALF, minlength=_VALUES) for part in parts())
    before = np.cumsum(upper) - upper
    virtual = (upper.sum() - 1) * np.asarray(at, np.float64)
    below = np.floor(virtual).astype(np.int64)
    ranks = np.unique(np.concatenate([below, np.minimum(below + 1, upper.sum() - 1)]))
    half_of = np.searchsorted(before + upper, ranks, "right")
    halves = np.unique(half_of)
    lower = _summed(_lower(_places(part), halves) for part in parts())
    values = {}
    for rank, half in zip(ranks, half_of, strict=True):
        counts = np.cumsum(lower[np.searchsorted(halves, half)])
        values[int(rank)] = _value(half * _VALUES + int(np.searchsorted(counts, rank - before[half], "right")))
    largest = int(ranks[-1])
    return np.array(
        [
            np.quantile([values[int(k)], values[min(int(k) + 1, largest)]], share - k)
            for k, share in zip(below, virtual, strict=True)
        ]
    )


def _places(part: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Numbers in the order of the float32 values."""
    bits = np.ascontiguousarray(part, np.float32).ravel().view(np.uint32)
    places: NDArray[np.uint32] = np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(2**31))
    return places


def _value(place: int) -> float:
    bits = place - 2**31 if place >= 2**31 else 2**32 - 1 - place
    return float(np.array(bits, np.uint32).view(np.float32))


def _lower(places: NDArray[np.uint32], halves: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts [half, lower half of the place] of those in some upper halves."""
    upper = places >> _HALF
    return np.stack([np.bincount(places[upper == half] & np.uint32(_VALUES - 1), minlength=_VALUES) for half in halves])


def _summed(counts: Iterable[NDArray[np.int64]]) -> NDArray[Any]:
    """The sum of arrays, of which one is in memory at a time."""
    total: Any = 0
    for count in counts:
        total = total + count
    return np.asarray(total)
