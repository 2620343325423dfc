"""The edges that a model uses: one graph among all names of a run, cut down to the neurons of each worm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from neurocli_gat_lstm.config import GraphConfig
from neurocli_gat_lstm.graph.connectome import Connectome, load_connectome
from neurocli_gat_lstm.graph.graph import Graph, graph_among
from neurocli_gat_lstm.graph.tensors import GraphTensors


class Wiring:
    """Edges among `names`, as the options say.

    A shuffle is drawn among these names, so that neurons of later worms that are not among them have no edges in it.
    """

    def __init__(self, options: GraphConfig, names: Sequence[str]) -> None:
        self.options, self.names = options, tuple(names)
        self._place = {name: k for k, name in enumerate(self.names)}

    @cached_property
    def connectome(self) -> Connectome:
        return load_connectome(self.options.connectome)

    @cached_property
    def graph(self) -> Graph:
        """The graph among all names."""
        return self._graph(self.names)

    def allowed(self, hops: int = 1) -> NDArray[np.bool_]:
        """[post, pre] among all names: where a path of at most `hops` edges leads from pre to another neuron, post."""
        return reach(self.graph, hops)

    def among(self, names: Sequence[str]) -> GraphTensors:
        """The edges among some neurons, numbered as in `names`."""
        known = set(names) <= set(self.names)
        graph = self.graph if known or self.options.graph == "shuffled" else self._graph(names)
        place = {name: k for k, name in enumerate(names)}
        number = np.array([place.get(name, -1) for name in graph.names], np.int64)
        pre, post = number[graph.pre], number[graph.post]
        used = (pre >= 0) & (post >= 0)
        return GraphTensors(
            torch.from_numpy(np.stack([pre[used], post[used]])), torch.from_numpy(graph.features[used].copy())
        )

    def _graph(self, names: Sequence[str]) -> Graph:
        options = self.options
        return graph_among(
            self.connectome,
            names,
            options.graph,
            weights=options.synapses,
            distance=options.distance,
            seed=options.graph_seed,
        )


def reach(graph: Graph, hops: int) -> NDArray[np.bool_]:
    """[post, pre] among the names of a graph: where a path of at most `hops` edges leads from pre to another neuron, post."""
    size = len(graph.names)
    edges = csr_array((np.ones(graph.n_edges, np.int32), (graph.post, graph.pre)), (size, size))
    reached, step = edges, edges
    for _ in range(hops - 1):
        step = (step @ edges).minimum(1)
        reached = (reached + step).minimum(1)
    within: NDArray[np.bool_] = reached.toarray() > 0
    np.fill_diagonal(within, False)
    return within
