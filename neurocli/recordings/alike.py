"""Stretches of different recordings that are alike, and how much that tells."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.files.scratch import Scratch
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
_AT_ONCE = 2**18
"""Stretches that are compared together."""


class Stored:
    """Stretches of one recording after the other, column by column, of which those of one recording are in memory at a time."""

    def __init__(self) -> None:
        self._columns = Scratch()
        self.sizes: list[int] = []

    def add(self, stretches: Stretches | Intervals) -> None:
        """Those of the next recording."""
        for name, column in vars(stretches).items():
            self._columns.keep(f"{name} {len(self.sizes)}", column)
        self.sizes.append(len(stretches.code))

    def __len__(self) -> int:
        return sum(self.sizes)

    def column(self, name: str, recording: int) -> NDArray[Any]:
        """A column of the stretches of a recording [stretch, ...]."""
        return self._columns[f"{name} {recording}"]

    def between(self, recording: int, first: int, last: int, channel: int | None = None) -> int:
        """How many stretches of a recording start from `first` to `last`."""
        start = self.column("start", recording)
        inside = (start >= first) & (start <= last)
        return int((inside if channel is None else inside & (self.column("channel", recording) == channel)).sum())

    def chosen(self, columns: Sequence[str], which: Callable[[NDArray[np.uint64]], NDArray[np.bool_]]) -> Chosen:
        """Those whose codes `which` is true of, with some of their columns."""
        first, gathered = 0, []
        for recording, size in enumerate(self.sizes):
            place = np.flatnonzero(which(self.column("code", recording)))
            owner = np.full(len(place), recording, np.int32)
            gathered.append((first + place, owner, *(self.column(name, recording)[place] for name in columns)))
            first += size
        index, recording_of, *values = (np.concatenate(column) for column in zip(*gathered, strict=True))
        return Chosen(index, recording_of, dict(zip(columns, values, strict=True)))


class Chosen(NamedTuple):
    """Some stretches: their number among all, int64, ascending; their recording, int32; and other columns by name [stretch, ...]."""

    number: NDArray[np.int64]
    recording: NDArray[np.int32]
    columns: dict[str, NDArray[Any]]

    def ends(self, some: NDArray[np.int64]) -> Ends:
        """Some of them, as ends of pairs."""
        channel, start = self.columns["channel"][some], self.columns["start"][some]
        return Ends(self.number[some], self.recording[some], channel, start)


class Ends(NamedTuple):
    """One stretch of each pair [pair]: its number among all, int64; its recording, channel and start, int32."""

    number: NDArray[np.int64]
    recording: NDArray[np.int32]
    channel: NDArray[np.int32]
    start: NDArray[np.int32]

    def only(self, some: NDArray[np.int64]) -> Ends:
        """Those of some of the pairs."""
        return Ends(self.number[some], self.recording[some], self.channel[some], self.start[some])


@dataclass(frozen=True)
class Alike:
    """Pairs of stretches, of one recording and of a later one; bits [pair]; stored: all stretches.

    Each stretch is in one pair at most for each other recording and lag.
    """

    stored: Stored
    first: Ends
    second: Ends
    bits: NDArray[np.float64]

    @property
    def comparison_bits(self) -> float:
        """log2 of the number of pairs that there might be."""
        return 2 * float(np.log2(max(len(self.stored), 2))) - 1

    @property
    def lag(self) -> NDArray[np.int32]:
        """How much later the second of a pair begins [pair]."""
        return self.second.start - self.first.start

    def by_lag(self, fewest: int, least_bits: float) -> Iterator[Alike]:
        """The pairs of two recordings at one lag, where they are not fewer, and tell as much together."""
        if not len(self.bits):
            return
        key = np.stack([self.first.recording, self.second.recording, self.lag])
        order = np.lexsort(key[::-1])
        changes = (key[:, order[1:]] != key[:, order[:-1]]).any(axis=0)
        edges = np.concatenate([[0], np.flatnonzero(changes) + 1])
        size = np.diff(np.append(edges, len(order)))
        enough = (np.add.reduceat(self.bits[order], edges) >= least_bits) & (size >= fewest)
        for start, count in zip(edges[enough], size[enough], strict=True):
            yield self.only(order[start : start + count])

    def only(self, some: NDArray[np.int64]) -> Alike:
        """Some of the pairs."""
        return Alike(self.stored, self.first.only(some), self.second.only(some), self.bits[some])

    def of_best_channels(self) -> Alike:
        """The pairs of the two channels that share most."""
        channels = np.stack([self.first.channel, self.second.channel], axis=1)
        _, place = np.unique(channels, axis=0, return_inverse=True)
        place = place.ravel()
        return self.only(np.flatnonzero(place == np.bincount(place, self.bits).argmax()))

    def density(self, margin: int, *, one_channel: bool = False) -> float:
        """The share of stretches that are alike, of those from the first pair to the last and `margin` samples around."""
        counts = []
        for side in (self.first, self.second):
            channel = int(side.channel[0]) if one_channel else None
            first, last = int(side.start.min()) - margin, int(side.start.max()) + margin
            counts.append(self.stored.between(int(side.recording[0]), first, last, channel))
        return min(1.0, len(self.bits) / min(counts))


def alike_stretches(stored: Stored, scale: Scale) -> Alike:
    """Pairs of stretches of signals, of different recordings, that correlate by more than `ALIKE`."""
    # So long that few unlike stretches share it by chance.
    bits = int(np.clip(np.log2(max(len(stored), 2)) + 3, 12, 28))
    columns = ("code", "shape", "channel", "start", "freedom", "most_bits")
    alike_pairs = []
    for rotation in _ROTATIONS:
        for some in _in_portions(stored, columns, functools.partial(_turned, rotation=rotation)):
            code, shape = _turned(some.columns["code"], rotation), some.columns["shape"]
            norm = np.sqrt(np.einsum("ij,ij->i", shape, shape, dtype=np.float32))
            order = np.argsort(code, kind="stable")
            prefix = code[order] >> np.uint64(64 - bits)
            for first, second in _neighbours(order, prefix, some.recording):
                r = _correlation(shape, norm, first, second)
                same = r > ALIKE
                first, second = first[same], second[same]
                evidence = _evidence(r[same], some.columns, first, second) * scale.alone
                alike_pairs.append((some.ends(first), some.ends(second), evidence))
    return _one_to_one(_each_once(stored, alike_pairs))


def alike_intervals(stored: Stored) -> Alike:
    """Pairs of stretches of event trains, of different recordings, with the same intervals."""
    alike_pairs = []
    for some in _in_portions(stored, ("code", "channel", "start", "bits"), lambda code: code):
        order, bits = np.argsort(some.columns["code"], kind="stable"), some.columns["bits"]
        for first, second in _neighbours(order, some.columns["code"][order], some.recording):
            evidence = np.minimum(bits[first], bits[second]).astype(np.float64) / INTERVALS
            alike_pairs.append((some.ends(first), some.ends(second), evidence))
    return _one_to_one(_each_once(stored, alike_pairs))


def _in_portions(
    stored: Stored, columns: Sequence[str], sorted_by: Callable[[NDArray[np.uint64]], NDArray[np.uint64]]
) -> Iterator[Chosen]:
    """All stretches, in portions that fit into memory, so that those of equal first bits of `sorted_by` are together."""
    bits = max(0, int(np.ceil(np.log2(max(len(stored), 1) / _AT_ONCE))))

    for portion in range(2**bits):

        def inside(code: NDArray[np.uint64], portion: int = portion) -> NDArray[np.bool_]:
            first_bits = sorted_by(code) >> np.uint64(64 - bits) if bits else np.zeros(len(code), np.uint64)
            chosen: NDArray[np.bool_] = first_bits == portion
            return chosen

        yield stored.chosen(columns, inside)


def _turned(code: NDArray[np.uint64], rotation: int) -> NDArray[np.uint64]:
    """A code that begins with another of its bits; the first CODE_BITS of 64 hold it."""
    turned: NDArray[np.uint64] = (code << np.uint64(rotation)) | (code >> np.uint64(CODE_BITS - rotation))
    return turned << np.uint64(64 - CODE_BITS)


def _evidence(
    r: NDArray[np.float64], columns: Mapping[str, NDArray[Any]], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Bits that a pair of stretches of correlation r tells [pair]."""
    freedom, most = (np.minimum(column[first], column[second]) for column in (columns["freedom"], columns["most_bits"]))
    evidence = -0.5 * np.maximum(freedom - _COMMON, 0) * np.log2(np.maximum(1 - r**2, _EXACT))
    told: NDArray[np.float64] = np.minimum(evidence, most)
    return told


def _correlation(
    shape: NDArray[np.int8], norm: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    r = np.empty(len(first))
    for start in range(0, len(first), _SOME):
        first_block, second_block = first[start : start + _SOME], second[start : start + _SOME]
        product = np.einsum("ij,ij->i", shape[first_block].astype(np.float32), shape[second_block].astype(np.float32))
        r[start : start + _SOME] = product / (norm[first_block] * norm[second_block])
    return r


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


def _each_once(stored: Stored, pairs: Sequence[tuple[Ends, Ends, NDArray[np.float64]]]) -> Alike:
    first, second = (
        Ends(*(np.concatenate(column) for column in zip(*ends, strict=True)))
        for ends in ([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    )
    bits = np.concatenate([evidence for _, _, evidence in pairs])
    size = int(second.number.max(initial=0)) + 1
    _, once = np.unique(first.number * size + second.number, return_index=True)
    return Alike(stored, first, second, bits).only(once)


def _one_to_one(pairs: Alike) -> Alike:
    """Without the worse pairs of a stretch, among those of the same two recordings and lag."""
    lag = pairs.lag.astype(np.int64)
    order = np.argsort(-pairs.bits, kind="stable")
    for stretch, foreign in (
        (pairs.first.number, pairs.second.recording),
        (pairs.second.number, pairs.first.recording),
    ):
        key = np.stack([stretch[order], foreign[order], lag[order]], axis=1)
        _, kept = np.unique(key, axis=0, return_index=True)
        order = order[np.sort(kept)]
    return pairs.only(order)
