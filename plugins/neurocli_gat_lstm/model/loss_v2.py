"""The loss of gat-lstm-v2: errors after every frame of a chunk, and of the rollout that follows it."""

from __future__ import annotations

import torch

from neurocli.recordings import Batch
from neurocli_gat_lstm.config import V2Loss
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.rollout import continued
from neurocli_gat_lstm.model.v2 import Correction, GatLstm


def loss_terms(network: GatLstm, batch: Batch, loss: V2Loss) -> dict[str, torch.Tensor]:
    """one_step: mean squared error over persistence's; rollout: its mean over steps 2, 3, ... on own forecasts."""
    x, lags = batch["x"], network.lags
    known = batch["known"].to(x.dtype)
    correction = network.members[int(batch["member"])]
    assert isinstance(correction, Correction)
    linear = {name: batch[name] for name in ("own", "level", "change")}
    graph = GraphTensors(batch["edge_index"], batch["edge_attr"])
    chunk = loss.chunk
    context = x[:, : lags + chunk]
    steps = max(1, loss.rollout)
    after_each, rollout = continued(correction, linear, context, batch["nodes"], graph, batch["present"], steps)
    first = min(loss.burn_in, chunk - 1)
    # What is forecast from a frame is in the units of that frame, and counts as it does in the score.
    target, weight = batch["next"][:, lags + first : lags + chunk], batch["weight"][:, lags + first : lags + chunk]
    scored = known[:, lags + 1 + first : lags + chunk + 1]
    scale = batch["scale"]
    terms = {"one_step": _error(after_each[:, first:], target, scored, weight) / scale[0]}
    if loss.rollout > 1:
        at = lags + chunk
        weight = batch["weight"][:, at - 1]
        errors = [
            _error(forecast + batch["direct"][:, step], batch["ahead"][:, step], known[:, at + step], weight)
            / scale[step]
            for step, forecast in enumerate(rollout)
            if step
        ]
        terms["rollout"] = loss.rollout_weight * torch.stack(errors).mean()
    return terms


def _error(forecast: torch.Tensor, target: torch.Tensor, scored: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return ((forecast - target).square() * scored * weight).sum() / scored.sum().clamp_min(1)
