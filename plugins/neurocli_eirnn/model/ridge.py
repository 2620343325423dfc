"""Ridge regression of rates on functions of the task; the penalty is chosen by trials left out, the fit is to all that may be fitted on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neurocli_eirnn.data.dataset import SessionData

Array = NDArray[np.floating]
PENALTIES = 10.0 ** np.arange(-0.5, 6.01, 0.5)
FOLDS = 5
_BLOCK = 64
_TINY = 1e-9


def fit_ridge(features: Callable[[NDArray[np.float32]], NDArray[np.float32]], data: SessionData) -> dict[str, Array]:
    """Coefficients [function, neuron], intercept [neuron] in sp/s and `_penalty`, of the functions that `features` makes of inputs
    [trial, time, input].

    Trials that choose a model's epoch are fitted on too: the penalty is chosen by cross-validation over trials, one for all neurons,
    each neuron's error in units of its variance.
    """
    rows = data.fitted_rows()
    folds = min(FOLDS, len(rows))
    parts = np.array_split(np.random.default_rng(0).permutation(rows), folds)
    sums = [_sums(features, data, part) for part in parts]
    square, product, total = (np.sum([one[k] for one in sums], axis=0) for k in range(3))
    scale = np.maximum(total - product[-1] ** 2 / square[-1, -1], _TINY)
    error = np.zeros(len(PENALTIES))
    if folds > 1:
        for own in sums:
            solve = _solver(square - own[0], product - own[1])
            for k, penalty in enumerate(PENALTIES):
                w = solve(penalty)
                left = (w * (own[0] @ w)).sum(0) - 2 * (w * own[1]).sum(0) + own[2]
                error[k] += (left / scale).sum()
    penalty = PENALTIES[int(error.argmin())]
    found = _solver(square, product)(penalty)
    return {
        "coefficients": found[:-1].astype(np.float32),
        "intercept": found[-1].astype(np.float32),
        "_penalty": np.array(penalty),
    }


def ridge_rates(
    features: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    values: dict[str, Array],
    inputs: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Rates [trial, time, neuron] in sp/s, none below zero, of what `fit_ridge` gave."""
    blocks = [inputs[k : k + _BLOCK] for k in range(0, len(inputs), _BLOCK)]
    rates = [np.maximum(features(block) @ values["coefficients"] + values["intercept"], 0) for block in blocks]
    return np.concatenate(rates).astype(np.float32)


def _sums(
    features: Callable[[NDArray[np.float32]], NDArray[np.float32]], data: SessionData, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """X'X, X'Y and the squares of Y over the valid bins of trials; X has a last column of ones."""
    square, product, total = [], [], []
    for k in range(0, len(rows), _BLOCK):
        some = rows[k : k + _BLOCK]
        valid = np.isfinite(data.rates[some]).all(axis=2)
        x, y = features(data.inputs[some])[valid], data.rates[some][valid]
        x = np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
        # Sums of some thousand products of numbers near one: single precision keeps more digits than any penalty.
        square.append((x.T @ x).astype(np.float64))
        product.append((x.T @ y).astype(np.float64))
        total.append((y.astype(np.float64) ** 2).sum(0))
    return np.sum(square, axis=0), np.sum(product, axis=0), np.sum(total, axis=0)


def _solver(square: NDArray[np.float64], product: NDArray[np.float64]) -> Callable[[float], NDArray[np.float64]]:
    """penalty → coefficients [function and intercept, neuron], the intercept free; one decomposition for all penalties."""
    count = max(square[-1, -1], 1.0)
    mean, level = square[-1, :-1] / count, product[-1] / count
    values, vectors = np.linalg.eigh(square[:-1, :-1] - count * np.outer(mean, mean))
    along = vectors.T @ (product[:-1] - count * np.outer(mean, level))

    def solve(penalty: float) -> NDArray[np.float64]:
        w = vectors @ (along / (np.maximum(values, 0)[:, None] + penalty))
        return np.concatenate([w, (level - mean @ w)[None]])

    return solve
