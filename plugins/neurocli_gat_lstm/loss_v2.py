"""The loss of gat-lstm-v2: errors after every frame of a chunk, and of the rollout that follows it."""

from __future__ import annotations

import torch

from neurocli.recordings import Batch
from neurocli_gat_lstm.attention import GraphTensors
from neurocli_gat_lstm.config import V2Loss
from neurocli_gat_lstm.model_v2 import Correction, GatLstm
from neurocli_gat_lstm.rollout import continued


def loss_terms(module: GatLstm, batch: Batch, loss: V2Loss) -> dict[str, torch.Tensor]:
    """one_step: mean squared error over persistence's; rollout: its mean over steps 2, 3, ... on own forecasts."""
    x, known, lags = batch["x"], batch["known"].to(batch["x"].dtype), module.lags
    correction = module.members[int(batch["member"])]
    assert isinstance(correction, Correction)
    linear = {name: batch[name] for name in ("own", "level", "change")}
    graph = GraphTensors(batch["edge_index"], batch["edge_attr"])
    chunk = loss.chunk
    context = x[:, : lags + chunk]
    steps = max(1, loss.rollout)
    after_each, rollout = continued(correction, linear, context, batch["nodes"], graph, batch["present"], steps)
    first = min(loss.burn_in, chunk - 1)
    target, there = x[:, lags + 1 + first : lags + chunk + 1], known[:, lags + 1 + first : lags + chunk + 1]
    scale = batch["scale"]
    terms = {"one_step": _error(after_each[:, first:], target, there) / scale[0]}
    if loss.rollout > 1:
        at = lags + chunk
        errors = [
            _error(forecast, x[:, at + step], known[:, at + step]) / scale[step]
            for step, forecast in enumerate(rollout)
            if step
        ]
        terms["rollout"] = loss.rollout_weight * torch.stack(errors).mean()
    return terms


def _error(forecast: torch.Tensor, target: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    return ((forecast - target).square() * there).sum() / there.sum().clamp_min(1)
