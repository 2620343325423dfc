"""Stretches of different recordings that are alike, and how much that tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.stretches import CODE_BITS, Scale, Stretches
from neurocli.recordings.trains import INTERVALS, Intervals

ALIKE = 0.985
"""Correlation of changes from which on two stretches may be the same numbers."""
_ROTATIONS = (0, 16, 32)
_NEIGHBOURS = 4
_SOME = 200_000
_EXACT = 0.002
"""1 - r² below which nothing more is learned: copies carry noise of their own, by rounding at least."""
_COMMON = 4.0
"""Freedom that events of one shape have in common (a spike, a decay, an artefact): no evidence."""
_MOST_EVENTS = 4_000_000


@dataclass(frozen=True)
class Places:
    """Where all stretches are. recording, channel, start: int32 [stretch]; recordings in ascending order."""

    recording: NDArray[np.int32]
    channel: NDArray[np.int32]
    start: NDArray[np.int32]

    def between(self, recording: int, first: int, last: int, channel: int | None = None) -> int:
        """How many stretches of a recording start from `first` to `last`."""
        here = slice(*np.searchsorted(self.recording, (recording, recording + 1)))
        inside = (self.start[here] >= first) & (self.start[here] <= last)
        return int((inside if channel is None else inside & (self.channel[here] == channel)).sum())


@dataclass(frozen=True)
class Alike:
    """Pairs of stretches, of one recording and of a later one: index into `places`, int64 [pair]; bits [pair].

    Each stretch is in one pair at most for each other recording and lag.
    """

    places: Places
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    bits: NDArray[np.float64]

    @property
    def comparison_bits(self) -> float:
        """log2 of the number of pairs that there might be."""
        return 2 * float(np.log2(max(len(self.places.start), 2))) - 1

    def by_lag(self, fewest: int, least_bits: float) -> Iterator[Alike]:
        """The pairs of two recordings at one lag, where they are not fewer, and tell as much together."""
        if not len(self.bits):
            return
        places = self.places
        lag = places.start[self.second] - places.start[self.first]
        key = np.stack([places.recording[self.first], places.recording[self.second], lag])
        order = np.lexsort(key[::-1])
        changes = (key[:, order[1:]] != key[:, order[:-1]]).any(axis=0)
        edges = np.concatenate([[0], np.flatnonzero(changes) + 1])
        size = np.diff(np.append(edges, len(order)))
        enough = (np.add.reduceat(self.bits[order], edges) >= least_bits) & (size >= fewest)
        for start, count in zip(edges[enough], size[enough], strict=True):
            yield self.only(order[start : start + count])

    def only(self, some: NDArray[np.int64]) -> Alike:
        """Some of the pairs."""
        return Alike(self.places, self.first[some], self.second[some], self.bits[some])

    def of_best_channels(self) -> Alike:
        """The pairs of the two channels that share most."""
        channels = np.stack([self.places.channel[self.first], self.places.channel[self.second]], axis=1)
        _, place = np.unique(channels, axis=0, return_inverse=True)
        place = place.ravel()
        return self.only(np.flatnonzero(place == np.bincount(place, self.bits).argmax()))

    def density(self, margin: int, *, one_channel: bool = False) -> float:
        """The share of stretches that are alike, of those from the first pair to the last and `margin` samples around."""
        counts = []
        for side in (self.first, self.second):
            start = self.places.start[side]
            channel = int(self.places.channel[side[0]]) if one_channel else None
            recording = int(self.places.recording[side[0]])
            counts.append(self.places.between(recording, int(start.min()) - margin, int(start.max()) + margin, channel))
        return min(1.0, len(self.bits) / min(counts))


def alike_stretches(by_recording: Sequence[Stretches], scale: Scale) -> Alike:
    """Pairs of stretches of signals, of different recordings, that correlate by more than `ALIKE`."""
    every = Stretches.joined(by_recording)
    places = Places(_owners([len(stretches) for stretches in by_recording]), every.channel, every.start)
    norm = np.sqrt(np.square(every.shape.astype(np.float32)).sum(axis=1))
    # So long that few unlike stretches share it by chance.
    bits = int(np.clip(np.log2(max(len(every), 2)) + 3, 12, 28))
    alike_pairs = []
    for rotation in _ROTATIONS:
        turned = (every.code << np.uint64(rotation)) | (every.code >> np.uint64(CODE_BITS - rotation))
        order = np.argsort(turned & np.uint64(2**CODE_BITS - 1), kind="stable")
        prefix = (turned[order] & np.uint64(2**CODE_BITS - 1)) >> np.uint64(CODE_BITS - bits)
        for first, second in _neighbours(order, prefix, places.recording):
            same = _correlation(every.shape, norm, first, second) > ALIKE
            alike_pairs.append((first[same], second[same]))
    first, second = _each_once(alike_pairs)
    r = _correlation(every.shape, norm, first, second)
    freedom = np.minimum(every.freedom[first], every.freedom[second]) - _COMMON
    evidence = -0.5 * np.maximum(freedom, 0) * np.log2(np.maximum(1 - r**2, _EXACT))
    evidence = np.minimum(evidence, np.minimum(every.most_bits[first], every.most_bits[second])) * scale.alone
    return _one_to_one(Alike(places, first, second, evidence))


def alike_intervals(by_recording: Sequence[Intervals]) -> Alike:
    """Pairs of stretches of event trains, of different recordings, with the same intervals."""
    every = Intervals.joined(by_recording)
    owner = _owners([len(intervals.code) for intervals in by_recording])
    if len(owner) > _MOST_EVENTS:  # the same ones of each recording
        kept = every.code % np.uint64(-(-len(owner) // _MOST_EVENTS)) == 0
        every, owner = every.only(kept), owner[kept]
    order = np.argsort(every.code, kind="stable")
    first, second = _each_once(list(_neighbours(order, every.code[order], owner)))
    bits = np.minimum(every.bits[first], every.bits[second]).astype(np.float64) / INTERVALS
    return _one_to_one(Alike(Places(owner, every.channel, every.start), first, second, bits))


def _correlation(
    shape: NDArray[np.int8], norm: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    r = np.empty(len(first))
    for start in range(0, len(first), _SOME):
        first_block, second_block = first[start : start + _SOME], second[start : start + _SOME]
        product = np.einsum("ij,ij->i", shape[first_block].astype(np.float32), shape[second_block].astype(np.float32))
        r[start : start + _SOME] = product / (norm[first_block] * norm[second_block])
    return r


def _owners(sizes: Sequence[int]) -> NDArray[np.int32]:
    return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)


def _neighbours(
    order: NDArray[np.int64], prefix: NDArray[np.uint64], owner: NDArray[np.int32]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of different recordings that stand beside each other in `order` and have the same prefix [stretch]."""
    for apart in range(1, _NEIGHBOURS + 1):
        place = np.flatnonzero(prefix[:-apart] == prefix[apart:])
        left, right = order[place], order[place + apart]
        foreign = owner[left] != owner[right]
        left, right = left[foreign], right[foreign]
        yield np.minimum(left, right), np.maximum(left, right)


def _each_once(
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, second = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    size = int(second.max(initial=0)) + 1
    return np.divmod(np.unique(first * size + second), size)


def _one_to_one(pairs: Alike) -> Alike:
    """Without the worse pairs of a stretch, among those of the same two recordings and lag."""
    places = pairs.places
    lag = (places.start[pairs.second] - places.start[pairs.first]).astype(np.int64)
    order = np.argsort(-pairs.bits, kind="stable")
    for stretch, foreign in (
        (pairs.first, places.recording[pairs.second]),
        (pairs.second, places.recording[pairs.first]),
    ):
        key = np.stack([stretch[order], foreign[order], lag[order]], axis=1)
        _, kept = np.unique(key, axis=0, return_index=True)
        order = order[np.sort(kept)]
    return pairs.only(order)
