"""The edges of a graph as tensors, and sorted by the node that they run into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from neurocli.errors import DataError


@dataclass(frozen=True, eq=False)
class Incoming:
    """The edges sorted by target: those into node i are start[i]:start[i + 1].

    start: int64 [node + 1]; source: int64 [edge]; order: where each of them stood, None when they were sorted; widest: the
    largest number of edges into one node.
    """

    start: torch.Tensor
    source: torch.Tensor
    order: torch.Tensor | None
    widest: int

    @staticmethod
    def of(edge_index: torch.Tensor, nodes: int) -> Incoming:
        """Sort the edges [2, edge], from row 0 to row 1, among `nodes` nodes; DataError for an edge to another node."""
        source, target = edge_index
        if len(source) and (int(edge_index.min()) < 0 or int(edge_index.max()) >= nodes):
            raise DataError(
                f"an edge of the graph names a node outside of 0 to {nodes - 1}",
                where="graph",
                hint="make the graph among the neurons of the recording",
            )
        order = None
        if bool((target[1:] < target[:-1]).any()):
            order = torch.argsort(target, stable=True)
            source = source[order]
        degree = torch.bincount(target, minlength=nodes)
        start = torch.cat((degree.new_zeros(1), degree.cumsum(0)))
        return Incoming(start, source.contiguous(), order, int(degree.max()) if nodes else 0)


@dataclass(frozen=True, eq=False)
class GraphTensors:
    """The edges of a graph without self-loops: edge_index int64 [2, edge], from row 0 to row 1; edge_attr float32 [edge, F].

    Raises DataError for shapes that do not fit each other and for a self-loop, which attention adds itself.
    """

    edge_index: torch.Tensor
    edge_attr: torch.Tensor
    _incoming: dict[int, Incoming] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.edge_index.ndim != 2 or len(self.edge_index) != 2 or self.edge_index.dtype != torch.int64:
            raise DataError(f"edges are int64 [2, edge], not {list(self.edge_index.shape)}", where="edge_index")
        if self.edge_attr.ndim != 2 or len(self.edge_attr) != self.edge_index.shape[1]:
            shape = list(self.edge_attr.shape)
            raise DataError(f"{self.edge_index.shape[1]} edges cannot have features {shape}", where="edge_attr")
        loops = int((self.edge_index[0] == self.edge_index[1]).sum())
        if loops:
            raise DataError(f"{loops} edges join a node to itself", where="edge_index", hint="drop them")

    def __iter__(self) -> Iterator[torch.Tensor]:
        """edge_index, then edge_attr, as the layers take them."""
        return iter((self.edge_index, self.edge_attr))

    def incoming(self, nodes: int) -> Incoming:
        """The edges sorted by target, once per number of nodes."""
        if nodes not in self._incoming:
            self._incoming[nodes] = Incoming.of(self.edge_index, nodes)
        return self._incoming[nodes]

    def to(self, device: torch.device | str) -> GraphTensors:
        """The same edges on another device."""
        return GraphTensors(self.edge_index.to(device), self.edge_attr.to(device))
