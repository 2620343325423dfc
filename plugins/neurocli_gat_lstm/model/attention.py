"""Graph attention over many snapshots of one graph: torch-geometric's GATConv for inputs [..., node, feature].

GATConv takes one snapshot [node, feature] and refuses a static graph over many; here all snapshots share the edges. Parameters,
their names and the answer for every single snapshot are GATConv's (Velickovic et al., 2018, ICLR). Two forms with the same
numbers to 1e-5: torch-geometric's message passing, which runs anywhere, and a compiled sum for float32 on the CPU.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch_geometric.nn import GATConv
from torch_geometric.utils import softmax

from neurocli_gat_lstm.graph.tensors import Incoming
from neurocli_gat_lstm.model.attention_kernel import attention_sum


class SnapshotGATConv(GATConv):
    """GATConv with self-loops whose edge features are zero: a neuron has no synapse onto itself.

    residual: adds a learned linear map of the input. compiled: whether `forward` takes the compiled sum; None takes it where
    it can run.
    """

    def __init__(
        self, in_channels: int, out_channels: int, heads: int, edge_dim: int, *, residual: bool = False
    ) -> None:
        super().__init__(in_channels, out_channels, heads, edge_dim=edge_dim or None, fill_value=0.0, residual=residual)
        self.node_dim = -3  # of values [..., node, head, channel]
        self.compiled: bool | None = None

    def forward(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        edge_attr: torch.Tensor,
        present: torch.Tensor | None = None,
        incoming: Incoming | None = None,
    ) -> torch.Tensor:
        """Node features [..., node, in_channels] → [..., node, heads * out_channels].

        edge_index: [2, edge], from row 0 to row 1, without self-loops; edge_attr: [edge, edge_dim]; present: bool, broadcast to
        [..., node], neighbours that are absent get no attention; incoming: `GraphTensors.incoming`, to sort the edges only once.
        """
        possible = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        if possible if self.compiled is None else self.compiled:
            out = self._compiled(x, edge_index, edge_attr, present, incoming)
        else:
            values, weights, edges = self.attend(x, edge_index, edge_attr, present)
            out = self.propagate(edges, x=(values, values), alpha=weights, size=(x.shape[-2], x.shape[-2])).flatten(-2)
        out = out + self.bias
        return out if self.res is None else out + self.res(x)

    def attend(
        self, x: torch.Tensor, edge_index: torch.Tensor, edge_attr: torch.Tensor, present: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(values [..., node, head, channel], attention [..., edge + node, head], edges with self-loops last)."""
        assert self.lin is not None
        nodes = x.shape[-2]
        values = self.lin(x).unflatten(-1, (self.heads, self.out_channels))
        loops = torch.arange(nodes, device=x.device).expand(2, nodes)
        edges = torch.cat((edge_index, loops), 1)
        source, target = edges
        from_source, to_target, of_edge = self._scores(x, edge_attr)
        score = from_source[..., source, :] + to_target[..., target, :]
        if of_edge is not None:
            score = score + functional.pad(of_edge, (0, 0, 0, nodes))
        score = functional.leaky_relu(score, self.negative_slope)
        if present is not None:
            counted = present[..., source].clone()
            counted[..., edge_index.shape[1] :] = True  # an absent neuron attends to itself: every softmax has a term
            score = score.masked_fill(~counted[..., None], -torch.inf)
        return values, softmax(score, target, num_nodes=nodes, dim=-2), edges

    def _compiled(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        edge_attr: torch.Tensor,
        present: torch.Tensor | None,
        incoming: Incoming | None,
    ) -> torch.Tensor:
        """The sum over incoming edges, [..., node, heads * out_channels]."""
        assert self.lin is not None
        nodes = x.shape[-2]
        incoming = incoming or Incoming.of(edge_index, nodes)
        snapshots = x.reshape(-1, *x.shape[-2:])
        from_source, to_target, of_edge = self._scores(snapshots, edge_attr)
        if of_edge is None:
            of_edge = x.new_zeros(edge_index.shape[1], self.heads)
        elif incoming.order is not None:
            of_edge = of_edge[incoming.order]
        if present is not None:
            present = (present.expand(x.shape[:-1]) if present.numel() > nodes else present).reshape(-1, nodes)
        values = self.lin(snapshots).unflatten(-1, (self.heads, self.out_channels))
        out = attention_sum(values, from_source, to_target, of_edge, incoming, present, self.negative_slope)
        return out.view(*x.shape[:-1], out.shape[-1])

    def _scores(
        self, x: torch.Tensor, edge_attr: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """What source, target [..., node, head] and edge [edge, head] add to the score.

        The vectors of attention are applied to the weights first: head scores, not channels, per node and edge.
        """
        assert self.lin is not None
        of_edge = None
        if self.lin_edge is not None:
            of_edge = edge_attr @ self._per_head(self.lin_edge.weight, self.att_edge)
        source, target = (self._per_head(self.lin.weight, vector) for vector in (self.att_src, self.att_dst))
        return x @ source, x @ target, of_edge

    def _per_head(self, weight: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """[in_channels, head]: the weights [head * channel, in_channels] along the vector [1, head, channel]."""
        return (weight.unflatten(0, (self.heads, self.out_channels)) * vector[0, :, :, None]).sum(1).t()


def attention_layers(size: int, widths: list[int], heads: int, edge_features: int) -> tuple[nn.ModuleList, int]:
    """(layers of these widths, heads together, one behind the other, how many features the last one gives)."""
    layers = nn.ModuleList()
    for width in widths:
        head_width = max(1, width // heads)
        layers.append(SnapshotGATConv(size, head_width, heads, edge_features))
        size = head_width * heads
    return layers, size
