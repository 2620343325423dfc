"""What a model is held against: averages of the training trials, ridge on the task inputs, and a GRU without constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.question import Prediction, Predictor, Question
from neurocli_eirnn import psth
from neurocli_eirnn.ceiling import aligned_rates
from neurocli_eirnn.data import SessionData
from neurocli_eirnn.questions import from_whole_trials

SMOOTHING_MS = 50.0
FEWEST = 3
"""Trials that a condition needs for a PSTH of its own."""
_KERNELS, _KERNEL_MS = 12, 1500.0
_LAGS = (0, 1, 2, 4, 8, 16, 32)
_PENALTIES = 10.0 ** np.arange(0, 7)


def baselines(data: SessionData, config: Any) -> list[Predictor]:
    """All baselines, fitted on the training trials; none where there are no training trials."""
    if not data.split.train:
        return []
    found = [
        Predictor("train PSTH", "baseline", train_psth(data), "mean of the training trials, 50 ms"),
        Predictor("location PSTH", "baseline", condition_psth(data, ("location",)), "the same per target location"),
        Predictor(
            "condition PSTH", "baseline", condition_psth(data, ("location", "reward", "salience")), "per condition"
        ),
        _ridge(data, "ridge, lagged inputs", lagged),
        _ridge(data, "ridge, event basis", event_basis),
    ]
    if config.evaluate.gru_epochs:
        from neurocli_eirnn.gru import gru_rates

        rates = _once(lambda: gru_rates(data, config.evaluate.gru_hidden, config.evaluate.gru_epochs))
        found.append(Predictor("GRU", "baseline", lambda question: from_whole_trials(question, rates())))
    return found


def train_psth(data: SessionData) -> Callable[[Question], Prediction]:
    """The smoothed mean of the training trials, aligned as the question: the same answer for every trial."""

    def answer(question: Question) -> Prediction:
        mean = _smoothed_mean(data, question.name, data.fitted_rows())
        return Prediction(dict.fromkeys(question.groups, mean))

    return answer


def condition_psth(data: SessionData, labels: tuple[str, ...]) -> Callable[[Question], Prediction]:
    """The smoothed mean of the training trials of a trial's own condition, or of all where those are fewer than three."""
    keys = np.stack([data.label(label) for label in labels], axis=1)
    train = data.fitted_rows()

    def answer(question: Question) -> Prediction:
        every = _smoothed_mean(data, question.name, train)
        known: dict[tuple[int, ...], NDArray[Any]] = {}
        values = {}
        for group in question.groups:
            key = tuple(int(k) for k in keys[data.row[group]])
            if key not in known:
                rows = train[(keys[train] == key).all(axis=1)]
                own = _smoothed_mean(data, question.name, rows) if len(rows) >= FEWEST else every
                known[key] = np.where(np.isfinite(own), own, every)
            values[group] = known[key]
        return Prediction(values)

    return answer


def _smoothed_mean(data: SessionData, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    smooth = psth.smoothed_mean(aligned_rates(data, name, rows), SMOOTHING_MS / data.bin_ms)
    # Bins that no training trial reaches: the last known value, or a test trial that does would be left out.
    return psth.filled_forward(smooth, np.isfinite(smooth), axis=0)


def lagged(data: SessionData) -> NDArray[np.float32]:
    """Features [trial, time, k]: the inputs now and at lags up to 800 ms."""
    inputs = data.inputs
    parts = [np.pad(inputs, ((0, 0), (lag, 0), (0, 0)))[:, : inputs.shape[1]] for lag in _LAGS]
    return np.concatenate(parts, axis=2)


def event_basis(data: SessionData) -> NDArray[np.float32]:
    """Features [trial, time, k]: the onset of every input under twelve raised cosines of growing width, and the eye."""
    inputs = data.inputs
    onsets = np.diff(inputs, axis=1, prepend=0.0).clip(min=0)
    bins = round(_KERNEL_MS / data.bin_ms)
    # Raised cosines on a logarithmic axis, as for the spike history of generalised linear models (Pillow et al. 2008).
    place = np.log(np.arange(bins) * data.bin_ms + 50.0)
    centres = np.linspace(place[0], place[-1], _KERNELS)
    phase = np.clip((place[None] - centres[:, None]) / (centres[1] - centres[0]) * np.pi / 2, -np.pi, np.pi)
    kernels = (np.cos(phase) + 1) / 2
    steps = inputs.shape[1]
    toeplitz = np.zeros((_KERNELS, steps, steps), np.float32)
    for lag in range(min(bins, steps)):
        rows = np.arange(steps - lag)
        toeplitz[:, rows + lag, rows] = kernels[:, lag, None]
    driven = np.einsum("kts,nsc->ntkc", toeplitz, onsets, optimize=True)
    return np.concatenate([driven.reshape(len(inputs), steps, -1), inputs[..., 7:9]], axis=2).astype(np.float32)


def _ridge(data: SessionData, name: str, features: Callable[[SessionData], NDArray[np.float32]]) -> Predictor:
    """Ridge from features to rates; the penalty is chosen on the trials that choose a model's epoch."""
    rates = _once(lambda: ridge_rates(data, features(data)))
    return Predictor(name, "baseline", lambda question: from_whole_trials(question, rates()))


def ridge_rates(data: SessionData, features: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Group → rates [time, neuron] by ridge regression on features [trial, time, k]."""
    from sklearn.linear_model import Ridge

    def rows(part: str) -> tuple[NDArray[Any], NDArray[Any]]:
        number = data.rows(data.split.groups(part))
        valid = np.isfinite(data.rates[number]).all(axis=2)
        return features[number][valid], data.rates[number][valid]

    x, y = rows("train")
    x_held, y_held = rows("validation") if data.split.validation else (x, y)
    fits = [Ridge(alpha=penalty).fit(x, y) for penalty in _PENALTIES]
    best = min(fits, key=lambda fit: float(np.mean((fit.predict(x_held) - y_held) ** 2)))
    n, steps, k = features.shape
    rates = np.maximum(best.predict(features.reshape(-1, k)), 0).reshape(n, steps, -1)
    return {group: rates[row] for group, row in data.row.items()}


def _once(make: Callable[[], dict[str, NDArray[Any]]]) -> Callable[[], dict[str, NDArray[Any]]]:
    """`make`, run when first needed and then remembered."""
    made: list[dict[str, NDArray[Any]]] = []

    def get() -> dict[str, NDArray[Any]]:
        if not made:
            made.append(make())
        return made[0]

    return get
