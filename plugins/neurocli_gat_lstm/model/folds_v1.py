"""gat-lstm-v1 over folds: one published network per fold, its loss on chunks, its forecasts by rollout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.recordings import Batch
from neurocli.training.devices import device_of
from neurocli_gat_lstm.config_v1 import V1Config, V1Loss
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.v1 import PlannedGatLstm

_BLOCK = 16


class PlannedFolds(nn.Module):
    """One network per fold."""

    def __init__(self, folds: int, edge_features: int, learned_skips: bool) -> None:
        super().__init__()
        self.members = nn.ModuleList([PlannedGatLstm(edge_features, learned_skips=learned_skips) for _ in range(folds)])

    def member(self, fold: int) -> PlannedGatLstm:
        network = self.members[fold]
        assert isinstance(network, PlannedGatLstm)
        return network


def build_v1(config: V1Config, spec: dict[str, Any]) -> PlannedFolds:
    """Untrained networks for the folds of that `spec`."""
    return PlannedFolds(spec["folds"], spec["edge_features"], config.model.learned_skips)


def loss_terms(folds: PlannedFolds, batch: Batch, loss: V1Loss) -> dict[str, torch.Tensor]:
    """mse: mean squared error of recorded neurons' next values, in units of the frame before, after every step or the last one."""
    network = folds.member(int(batch["member"]))
    graph = GraphTensors(batch["edge_index"], batch["edge_attr"])
    x, known, first = batch["x"], batch["known"].to(batch["x"].dtype), batch["x"].shape[1] - loss.chunk - 1
    window = x[:, first : first + loss.chunk]
    if loss.scored == "last":
        forecast, target = network(window, graph, batch["present"]), batch["next"][:, -2]
        scored = known[:, -1]
    else:
        start = min(loss.burn_in, loss.chunk - 1)
        forecast = network.forward_all(window, graph, batch["present"])[:, start:]
        target, scored = batch["next"][:, first + start : -1], known[:, first + start + 1 :]
    return {"mse": ((forecast - target).square() * scored).sum() / scored.sum().clamp_min(1)}


@torch.no_grad()
def rolled_out(
    network: PlannedGatLstm,
    z: NDArray[np.float32],
    graph: GraphTensors,
    origins: NDArray[np.int64],
    context: int,
    horizons: Sequence[int],
) -> dict[int, NDArray[np.float32]]:
    """Horizon → forecasts [origin, node] of a series z [time, node] from the `context` frames up to each origin."""
    device = device_of(network)
    series, edges = torch.from_numpy(z).to(device), graph.to(device)
    by_horizon: dict[int, list[NDArray[np.float32]]] = {horizon: [] for horizon in horizons}
    for block in np.array_split(origins, max(1, -(-len(origins) // _BLOCK))):
        frames = torch.from_numpy(block[:, None] + np.arange(1 - context, 1)).to(device)
        present = torch.ones(len(block), z.shape[1], dtype=torch.bool, device=device)
        forecasts = network.rollout(series[frames], edges, present, max(horizons))
        for horizon in horizons:
            by_horizon[horizon].append(forecasts[:, horizon - 1].clamp(-50, 50).cpu().numpy())
    return {horizon: np.concatenate(blocks) for horizon, blocks in by_horizon.items()}
