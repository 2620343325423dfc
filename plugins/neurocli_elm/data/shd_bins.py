"""Spikes into time bins, exactly as published, and kept sparse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from neurocli_elm.data.readers.shd import UNITS

DURATION_S = 1.0


@lru_cache(maxsize=8)
def edges(bin_ms: int) -> NDArray[np.float64]:
    """Left edges of the bins in s; the last one collects what comes later, and is dropped."""
    step = bin_ms / 1000
    return np.arange(0, DURATION_S + step, step, dtype=np.float64)


def num_bins(bin_ms: int) -> int:
    """Steps of an utterance."""
    return len(edges(bin_ms)) - 1


@dataclass(frozen=True)
class Binned:
    """Spike counts of utterances, those that are not 0, utterance after utterance.

    place: int32 [entry], step * 700 + unit, ascending in each utterance; count: uint16 [entry]; first: int64
    [utterance + 1], where the entries of each begin.
    """

    place: NDArray[np.int32]
    count: NDArray[np.uint16]
    first: NDArray[np.int64]

    def of(self, utterance: int) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """(place, count) of one utterance."""
        entries = slice(self.first[utterance], self.first[utterance + 1])
        return self.place[entries], self.count[entries]


def binned(
    seconds: NDArray[np.float32], units: NDArray[np.int32], bin_ms: int
) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
    """(place, count) of one utterance; several spikes of a unit in a bin add up."""
    # Times that were stored as float16 meet float64 edges: which side they fall on is part of the data set.
    step = np.digitize(seconds.astype(np.float64), edges(bin_ms)) - 1
    inside = step < num_bins(bin_ms)
    place, count = np.unique(step[inside] * UNITS + units[inside], return_counts=True)
    return place.astype(np.int32), np.minimum(count, np.iinfo(np.uint16).max).astype(np.uint16)
