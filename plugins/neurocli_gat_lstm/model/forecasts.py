"""What the networks of any model of the family forecast for a worm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from neurocli_gat_lstm.data.dataset import Forecasts, WormData
from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.data.linear.buffers import LinearBuffers
from neurocli_gat_lstm.data.series import WormSeries
from neurocli_gat_lstm.model import folds_v1
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds
from neurocli_gat_lstm.model.forecasts_v2 import corrected
from neurocli_gat_lstm.model.forecasts_v3 import direct_forecasts
from neurocli_gat_lstm.model.v2 import GatLstm
from neurocli_gat_lstm.model.v3 import GatLstmV3


def fits(network: nn.Module, data: WormData) -> bool:
    """Whether a network was built for the names and folds of these data."""
    if isinstance(network, LinearBuffers):
        return network.own.shape[:3] == (data.folds, len(data.horizons), len(data.names) + 1)
    return isinstance(network, PlannedFolds) and len(network.members) == data.folds


def fold_forecasts(
    network: nn.Module,
    data: WormData,
    worm: WormSeries,
    fold: int,
    origins: NDArray[np.int64],
    context: int,
    horizons: Sequence[int],
) -> list[Forecasts]:
    """Horizon → [origin, neuron] of each network of a fold, in the units of the origins (frames)."""
    if isinstance(network, GatLstm):
        return corrected(network, data, worm, fold, origins, context, horizons)
    if isinstance(network, GatLstmV3):
        assert isinstance(data, DirectWormData)
        return [dict(forecasts) for forecasts in direct_forecasts(network, data, worm, fold, origins)]
    assert isinstance(network, PlannedFolds)
    return [dict(folds_v1.rolled_out(network.member(fold), worm.z, data.graph_of(worm), origins, context, horizons))]


def forecasts_of(network: nn.Module, data: WormData, group: str, origins: NDArray[np.int64]) -> Forecasts:
    """The mean over the networks of all folds that have not seen a worm, from these frames; made once for a trained network."""
    known, key = data.forecasts_by(network), (group, len(origins))
    if key not in known:
        evaluate = data.config.evaluate
        by_fold = [
            forecasts
            for fold in data.folds_for(group)
            for forecasts in fold_forecasts(
                network, data, data.worms[group], fold, origins, evaluate.context, evaluate.horizons
            )
        ]
        known[key] = {h: np.mean([forecasts[h] for forecasts in by_fold], axis=0) for h in by_fold[0]}
    return known[key]
