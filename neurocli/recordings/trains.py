"""Stretches of event trains that know themselves again: whatever their place, channel or file.

A stretch is four successive intervals between the events of one channel. Intervals are compared in whole steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.recording import Spikes

INTERVALS = 4
_FACTOR, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True)
class Intervals:
    """code: uint64 [stretch] hash of the intervals; channel, start: int32 [stretch], start in steps of the spikes;
    bits: float32 [stretch] how improbable such intervals are in this recording.
    """

    code: NDArray[np.uint64]
    channel: NDArray[np.int32]
    start: NDArray[np.int32]
    bits: NDArray[np.float32]


def intervals_of(spikes: Spikes | None) -> Intervals:
    """Every stretch of every channel; none without spikes."""
    if spikes is None or len(spikes.step) <= INTERVALS:
        nothing = np.zeros(0, np.int32)
        return Intervals(np.zeros(0, np.uint64), nothing, nothing, np.zeros(0, np.float32))
    order = np.lexsort((spikes.step, spikes.channel))
    step, channel = spikes.step[order].astype(np.int64), spikes.channel[order].astype(np.int64)
    gap = np.diff(step)
    within = channel[1:] == channel[:-1]
    gap = np.where(within, gap, -1)
    bits = np.minimum(_rarity(gap), _rarity(gap + (gap.max(initial=0) + 2) * channel[1:], channel[1:]))
    count = len(gap) - INTERVALS + 1
    code, total, whole = np.zeros(count, np.uint64), np.zeros(count), np.ones(count, bool)
    for place in range(INTERVALS):
        here = slice(place, place + count)
        code = _mixed(code * _FACTOR + gap[here].astype(np.uint64) + np.uint64(1))
        total += bits[here]
        whole &= within[here]
    whole &= total > 0
    return Intervals(
        code[whole],
        channel[:count][whole].astype(np.int32),
        step[:count][whole].astype(np.int32),
        total[whole].astype(np.float32),
    )


def _rarity(values: NDArray[np.int64], of: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """-log2 of the share of each value among all, or among those with the same number in `of`."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    total = len(values) if of is None else np.bincount(of)[of]
    return np.log2(total / count[place])


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(31))) * _MIX
    return values ^ (values >> np.uint64(29))
