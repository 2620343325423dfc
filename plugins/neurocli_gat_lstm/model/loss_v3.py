"""The loss of gat-lstm-v3: errors at every horizon, after every frame of a chunk."""

from __future__ import annotations

import torch

from neurocli.recordings import Batch
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.v3 import GatLstmV3


def loss_terms(network: GatLstmV3, batch: Batch) -> dict[str, torch.Tensor]:
    """error: mean squared error over persistence's, weighted as it is scored, mean over horizons."""
    member = int(batch["member"])
    scale = network.output_scale[member // network.members_per_fold]
    graph = GraphTensors(batch["edge_index"], batch["edge_attr"])
    residual = batch["residual"] / scale
    first = batch["inputs"].shape[1] - residual.shape[1]
    scored = batch["known"].to(residual.dtype)
    errors = (network.corrections(member, batch["inputs"], graph, first) - residual).square()
    counted = (errors * scored * batch["weight"][..., None]).sum((0, 1, 2)) / scored.sum((0, 1, 2)).clamp_min(1)
    return {"error": counted.mean()}
