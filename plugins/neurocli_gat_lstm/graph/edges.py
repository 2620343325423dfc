"""Collecting edges between cells: names are checked, muscles and self connections put aside, gap junctions mirrored."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError, nearest_hint
from neurocli_gat_lstm.graph.names import canonical, neurons, other_cell

LARGEST_EDGES = 1_000_000
LARGEST_NODES = 100_000
LARGEST_WEIGHT = 1e15
LARGEST_USUAL_WEIGHT = 500
"""Median above which weights count neither synapses nor sections."""
_FEWEST_TO_JUDGE = 5
_DROPPED = -1


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges among `nodes`, each ordered pair once, sorted by pre, then post; none from a node to itself.

    pre, post: int64 [edge] positions in `nodes`; chemical, gap: float32 [edge] weights >= 0, not both 0; gap is
    symmetric. dropped: how many entries of the source were left out, by kind ("muscle", "other", "self").
    notes: what else was decided on the way; doubts: what somebody who knows the source should look at.
    """

    nodes: tuple[str, ...]
    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    chemical: NDArray[np.float32]
    gap: NDArray[np.float32]
    dropped: Mapping[str, int]
    notes: tuple[str, ...]
    doubts: tuple[str, ...] = ()


class EdgeCollector:
    """Takes the entries of an edge list one by one and makes `Edges` of them.

    source: what an error names. nodes: the nodes there may be, spelled as they are; without it they are the neurons
    of C. elegans, in any spelling that `canonical` knows, and those that no entry names are not among the nodes.
    """

    def __init__(self, source: str, nodes: Sequence[str] | None = None) -> None:
        self.source = source
        self.only_neurons = nodes is None
        self.names = tuple(neurons()) if nodes is None else tuple(nodes)
        if len(self.names) > LARGEST_NODES:
            raise DataError(f"{len(self.names)} nodes are more than the {LARGEST_NODES} there may be", where=source)
        self._position = {name: index for index, name in enumerate(self.names)}
        if len(self._position) < len(self.names):
            twice = next(name for name, count in Counter(self.names).items() if count > 1)
            raise DataError(f"the node {twice!r} is listed twice", where=source, hint="give every node one name")
        self._found: dict[str, int] = {}
        self._dropped: Counter[str] = Counter()
        self._without_weight = 0
        self.doubts: list[str] = []
        self._kind_of: dict[str, str] = {}
        self._pre, self._post = array("q"), array("q")
        self._chemical, self._gap = array("d"), array("d")

    def add_node(self, name: str, line: int | None = None) -> None:
        """A node that the source lists. Raises DataError for an unknown one."""
        self._find(name, line)

    def add(self, pre: str, post: str, chemical: float, gap: float, line: int | None = None) -> None:
        """One entry. Entries of the same ordered pair add up. Raises DataError for an unknown node or a bad weight."""
        for kind, weight in (("chemical", chemical), ("gap", gap)):
            if not 0 <= weight <= LARGEST_WEIGHT:
                raise DataError(
                    f"the {kind} weight from {pre} to {post} is {weight}",
                    where=self._where(line),
                    hint=f"weights are numbers from 0 to {LARGEST_WEIGHT:g}",
                )
        source, target = self._find(pre, line), self._find(post, line)
        if source == _DROPPED or target == _DROPPED:
            ends = {self._kind_of[name] for name in (pre, post) if name in self._kind_of}
            self._dropped["muscle" if "muscle" in ends else "other"] += 1
            return
        self._without_weight += not chemical and not gap
        if len(self._pre) == LARGEST_EDGES:
            raise DataError(f"there are more than {LARGEST_EDGES} edges", where=self._where(line))
        self._pre.append(source)
        self._post.append(target)
        self._chemical.append(chemical)
        self._gap.append(gap)

    def edges(self) -> Edges:
        """What was collected. Raises DataError when there is no edge between two nodes."""
        size = len(self.names)
        pre, post = np.array(self._pre, dtype=np.int64), np.array(self._post, dtype=np.int64)
        weights = np.array([self._chemical, self._gap], dtype=np.float64).reshape(2, len(pre))
        to_itself = (pre == post) & (weights > 0).any(axis=0)
        if to_itself.any():
            self._dropped["self"] += int(np.unique(pre[to_itself]).size)
        apart = pre != post
        keys = (pre * size + post)[apart]
        chemical_keys, chemical = _summed(keys, weights[0, apart])
        gap_keys, gap, uneven = _symmetric(*_summed(keys, weights[1, apart]), size)
        every, place = np.unique(np.concatenate([chemical_keys, gap_keys]), return_inverse=True)
        if every.size == 0:
            raise DataError(
                "there is no edge between two neurons",
                where=self.source,
                hint="a line needs two different neurons and a weight above 0",
            )
        values = np.zeros((2, every.size), dtype=np.float32)
        values[0, place[: chemical_keys.size]] = chemical
        values[1, place[chemical_keys.size :]] = gap
        notes = [f"{uneven} gap junctions have two weights, one each way: the larger is taken"] if uneven else []
        notes += self._repeated(pre[apart] * size + post[apart], weights[:, apart])
        if self._without_weight:
            notes.append(f"{self._without_weight} entries have the weight 0: no connection")
        notes += self._respelled()
        self._doubt_weights(values)
        nodes, pre, post = self._only_named(every // size, every % size)
        return Edges(
            nodes, pre, post, values[0], values[1], dict(self._dropped), tuple(notes), tuple(dict.fromkeys(self.doubts))
        )

    def _doubt_weights(self, values: NDArray[np.float32]) -> None:
        """Doubts where weights [kind, edge] are no counts of synapses or of sections."""
        for kind, weights in zip(("chemical", "gap"), values, strict=True):
            used = weights[weights > 0]
            if used.size < _FEWEST_TO_JUDGE:
                continue
            broken = int((used != np.rint(used)).sum())
            if broken > used.size / 2:
                self.doubts.append(
                    f"{broken} of {used.size} {kind} weights are not whole: means of several animals, logarithms or shares?"
                )
            elif used[0] > 1 and (used == used[0]).all():
                self.doubts.append(f"all {used.size} {kind} weights are {used[0]:g}: is this a number of connections?")
        largest, median = float(values.max()), float(np.median(values[values > 0]))
        if largest < 1:
            self.doubts.append(f"the largest weight is {largest:.3g}: counts of synapses are whole numbers from 1 on")
        if median > LARGEST_USUAL_WEIGHT:
            self.doubts.append(f"the median weight is {median:.4g}: synapses and EM sections of a pair are fewer")

    def _repeated(self, keys: NDArray[np.int64], weights: NDArray[np.float64]) -> list[str]:
        """What is said of pairs with several entries of one kind; a doubt where such entries are equal to the last digit."""
        pairs, copies = 0, 0
        for weight in weights:
            used = weight > 0
            order = np.lexsort((weight[used], keys[used]))
            key, value = keys[used][order], weight[used][order]
            again = np.diff(key) == 0
            pairs += int(np.unique(key[1:][again]).size)
            if (value != 1).any():  # one line a synapse repeats its pair
                copies += int((again & (np.diff(value) == 0)).sum())
        if copies:
            self.doubts.append(
                f"{copies} entries stand there again, with the same weight: they are added up, and may be copies"
            )
        return [f"{pairs} pairs have several entries: their weights are added up"] if pairs else []

    def _respelled(self) -> list[str]:
        """What is said of names that are written otherwise; a doubt where they are marked as uncertain."""
        if not self.only_neurons:
            return []
        other = {name: self.names[at] for name, at in self._found.items() if at != _DROPPED and name != self.names[at]}
        uncertain = [name for name in other if name.rstrip().endswith(("?", "*"))]
        if uncertain:
            self.doubts.append(
                f"{len(uncertain)} names are marked as uncertain, and taken as certain: {_some(uncertain)}"
            )
        others = [f"{name[:20]} as {known}" for name, known in other.items() if name not in uncertain]
        return [f"{len(others)} names are written otherwise: {_some(others)}"] if others else []

    def _only_named(
        self, pre: NDArray[np.int64], post: NDArray[np.int64]
    ) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
        """The nodes, without neurons that no entry named; the edges' ends as positions in them."""
        if not self.only_neurons:
            return self.names, pre, post
        named = np.unique([index for index in self._found.values() if index != _DROPPED])
        return tuple(self.names[index] for index in named), np.searchsorted(named, pre), np.searchsorted(named, post)

    def _find(self, name: str, line: int | None) -> int:
        """Position of a node, or _DROPPED for a cell that is no neuron."""
        known = self._found.get(name)
        if known is None:
            known = self._found[name] = self._look_up(name, line)
        return known

    def _look_up(self, name: str, line: int | None) -> int:
        position = self._position.get(name)
        if position is None and self.only_neurons:
            kind = other_cell(name)
            if kind is not None:
                self._kind_of[name] = kind
                return _DROPPED
            position = self._position.get(canonical(name) or "")
        if position is None:
            what = "no neuron of C. elegans" if self.only_neurons else "not among the nodes given"
            raise DataError(
                f"the node {_shown(name)} is {what}",
                where=self._where(line),
                hint=nearest_hint(name[:40].upper(), self.names),
            )
        return position

    def _where(self, line: int | None) -> str:
        return self.source if line is None else f"{self.source}:{line}"


def read_weight(text: str, column: str, source: str, line: int) -> float:
    """A weight as a number. Raises DataError for a text that is none, NaN and infinity."""
    try:
        value = math.nan if "_" in text else float(text)  # Python reads 1_5 as 15
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{column} is {_shown(text)}, not a number" if text.strip() else f"{column} is empty",
            where=f"{source}:{line}",
            hint="write a number of at least 0, and 0 for no connection",
        )
    return value


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(name[:30] for name in names[:most]) + more


def _shown(text: str) -> str:
    """A text of a file as an error shows it."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _summed(keys: NDArray[np.int64], weights: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every key with a weight above 0 once, sorted, with the sum of its weights."""
    keys, weights = keys[weights > 0], weights[weights > 0]
    unique, place = np.unique(keys, return_inverse=True)
    return unique, np.bincount(place, weights=weights, minlength=unique.size).astype(np.float64)


def _symmetric(
    keys: NDArray[np.int64], weights: NDArray[np.float64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Gap junctions in both directions, and how many of them had two weights that differ."""
    mirrored = (keys % size) * size + keys // size
    both, place = np.unique(np.concatenate([keys, mirrored]), return_inverse=True)
    largest, smallest = np.zeros(both.size), np.full(both.size, np.inf)
    np.maximum.at(largest, place, np.tile(weights, 2))
    np.minimum.at(smallest, place, np.tile(weights, 2))
    return both, largest, int((largest != smallest).sum()) // 2
