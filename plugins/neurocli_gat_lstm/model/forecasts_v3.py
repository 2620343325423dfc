"""Forecasts of gat-lstm-v3: the linear path of each horizon, and what the networks say beyond it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.data.history import forecast_changes, inputs_of
from neurocli_gat_lstm.data.linear.path import BOUND
from neurocli_gat_lstm.data.series import WormSeries
from neurocli_gat_lstm.model.v3 import GatLstmV3

_TOGETHER = 128


@torch.no_grad()
def corrections_of(
    network: GatLstmV3, data: DirectWormData, worm: WormSeries, fold: int, origins: NDArray[np.int64]
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """(changes that the linear paths forecast, what each network of a fold adds) [origin, neuron, horizon of the network].

    In the units of the origins. Each origin has a window of its own, as in training: no more of the past than `evaluate.context`.
    """
    device = network.own.device
    place = torch.from_numpy(data.nodes_of(worm)).to(device)
    paths = network.paths_of(fold, worm.names, place)
    series = torch.from_numpy(inputs_of(paths, worm, network.horizons, network.look_back)).to(device)
    graph, back = data.graph_of(worm).to(device), torch.arange(-data.burn_in, 1, device=device)
    scale = network.output_scale[fold].cpu().numpy().astype(np.float64)
    by_member = []
    for member in network.members_of(fold):
        blocks = np.array_split(origins, max(1, -(-len(origins) // _TOGETHER)))
        added = [
            network.corrections(member, series[torch.from_numpy(block).to(device)[:, None] + back], graph, data.burn_in)
            for block in blocks
        ]
        by_member.append(torch.cat(added)[:, 0].cpu().numpy().astype(np.float64) * scale)
    return forecast_changes(paths, worm, network.horizons)[origins], by_member


def direct_forecasts(
    network: GatLstmV3, data: DirectWormData, worm: WormSeries, fold: int, origins: NDArray[np.int64]
) -> list[dict[int, NDArray[np.float64]]]:
    """Horizon → [origin, neuron] of each network of a fold, in the units of the origins."""
    linear, corrections = corrections_of(network, data, worm, fold, origins)
    now = worm.z[origins].astype(np.float64)
    return [
        {h: np.clip(now + linear[..., k] + correction[..., k], -BOUND, BOUND) for k, h in enumerate(network.horizons)}
        for correction in corrections
    ]


def direct_linear(
    network: GatLstmV3, data: DirectWormData, group: str, origins: NDArray[np.int64]
) -> dict[int, NDArray[np.float64]]:
    """What the model would forecast if its networks corrected nothing: the mean over folds that were not fitted on the worm."""
    worm = data.worms[group]
    place = torch.from_numpy(data.nodes_of(worm)).to(network.own.device)
    by_fold = [
        forecast_changes(network.paths_of(fold, worm.names, place), worm, network.horizons)[origins]
        for fold in data.folds_for(group)
    ]
    now = worm.z[origins].astype(np.float64)
    return {h: now + np.mean([change[..., k] for change in by_fold], axis=0) for k, h in enumerate(network.horizons)}
