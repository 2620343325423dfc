"""gat-lstm-v2: what a linear path over the graph gets wrong, corrected by graph attention and an LSTM.

    x[t+1] = x[t] + linear(x[t], x[t-1], ...) + head(LSTM(attention(x[t], x[t] - x[t-1], name)))

Forecasts of several frames are rollouts of this equation. A linear path of one frame, rolled out, is not the best linear
forecast of many: what a path fitted to that horizon says beyond the rollout of the path of one frame is added. The head
starts at zero, so training starts from the linear paths. The attention sees one time step at a time: it is computed once
per step and never once per window.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from neurocli_gat_lstm.config import V2Config, V2Model
from neurocli_gat_lstm.data.linear.buffers import LinearBuffers
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.attention import attention_layers

CHANGE_SCALE = 3.0  # changes are a third as large as levels
State = tuple[torch.Tensor, torch.Tensor]


class Correction(nn.Module):
    """Graph attention and an LSTM that all neurons share; names [name + 1, embedding], the last for unknown neurons."""

    def __init__(self, names: int, edge_features: int, options: V2Model) -> None:
        super().__init__()
        self.names = nn.Parameter(0.1 * torch.randn(names + 1, options.embedding))
        inputs = 2 + options.embedding
        self.attention, size = attention_layers(inputs, options.attention, options.heads, edge_features)
        self.lstm = nn.LSTM(inputs + size, options.hidden, batch_first=True)
        self.dropout = options.dropout
        self.head = nn.Linear(options.hidden, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def embed(
        self, x: torch.Tensor, before: torch.Tensor, nodes: torch.Tensor, graph: GraphTensors, present: torch.Tensor
    ) -> torch.Tensor:
        """z-scores x and those one step before [chunk, time, node] → features [chunk, time, node, feature].

        nodes [node]: index of each name; present: bool [chunk, node].
        """
        chunks, steps, n = x.shape
        names = self.names[nodes].expand(chunks, steps, n, -1)
        inputs = torch.cat((x[..., None], CHANGE_SCALE * (x - before)[..., None], names), -1)
        flat = inputs.flatten(0, 1)
        attended = None if bool(present.all()) else present[:, None].expand(chunks, steps, n).flatten(0, 1)
        features, incoming = flat, graph.incoming(n)
        for layer in self.attention:
            features = functional.elu(layer(features, graph.edge_index, graph.edge_attr, attended, incoming))
        return torch.cat((flat, features), -1).unflatten(0, (chunks, steps))

    def advance(self, features: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Features [chunk, time, node, feature] → (corrections [chunk, time, node], state after the last step)."""
        chunks, steps, n, size = features.shape
        series = features.transpose(1, 2).reshape(chunks * n, steps, size)
        hidden, state = self.lstm(series, state)
        hidden = functional.dropout(hidden, self.dropout, self.training)
        return self.head(hidden).view(chunks, n, steps).transpose(1, 2), state


class GatLstm(LinearBuffers):
    """The corrections of all folds and members, and each fold's linear paths, one for each of `horizons`, the first of them 1."""

    def __init__(self, names: int, folds: int, horizons: tuple[int, ...], edge_features: int, options: V2Model) -> None:
        super().__init__(names, folds, options.lags, horizons)
        self.members_per_fold = options.members
        self.members = nn.ModuleList(
            [Correction(names, edge_features, options) for _ in range(folds * options.members)]
        )

    def members_of(self, fold: int) -> list[Correction]:
        first = fold * self.members_per_fold
        return [self.members[k] for k in range(first, first + self.members_per_fold)]  # type: ignore[misc]


def linear_change(past: torch.Tensor, linear: dict[str, torch.Tensor]) -> torch.Tensor:
    """Next change [..., node] of the linear path from the past [lag, ..., node], newest first."""
    from_past = torch.einsum("l...n,nl->...n", past, linear["own"])
    return from_past + past[0] @ linear["level"].t() + (past[0] - past[1]) @ linear["change"].t()


def build_v2(config: V2Config, spec: dict[str, Any]) -> GatLstm:
    """An untrained model for the names and folds of that `spec`; its linear paths are set by `prepare`."""
    horizons = tuple(sorted({1, *config.evaluate.horizons}))
    return GatLstm(len(spec["names"]), spec["folds"], horizons, spec["edge_features"], config.model)
