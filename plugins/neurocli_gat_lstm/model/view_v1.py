"""A network of gat-lstm-v1 in the terms of gat-lstm-v2, so that both are interpreted by the same code."""

from __future__ import annotations

import torch
from torch.nn import functional

from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.attention import SnapshotGATConv
from neurocli_gat_lstm.model.v1 import PlannedGatLstm, State


class PlannedCorrection:
    """The published network as a correction of persistence: `embed` and `advance` as those of `model_v2.Correction`."""

    def __init__(self, network: PlannedGatLstm) -> None:
        self.network = network
        self.attention: list[SnapshotGATConv] = list(network.convs)  # type: ignore[arg-type]

    def embed(
        self, x: torch.Tensor, before: torch.Tensor, nodes: torch.Tensor, graph: GraphTensors, present: torch.Tensor
    ) -> torch.Tensor:
        """z-scores x [chunk, time, node] → features [chunk, time, node, feature]; all neurons must be present."""
        return self.network.embed(x, graph, present[:1])

    def advance(self, features: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Features [chunk, time, node, feature] → (corrections [chunk, time, node], state after the last step)."""
        everyone = torch.ones(features.shape[0], features.shape[2], dtype=torch.bool, device=features.device)
        change, state = self.network._change(features.transpose(0, 1), everyone, state)
        return change.transpose(0, 1), state

    def activated(self, layer: int, attended: torch.Tensor) -> torch.Tensor:
        """What the next layer takes, from what a layer gives."""
        norm = self.network.norms[layer]
        return functional.relu(norm(attended))
