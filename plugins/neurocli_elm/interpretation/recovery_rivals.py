"""Rivals that rank the inputs of a cell by their effect on its soma: a ridge regression per synapse, and event-triggered means.

Both are fitted on the training simulations alone, and give mV ms for one event of each input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.normal_equations import NormalEquations
from neurocli.evaluation.target import Cost
from neurocli.recordings import Recording
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.evenly import evenly
from neurocli_elm.data.windows import soma_target_mv
from neurocli_elm.evaluation.linear_filter import summed

Array = NDArray[np.float64]
TRACES_MS = (3.0, 20.0)
"""Two traces of each input; of three pairs the one that ranks inputs best on development cells."""
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Per step, of traces with an sd of one."""
AVERAGED_MS = 10
"""How long after an event the voltage is averaged, and before it, which is subtracted; longer means pick up the shared rates."""
MOST_SIMULATIONS = 256


RIDGE, AVERAGE = "ridge per synapse", "event-triggered mean voltage"


def recovery_rivals(dataset: SimulationData) -> dict[str, tuple[Array, Cost | None]]:
    """Effect of each input by both, positive where excitatory inputs raise and inhibitory ones lower the voltage, and its cost; none without training data."""
    if not dataset.split.train:
        return {}
    ridge, average = ridge_per_synapse(dataset), event_triggered_mean(dataset)
    return {
        RIDGE: (ridge.values["_effect"] * dataset.sign, ridge.cost),
        AVERAGE: (average.values["effect"] * dataset.sign, average.cost),
    }


def ridge_per_synapse(dataset: SimulationData) -> Fitted:
    """_effect [input]: area of the response to one event, by a ridge regression of the voltage on two traces of each input."""
    settings = {"traces_ms": TRACES_MS, "penalties": PENALTIES, "first": dataset.options.burn_in_ms}
    return Fitted(RIDGE, dataset, settings, lambda: _ridge(dataset))


def event_triggered_mean(dataset: SimulationData) -> Fitted:
    """effect [input]: mean voltage after an event less that before it, times the time that it is averaged over."""
    settings = {"averaged_ms": AVERAGED_MS, "first": dataset.options.burn_in_ms}
    return Fitted(AVERAGE, dataset, settings, lambda: {"effect": _event_triggered(dataset)})


def _simulations(dataset: SimulationData, part: str) -> list[Recording]:
    return [dataset.load(group) for group in evenly(dataset.split.groups(part), MOST_SIMULATIONS)]


def _traces(recording: Recording, channels: int) -> Array:
    """[time, trace of input]: those of the first time constant, then those of the second."""
    from scipy.signal import lfilter

    events = summed(recording, np.arange(channels))
    return np.concatenate([lfilter([1.0], [1.0, -np.exp(-1 / tau)], events, axis=0) for tau in TRACES_MS], axis=1)


def _ridge(dataset: SimulationData) -> dict[str, Any]:
    """With the penalty of the least error on validation simulations (without any: on the training simulations)."""
    train = _simulations(dataset, "train")
    fitted_on = _sums(train, dataset.channels, dataset.options.burn_in_ms)
    tested_on = _sums(_simulations(dataset, "validation") or train, dataset.channels, dataset.options.burn_in_ms)
    mean = fitted_on.x / fitted_on.rows
    variance = np.maximum(np.diag(fitted_on.xx) / fitted_on.rows - mean**2, 1e-12)
    fits = [fitted_on.solve(penalty * fitted_on.rows * variance, solver="lu") for penalty in PENALTIES]
    best = min(fits, key=lambda fit: float(tested_on.squared_error(*fit)[0]))[0][:, 0]
    area = np.repeat([1 / (1 - np.exp(-1 / tau)) for tau in TRACES_MS], dataset.channels)
    return {"coefficients": best, "_effect": (best * area).reshape(len(TRACES_MS), -1).sum(0)}


def _sums(recordings: Sequence[Recording], channels: int, first: int) -> NormalEquations:
    sums = NormalEquations(len(TRACES_MS) * channels, 1)
    for recording in recordings:
        sums.add(_traces(recording, channels)[first:], soma_target_mv(recording)[first:, None].astype(np.float64))
    return sums


def _event_triggered(dataset: SimulationData) -> Array:
    total, count = np.zeros(dataset.channels), np.zeros(dataset.channels)
    for recording in _simulations(dataset, "train"):
        assert recording.spikes is not None
        summed_mv = np.concatenate([[0.0], np.cumsum(soma_target_mv(recording).astype(np.float64))])
        step, channel = recording.spikes.step, recording.spikes.channel
        inside = (step >= dataset.options.burn_in_ms) & (step + AVERAGED_MS < recording.steps) & (step >= AVERAGED_MS)
        at = step[inside].astype(np.int64)
        change = summed_mv[at + AVERAGED_MS] - 2 * summed_mv[at] + summed_mv[at - AVERAGED_MS]
        total += np.bincount(channel[inside], change, dataset.channels)
        count += np.bincount(channel[inside], minlength=dataset.channels)
    return np.asarray(total / np.maximum(count, 1))
