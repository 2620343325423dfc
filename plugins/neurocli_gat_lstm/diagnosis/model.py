"""The diagnosis of a trained model: whether its wiring is the connectome's, whether it learned, what it adds to linear models."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from neurocli.diagnosis.finding import Finding
from neurocli.diagnosis.gradients import GradientCheck
from neurocli.diagnosis.words import listed, unless_none
from neurocli.plugin.family import TrainedModel
from neurocli.recordings import Batch
from neurocli.training.devices import device_of
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.data.linear.buffers import LinearBuffers
from neurocli_gat_lstm.diagnosis.forecasts import forecast_findings
from neurocli_gat_lstm.diagnosis.model_v3 import direct_findings
from neurocli_gat_lstm.diagnosis.paths import NetworkOnWorm, network_on_worm
from neurocli_gat_lstm.diagnosis.wiring import edge_findings, path_findings, split_findings
from neurocli_gat_lstm.model import folds_v1, loss_v2, loss_v3
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds
from neurocli_gat_lstm.model.v2 import GatLstm
from neurocli_gat_lstm.model.v3 import GatLstmV3

DEAD = 1e-3
"""A unit of the LSTM whose output varies by less, over a whole worm, takes no part."""
_CHUNKS = 8
_FRAMES = 1000


def trained_findings(trained: TrainedModel) -> list[Finding]:
    """Every check of a trained model, beyond those of any model; those of the network where it is this family's own."""
    data, network = trained.dataset, trained.network
    assert isinstance(data, WormData)
    findings = [*split_findings(data), *edge_findings(data, trained.config)]
    if not isinstance(network, (GatLstm, GatLstmV3, PlannedFolds)):
        return findings
    was_training = network.training
    network.eval()
    try:
        if isinstance(network, GatLstmV3):
            assert isinstance(data, DirectWormData)
            return [
                *findings,
                *direct_findings(network, data),
                *gradient_findings(trained),
                *forecast_findings(trained),
            ]
        return [
            *findings,
            *path_findings(trained),
            *forecast_findings(trained),
            *_dead_units(trained),
            *gradient_findings(trained),
        ]
    finally:
        network.train(was_training)


@torch.no_grad()
def _dead_units(trained: TrainedModel) -> list[Finding]:
    """Units of each fold's first LSTM that hardly vary over the frames and neurons of a test worm."""
    data, network = trained.dataset, trained.network
    assert isinstance(data, WormData) and isinstance(network, (GatLstm, PlannedFolds))
    dead_by_fold = []
    for fold in range(data.folds):
        group = next((g for g in data.split.test if fold in data.folds_for(g)), None)
        if group is None:
            continue
        spread = unit_spread(network_on_worm(network, data, trained.config, group))
        dead = np.flatnonzero(~(spread > DEAD))
        if len(dead):
            dead_by_fold.append(f"fold {fold + 1}: {len(dead)} of {len(spread)} ({listed(map(str, dead))})")
    advice = "these units do not vary: use fewer hidden units (model.hidden) or a smaller learning rate"
    return [unless_none("dead-units", "LSTM", dead_by_fold, advice=advice)]


@torch.no_grad()
def unit_spread(view: NetworkOnWorm) -> np.ndarray[Any, Any]:
    """[unit] sd of an LSTM's output over frames and neurons of the longest stretch of a worm."""
    start, stop = max(view.worm.segments, key=lambda segment: segment[1] - segment[0])
    series = torch.from_numpy(view.worm.z[start:stop][:_FRAMES]).to(view.device)
    lstm = next(layer for layer in view.network.modules() if isinstance(layer, nn.LSTM))
    features = view.embed(series, torch.cat((series[:1], series[:-1])))
    hidden, _ = lstm(features.transpose(0, 1) if lstm.batch_first else features)
    return np.asarray(hidden.flatten(0, 1).double().std(0).cpu().numpy())


def gradient_findings(trained: TrainedModel) -> list[Finding]:
    """Parameters that the loss of a training batch does not move, or moves to NaN, of each fold's first network."""
    data, network = trained.dataset, trained.network
    assert isinstance(data, WormData) and isinstance(network, (GatLstm, GatLstmV3, PlannedFolds))
    check = GradientCheck()
    for fold in range(data.folds):
        batch = training_batch(data, network, fold)
        if batch is None:
            continue
        with torch.enable_grad():
            total = torch.stack(list(_loss(network, batch, trained.config.loss).values())).sum()
            check.add(network.members[int(batch["member"])].named_parameters(), total, f" (fold {fold + 1})")
    return check.findings("a training batch", "not finite: lower the learning rate")


def _loss(network: GatLstm | GatLstmV3 | PlannedFolds, batch: Batch, loss: Any) -> dict[str, torch.Tensor]:
    if isinstance(network, PlannedFolds):
        return folds_v1.loss_terms(network, batch, loss)
    return (
        loss_v2.loss_terms(network, batch, loss) if isinstance(network, GatLstm) else loss_v3.loss_terms(network, batch)
    )


def training_batch(data: WormData, network: GatLstm | GatLstmV3 | PlannedFolds, fold: int) -> Batch | None:
    """Chunks of the first training worm of a fold, evenly spread, with the linear paths that the network holds."""
    worm = next((worm for worm in data.training_worms(fold) if len(worm.windows(data.span))), None)
    if worm is None:
        return None
    device = device_of(network)
    windows = worm.windows(data.span)
    starts = windows[np.linspace(0, len(windows) - 1, min(_CHUNKS, len(windows))).astype(np.int64)]
    paths = None
    if isinstance(network, LinearBuffers):
        paths = network.paths_of(fold, worm.names, torch.from_numpy(data.nodes_of(worm)).to(device))
    batch = data.chunks(fold * data.members, worm, paths, starts)
    return {name: values.to(device) for name, values in batch.items()}
