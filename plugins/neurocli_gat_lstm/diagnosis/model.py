"""The diagnosis of a trained model: whether its wiring is the connectome's, whether it learned, what it adds to linear models."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.diagnosis.finding import PASS, WARN, Finding
from neurocli.diagnosis.words import listed
from neurocli.plugin.family import TrainedModel
from neurocli.recordings import Batch
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.data.series import WormSeries
from neurocli_gat_lstm.diagnosis.forecasts import forecast_findings
from neurocli_gat_lstm.diagnosis.gradients import GradientCheck
from neurocli_gat_lstm.diagnosis.model_v3 import direct_findings
from neurocli_gat_lstm.diagnosis.paths import NetworkOnWorm, network_on_worm
from neurocli_gat_lstm.diagnosis.wiring import edge_findings, path_findings, split_findings
from neurocli_gat_lstm.model import folds_v1
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds
from neurocli_gat_lstm.model.loss_v2 import loss_terms
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
    found = [*split_findings(data), *edge_findings(data, trained.config)]
    if not isinstance(network, (GatLstm, GatLstmV3, PlannedFolds)):
        return found
    was_training = network.training
    network.eval()
    try:
        if isinstance(network, GatLstmV3):
            assert isinstance(data, DirectWormData)
            return [*found, *direct_findings(network, data), *forecast_findings(trained)]
        return [
            *found,
            *path_findings(trained),
            *forecast_findings(trained),
            *_dead_units(trained),
            *_gradients(trained),
        ]
    finally:
        network.train(was_training)


@torch.no_grad()
def _dead_units(trained: TrainedModel) -> list[Finding]:
    """Units of each fold's first LSTM that hardly vary over the frames and neurons of a test worm."""
    data, network = trained.dataset, trained.network
    assert isinstance(data, WormData) and isinstance(network, (GatLstm, PlannedFolds))
    found = []
    for fold in range(data.folds):
        group = next((g for g in data.split.test if fold in data.folds_for(g)), None)
        if group is None:
            continue
        spread = unit_spread(network_on_worm(network, data, trained.config, group))
        dead = np.flatnonzero(~(spread > DEAD))
        if len(dead):
            found.append(f"fold {fold + 1}: {len(dead)} of {len(spread)} ({listed(map(str, dead))})")
    advice = "these units take no part: fewer hidden units (model.hidden), or a smaller learning rate" if found else ""
    return [Finding("dead-units", "LSTM", WARN if found else PASS, listed(found) or "none", "none", advice)]


@torch.no_grad()
def unit_spread(one: NetworkOnWorm) -> np.ndarray[Any, Any]:
    """[unit] sd of an LSTM's output over frames and neurons of the longest stretch of a worm."""
    start, stop = max(one.worm.segments, key=lambda segment: segment[1] - segment[0])
    series = torch.from_numpy(one.worm.z[start:stop][:_FRAMES]).to(one.device)
    lstm = next(layer for layer in one.network.modules() if isinstance(layer, nn.LSTM))
    features = one.embed(series, torch.cat((series[:1], series[:-1])))
    hidden, _ = lstm(features.transpose(0, 1) if lstm.batch_first else features)
    return np.asarray(hidden.flatten(0, 1).double().std(0).cpu().numpy())


def _gradients(trained: TrainedModel) -> list[Finding]:
    """Parameters that the loss of a training batch does not move, or moves to NaN."""
    data, network = trained.dataset, trained.network
    assert isinstance(data, WormData) and isinstance(network, (GatLstm, PlannedFolds))
    check = GradientCheck()
    for fold in range(data.folds):
        batch = training_batch(data, network, fold)
        if batch is None:
            continue
        member = network.member(fold) if isinstance(network, PlannedFolds) else network.members_of(fold)[0]
        named = [(name, p) for name, p in member.named_parameters() if p.requires_grad]
        with torch.enable_grad():
            total = sum(_loss(network, batch, trained.config.loss).values())
            assert isinstance(total, torch.Tensor)
            check.add(fold, named, total)
    return check.findings()


def _loss(network: GatLstm | PlannedFolds, batch: Batch, loss: Any) -> dict[str, torch.Tensor]:
    if isinstance(network, PlannedFolds):
        return folds_v1.loss_terms(network, batch, loss)
    return loss_terms(network, batch, loss)


def training_batch(data: WormData, network: GatLstm | PlannedFolds, fold: int) -> Batch | None:
    """Chunks of the first training worm of a fold, evenly spread, with the linear path that the module holds."""
    worms = [worm for worm in data.training_worms(fold) if len(worm.windows(data.span))]
    if not worms:
        return None
    worm, device = worms[0], next(network.parameters()).device
    every = worm.windows(data.span)
    starts = every[np.linspace(0, len(every) - 1, min(_CHUNKS, len(every))).astype(np.int64)]
    frames = starts[:, None] + np.arange(data.span)
    nodes = torch.from_numpy(data.nodes_of(worm)).to(device)
    graph = data.graph_of(worm).to(device)
    return {
        "member": torch.tensor(fold * getattr(network, "members_per_fold", 1)),
        "x": torch.from_numpy(worm.z[frames]).to(device),
        "known": torch.from_numpy(worm.known[frames]).to(device),
        "present": torch.ones(len(starts), len(worm.names), dtype=torch.bool, device=device),
        "nodes": nodes,
        "edge_index": graph.edge_index,
        "edge_attr": graph.edge_attr,
        "scale": data.scale(fold).to(device),
        **{name: values.to(device) for name, values in _rest(data, network, fold, worm, starts).items()},
    }


def _rest(
    data: WormData, network: GatLstm | PlannedFolds, fold: int, worm: WormSeries, starts: NDArray[np.int64]
) -> Batch:
    """Targets, and the linear part of a model that has one."""
    targets = data.targets(worm, starts)
    if not isinstance(network, GatLstm):
        return targets
    place = torch.from_numpy(data.nodes_of(worm)).to(network.own.device)
    return {**targets, **data.linear_part(network.paths_of(fold, worm.names, place), worm, starts)}
