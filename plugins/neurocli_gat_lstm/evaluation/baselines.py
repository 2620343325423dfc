"""The baselines: persistence, the mean, and linear models fitted on the same training worms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.target import FREE, Prediction, Predictor, Target
from neurocli_gat_lstm.configs import GatLstmConfig
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.linear.path import LinearPath, direct
from neurocli_gat_lstm.evaluation.targets import as_prediction

ORDERS = (10, 50)
ALL_PAIRS = "ridge, all pairs"
ALONG_GRAPH = "ridge, graph"
PARTS = ("own", "shared", "level", "change")
MEANS = {"causal": "up to now", "start": "of the burn-in", "whole": "of the whole recording"}


def baselines(data: WormData, config: GatLstmConfig) -> list[Predictor]:
    """Persistence and the mean always; the linear models where there are training worms.

    All see what the model sees, in the same units: what is known of each neuron at the origin. Each linear model is one
    ridge regression per horizon.
    """

    def persistence(target: Target) -> Prediction:
        assert target.now is not None
        return Prediction(target.now)

    def mean(target: Target) -> Prediction:
        nothing = {g: np.zeros((len(o), len(data.worms[g].names))) for g, o in target.origins.items()}
        return as_prediction(data, target, nothing)

    known = MEANS[config.data.normalisation]
    predictors = [
        Predictor("persistence", "baseline", persistence, "the last observed value", lambda: FREE),
        Predictor("mean", "baseline", mean, f"each neuron's mean {known}", lambda: FREE),
    ]
    if not data.split.train or config.evaluate.rivals == "none":
        return predictors
    for order in ORDERS:
        if order <= config.evaluate.context:
            note = f"one autoregression on {order} frames for all neurons"
            fitted = _kept(
                data, f"AR({order})", partial(_shared, data, order), data.folds * order * len(data.horizons), order
            )
            predictors.append(_linear(data, config, note, fitted))
    note = "own past, shrunk to what all neurons share, and all other neurons; penalties by leaving out training worms"
    count = _count(data, data.all_pairs, data.full_lags)
    fitted = _kept(data, ALL_PAIRS, lambda fold: data.full_linear(fold).paths, count, data.full_lags)
    predictors.append(_linear(data, config, note, fitted))
    if config.model.graph not in ("full", "none") and config.model.linear in ("edges", "all"):
        note = "the same along the graph's edges"
        model = config.model
        allowed = data.wiring.allowed(model.hops)  # known by its content: a file may change under its name
        paths = _kept(
            data,
            ALONG_GRAPH,
            lambda fold: data.graph_linear(fold).paths,
            _count(data, allowed, data.lags),
            data.lags,
            np.argwhere(allowed),
        )
        predictors.append(_linear(data, config, note, paths))
    return predictors


def _shared(data: WormData, lags: int, fold: int) -> dict[int, LinearPath]:
    return data.shared_linear(fold, lags)[0]


def _count(data: WormData, allowed: NDArray[np.bool_], lags: int) -> int:
    """Coefficients of a regression for each fold and horizon: own past, and level and change of each pair allowed."""
    return data.folds * len(data.horizons) * int(len(data.names) * lags + 2 * allowed.sum())


def _kept(
    data: WormData,
    name: str,
    paths_of: Callable[[int], dict[int, LinearPath]],
    parameters: int,
    lags: int,
    pairs: NDArray[np.int64] | None = None,
) -> Fitted:
    """The paths of every fold and horizon as arrays; pairs [pair, (post, pre)]: which neurons are joined, None for all or none."""
    options = data.config.data.model_dump(mode="json")
    taught = [[worm.group for worm in data.training_worms(fold)] for fold in range(data.folds)]
    known = {
        "data": options,
        "horizons": data.horizons,
        "taught": taught,
        "lags": lags,
        "pairs": pairs,
        "names": data.names,
    }

    def fit() -> dict[str, NDArray[Any]]:
        coefficients = {}
        for fold in range(data.folds):
            paths = paths_of(fold)
            for part in PARTS:
                coefficients[f"{part} {fold}"] = np.stack([getattr(paths[h], part) for h in data.horizons])
        return coefficients

    return Fitted(name, data, known, fit, parameters)


def _paths(data: WormData, fitted: Fitted, fold: int) -> dict[int, LinearPath]:
    coefficients = {part: fitted.values[f"{part} {fold}"] for part in PARTS}
    return {
        h: LinearPath(data.names, **{part: values[k] for part, values in coefficients.items()})
        for k, h in enumerate(data.horizons)
    }


def _linear(data: WormData, config: GatLstmConfig, note: str, fitted: Fitted) -> Predictor:
    """A path for each horizon; each worm is forecast by what was fitted without it, and new worms by the mean of all folds."""

    def forecasts(group: str, origins: np.ndarray) -> dict[int, np.ndarray]:
        key = (fitted.name, group, len(origins))
        if key not in data.forecasts:
            worm, horizons = data.worms[group], config.evaluate.horizons
            at = data.frames_of(group, origins)
            by_fold = []
            for fold in data.folds_for(group):
                paths = {h: path.among(worm.names) for h, path in _paths(data, fitted, fold).items()}
                by_fold.append(direct(paths, worm.z, at, horizons))
            data.forecasts[key] = {h: np.mean([forecast[h] for forecast in by_fold], axis=0) for h in horizons}
        return data.forecasts[key]

    def predict(target: Target) -> Prediction:
        steps = target.horizon_steps
        return as_prediction(data, target, {g: forecasts(g, o)[steps] for g, o in target.origins.items()})

    return Predictor(fitted.name, "baseline", predict, note, cost=lambda: fitted.cost)
