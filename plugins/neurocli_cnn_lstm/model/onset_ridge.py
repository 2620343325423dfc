"""Who drives whom, by one linear regression: the next voltage of a free neuron on the resets of all neurons just before.

A neuron's reset shows that it has spiked within the last sample, and with a conduction delay of some samples the spike reaches
its targets in the samples that follow. Between resets a membrane is nearly linear, so that the regression finds the synapses,
without any model, from seconds of data. It is the reference for what a model has learned of the wiring, the first step of the
strongest simple forecasts (`rivals`), and where the structured CNN-LSTM begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocli_cnn_lstm.data.dataset import VoltageData

LAGS = 3  # resets in the last sample and in the two before
MOST_NEURONS = 200
"""Above it the normal equations, one for each neuron, would take too much memory and time."""
STRONG = 3.0  # standard errors above which a weight is believed
_RIDGE = 1.0


class OnsetRidge(NamedTuple):
    """weights and standard_error [lag, post, pre] in mV; decay [post]: of the own voltage over a sample; offset [post] in mV.

    total_error [post, pre]: standard error of the weight summed over lags.
    """

    weights: NDArray[np.float64]
    total_error: NDArray[np.float64]
    decay: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """What a spike adds to a free neuron, summed over lags: [post, pre] in mV."""
        return self.weights.sum(0)

    @property
    def strong(self) -> NDArray[np.float64]:
        """`total` where it is told from zero, zero elsewhere."""
        return np.where(np.abs(self.total) > STRONG * self.total_error, self.total, 0.0)

    @property
    def parameters(self) -> int:
        return self.weights.size + self.decay.size + self.offset.size


def onsets(clamped: NDArray[np.bool_]) -> NDArray[np.float32]:
    """1 in the first clamped sample after a spike, of `clamped` [time, neuron]; the first sample has no past to tell by."""
    first_clamped = np.zeros(clamped.shape, np.float32)
    first_clamped[1:] = clamped[1:] & ~clamped[:-1]
    return first_clamped


def lagged(x: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    """x [time, ...] as it was `lag` samples ago, zero before the start."""
    shifted = np.zeros_like(x)
    shifted[lag:] = x[: len(x) - lag]
    return shifted


def fit_onset_ridge(dataset: VoltageData, groups: Sequence[str]) -> OnsetRidge:
    """Fit on whole runs. Rows in which the neuron is clamped, before or after, are left out: each neuron has rows of its own.

    The products of all rows are summed once, and those of the few rows that a neuron lacks are taken away again.
    """
    n = dataset.spec["num_channels"]
    if n > MOST_NEURONS:
        raise ValueError(f"{n} neurons: the ridge regression of resets takes at most {MOST_NEURONS}")
    size = LAGS * n
    gram = np.zeros((n, size + 2, size + 2))  # resets, own voltage, 1
    right = np.zeros((n, size + 2))
    squares = np.zeros(n)
    for group in groups:
        volts = dataset.volts(group)
        clamped = dataset.is_reset(volts)
        from_reset = (volts - dataset.reset_mv).astype(np.float32)  # from reset: squares keep their digits
        resets = onsets(clamped)
        x = np.concatenate([lagged(resets, lag) for lag in range(LAGS)], 1)[:-1]
        free = ~clamped[1:] & ~clamped[:-1]
        now, later = from_reset[:-1] * free, from_reset[1:] * free
        gram[:, :size, :size] += x.T @ x
        for neuron in range(n):
            lacking = x[~free[:, neuron]]
            gram[neuron, :size, :size] -= lacking.T @ lacking
        gram[:, :size, size] += (x.T @ now).T
        gram[:, :size, size + 1] += (x.T @ free.astype(np.float32)).T
        right[:, :size] += (x.T @ later).T
        now, later = now.astype(np.float64), later.astype(np.float64)
        gram[:, size, size] += (now * now).sum(0)
        gram[:, size, size + 1] += now.sum(0)
        gram[:, size + 1, size + 1] += free.sum(0)
        right[:, size] += (now * later).sum(0)
        right[:, size + 1] += later.sum(0)
        squares += (later * later).sum(0)
    gram[:, size:, :size] = gram[:, :size, size:].transpose(0, 2, 1)
    gram[:, size + 1, size] = gram[:, size, size + 1]
    return _solved(gram, right, squares, n, dataset.reset_mv)


def _solved(
    gram: NDArray[np.float64], right: NDArray[np.float64], squares: NDArray[np.float64], n: int, reset_mv: float
) -> OnsetRidge:
    size = LAGS * n
    penalty = np.diag(np.r_[np.full(size, _RIDGE), 1e-6, 1e-6])
    weights, errors = np.zeros((LAGS, n, n)), np.zeros((n, n))
    decay, offset = np.zeros(n), np.zeros(n)
    for neuron in range(n):
        inverse = np.linalg.pinv(gram[neuron] + penalty, hermitian=True)
        solution = inverse @ right[neuron]
        rows = max(gram[neuron, -1, -1] - len(solution), 1.0)
        variance = max(squares[neuron] - solution @ right[neuron], 0.0) / rows
        weights[:, neuron] = solution[:size].reshape(LAGS, n)
        # The variance of a sum over lags: the sum of that part of the covariance.
        covariance = inverse[:size, :size].reshape(LAGS, n, LAGS, n)
        errors[neuron] = np.sqrt(variance * np.einsum("aibi->i", covariance).clip(min=0))
        decay[neuron], offset[neuron] = solution[size], solution[size + 1] + reset_mv * (1 - solution[size])
    return OnsetRidge(weights, errors, decay, offset)
