"""What is scored: every neuron of every test worm, some steps ahead, from the same frames for every predictor."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurocli.evaluation.question import Prediction, Question
from neurocli_gat_lstm.data import WormData
from neurocli_gat_lstm.names import neuron_class

CLASSES = ("sensory", "inter", "motor")
Z = "z"


def questions(data: WormData, config: Any, part: str) -> list[Question]:
    """One question per horizon; channels are all names of the scored worms, NaN where a worm does not have a neuron."""
    evaluate = config.evaluate
    groups = list(data.split.groups(part))
    names = channels(data, groups)
    origins = {g: data.worms[g].origins(evaluate.context, max(evaluate.horizons), evaluate.stride) for g in groups}
    kinds = np.array([neuron_class(name) for name in names])
    subsets = {kind: dict.fromkeys(groups, (kinds == kind)[None, :]) for kind in CLASSES if (kinds == kind).any()}
    now = {g: spread(data, g, names, data.worms[g].z[origins[g]]) for g in groups}
    found = []
    for horizon in evaluate.horizons:
        targets = {}
        for group in groups:
            worm = data.worms[group]
            at = origins[group] + horizon
            truth = np.where(worm.known[at] & worm.known[origins[group]], worm.z[at], np.float32(np.nan))
            targets[group] = spread(data, group, names, truth)
        ms = horizon * float(np.median([data.worms[group].dt_ms for group in groups]))
        found.append(
            Question(f"{horizon} step{'s' if horizon > 1 else ''}", horizon, ms, Z, targets, origins, subsets, now=now)
        )
    return found


def channels(data: WormData, groups: list[str]) -> list[str]:
    """All names of some worms, sorted."""
    return sorted({name for group in groups for name in data.worms[group].names})


def spread(data: WormData, group: str, names: list[str], values: np.ndarray) -> np.ndarray:
    """values [time, neuron of the worm] at their places among `names`, NaN elsewhere."""
    place = {name: k for k, name in enumerate(names)}
    found = np.full((len(values), len(names)), np.nan, np.float32)
    found[:, [place[name] for name in data.worms[group].names]] = values
    return found


def prediction(data: WormData, question: Question, by_group: dict[str, np.ndarray]) -> Prediction:
    """An answer from forecasts [origin, neuron of the worm] of every worm."""
    names = channels(data, question.groups)
    return Prediction({g: spread(data, g, names, by_group[g]) for g in question.groups})
