"""What a neuron knows of itself and hears from others, as twelve numbers: the input of the strongest simple forecasts.

The resets of all neurons are weighted by what the ridge regression found (`onset_ridge`) and summed into five drives, so that a
forecast of any kind, the same for all neurons, has the network's state before it without learning ten thousand weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.model.onset_ridge import OnsetRidge, lagged, onsets

FEATURES = (
    *(f"own voltage, lag {lag}" for lag in range(4)),
    *(f"clamped, lag {lag}" for lag in range(2)),
    "time since reset",
    *(f"{kind}, lag {lag}" for lag in range(2) for kind in ("excitation", "inhibition")),
    "both, lag 2",
)
_UNIT_MV, _UNIT_SAMPLES = 10.0, 10.0
_LONGEST = 20  # samples since the last reset; beyond it, they are no longer counted


def features(dataset: VoltageData, group: str, weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """[time, neuron, feature] of a run, each row from samples up to its own; weights [post, pre] in mV."""
    volts = dataset.volts(group)
    clamped = dataset.is_reset(volts)
    resets, flag = onsets(clamped), clamped.astype(np.float32)
    from_reset = ((volts - dataset.reset_mv) / _UNIT_MV).astype(np.float32)
    time = np.arange(len(volts), dtype=np.int32)[:, None]
    last = np.maximum.accumulate(np.where(clamped, time, -_LONGEST), axis=0)
    since = np.minimum(time - last, _LONGEST).astype(np.float32) / _UNIT_SAMPLES
    excite = resets @ np.maximum(weights, 0).T.astype(np.float32)
    inhibit = resets @ np.minimum(weights, 0).T.astype(np.float32)
    columns = itertools.chain(
        (lagged(from_reset, lag) for lag in range(4)),
        (flag, lagged(flag, 1), since),
        (excite, inhibit, lagged(excite, 1), lagged(inhibit, 1), lagged(excite + inhibit, 2)),
    )
    joined = np.empty((*volts.shape, len(FEATURES)), np.float32)
    for k, column in enumerate(columns):
        joined[..., k] = column
    return joined


def chosen_weights(ridge: OnsetRidge, dataset: VoltageData, groups: Sequence[str]) -> NDArray[np.float64]:
    """The weights [post, pre] in mV that the drives are summed with: whichever forecast free neurons of `groups` better.

    Either a weight for each pair, where it is told from zero; or one for each sender, the mean over its targets, which is all that
    carries over where every run has a network of its own.
    """
    n = ridge.total.shape[0]
    pairs = ridge.weights * (ridge.strong != 0)
    senders = np.broadcast_to(ridge.weights.mean(1, keepdims=True), ridge.weights.shape)
    errors = [sum(_squared_error(ridge, weights, dataset, group) for group in groups) for weights in (pairs, senders)]
    return ridge.strong if errors[0] <= errors[1] else np.repeat(senders.sum(0)[:1], n, axis=0)


def _squared_error(ridge: OnsetRidge, weights: NDArray[np.float64], dataset: VoltageData, group: str) -> float:
    """Of the linear forecast of the next sample with `weights` [lag, post, pre], over the free rows of a run."""
    volts = dataset.volts(group)
    clamped = dataset.is_reset(volts)
    resets = onsets(clamped)
    forecast = ridge.offset + ridge.decay * volts
    for lag, weight in enumerate(weights):
        forecast = forecast + lagged(resets, lag) @ weight.T
    free = ~clamped[1:] & ~clamped[:-1]
    return float((np.square(volts[1:] - forecast[:-1]) * free).sum())
