"""Forecasts of gat-lstm-v2: the networks' rollouts, with what the linear path of each horizon says beyond a rollout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.linear.path import direct
from neurocli_gat_lstm.data.linear.tensors import beyond_rollout
from neurocli_gat_lstm.data.series import WormSeries
from neurocli_gat_lstm.model.rollout import BOUND, rolled_out
from neurocli_gat_lstm.model.v2 import GatLstm

Origins = NDArray[np.int64]


def corrected(
    network: GatLstm,
    data: WormData,
    worm: WormSeries,
    fold: int,
    origins: Origins,
    context: int,
    horizons: Sequence[int],
) -> list[dict[int, Any]]:
    """Horizon → [origin, neuron] of each network of a fold, in the units of the origins.

    Horizons that no linear path was fitted to are rollouts alone.
    """
    nodes = data.nodes_of(worm)
    place = torch.from_numpy(nodes).to(network.own.device)
    linear, graph = network.linear_of(fold, place), data.graph_of(worm)
    fitted = [h for h in horizons if h in network.horizons]
    added = beyond_rollout(network.paths_of(fold, worm.names, place), worm, origins, fitted)
    by_member = []
    for member in network.members_of(fold):
        rolled = rolled_out(member, linear, worm.z, nodes, graph, origins, context, horizons)
        by_member.append({h: np.clip(rolled[h] + added.get(h, 0.0), -BOUND, BOUND) for h in horizons})
    return by_member


def linear_only(
    network: GatLstm, data: WormData, group: str, origins: Origins, horizons: Sequence[int]
) -> dict[int, NDArray[np.float64]]:
    """What the model would forecast if its networks corrected nothing: the mean over folds that were not fitted on the worm."""
    worm = data.worms[group]
    place = torch.from_numpy(data.nodes_of(worm)).to(network.own.device)
    by_fold = [
        direct(network.paths_of(fold, worm.names, place), worm.z, origins, horizons) for fold in data.folds_for(group)
    ]
    return {h: np.mean([forecast[h] for forecast in by_fold], axis=0) for h in horizons}
