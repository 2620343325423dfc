"""What forecasts are held against: nothing changes, back to the mean, and linear models fitted on the same training worms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurocli.evaluation.question import Prediction, Predictor, Question
from neurocli_gat_lstm.data import WormData
from neurocli_gat_lstm.linear_path import LinearPath, shared_autoregression
from neurocli_gat_lstm.questions import prediction

ORDERS = (10, 50)
VAR = "VAR ridge"
VAR_ON_GRAPH = "VAR ridge, graph"


def baselines(data: WormData, config: Any) -> list[Predictor]:
    """Persistence and the mean always; the linear models where there are training worms."""

    def persistence(question: Question) -> Prediction:
        assert question.now is not None
        return Prediction(question.now)

    def mean(question: Question) -> Prediction:
        assert question.now is not None
        return Prediction({group: np.where(np.isfinite(now), 0.0, np.nan) for group, now in question.now.items()})

    found = [
        Predictor("persistence", "baseline", persistence, "nothing changes"),
        Predictor("mean", "baseline", mean, "0: the mean of the recording"),
    ]
    if not data.split.train:
        return found
    for order in ORDERS:
        if order <= config.evaluate.context:
            note = f"one autoregression on {order} frames for all neurons"
            found.append(_linear(data, config, f"AR({order})", note, lambda fold, p=order: _shared(data, fold, p)))  # type: ignore[misc]
    note = "own past shrunk to a shared one, all pairs of neurons; penalties by leaving out training worms"
    found.append(_linear(data, config, VAR, note, lambda fold: data.full_linear(fold).path))
    if config.model.graph not in ("full", "none") and getattr(config.model, "linear", "") == "edges":
        note = "the same along the graph's edges: what the network corrects"
        found.append(_linear(data, config, VAR_ON_GRAPH, note, lambda fold: data.linear(fold).path))
    return found


def _shared(data: WormData, fold: int, order: int) -> LinearPath:
    return shared_autoregression(data.training_worms(fold), order)


def _linear(data: WormData, config: Any, name: str, note: str, path_of: Callable[[int], LinearPath]) -> Predictor:
    """A predictor by rollout; each worm is forecast by what was fitted without it, and new worms by the mean of all folds."""
    paths: dict[int, LinearPath] = {}

    def forecasts(group: str, origins: np.ndarray) -> dict[int, np.ndarray]:
        key = (name, group, len(origins))
        if key not in data.forecasts:
            worm, horizons = data.worms[group], config.evaluate.horizons
            each = []
            for fold in data.folds_for(group):
                if fold not in paths:
                    paths[fold] = path_of(fold)
                each.append(paths[fold].among(worm.names).forecasts(worm.z, origins, horizons))
            data.forecasts[key] = {h: np.mean([one[h] for one in each], axis=0) for h in horizons}
        return data.forecasts[key]

    def answer(question: Question) -> Prediction:
        steps = question.horizon_steps
        return prediction(data, question, {g: forecasts(g, o)[steps] for g, o in question.origins.items()})

    return Predictor(name, "baseline", answer, note)
