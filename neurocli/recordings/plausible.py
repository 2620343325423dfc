"""What values a quantity can have in a recording: a number in another unit is refused by name before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError

if TYPE_CHECKING:
    from neurocli.recordings.recording import Recording

_MOST_SAMPLES = 200_000
_OTHER_NAMES = {
    name: unit
    for unit, names in {
        "s": "s sec secs second seconds",
        "ms": "ms msec msecs millisecond milliseconds",
        "µs": "us usec µs \u03bcs microsecond microseconds",
        "minutes": "min mins minute minutes",
        "V": "v volt volts",
        "mV": "mv millivolt millivolts",
        "µV": "uv \u03bcv microvolt microvolts",
    }.items()
    for name in names.split()
}


@dataclass(frozen=True)
class Quantity:
    """A quantity with the range that recordings of a kind can have, both ends included.

    name: as in "the bin width"; unit: ours; low, high: in our unit; others: other unit → how many of ours one of it is;
    inverse: unit of its inverse, as frames per second → what that has to divide to be in our unit.
    """

    name: str
    unit: str
    low: float
    high: float
    others: Mapping[str, float] = field(default_factory=dict)
    inverse: Mapping[str, float] = field(default_factory=dict)

    def holds(self, value: float) -> bool:
        """Whether a value, in our unit, can be."""
        return math.isfinite(value) and self.low <= value <= self.high

    def likely_units(self, number: float) -> list[str]:
        """Units in which the number would be plausible."""
        if not math.isfinite(number) or number == 0:
            return []
        units = [unit for unit, factor in {self.unit: 1.0, **self.others}.items() if self.holds(number * factor)]
        return units + [unit for unit, factor in self.inverse.items() if self.holds(factor / number)]

    def fault(self, number: float, stated: str = "") -> str | None:
        """Why a number cannot be, None where it can; stated: the unit that the file gives it, ours where it gives none.

        `the bin width is 0.025 ms, and can be 0.5 to 1000 ms: is it in s?`
        """
        stated = self._named(stated)
        value = number * self._factor(stated)
        if self.holds(value):
            return None
        units = [unit for unit in self.likely_units(number) if unit != stated]
        question = f": is it in {' or '.join(units)}?" if units else ""
        return f"{self.name} is {number:.4g} {stated}, and can be {self.low:g} to {self.high:g} {self.unit}{question}"

    def check(self, number: float, where: str, *, stated: str = "", hint: str = "") -> float:
        """The value in our unit. Raises DataError where it cannot be, with the unit that the number is likely to have."""
        unit = self._named(stated)
        if unit not in (self.unit, *self.others):
            known = ", ".join((self.unit, *self.others))
            raise DataError(
                f"{self.name} is given in {stated!r}, which is no unit of it",
                where=where,
                hint=f"give it in one of {known}",
            )
        fault = self.fault(number, unit)
        if fault is not None:
            usual = (
                f"convert it to {unit}, or correct the file" if unit == self.unit else "correct its unit, or the number"
            )
            raise DataError(fault, where=where, hint=hint or usual)
        return number * self._factor(unit)

    def _named(self, stated: str) -> str:
        """A unit by our name for it: `Volts` is V. One that is not known stays as it is."""
        stated = stated.strip()
        if not stated or stated in (self.unit, *self.others):
            return stated or self.unit
        return _OTHER_NAMES.get(stated.lower(), stated)

    def _factor(self, unit: str) -> float:
        return 1.0 if unit == self.unit else self.others[unit]


_OF_MS = {"s": 1e3, "µs": 1e-3, "minutes": 6e4}
_FRAMES = {"frames per second": 1e3, "frames per minute": 6e4}

BIN_MS = Quantity("the bin width", "ms", 0.5, 1000.0, _OF_MS)
"""Of spike counts and rates in trials."""

SPIKE_BIN_MS = Quantity("the bin width", "ms", 0.1, 100.0, _OF_MS)
"""Of summed spikes."""

FRAME_MS = Quantity("the time between frames", "ms", 10.0, 20_000.0, _OF_MS, _FRAMES)
"""Of calcium imaging: 100 frames a second to one in 20 s."""

VOLTAGE_STEP_MS = Quantity("the time step", "ms", 0.004, 10.0, _OF_MS)
"""Of membrane voltage: 250 kHz to 100 Hz."""

RESTING_MV = Quantity("the median voltage", "mV", -100.0, -30.0, {"V": 1e3, "µV": 1e-3, "tenths of mV": 0.1})
"""Of a membrane: it is near rest or below threshold for most of the time."""

RATE_HZ = Quantity("the mean rate", "sp/s", 0.0, 500.0, {"spikes per minute": 1 / 60})
"""Of a neuron over a session."""

UTTERANCE_S = Quantity(
    "the median of the last spike times",
    "s",
    0.05,
    10.0,
    {"ms": 1e-3, "µs": 1e-6, "minutes": 60.0, "samples of 48 kHz": 1 / 48_000, "samples of 16 kHz": 1 / 16_000},
)
"""Of a spoken word."""

TRIAL_MS = Quantity("the trial duration", "ms", 50.0, 120_000.0, _OF_MS)


def median_of(values: NDArray[np.generic]) -> float:
    """Median of the finite values, of a regular part of the rows where there are many; NaN where there are none."""
    finite = _finite(values)
    return float(np.median(finite)) if finite.size else math.nan


def _finite(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Finite values of whole rows: of single values in steps, the step might meet one channel only."""
    values = np.atleast_1d(np.asarray(values))
    rows = values[:: max(1, min(values.size // _MOST_SAMPLES, len(values)))] if values.size else values
    flat: NDArray[np.float64] = rows.reshape(-1).astype(np.float64)
    finite: NDArray[np.float64] = flat[np.isfinite(flat)]
    return finite


def voltage_fault(signal: NDArray[np.generic]) -> str | None:
    """What speaks against a signal [time, neuron] being membrane voltage in mV; None where nothing does."""
    median = median_of(signal)
    if math.isnan(median) or RESTING_MV.holds(median):
        return None
    spread = float(_finite(signal).std())
    if abs(median) < 1.5 and 0.3 < spread < 3:
        return f"the median voltage is {median:.3g} mV and its sd {spread:.3g} mV: are these z-scores?"
    return RESTING_MV.fault(median)


def misread_voltage(signal: NDArray[np.generic]) -> str | None:
    """What speaks for another unit than mV, of a signal [time, neuron] that is labelled so; None where nothing does.

    A model's voltage may be counted from its own rest, as 0 mV: outside of what membranes have, and in no other unit either.
    """
    median = median_of(signal)
    return None if RESTING_MV.holds(median) or not RESTING_MV.likely_units(median) else RESTING_MV.fault(median)


def fault_of(recording: Recording) -> str | None:
    """What cannot be in a recording, by its unit; None where nothing is known against it."""
    if recording.unit == "mV":
        return VOLTAGE_STEP_MS.fault(recording.dt_ms)
    if recording.unit == "sp/s":
        return BIN_MS.fault(recording.dt_ms)
    if recording.unit == "spikes/ms":
        return SPIKE_BIN_MS.fault(recording.dt_ms)
    if recording.unit == "dF/F0":
        return FRAME_MS.fault(recording.dt_ms)
    return None
