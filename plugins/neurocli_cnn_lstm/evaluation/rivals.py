"""The strongest simple forecasts: what a referee would build in an afternoon, from the same voltages as the model.

A ridge regression on the resets of all neurons finds the synapses; five drives, own lags, clamp flags and the time since reset then
go into gradient-boosted trees or a small MLP, one function for all neurons. Each horizon is forecast directly. The trees have a
fit of their own for each; the MLP has one network for the first horizon and one for all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted, Values
from neurocli.evaluation.small_network import fit_network, from_arrays, to_arrays
from neurocli.evaluation.target import Cost, Prediction, Predictor, Target, total_cost
from neurocli.recordings.files.scratch import Scratch
from neurocli_cnn_lstm.config import CnnLstmConfig
from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.evaluation.drives import FEATURES, chosen_weights, features
from neurocli_cnn_lstm.evaluation.targets import horizon_steps, local_origins
from neurocli_cnn_lstm.evaluation.trees import fit_trees, predict_trees
from neurocli_cnn_lstm.model.onset_ridge import LAGS, MOST_NEURONS, fit_onset_ridge

_HIDDEN = 48
_BATCH = 2048  # rows of a step
_PASSES = 20  # at most, over the same rows
_CHUNK = 200_000  # rows predicted together


class Effort(NamedTuple):
    """How much a rival is given: training runs (None: all), rows of them, and rounds, for the first horizon and for later ones."""

    runs: int | None
    tree_rows: tuple[int, int]
    trees: tuple[int, int]
    network_rows: int
    network_steps: tuple[int, int]


EFFORTS = {
    "quick": Effort(4, (400_000, 100_000), (60, 25), 1_500_000, (2400, 500)),
    "full": Effort(None, (1_400_000, 1_400_000), (150, 60), 4_000_000, (20_000, 6000)),
}
TREE_OPTIONS = {"learning_rate": 0.15, "max_leaf_nodes": 31, "min_samples_leaf": 200}


def left_out(dataset: VoltageData, choice: str) -> str | None:
    """Why there are no rivals, None where there are."""
    if choice == "none":
        return "the strong baselines are left out (evaluate.rivals=none)"
    if not dataset.flag_on:
        return "the baselines trees on drives and MLP on drives are left out: they need the reset flag"
    if dataset.spec["num_channels"] > MOST_NEURONS:
        return f"the baselines trees on drives and MLP on drives are left out: they take at most {MOST_NEURONS} neurons"
    return None


def rivals(dataset: VoltageData, config: CnnLstmConfig) -> list[Predictor]:
    """Trees and MLP on drives; none where `left_out` says why. They are fitted at their first prediction."""
    choice = config.evaluate.rivals
    if left_out(dataset, choice) is not None:
        return []
    effort = EFFORTS[choice]
    horizons = horizon_steps(dataset, config)
    ridge = ridge_of_resets(dataset, effort.runs)

    def predictor(name: str, note: str, kind: Callable[..., _Fits]) -> Predictor:
        fits = kind(name, dataset, horizons, effort, ridge)

        def cost() -> Cost | None:
            """Of what has been fitted, which is all that a target needed."""
            return total_cost(fitted.cost for fitted in (ridge, *fits.fitted))

        return Predictor(name, "baseline", _predict(dataset, ridge, fits), note, cost)

    return [
        predictor("trees on drives", "gradient-boosted trees on own lags and five drives", _trees),
        predictor("MLP on drives", "a small network on own lags and five drives", _networks),
    ]


def ridge_of_resets(dataset: VoltageData, runs: int | None = None) -> Fitted:
    """The ridge regression on resets of all neurons, from the first `runs` training runs or all; `weights` [post, pre] are those of the drives."""
    groups = dataset.usable("train")[:runs]
    chosen_on = dataset.usable("validation")[:1] or groups[:1]

    def fit() -> Values:
        ridge = fit_onset_ridge(dataset, groups)
        return {
            "coefficients": ridge.weights,
            "decay": ridge.decay,
            "offset": ridge.offset,
            "_error": ridge.total_error,
            "_weights": chosen_weights(ridge, dataset, chosen_on),
        }

    return Fitted("ridge of resets", dataset, {**_settings(dataset), "runs": groups, "lags": LAGS}, fit)


class _Fits(NamedTuple):
    """One fit for each group of horizons; `forecast` gives the change of voltage [row] in mV by horizon."""

    fitted: list[Fitted]
    forecast: Callable[[NDArray[np.float32], int], NDArray[np.float32]]


def _trees(name: str, dataset: VoltageData, horizons: list[int], effort: Effort, ridge: Fitted) -> _Fits:
    import sklearn.ensemble  # noqa: F401  # here, so that seconds of import are no cost of the fit

    def of_horizon(horizon: int) -> Fitted:
        later = int(horizon != horizons[0])
        rows, options = effort.tree_rows[later], {**TREE_OPTIONS, "max_iter": effort.trees[later]}

        def fit() -> Values:
            x, y = _rows(dataset, ridge.values["_weights"], [horizon], rows, effort.runs)
            return fit_trees(x, y[:, 0], **options)

        settings = {**_settings(dataset), **options, "rows": rows, "horizon": horizon, "runs": effort.runs}
        return Fitted(name, dataset, settings, fit)

    fits = {horizon: of_horizon(horizon) for horizon in horizons}
    return _Fits(list(fits.values()), lambda x, horizon: predict_trees(fits[horizon].values, x))


def _networks(name: str, dataset: VoltageData, horizons: list[int], effort: Effort, ridge: Fitted) -> _Fits:
    def of_horizons(shared_horizons: list[int], steps: int) -> Fitted:
        def fit() -> Values:
            x, y = _rows(dataset, ridge.values["_weights"], shared_horizons, effort.network_rows, effort.runs)
            return _fit_mlp(x, y, steps)

        settings = {
            **_settings(dataset),
            "rows": effort.network_rows,
            "steps": steps,
            "horizons": shared_horizons,
            "runs": effort.runs,
        }
        return Fitted(name, dataset, settings, fit)

    efforts = zip((horizons[:1], horizons[1:]), effort.network_steps, strict=True)
    fits = [
        (shared_horizons, of_horizons(shared_horizons, steps)) for shared_horizons, steps in efforts if shared_horizons
    ]

    def forecast(x: NDArray[np.float32], horizon: int) -> NDArray[np.float32]:
        shared_horizons, fitted = next(fit for fit in fits if horizon in fit[0])
        values = fitted.values
        network = from_arrays(lambda: _mlp(len(shared_horizons)), values)
        with torch.no_grad():
            change = network(torch.from_numpy((x - values["_mean"]) / values["_sd"]))[
                :, shared_horizons.index(horizon)
            ].numpy()
        return change * values["_scale"][shared_horizons.index(horizon)]

    return _Fits([fitted for _, fitted in fits], forecast)


def _mlp(outputs: int) -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(len(FEATURES), _HIDDEN), nn.SiLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.SiLU(), nn.Linear(_HIDDEN, outputs)
    )  # fmt: skip


def _fit_mlp(x: NDArray[np.float32], y: NDArray[np.float32], steps: int) -> Values:
    """Fit x [row, feature] → y [row, horizon], which are scaled in place."""
    batch = min(_BATCH, len(x))
    mean, sd, scale = x.mean(0), x.std(0) + 1e-6, y.std(0) + 1e-6
    for values, offset, unit in (
        (x, mean, sd),
        (y, np.float32(0), scale),
    ):  # in place: they are most of the memory of a fit
        values -= offset
        values /= unit
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def batches(epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = np.random.default_rng(epoch).permutation(len(x))
        for first in range(0, len(x) - batch + 1, batch):
            rows = torch.from_numpy(order[first : first + batch])
            yield inputs[rows], targets[rows]

    def loss(network: Any, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return torch.nn.functional.mse_loss(network(pair[0]), pair[1])

    network = fit_network(
        lambda: _mlp(y.shape[1]),
        loss,
        batches,
        steps=min(steps, _PASSES * len(x) // batch),
        learning_rate=8e-3,
        average=0.1,
    )
    return {**to_arrays(network), "_mean": mean, "_sd": sd, "_scale": scale}


def _rows(
    dataset: VoltageData, weights: NDArray[Any], horizons: Sequence[int], most: int, runs: int | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(features [row, feature], change of voltage [row, horizon] in mV): rows drawn from training runs alike."""
    groups = dataset.usable("train")[:runs]
    rng = np.random.default_rng(0)
    usable = [(dataset.place[group][2] - max(horizons)) * dataset.spec["num_channels"] for group in groups]
    counts = [min(rows, -(-most // len(groups))) for rows in usable]
    x = np.empty((sum(counts), len(FEATURES)), np.float32)
    y = np.empty((sum(counts), len(horizons)), np.float32)
    for group, start, count, last in zip(groups, np.cumsum([0, *counts]), counts, usable, strict=False):
        volts = dataset.volts(group)
        rows = rng.choice(last, count, replace=False, shuffle=False) if count < last else np.arange(last)
        time, neuron = np.divmod(rows, volts.shape[1])
        x[start : start + count] = features(dataset, group, weights).reshape(-1, len(FEATURES))[rows]
        for k, h in enumerate(horizons):
            y[start : start + count, k] = volts[time + h, neuron] - volts[time, neuron]
    return x, y


def _predict(dataset: VoltageData, ridge: Fitted, fits: _Fits) -> Callable[[Target], Prediction | None]:
    def predict(target: Target) -> Prediction | None:
        if not dataset.usable("train"):
            return None
        values = Scratch()
        for group, origins in local_origins(dataset, target).items():
            volts = dataset.volts(group)[origins]
            x = features(dataset, group, ridge.values["_weights"])[origins].reshape(-1, len(FEATURES))
            change = [fits.forecast(x[k : k + _CHUNK], target.horizon_steps) for k in range(0, len(x), _CHUNK)]
            values.keep(group, volts + np.concatenate(change).reshape(volts.shape))
        return Prediction(values)

    return predict


def _settings(dataset: VoltageData) -> dict[str, Any]:
    """What rows and features depend on besides the recordings."""
    return {
        "burn_in": dataset.burn_in,
        "noise": [dataset._noise_mv, dataset._noise_seed],
        "reset": [dataset.reset_mv, dataset.reset_tolerance_mv],
    }
