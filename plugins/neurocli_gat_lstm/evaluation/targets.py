"""What is scored: every neuron of every test worm, some steps ahead, from the same frames for every predictor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurocli.evaluation.target import Prediction, Target
from neurocli_gat_lstm.configs import GatLstmConfig
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.graph.names import neuron_class

CLASSES = ("sensory", "inter", "motor")
Z = "z"
"""The unit of scores: z-scores of the whole recording, which weigh neurons alike and are no part of any forecast."""


def targets(data: WormData, config: GatLstmConfig, part: str) -> list[Target]:
    """One target per horizon; channels are all names of the scored worms, NaN where a worm does not have a neuron."""
    evaluate = config.evaluate
    groups = list(data.split.groups(part))
    names = channels(data, groups)
    at = {g: data.worms[g].origins(evaluate.context, max(evaluate.horizons), evaluate.stride) for g in groups}
    kinds = np.array([neuron_class(name) for name in names])
    subsets = {kind: dict.fromkeys(groups, (kinds == kind)[None, :]) for kind in CLASSES if (kinds == kind).any()}
    template = Target(
        name="",
        horizon_steps=0,
        horizon_ms=None,
        unit=data.recordings[groups[0]].unit if groups else "",
        values={},
        origins={g: data.worms[g].sample[at[g]] for g in groups},
        subsets=subsets,
        now={g: spread(data, g, names, data.worms[g].signal[at[g]]) for g in groups},
        scoring={g: _scoring(data, g, names) for g in groups},
    )
    by_horizon = []
    for horizon in evaluate.horizons:
        targets = {}
        for group in groups:
            worm = data.worms[group]
            known = worm.known[at[group] + horizon] & worm.known[at[group]]
            truth = np.where(known, worm.signal[at[group] + horizon], np.float32(np.nan))
            targets[group] = spread(data, group, names, truth)
        ms = horizon * float(np.median([data.worms[group].dt_ms for group in groups]))
        name = f"{horizon} step{'s' if horizon > 1 else ''}"
        by_horizon.append(replace(template, name=name, horizon_steps=horizon, horizon_ms=ms, values=targets))
    return by_horizon


def _scoring(data: WormData, group: str, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(mean, sd) [channel] of the whole recording."""
    worm = data.worms[group]
    mean, sd = (spread(data, group, names, v[None])[0].astype(np.float64) for v in (worm.score_mean, worm.score_sd))
    return mean, sd


def channels(data: WormData, groups: list[str]) -> list[str]:
    """All names of some worms, sorted."""
    return sorted({name for group in groups for name in data.worms[group].names})


def spread(data: WormData, group: str, names: list[str], values: np.ndarray) -> np.ndarray:
    """values [time, neuron of the worm] at their places among `names`, NaN elsewhere."""
    place = {name: k for k, name in enumerate(names)}
    spread_out = np.full((len(values), len(names)), np.nan, np.float32)
    spread_out[:, [place[name] for name in data.worms[group].names]] = values
    return spread_out


def as_prediction(data: WormData, target: Target, by_group: dict[str, np.ndarray]) -> Prediction:
    """A prediction from forecasts [origin, neuron of the worm] of every worm, in the units of their origins."""
    names = channels(data, target.groups)
    predicted = {}
    for group in target.groups:
        worm, at = data.worms[group], data.frames_of(group, target.origins[group])
        predicted[group] = spread(data, group, names, worm.in_signal(at, by_group[group]))
    return Prediction(predicted)
