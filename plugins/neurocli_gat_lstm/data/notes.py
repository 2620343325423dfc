"""The notes under every table of the family: which worms, frames and graph were used, and what the z-scores are taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurocli.diagnosis.words import counted, listed
from neurocli.recordings.split import NEW_DATA
from neurocli_gat_lstm.config import DataConfig, V2Model
from neurocli_gat_lstm.config_v1 import V1Model
from neurocli_gat_lstm.config_v3 import V3Model
from neurocli_gat_lstm.configs import GatLstmConfig

if TYPE_CHECKING:
    from neurocli_gat_lstm.data.dataset import WormData


def notes(data: WormData, config: GatLstmConfig) -> list[str]:
    """What a reader must know to compare a score with another."""
    model, options = config.model, config.data
    tested = [data.worms[group] for group in data.split.test]
    steps = sorted({f"{worm.dt_ms:.0f}" for worm in tested}, key=float)
    edges = data.wiring.graph.n_edges
    lines = [
        f"graph: {model.graph}, {model.connectome}, {edges} edges among {len(data.names)} neurons{_reach(data, model)}",
        f"frames: {options.dt}, {' to '.join([steps[0], steps[-1]] if len(steps) > 1 else steps)} ms each, not smoothed",
    ]
    if data.split.folds and not any(data.split.fold_of(group) is None for group in data.split.test):
        lines.append("one worm is left out at a time: each is forecast by networks that were fitted without it")
    lines.append(_units(data, options))
    trained_at = data.spec["dt_ms"]
    other = [w.group for w in tested if abs(np.log(w.dt_ms / trained_at)) > np.log(1.25)]
    if other:
        lines.append(
            f"{', '.join(other)}: another frame rate than in training ({trained_at:.0f} ms per frame); horizons count frames"
        )
    controls = [group for group in data.split.test if data.is_control(group)]
    if controls:
        lines.append(
            f"{', '.join(controls)}: GFP, no calcium indicator. What is forecast there is motion and not activity"
        )
    smooth = [
        g
        for g in data.split.test
        if str(data.recordings[g].labels.get("smooth_method", "")).lower() not in ("", "none", "unknown")
    ]
    if smooth:
        lines.append(f"{', '.join(smooth)}: smoothed before export, which flatters persistence and all other scores")
    strangers = [f"{w.group} {n} of {len(w.names)}" for w in tested if (n := len(set(w.names) - set(data.names)))]
    if strangers and data.split.protocol == NEW_DATA:
        lines.append(f"neurons that no training worm has, forecast without edges: {listed(strangers)}")
    lines += data.doubts
    lines += [f"connectome {data.wiring.connectome.name}: {doubt}" for doubt in data.wiring.connectome.doubts]
    lines += [f"left out: {line}" for line in data.left_out]
    return lines


def _units(data: WormData, options: DataConfig) -> str:
    """What each neuron's mean and sd are taken over, for forecasts and for scores."""
    statistics = {
        "causal": "running mean and sd of each neuron, over all frames up to the origin",
        "start": "mean and sd of each neuron in the burn-in",
        "whole": "mean and sd of each whole recording, as published, so that forecasts depend on its future",
    }[options.normalisation]
    frames = sorted(data.worms[group].burn_in for group in data.split.test)
    span = f"{frames[0]}" if frames[0] == frames[-1] else f"{frames[0]} to {frames[-1]}"
    return (
        f"forecasts use z-scores by the {statistics}; the first one after {span} frames ({options.start_s:g} s, at most a quarter of "
        "the recording). Errors are scored in units of each neuron's sd over the whole recording (z)"
    )


def _reach(data: WormData, model: V1Model | V2Model | V3Model) -> str:
    """What the graph serves, and how many of all pairs the linear path may use: where these are most, no effect of the wiring
    can be seen."""
    if model.linear == "all":
        return "; only attention follows them, the linear path uses all pairs of neurons"
    if model.linear != "edges" or not data.wiring.graph.n_edges:
        return ""
    pairs = max(len(data.names) * (len(data.names) - 1), 1)
    share = float(data.wiring.allowed(model.hops).sum() / pairs)
    return (
        f"; the linear path follows up to {counted(model.hops, 'hop')} per frame, which reach {share:.0%} of all pairs"
    )


def scope(data: WormData) -> str:
    """What intervals over the test worms hold for, and what they do not."""
    tested = data.split.test
    if data.recordings.meta.get("simulator") == "celegans":
        return f"{counted(len(tested), 'worm')} of one simulated network, with one training seed: not other networks"
    sources = sorted({str(data.recordings[g].labels.get("source", "")) for g in tested} - {""})
    worms = f"{counted(len(tested), 'worm')} of {listed(sources)}" if sources else counted(len(tested), "worm")
    return f"{worms}, recorded and identified alike, with one training seed: not other laboratories, strains or states"
