"""What the numbers of a simulation can mean: held against each other and against a membrane, so that another unit is no plausible file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.plausible import RESTING_MV, median_of
from neurocli.recordings.recording import Spikes

HINT = "correct the simulation, or leave it out of the file"
_SAME_MV = 0.5
_NEAR_MS = 5.0
_ENOUGH = 20
"""Input spikes from which on their times tell their unit."""
_EARLY = 0.02
Place = Callable[[str], str]


def check_voltage(soma: NDArray[Any], fine: NDArray[Any] | None, place: Place) -> None:
    """soma: [ms], fine: [sample] the same voltage at more samples, None where the file has none. Raises DataError."""
    RESTING_MV.check(median_of(soma), place("somaVoltageLowRes"), hint="convert the voltage to mV")
    if fine is None:
        return
    bad = ~np.isfinite(fine)
    if bad.any():
        raise _error(place("somaVoltageHighRes"), f"the soma's voltage at sample {int(np.argmax(bad))} is not a number")
    per_ms, rest = divmod(len(fine), len(soma))
    if rest or per_ms < 1:
        return
    apart = float(np.median(np.abs(fine[::per_ms].astype(np.float64) - soma.astype(np.float64))))
    if apart > _SAME_MV:
        raise _error(
            place("somaVoltageLowRes"),
            f"it differs from somaVoltageHighRes by {apart:.3g} mV in the median: one of them has another unit, order or offset",
        )


def check_output(
    output: NDArray[np.float64], peaks_ms: NDArray[np.float64] | None, soma: NDArray[Any], place: Place
) -> None:
    """output: [spike] ms; peaks_ms: [peak] where the voltage has spikes, None where only its steps are known. Raises DataError."""
    where = place("outputSpikeTimes")
    if len(output) > 10 and len(np.unique(output)) < len(output) / 2:
        raise _error(where, f"{len(output)} output spikes at {len(np.unique(output))} times: is it a train of 0 and 1?")
    if not len(output) or near_spikes(output, soma) > 0.5:
        return
    if peaks_ms is None:
        peaks_ms = np.flatnonzero(soma > np.maximum(-55.0, np.quantile(soma, 0.99))).astype(np.float64)
    for unit, factor in (
        ("s", 1000.0),
        ("samples of 0.1 ms", 0.1),
        ("samples of 0.125 ms", 0.125),
        ("samples of 0.025 ms", 0.025),
    ):
        if len(peaks_ms) and _near(output * factor, peaks_ms) > 0.8:
            raise _error(where, f"the voltage has no spikes at these times in ms, and has them if they are in {unit}")


def near_spikes(output_ms: NDArray[np.float64], soma: NDArray[Any]) -> float:
    """Share of output spikes within 5 ms of which the soma [ms] is above -55.5 mV, or as high as in 1 % of the time."""
    threshold = min(-55.5, float(np.quantile(soma, 0.99)))
    high = np.flatnonzero(soma >= threshold).astype(np.float64)
    return _near(output_ms, high)


def _near(times: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Share of times within 5 ms of which one of the others, ascending, is."""
    if not len(times) or not len(others):
        return 0.0
    right = np.clip(np.searchsorted(others, times), 0, len(others) - 1)
    left = np.maximum(right - 1, 0)
    distance = np.minimum(np.abs(times - others[right]), np.abs(times - others[left]))
    return float((distance <= _NEAR_MS).mean())


def check_inputs(spikes: Spikes, steps: int, entries: int, place: Place) -> None:
    """spikes: of all synapses, each once a step; entries: how many the file names. Raises DataError."""
    if entries < _ENOUGH:
        return
    last = int(spikes.step.max())
    if last < _EARLY * steps:
        raise _error(
            place("exInputSpikeTimes, inhInputSpikeTimes"),
            f"all {entries} input spikes lie within {last + 1} of {steps} ms: are they in s, or the voltage in samples?",
        )


def check_counts(
    params: Mapping[str, Any], number: int, output: int, samples: int | None, steps: int, place: Place
) -> None:
    """That a simulation has as many output spikes and samples as Params say. Raises DataError."""
    counts = params.get("numOutputSpikesPerSim")
    if isinstance(counts, list) and number < len(counts) and type(counts[number]) is int and counts[number] != output:
        raise _error(
            place("outputSpikeTimes"),
            f"{output} output spikes, but {counts[number]} according to Params/numOutputSpikesPerSim",
        )
    per_ms = params.get("numSamplesPerMS_HighRes")
    if samples is not None and type(per_ms) is int and per_ms > 0 and samples != per_ms * steps:
        raise _error(
            place("somaVoltageHighRes"),
            f"{samples} samples for {steps} ms, but {per_ms} a ms according to Params/numSamplesPerMS_HighRes",
        )


def seconds_of(params: Mapping[str, Any], where: str) -> float | None:
    """How long simulations last according to Params, None where they do not say. Raises DataError where it cannot be."""
    seconds = params.get("totalSimDurationInSec")
    if seconds is None:
        return None
    sound = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 1e300
    if not sound or not math.isfinite(seconds):
        raise DataError(
            "totalSimDurationInSec is no duration", where=f"{where}/totalSimDurationInSec", hint="correct the number"
        )
    return float(seconds)


def _error(where: str, message: str) -> DataError:
    return DataError(message, where=where, hint=HINT)
