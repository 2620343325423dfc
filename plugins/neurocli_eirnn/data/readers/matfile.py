"""The session export as a .mat file: firing rates, task inputs and labels of one recording session, v5 or v7.3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.matlab import MatVariables, holds, open_mat
from neurocli.recordings.readers import Reader
from neurocli.recordings.recordingset import RecordingSet
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY, INPUT_NAMES, LABELS, LOCATIONS, Session
from neurocli_eirnn.data.tasks import bin_centres

SIGNATURE = {"firing_rates", "neuron_type"}
"""By these two variables a MATLAB file is known as a session export."""

SIZES = {"trials": "n_trials", "neurons": "n_neurons", "time": "n_time_bins"}
EYE = ("eye_x", "eye_y")
BRAIN_AREAS = {1: "SC"}
LABEL_VALUES = {"reward": (0, 1), "probability": (0, 1), "location": (1, 4), "identity": (1, 3), "salience": (0, 2)}
REQUIRED_LABELS = ("reward", "location")
_HINT = "export the session again, or add the field"


class SessionMatReader(Reader):
    """Reads one session export. What the file lacks of the optional fields is listed in `Session.missing`."""

    def can_read(self, path: Path) -> bool:
        return holds(path, SIGNATURE)

    def read(self, paths: list[Path]) -> RecordingSet:
        return read_session(only_one(paths)).recordings()


def only_one(paths: list[Path]) -> Path:
    """The one path. Raises DataError for several: each session has its own neurons, a model is fitted to one."""
    if len(paths) != 1:
        raise DataError(
            f"{len(paths)} sessions were given, and each has neurons of its own",
            where=", ".join(str(path) for path in paths),
            hint="give one session at a time",
        )
    return paths[0]


def read_session(path: Path) -> Session:
    """The session of an export. Raises DataError that names the file and the field."""
    with open_mat(path) as variables:
        return _Fields(variables).session()


@dataclass(frozen=True)
class _Sizes:
    trials: int
    neurons: int
    time: int

    def of(self, axes: tuple[Any, ...]) -> tuple[int, ...]:
        """Shape of an array with these axes; an axis is a name or a number."""
        return tuple(axis if isinstance(axis, int) else getattr(self, axis) for axis in axes)


_RATES = ("neurons", "time", "trials")
_TARGET = (4, "time", "trials")
_SIGNAL = ("time", "trials")


class _Fields:
    """The fields of one file, checked against the sizes that the file declares."""

    def __init__(self, variables: MatVariables) -> None:
        self.variables = variables
        self.names = variables.names
        self.sizes = _Sizes(**{axis: self._size(name) for axis, name in SIZES.items()})
        self.missing: list[str] = []
        self.reversed = self._are_axes_reversed()

    def session(self) -> Session:
        sizes = self.sizes
        types = self._whole("neuron_type", sizes.neurons, EXCITATORY, INHIBITORY, "neuron")
        bin_ms = self._scalar("bin_size_ms")
        if not (np.isfinite(bin_ms) and bin_ms > 0):
            raise self._error("bin_size_ms", f"a bin of {bin_ms} ms cannot be")
        rates = np.ascontiguousarray(self._array("firing_rates", _RATES).transpose(2, 1, 0))
        inputs = self._inputs()
        _clear_padding(inputs, rates)
        ids, areas = self._optional("neuron_ids", sizes.neurons), self._optional("brain_area", sizes.neurons)
        durations = self._optional("trial_duration_ms", sizes.trials)
        return Session(
            name=self._name(),
            rates=rates,
            inputs=inputs,
            neuron_type=types,
            neuron_ids=[str(n + 1) for n in range(sizes.neurons)]
            if ids is None
            else [_number(value) for value in ids.tolist()],
            time_ms=self._time(bin_ms),
            bin_ms=bin_ms,
            duration_ms=np.full(sizes.trials, np.nan) if durations is None else durations,
            labels=self._labels(),
            brain_area=[] if areas is None else [BRAIN_AREAS.get(value, _number(value)) for value in areas.tolist()],
            missing=tuple(self.missing),
            source=str(self.variables.path),
        )

    def _inputs(self) -> NDArray[np.float32]:
        """[trial, time, 14]; eye channels that the file lacks are zeros."""
        size = self.sizes.trials * self.sizes.time * len(INPUT_NAMES) * 4
        memory.take(size, self.variables.where(SIZES["trials"]))
        inputs = np.zeros((self.sizes.trials, self.sizes.time, len(INPUT_NAMES)), np.float32)
        inputs[:, :, LOCATIONS] = self._array("input_target_loc", _TARGET).transpose(2, 1, 0)
        for channel, name in enumerate(INPUT_NAMES):
            if LOCATIONS.start <= channel < LOCATIONS.stop:
                continue
            field = f"input_{name}"
            if name in EYE and field not in self.names:
                self.missing.append(field)
                continue
            inputs[:, :, channel] = self._array(field, _SIGNAL).T
        return inputs

    def _labels(self) -> dict[str, NDArray[np.int64]]:
        labels = {}
        for name in LABELS:
            field = f"trial_{name}"
            if field not in self.names and name not in REQUIRED_LABELS:
                self.missing.append(field)
                continue
            labels[name] = self._whole(field, self.sizes.trials, *LABEL_VALUES[name], "trial")
        return labels

    def _time(self, bin_ms: float) -> NDArray[np.float64]:
        """[time] bin centres in ms; without an axis in the file, fixation onset is at the start of bin 8."""
        times = self._optional("time_axis", self.sizes.time)
        if times is None:
            return bin_centres(self.sizes.time, bin_ms)
        if not np.isfinite(times).all() or (np.abs(np.diff(times) - bin_ms) > 1e-3 * bin_ms).any():
            raise self._error("time_axis", f"the times do not go in steps of bin_size_ms = {bin_ms:g}")
        return times

    def _name(self) -> str:
        if "session_name" in self.names:
            name = self.variables.text("session_name")
            if name:
                return name
        self.missing.append("session_name")
        return self.variables.path.stem.removeprefix("rnn_export_")

    def _array(self, field: str, axes: tuple[Any, ...]) -> NDArray[np.float32]:
        """A field as float32 with these axes. Raises DataError before reading where its shape is another."""
        self._require(field)
        expected, shape = self.sizes.of(axes), self._shape(field)
        if shape != (expected[::-1] if self.reversed else expected):
            declared = ", ".join(f"{name} = {getattr(self.sizes, axis)}" for axis, name in SIZES.items())
            raise self._error(field, f"the shape is {_times(shape)}, not {_times(expected)} as {declared} say")
        values = self.variables.numbers(field)
        values = values.T if self.reversed else values
        values = values.reshape(expected)  # MATLAB drops trailing axes of length 1
        with np.errstate(over="ignore"):  # an overflow is inf, which diagnosis finds
            return values.astype(np.float32)

    def _are_axes_reversed(self) -> bool:
        """Whether the file keeps its arrays the other way round; told by the first array whose shape can tell."""
        fields = [("firing_rates", _RATES), ("input_target_loc", _TARGET), ("input_fixation_on", _SIGNAL)]
        for field, axes in fields:
            self._require(field)
            expected, shape = self.sizes.of(axes), self._shape(field)
            if expected != expected[::-1] and shape in (expected, expected[::-1]):
                return shape == expected[::-1]
        return False

    def _shape(self, field: str) -> tuple[int, ...]:
        """The shape, with the last axis put back where there is one trial only: MATLAB and HDF5 writers drop it."""
        shape = self.variables.shape(field)
        full = 2 if field.startswith("input_") and field != "input_target_loc" else 3
        return shape + (1,) * (full - len(shape)) if self.sizes.trials == 1 else shape

    def _whole(self, field: str, length: int, low: int, high: int, item: str) -> NDArray[np.int64]:
        """A required field of whole numbers from `low` to `high`, one per trial or neuron."""
        values = self._vector(field, length)
        wrong = ~((values >= low) & (values <= high) & (values == np.rint(values)))
        if wrong.any():
            first = int(np.argmax(wrong))
            message = f"{item} {first} (counted from 0) has the value {values[first]:g}, not a whole number from {low} to {high}"
            raise self._error(field, message, hint="correct the export; an optional field may be left out")
        return values.astype(np.int64)

    def _optional(self, field: str, length: int) -> NDArray[np.float64] | None:
        if field not in self.names:
            self.missing.append(field)
            return None
        return self._vector(field, length)

    def _vector(self, field: str, length: int) -> NDArray[np.float64]:
        self._require(field)
        shape = self.variables.shape(field)
        if max(shape, default=1) != length or np.prod(shape, dtype=object) != length:
            raise self._error(field, f"the shape is {_times(shape)}, not {length} x 1")
        return self.variables.numbers(field).astype(np.float64).ravel()

    def _scalar(self, field: str) -> float:
        return float(self._vector(field, 1)[0])

    def _size(self, field: str) -> int:
        value = self._scalar(field)
        if not (np.isfinite(value) and value >= 1 and value == round(value)):
            raise self._error(field, f"the value is {value:g}, not a number of at least 1")
        return int(value)

    def _require(self, field: str) -> None:
        if field not in self.names:
            raise self._error(field, f"the required field {field} is missing")

    def _error(self, field: str, message: str, *, hint: str = _HINT) -> DataError:
        return DataError(message, where=self.variables.where(field), hint=hint)


def _clear_padding(inputs: NDArray[np.float32], rates: NDArray[np.float32]) -> None:
    """Zeros for the inputs' NaN where a trial is padded; NaN in its valid window stays, for diagnosis to find."""
    padded = np.asarray(np.all(np.isnan(rates), axis=2))
    inputs[padded[:, :, None] & np.isnan(inputs)] = 0


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else str(value)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape) or "empty"
