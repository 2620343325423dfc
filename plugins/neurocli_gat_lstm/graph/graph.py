"""The graph that attention runs over: the connectome among some neurons, and the controls that say what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import ConfigError, DataError, MissingDependency, nearest_hint
from neurocli_gat_lstm.graph.atlas import MISSING_POSITIONS, positions
from neurocli_gat_lstm.graph.connectome import Connectome
from neurocli_gat_lstm.graph.names import canonical
from neurocli_gat_lstm.graph.rewiring import Bundles, rewire

Kind = Literal["real", "none", "shuffled", "full"]
Weights = Literal["both", "chemical", "gap"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WEIGHTS: tuple[Weights, ...] = get_args(Weights)

FEATURES = ("log1p chemical", "log1p gap")
DISTANCE = "distance"
LARGEST_FULL = 20_000_000
"""Edges of the largest full graph."""


@dataclass(frozen=True, eq=False)
class Graph:
    """Directed edges among named nodes, sorted by post, then pre; no node is connected to itself.

    pre, post: int64 [edge], positions in `names`; information goes from pre to post. features: float32 [edge, feature]
    with `feature_names`. seed: of the shuffle. overlap: share of the edges that are edges of the connectome too; 0
    without edges.
    """

    names: tuple[str, ...]
    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    features: NDArray[np.float32]
    feature_names: tuple[str, ...]
    kind: Kind
    seed: int
    overlap: float

    def __post_init__(self) -> None:
        for values in (self.pre, self.post, self.features):
            values.setflags(write=False)

    @property
    def n_edges(self) -> int:
        """Number of directed edges."""
        return len(self.pre)

    @property
    def edge_index(self) -> NDArray[np.int64]:
        """[2, edge]: pre above post, which torch-geometric calls source and target."""
        return np.stack([self.pre, self.post])

    def isolated(self) -> tuple[str, ...]:
        """Names of the nodes without any edge."""
        connected = np.zeros(len(self.names), dtype=bool)
        connected[self.pre] = connected[self.post] = True
        return tuple(name for name, is_connected in zip(self.names, connected, strict=True) if not is_connected)


def graph_among(
    connectome: Connectome,
    names: Sequence[str],
    kind: Kind = "real",
    *,
    weights: Weights = "both",
    distance: bool = False,
    seed: int = 0,
) -> Graph:
    """The edges among `names`: those of the connectome, none, shuffled ones, or all.

    A name that the connectome does not have stays without edges, except in the full graph. Shuffled: each neuron keeps
    its numbers of presynaptic, postsynaptic and gap-junction partners, gap junctions keep both directions, the number
    of edges stays, and weights go with their connections.
    weights: which connections count; the others get no edge and the weight 0. distance: a third feature, the distance
    between the somata, z-scored over all pairs of neurons of the hermaphrodite (0 where a soma's place is not known);
    it belongs to the two neurons and is not shuffled.

    Raises ConfigError for an unknown kind, DataError for a name given twice or a full graph that is too large, and
    MissingDependency when distances are asked for and there are no positions.
    """
    for what, value, known in (("kind", kind, KINDS), ("weights", weights, WEIGHTS)):
        if value not in known:
            raise ConfigError(f"{value!r} is no {what} of a graph", where=what, hint=nearest_hint(str(value), known))
    size = len(names)
    real = _layers(connectome, names, weights)
    layers = real.shuffled(np.random.default_rng(seed)) if kind == "shuffled" else real
    match kind:
        case "none":
            keys = np.empty(0, dtype=np.int64)
        case "full":
            keys = _all_pairs(size)
        case _:
            keys = layers.keys()
    features = [np.log1p(layer.weight_of(keys)) for layer in (layers.chemical, layers.gap)]
    pre, post = keys % max(size, 1), keys // max(size, 1)
    if distance:
        features.append(_distances(names, pre, post))
    return Graph(
        names=tuple(names),
        pre=pre,
        post=post,
        features=np.stack(features, axis=1).astype(np.float32),
        feature_names=(*FEATURES, DISTANCE) if distance else FEATURES,
        kind=kind,
        seed=seed,
        overlap=float(real.connected(keys).mean()) if keys.size else 0.0,
    )


class _Layer(NamedTuple):
    """Connections of one kind: their keys, which are post * size + pre, sorted, and their weights above 0."""

    keys: NDArray[np.int64]
    weight: NDArray[np.float32]

    def weight_of(self, keys: NDArray[np.int64]) -> NDArray[np.float32]:
        """Weights of any edges, 0 where there is no connection."""
        if not self.keys.size:
            return np.zeros(keys.size, dtype=np.float32)
        place = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        return np.where(self.keys[place] == keys, self.weight[place], np.float32(0))


@dataclass(frozen=True, eq=False)
class _Layers:
    """Chemical synapses and gap junctions among `size` nodes."""

    size: int
    chemical: _Layer
    gap: _Layer

    def keys(self) -> NDArray[np.int64]:
        """Every edge of either kind once, sorted."""
        keys = np.sort(np.concatenate([self.chemical.keys, self.gap.keys]))
        # np.unique hashes whole numbers, which is much slower than sorting where there are millions.
        return keys[np.diff(keys, prepend=-1) > 0]

    def connected(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these edges there are."""
        return (self.chemical.weight_of(keys) > 0) | (self.gap.weight_of(keys) > 0)

    def shuffled(self, rng: np.random.Generator) -> _Layers:
        """The same connections between other nodes.

        What two neurons share is moved as a whole: a gap junction with the synapses beside it, or a synapse alone. So
        every count of edges stays as it is, by node and in all.
        """
        keys = self.keys()
        pre, post = keys % self.size, keys // self.size
        gap, chemical = self.gap.weight_of(keys), self.chemical.weight_of(keys)
        # Without a gap junction the synapse that goes back is a bundle of its own.
        back = np.where(gap > 0, self.chemical.weight_of(pre * self.size + post), np.float32(0))
        once = (gap > 0) & (pre < post)
        members = [
            np.flatnonzero(gap == 0),
            np.flatnonzero((gap > 0) & (chemical > 0) & (back == 0)),
            np.flatnonzero(once & (chemical > 0) & (back > 0)),
            np.flatnonzero(once & (chemical == 0) & (back == 0)),
        ]
        sorts = [
            Bundles(pre[chosen], post[chosen], mutual=number > 0, turnable=number > 1)
            for number, chosen in enumerate(members)
        ]
        moved = rewire(sorts, self.size, rng)
        first, second = (np.concatenate(ends) for ends in zip(*((sort.one, sort.other) for sort in moved), strict=True))
        order = np.concatenate(members)
        forward, backward = second * self.size + first, first * self.size + second
        return _Layers(
            self.size,
            _layer(np.concatenate([forward, backward]), np.concatenate([chemical[order], back[order]])),
            _layer(np.concatenate([forward, backward]), np.tile(gap[order], 2)),
        )


def _layers(connectome: Connectome, names: Sequence[str], weights: Weights) -> _Layers:
    """The connections of the connectome among these names."""
    node = _nodes(connectome, names)
    pre, post = node[connectome.pre], node[connectome.post]
    keys = np.where((pre >= 0) & (post >= 0), post * len(names) + pre, -1)

    def layer(kind: Weights, weight: NDArray[np.float32]) -> _Layer:
        used = (keys >= 0) & (weights in ("both", kind))
        return _layer(keys[used], weight[used])

    return _Layers(len(names), layer("chemical", connectome.chemical), layer("gap", connectome.gap))


def _layer(keys: NDArray[np.int64], weight: NDArray[np.float32]) -> _Layer:
    """The connections with a weight above 0."""
    positive = weight > 0
    order = np.argsort(keys[positive])
    return _Layer(keys[positive][order], weight[positive][order])


def _nodes(connectome: Connectome, names: Sequence[str]) -> NDArray[np.int64]:
    """[neuron of the connectome] its position in `names`, -1 for one that is not there."""
    position = {name: index for index, name in enumerate(connectome.neurons)}
    node = np.full(len(connectome.neurons), -1, dtype=np.int64)
    seen: dict[str, str] = {}
    for index, name in enumerate(names):
        known = name if name in position else canonical(name)
        key = known if known in position else name
        if key in seen:
            also = "twice" if seen[key] == name else f"and {seen[key]}, which is the same neuron,"
            raise DataError(f"the neuron {name} {also} is among the nodes", where=name, hint="keep one of them")
        seen[key] = name
        if key in position:
            node[position[key]] = index
    return node


def _all_pairs(size: int) -> NDArray[np.int64]:
    """Keys of all ordered pairs of two nodes, sorted."""
    if size * (size - 1) > LARGEST_FULL:
        raise DataError(
            f"the full graph over {size} neurons has {size * (size - 1):,} edges, more than {LARGEST_FULL:,}",
            where="graph",
            hint="take the real graph, or fewer neurons",
        )
    post, pre = np.nonzero(~np.eye(size, dtype=bool))
    return (post * size + pre).astype(np.int64)


def _distances(names: Sequence[str], pre: NDArray[np.int64], post: NDArray[np.int64]) -> NDArray[np.float64]:
    """[edge] distance between the somata, as z-scores over all pairs of neurons of the animal."""
    known = positions()
    if known is None:
        raise MissingDependency("the distance between somata needs their positions", hint=MISSING_POSITIONS)
    somata = np.array(list(known.values()))
    every = np.linalg.norm(somata[:, None] - somata[None], axis=2)[~np.eye(len(somata), dtype=bool)]
    places = np.array([known.get(canonical(name) or "", (np.nan,) * 3) for name in names]).reshape(-1, 3)
    distance = np.linalg.norm(places[pre] - places[post], axis=1)
    return np.nan_to_num((distance - every.mean()) / every.std(), nan=0.0)
