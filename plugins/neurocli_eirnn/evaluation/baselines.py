"""What a model is held against: averages of the training trials, ridge on the task, and a GRU without constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.target import Cost, Prediction, Predictor, Target, total_cost
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.data.dataset import SessionData, psth
from neurocli_eirnn.evaluation.ceiling import aligned_rates
from neurocli_eirnn.evaluation.targets import from_whole_trials
from neurocli_eirnn.model.event_time import feature_array
from neurocli_eirnn.model.ridge import fit_ridge, ridge_rates

SMOOTHING_MS = 50.0
WORTH = 8.0
"""Trials of its own that count as much for a condition as what is known of the conditions around it."""
_TINY = 1e-12
CONDITION = ("location", "reward", "salience")
LAGS = (0, 1, 2, 4, 8, 16, 32)
QUICK_NETWORKS = 2
"""GRUs whose mean the quick form is; see `tests/plugins/eirnn/test_rivals.py` for what one more brings."""

Rates = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Inputs [trial, time, input] → rates [trial, time, neuron] in sp/s."""


def baselines(dataset: SessionData, config: EirnnConfig) -> list[Predictor]:
    """All baselines, fitted on the training trials; none where there are no training trials."""
    if not dataset.split.train:
        return []
    predictors = [
        _average("train PSTH", dataset, (), "mean of the training trials, 50 ms"),
        _average(
            "location PSTH", dataset, ("location",), "mean of the training trials of the same target location, 50 ms"
        ),
        _average(
            "condition PSTH",
            dataset,
            CONDITION,
            "mean of the training trials of the same condition, shrunk towards the location's where trials are few",
        ),
        lagged_ridge(dataset),
    ]
    if config.evaluate.rivals != "none":
        predictors.append(event_time_ridge(dataset))
        if config.evaluate.gru_epochs:
            predictors.append(gru(dataset, config))
            predictors.append(_mean("mean of GRU and ridge", predictors[-1], predictors[-2]))
    return predictors


# -- averages ---------------------------------------------------------------------------------------------------------


def _average(name: str, dataset: SessionData, labels: tuple[str, ...], note: str) -> Predictor:
    cells = len({tuple(key) for key in _keys(dataset, labels)[dataset.fitted_rows()].tolist()})
    numbers = cells * dataset.session.bins * dataset.session.neurons
    return Predictor(name, "baseline", condition_psth(dataset, labels), note, lambda: Cost(0.0, numbers))


def train_psth(dataset: SessionData) -> Callable[[Target], Prediction]:
    """The smoothed mean of the training trials, aligned as the target: the same for every trial."""
    return condition_psth(dataset, ())


def condition_psth(dataset: SessionData, labels: tuple[str, ...]) -> Callable[[Target], Prediction]:
    """The smoothed mean of the training trials of a trial's own condition, aligned as the target.

    Few trials are noise: the mean of a condition is drawn towards that of the trials that share all labels but the last, and so on
    up to the mean of all, as if that were WORTH trials more.
    """
    keys, train = _keys(dataset, labels), dataset.fitted_rows()
    sd_bins = SMOOTHING_MS / dataset.bin_ms

    def predict(target: Target) -> Prediction:
        sums: dict[tuple[int, ...], tuple[NDArray[Any], NDArray[Any]]] = {}
        means: dict[tuple[int, ...], NDArray[Any]] = {}

        def drawn(key: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
            if key not in sums:
                rows = train[(keys[train][:, : len(key)] == key).all(axis=1)]
                total, count = psth.sums(aligned_rates(dataset, target.name, rows))
                if key:
                    above_total, above_count = drawn(key[:-1])
                    worth = np.where(above_count > 0, WORTH, 0.0)
                    total, count = total + worth * above_total / np.maximum(above_count, _TINY), count + worth
                sums[key] = total, count
            return sums[key]

        def mean(key: tuple[int, ...]) -> NDArray[Any]:
            if key not in means:
                smooth = psth.of_sums(*drawn(key), sd_bins)
                # Bins that no training trial reaches: the last known value, or a test trial that does would be left out.
                means[key] = psth.filled_forward(smooth, np.isfinite(smooth), axis=0)
            return means[key]

        return Prediction({g: mean(tuple(int(k) for k in keys[dataset.row[g]])) for g in target.groups})

    return predict


def _keys(dataset: SessionData, labels: tuple[str, ...]) -> NDArray[np.int64]:
    """[trial, label]."""
    return (
        np.stack([dataset.label(name) for name in labels], axis=1)
        if labels
        else np.zeros((len(dataset.rates), 0), np.int64)
    )


# -- fits -------------------------------------------------------------------------------------------------------------


def lagged_ridge(dataset: SessionData) -> Predictor:
    """Ridge on the inputs now and at lags up to 800 ms."""
    return _ridge(
        "ridge, lagged inputs", dataset, lagged, "ridge regression on the inputs now and at lags of up to 800 ms"
    )


def event_time_ridge(dataset: SessionData) -> Predictor:
    """Ridge on functions of time since each event, by location, reward and feature, and of time in the trial."""
    fitted = event_time_fit(dataset)
    return _of_fit(
        fitted,
        dataset,
        lambda values, inputs: ridge_rates(_event_time(dataset), values, inputs),
        "ridge regression on functions of time since each event and of time in the trial",
    )


def event_time_fit(dataset: SessionData) -> Fitted:
    """The coefficients of `event_time_ridge`, which are those of the model's linear path too."""
    return Fitted("ridge, event and time", dataset, {}, lambda: fit_ridge(_event_time(dataset), dataset))


def _event_time(dataset: SessionData) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    return lambda inputs: feature_array(inputs, dataset.bin_ms)


def gru(dataset: SessionData, config: EirnnConfig) -> Predictor:
    """The mean of several GRUs of the model's inputs and loss."""
    hidden, epochs, networks = (getattr(config.evaluate, f"gru_{name}") for name in ("hidden", "epochs", "networks"))
    if config.evaluate.rivals == "quick":
        networks = min(networks, QUICK_NETWORKS)

    def fit() -> dict[str, NDArray[Any]]:
        from neurocli_eirnn.evaluation.gru import fit_gru

        return fit_gru(dataset, hidden, epochs, networks)

    def rates(values: dict[str, NDArray[Any]], inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        from neurocli_eirnn.evaluation.gru import gru_rates

        return gru_rates(dataset, hidden, networks, values, inputs)

    settings = {
        "hidden": hidden,
        "epochs": epochs,
        "networks": networks,
        # What the targets of the loss are made with.
        "window_bins": list(dataset.window_bins),
        "smoothing_ms": getattr(getattr(config, "loss", None), "smoothing_ms", 0.0),
    }
    note = f"mean of {networks} GRUs with the model's inputs and loss, at most {epochs} epochs each"
    return _of_fit(Fitted("GRU", dataset, settings, fit), dataset, rates, note)


def _mean(name: str, first: Predictor, second: Predictor) -> Predictor:
    """The mean of two predictions: what the model does with its network and its linear path, with other parts."""

    def predict(target: Target) -> Prediction | None:
        of_first, of_second = first.predict(target), second.predict(target)
        if of_first is None or of_second is None:
            return None
        return Prediction({g: (of_first.values[g] + of_second.values[g]) / 2 for g in target.groups})

    def cost() -> Cost | None:
        costs = first.cost(), second.cost()
        return None if None in costs else total_cost(costs)

    return Predictor(name, "baseline", predict, f"the mean of {first.name} and of {second.name}", cost)


def lagged(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features [trial, time, k]: the inputs now and at lags up to 800 ms."""
    shifted = [np.pad(inputs, ((0, 0), (lag, 0), (0, 0)))[:, : inputs.shape[1]] for lag in LAGS]
    return np.concatenate(shifted, axis=2)


def _ridge(
    name: str, dataset: SessionData, features: Callable[[NDArray[np.float32]], NDArray[np.float32]], note: str
) -> Predictor:
    fitted = Fitted(name, dataset, {}, lambda: fit_ridge(features, dataset))
    return _of_fit(fitted, dataset, lambda values, inputs: ridge_rates(features, values, inputs), note)


def _of_fit(
    fitted: Fitted,
    dataset: SessionData,
    rates: Callable[[dict[str, NDArray[Any]], NDArray[np.float32]], NDArray[np.float32]],
    note: str,
) -> Predictor:
    """A predictor from rates over whole trials, computed once for each trial."""
    rates_of_trial: dict[str, NDArray[np.float32]] = {}

    def predict(target: Target) -> Prediction:
        new = [group for group in target.groups if group not in rates_of_trial]
        if new:
            rates_of_trial.update(zip(new, rates(fitted.values, dataset.inputs[dataset.rows(new)]), strict=True))
        return from_whole_trials(target, rates_of_trial)

    return Predictor(fitted.name, "baseline", predict, note, lambda: fitted.cost)
