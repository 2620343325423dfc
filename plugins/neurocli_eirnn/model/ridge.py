"""Ridge regression of rates on functions of the task; the penalty is chosen by trials left out, the fit is to all that may be fitted on."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.normal_equations import NormalEquations
from neurocli_eirnn.data.dataset import SessionData

Array = NDArray[np.floating]
PENALTIES = 10.0 ** np.arange(-0.5, 6.01, 0.5)
FOLDS = 5
_BLOCK = 64
_TINY = 1e-9


def fit_ridge(features: Callable[[NDArray[np.float32]], NDArray[np.float32]], dataset: SessionData) -> dict[str, Array]:
    """Coefficients [function, neuron], intercept [neuron] in sp/s and `_penalty`, of the functions that `features` makes of inputs
    [trial, time, input].

    Trials that choose a model's epoch are fitted on too: the penalty is chosen by cross-validation over trials, one for all neurons,
    each neuron's error in units of its variance.
    """
    rows = dataset.fitted_rows()
    folds = np.array_split(np.random.default_rng(0).permutation(rows), min(FOLDS, len(rows)))
    sums = [_sums(features, dataset, fold) for fold in folds]
    total = reduce(add, sums)
    scale = np.maximum(total.yy - total.y**2 / total.rows, _TINY)
    error = np.zeros(len(PENALTIES))
    if len(folds) > 1:
        for left_out in sums:
            for k, fitted in enumerate((total - left_out).path(PENALTIES)):
                error[k] += (left_out.squared_error(*fitted) / scale).sum()
    penalty = PENALTIES[int(error.argmin())]
    coefficients, intercept = next(total.path([penalty]))
    return {
        "coefficients": coefficients.astype(np.float32),
        "intercept": intercept.astype(np.float32),
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
    features: Callable[[NDArray[np.float32]], NDArray[np.float32]], dataset: SessionData, rows: NDArray[np.int64]
) -> NormalEquations:
    """Over the valid bins of trials."""
    sums = None
    for k in range(0, len(rows), _BLOCK):
        block = rows[k : k + _BLOCK]
        valid = np.isfinite(dataset.rates[block]).all(axis=2)
        x, y = features(dataset.inputs[block])[valid], dataset.rates[block][valid]
        sums = sums or NormalEquations(x.shape[1] + 1, y.shape[1], intercept=False)
        # Sums of some thousand products of numbers near one: single precision keeps more digits than any penalty.
        sums.add(np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1), y)
    assert sums is not None  # a fold has trials
    return sums.last_as_intercept()
