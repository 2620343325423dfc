"""gat-lstm-v3: what linear paths get wrong at each horizon, corrected by graph attention and an LSTM over a neuron's history.

    x[t+h] = x[t] + linear_h(x[t], x[t-1], ...) + head_h(LSTM(inputs, attention(inputs of neighbours)), inputs)

There is one linear path and one output for each horizon, and no rollout. The inputs of a neuron are its value, its changes
over some spans, and the changes that the linear paths forecast for it: neurons share the network, which has to learn how far
those can be trusted, and when. The head starts at zero, so that training starts from the linear paths.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from neurocli_gat_lstm.config_v3 import V3Config, V3Model
from neurocli_gat_lstm.data.history import input_count
from neurocli_gat_lstm.data.linear.buffers import LinearBuffers
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.attention import attention_layers

FARTHEST = 6.0
"""Inputs are cut at so many of their root mean squares: one odd frame must not rule a forecast."""


class DirectCorrection(nn.Module):
    """Graph attention, an LSTM and a head that all neurons share; one output for each horizon."""

    def __init__(self, inputs: int, horizons: int, edge_features: int, options: V3Model) -> None:
        super().__init__()
        self.attention, size = attention_layers(inputs, options.attention, options.heads, edge_features)
        seen = inputs + (size if options.attention else 0)
        self.lstm = nn.LSTM(seen, options.hidden, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(options.hidden + seen, options.head),
            nn.SiLU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.head, options.head),
            nn.SiLU(),
            nn.Linear(options.head, horizons),
        )
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def embed(self, inputs: torch.Tensor, graph: GraphTensors) -> torch.Tensor:
        """Inputs [chunk, time, node, input] → with what attention over the graph adds to each [chunk, time, node, feature]."""
        if not len(self.attention):
            return inputs
        flat, incoming = inputs.flatten(0, 1), graph.incoming(inputs.shape[2])
        features = flat
        for layer in self.attention:
            features = functional.elu(layer(features, graph.edge_index, graph.edge_attr, None, incoming))
        return torch.cat((flat, features), -1).unflatten(0, inputs.shape[:2])

    def forward(self, inputs: torch.Tensor, graph: GraphTensors, first: int) -> torch.Tensor:
        """Inputs [chunk, time, node, input] → corrections [chunk, time - first, node, horizon] after frame `first` and those that follow."""
        features = self.embed(inputs, graph)
        chunks, steps, nodes, size = features.shape
        hidden, _ = self.lstm(features.transpose(1, 2).reshape(chunks * nodes, steps, size))
        hidden = hidden.view(chunks, nodes, steps, -1).transpose(1, 2)
        corrections: torch.Tensor = self.head(torch.cat((hidden, features), -1)[:, first:])
        return corrections


class GatLstmV3(LinearBuffers):
    """The corrections of all folds and members, each fold's linear paths, and the scales of inputs and outputs.

    input_scale [fold, input], output_scale [fold, horizon]: root mean squares over the training worms of a fold.
    """

    input_scale: torch.Tensor
    output_scale: torch.Tensor

    def __init__(self, names: int, folds: int, horizons: tuple[int, ...], edge_features: int, options: V3Model) -> None:
        super().__init__(names, folds, options.lags, horizons)
        self.members_per_fold, self.look_back = options.members, tuple(options.look_back)
        inputs = input_count(horizons, self.look_back)
        self.members = nn.ModuleList(
            [DirectCorrection(inputs, len(horizons), edge_features, options) for _ in range(folds * options.members)]
        )
        self.register_buffer("input_scale", torch.ones(folds, inputs))
        self.register_buffer("output_scale", torch.ones(folds, len(horizons)))

    def corrections(self, member: int, inputs: torch.Tensor, graph: GraphTensors, first: int) -> torch.Tensor:
        """What a member says after each frame from `first` on [chunk, time, node, horizon], in units of `output_scale`.

        inputs [chunk, time, node, input], in units of their frame.
        """
        scaled = (inputs / self.input_scale[member // self.members_per_fold]).clamp(-FARTHEST, FARTHEST)
        network = self.members[member]
        assert isinstance(network, DirectCorrection)
        return network(scaled, graph, first)

    def members_of(self, fold: int) -> range:
        """The numbers of a fold's members."""
        return range(fold * self.members_per_fold, (fold + 1) * self.members_per_fold)


def build_v3(config: V3Config, spec: dict[str, Any]) -> GatLstmV3:
    """An untrained model for the names and folds of that `spec`; its linear paths and scales are set by `prepare`."""
    horizons = tuple(sorted({1, *config.evaluate.horizons}))
    return GatLstmV3(len(spec["names"]), spec["folds"], horizons, spec["edge_features"], config.model)
