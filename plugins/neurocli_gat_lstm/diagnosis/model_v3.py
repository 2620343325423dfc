"""Is gat-lstm-v3 what it says: causal, over the graph's edges, and does every part of it learn? NetworkOnWorm of each fold's first network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from neurocli.diagnosis.finding import FAIL, Finding
from neurocli.diagnosis.words import counted, unless_none
from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.diagnosis.paths import reach
from neurocli_gat_lstm.model.forecasts_v3 import direct_forecasts
from neurocli_gat_lstm.model.v3 import GatLstmV3
from neurocli_gat_lstm.model.view_v3 import DirectView, direct_views

LARGEST = 1e-5
STIR = 1.0
"""By how much z-scores are changed to see what depends on them."""
DEAD = 1e-3


def direct_findings(network: GatLstmV3, data: DirectWormData) -> list[Finding]:
    """Causality, agreement of two ways to the same forecast, locality and units."""
    seen = [view for view in direct_views(data, network) if view.member == 0]
    seen = [view for view in seen if len(view.worm.origins(data.config.evaluate.context, max(network.horizons)))]
    if not seen:
        return []
    return [
        _paths(network, data, seen),
        _causality(network, data, seen),
        _locality(seen),
        _dead_units(seen),
    ]


def _origin(data: DirectWormData, view: DirectView) -> np.ndarray:
    origins = view.worm.origins(data.config.evaluate.context, max(view.network.horizons))
    return origins[len(origins) // 2 :][:1]


def _worms(seen: list[DirectView]) -> str:
    return counted(len({view.worm.group for view in seen}), "worm")


@torch.no_grad()
def _paths(network: GatLstmV3, data: DirectWormData, seen: list[DirectView]) -> Finding:
    """The forecasts that are scored against those that derivatives are taken of, which are made from z-scores in another way."""
    differences = []
    for view in seen:
        at = _origin(data, view)
        scored = direct_forecasts(network, data, view.worm, view.fold, at)[0]
        length = view.back + view.burn_in + 1
        x = torch.from_numpy(view.worm.z[at[0] - length + 1 : at[0] + 1][None]).to(network.own.device)
        correction = view.direct(view.inputs(x), view.graph, view.burn_in)[0, 0] * network.output_scale[view.fold]
        other = (x[0, -1, :, None] + view.forecast_change(x)[0, -1] + correction).cpu().numpy()
        mine = np.stack([scored[h][0] for h in network.horizons], axis=-1)
        differences.append(float((np.abs(mine - other) / np.maximum(np.abs(mine), 1)).max()))
    worst = max(differences)
    bad = not worst <= LARGEST * 10
    advice = "two ways to compute the same forecast differ, so that what is interpreted is not what is scored: report the fault"
    return Finding.graded("paths-agree", _worms(seen), f"{worst:.1e}", "≤ 1e-4", advice, fail=bad)


def _causality(network: GatLstmV3, data: DirectWormData, seen: list[DirectView]) -> Finding:
    """Largest change of forecasts when what comes after their origin changes."""
    changes = []
    for view in seen:
        at, worm = _origin(data, view), view.worm
        z = worm.z.copy()
        z[int(at[0]) + 1 :] += np.float32(STIR)
        both = [direct_forecasts(network, data, w, view.fold, at)[0] for w in (worm, replace(worm, z=z))]
        changes.append(max(float(np.abs(both[0][h] - both[1][h]).max()) for h in network.horizons))
    worst = max(changes)
    advice = "a forecast changes with what comes after its origin, and scores mean nothing: report the fault"
    return Finding.graded("causality", _worms(seen), f"{worst:.1e}", "0", advice, fail=worst)


@torch.no_grad()
def _locality(seen: list[DirectView]) -> Finding:
    """Attention must not carry a neuron's inputs beyond as many edges as there are layers."""
    wrong = []
    for view in seen:
        inputs = view.inputs(view.windows(view.back + 1, 1))
        n = inputs.shape[2]
        allowed = reach(view.graph, n, len(view.direct.attention))
        still, moved = view.direct.embed(inputs, view.graph)[0, 0], np.zeros((n, n), bool)
        for neuron in range(n):
            stirred = inputs.clone()
            stirred[:, :, neuron] += STIR
            moved[neuron] = (view.direct.embed(stirred, view.graph)[0, 0] != still).any(-1).cpu().numpy()
        beyond = int((moved & ~allowed).sum())
        wrong += [f"{view.worm.group}: {beyond} pairs"] if beyond else []
    advice = "attention does not run along the graph's edges alone: report the fault"
    return unless_none("locality", "attention", wrong, verdict=FAIL, advice=advice)


@torch.no_grad()
def _dead_units(seen: list[DirectView]) -> Finding:
    """Units of the LSTM that hardly vary over the frames and neurons of a test worm."""
    dead_by_fold = []
    for view in seen:
        features = view.direct.embed(view.inputs(view.windows(view.back + view.burn_in + 60, 4)), view.graph)
        hidden, _ = view.direct.lstm(features.transpose(1, 2).flatten(0, 1))
        dead = np.flatnonzero(hidden.flatten(0, 1).double().std(0).cpu().numpy() < DEAD)
        dead_by_fold += [f"fold {view.fold + 1}: {len(dead)} of {hidden.shape[-1]}"] if len(dead) else []
    advice = "these units do not vary: use fewer hidden units (model.hidden) or a smaller learning rate"
    return unless_none("dead-units", "LSTM", dead_by_fold, advice=advice)
