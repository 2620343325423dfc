"""What forecasts are held against: nothing changes, back to the mean, and linear models fitted on the same training worms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from neurocli.evaluation.question import Prediction, Predictor, Question
from neurocli_gat_lstm.data import WormData
from neurocli_gat_lstm.linear_path import LinearPath, direct
from neurocli_gat_lstm.questions import prediction

ORDERS = (10, 50)
VAR = "VAR ridge"
VAR_ON_GRAPH = "VAR ridge, graph"
MEANS = {"causal": "up to now", "start": "of the burn-in", "whole": "of the whole recording"}


def baselines(data: WormData, config: Any) -> list[Predictor]:
    """Persistence and the mean always; the linear models where there are training worms.

    All see what the model sees, in the same units: what is known of each neuron at the origin. Each linear model is one
    ridge regression per horizon.
    """

    def persistence(question: Question) -> Prediction:
        assert question.now is not None
        return Prediction(question.now)

    def mean(question: Question) -> Prediction:
        nothing = {g: np.zeros((len(o), len(data.worms[g].names))) for g, o in question.origins.items()}
        return prediction(data, question, nothing)

    known = MEANS[config.data.normalisation]
    found = [
        Predictor("persistence", "baseline", persistence, "nothing changes"),
        Predictor("mean", "baseline", mean, f"each neuron's mean {known}"),
    ]
    if not data.split.train:
        return found
    for order in ORDERS:
        if order <= config.evaluate.context:
            note = f"one autoregression on {order} frames for all neurons"
            fitted = partial(data.shared_linear, lags=order)
            found.append(_linear(data, config, f"AR({order})", note, lambda fold, of=fitted: of(fold)[0]))  # type: ignore[misc]
    note = "own past shrunk to a shared one, all pairs of neurons; penalties by leaving out training worms"
    found.append(_linear(data, config, VAR, note, lambda fold: data.full_linear(fold).paths))
    if config.model.graph not in ("full", "none") and getattr(config.model, "linear", "") == "edges":
        note = "the same along the graph's edges: what the network corrects"
        found.append(_linear(data, config, VAR_ON_GRAPH, note, lambda fold: data.linear(fold).paths))
    return found


def _linear(
    data: WormData, config: Any, name: str, note: str, paths_of: Callable[[int], dict[int, LinearPath]]
) -> Predictor:
    """A path for each horizon; each worm is forecast by what was fitted without it, and new worms by the mean of all folds."""
    paths: dict[int, dict[int, LinearPath]] = {}

    def forecasts(group: str, origins: np.ndarray) -> dict[int, np.ndarray]:
        key = (name, group, len(origins))
        if key not in data.forecasts:
            worm, horizons = data.worms[group], config.evaluate.horizons
            at = data.frames_of(group, origins)
            each = []
            for fold in data.folds_for(group):
                if fold not in paths:
                    paths[fold] = paths_of(fold)
                of = {h: path.among(worm.names) for h, path in paths[fold].items()}
                each.append(direct(of, worm.z, at, horizons))
            data.forecasts[key] = {h: np.mean([one[h] for one in each], axis=0) for h in horizons}
        return data.forecasts[key]

    def answer(question: Question) -> Prediction:
        steps = question.horizon_steps
        return prediction(data, question, {g: forecasts(g, o)[steps] for g, o in question.origins.items()})

    return Predictor(name, "baseline", answer, note)
