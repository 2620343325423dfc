"""From a series to forecasts of every horizon: one pass over the known frames, then steps on the model's own forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.v2 import Correction, linear_change

BOUND = 50.0
"""Largest z-score of a forecast: a rollout that runs away must stay a number."""
_BLOCK = 128


def continued(
    correction: Correction,
    linear: dict[str, torch.Tensor],
    x: torch.Tensor,
    nodes: torch.Tensor,
    graph: GraphTensors,
    present: torch.Tensor,
    steps: int,
    features: torch.Tensor | None = None,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Forecasts after every known frame, and of the frames after the last one.

    x: z-scores [chunk, lag + time, node], 0 where a neuron is absent; features: those of `embed` for the last `time`
    frames, where they are known already. Gives (next frame [chunk, time, node] after each of the `time` frames, list of
    [chunk, node] 1, 2, ..., `steps` frames after the last).
    """
    lags = linear["own"].shape[1]
    time = x.shape[1] - lags
    now = x[:, lags:]
    past = torch.stack([x[:, lags - lag : lags - lag + time] for lag in range(lags)])
    if features is None:
        features = correction.embed(now, x[:, lags - 1 : -1], nodes, graph, present)
    corrections, state = correction.advance(features)
    known = now + linear_change(past, linear) + corrections
    present_now = present.to(x.dtype)
    recent = [x[:, -1 - lag] for lag in range(lags)]
    following = (known[:, -1] * present_now).clamp(-BOUND, BOUND)
    forecasts = [following]
    for _ in range(steps - 1):
        recent = [following, *recent[:-1]]
        embedded = correction.embed(following[:, None], recent[1][:, None], nodes, graph, present)
        change, state = correction.advance(embedded, state)
        following = following + linear_change(torch.stack(recent), linear) + change[:, 0]
        following = (following * present_now).clamp(-BOUND, BOUND)
        forecasts.append(following)
    return known, forecasts


@torch.no_grad()
def rolled_out(
    correction: Correction,
    linear: dict[str, torch.Tensor],
    z: NDArray[np.float32],
    nodes: NDArray[np.int64],
    graph: GraphTensors,
    origins: NDArray[np.int64],
    context: int,
    horizons: Sequence[int],
) -> dict[int, NDArray[np.float32]]:
    """Horizon → forecasts [origin, node] of a series z [time, node] from `context` frames up to each origin.

    Attention looks at one frame at a time, so the whole series is embedded once and windows are views of it.
    """
    device = linear["own"].device
    lags = linear["own"].shape[1]
    series = torch.from_numpy(z).to(device)
    node = torch.from_numpy(nodes).to(device)
    edges = graph.to(device)
    everyone = torch.ones(1, z.shape[1], dtype=torch.bool, device=device)
    before = torch.cat((series[:1], series[:-1]))
    embedded = torch.cat(
        [
            correction.embed(s[None], b[None], node, edges, everyone)[0]
            for s, b in zip(series.split(512), before.split(512), strict=True)
        ]
    )
    length = context - lags
    by_horizon: dict[int, list[Any]] = {horizon: [] for horizon in horizons}
    for block in np.array_split(origins, max(1, -(-len(origins) // _BLOCK))):
        first = torch.from_numpy(block - context + 1).to(device)
        x = series[first[:, None] + torch.arange(context, device=device)]
        features = embedded[first[:, None] + torch.arange(lags, context, device=device)]
        assert features.shape[1] == length
        present = everyone.expand(len(block), -1)
        _, forecasts = continued(correction, linear, x, node, edges, present, max(horizons), features)
        for horizon in horizons:
            by_horizon[horizon].append(forecasts[horizon - 1].cpu().numpy())
    return {horizon: np.concatenate(blocks) for horizon, blocks in by_horizon.items()}
