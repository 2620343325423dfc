"""The lines that every table of the family carries: which worms, which frames, which graph, what the z-scores know."""

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
    found = [
        f"graph: {model.graph}, {model.connectome}, {edges} edges among {len(data.names)} neurons{_reach(data, model)}",
        f"frames: {options.dt}, {' to '.join([steps[0], steps[-1]] if len(steps) > 1 else steps)} ms a step; no smoothing of ours",
    ]
    if data.split.folds and not any(data.split.fold_of(group) is None for group in data.split.test):
        found.append("one worm is left out at a time: each is forecast by networks that were fitted without it")
    found.append(_units(data, options))
    trained_at = data.spec["dt_ms"]
    other = [w.group for w in tested if abs(np.log(w.dt_ms / trained_at)) > np.log(1.25)]
    if other:
        found.append(
            f"{', '.join(other)}: another frame rate than in training ({trained_at:.0f} ms); a step is a frame"
        )
    controls = [group for group in data.split.test if data.is_control(group)]
    if controls:
        found.append(
            f"{', '.join(controls)}: GFP, no calcium indicator. What is forecast there is motion, not activity"
        )
    smooth = [
        g
        for g in data.split.test
        if str(data.recordings[g].labels.get("smooth_method", "")).lower() not in ("", "none", "unknown")
    ]
    if smooth:
        found.append(f"{', '.join(smooth)}: smoothed before it came here; persistence and all scores are too good")
    strangers = [f"{w.group} {n} of {len(w.names)}" for w in tested if (n := len(set(w.names) - set(data.names)))]
    if strangers and data.split.protocol == NEW_DATA:
        found.append(f"neurons that no worm of the training has, forecast without edges: {listed(strangers)}")
    found += data.doubts
    found += [f"left out: {line}" for line in data.left_out]
    return found


def _units(data: WormData, options: DataConfig) -> str:
    """What forecasts know of each neuron's mean and sd, and what errors are weighted by."""
    said = {
        "causal": "running mean and sd of each neuron, over all frames up to now",
        "start": "mean and sd of each neuron in the burn-in",
        "whole": "mean and sd of each whole recording, as published: forecasts know its future",
    }[options.normalisation]
    frames = sorted(data.worms[group].burn_in for group in data.split.test)
    span = f"{frames[0]}" if frames[0] == frames[-1] else f"{frames[0]} to {frames[-1]}"
    return (
        f"units: {said}; first forecast after {span} frames ({options.start_s:g} s, or a quarter). Scores alone weight errors by "
        "each neuron's sd of the whole recording (z)"
    )


def _reach(data: WormData, model: V1Model | V2Model | V3Model) -> str:
    """What the graph serves, and how many of all pairs the linear path may use: where these are most, no effect of the wiring
    can be seen."""
    if model.linear == "all":
        return "; it serves the attention alone, the linear path takes all pairs"
    if model.linear != "edges" or not data.wiring.graph.n_edges:
        return ""
    pairs = max(len(data.names) * (len(data.names) - 1), 1)
    share = float(data.wiring.allowed(model.hops).sum() / pairs)
    return f"; the linear path follows {model.hops} edge{'s' * (model.hops > 1)} a frame, {share:.0%} of all pairs"


def scope(data: WormData) -> str:
    """What intervals over the test worms speak for, and what they do not."""
    tested = data.split.test
    if data.recordings.meta.get("simulator") == "celegans":
        return f"{counted(len(tested), 'worm')} of one simulated network, which others do not resemble, with one training seed"
    sources = sorted({str(data.recordings[g].labels.get("source", "")) for g in tested} - {""})
    said = f"{counted(len(tested), 'worm')} of {listed(sources)}" if sources else counted(len(tested), "worm")
    return f"{said}, recorded and identified alike, with one training seed: not other laboratories, strains or states"
