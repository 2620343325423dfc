"""The session export as a .mat file: firing rates, task inputs and labels of one recording session, v5 or v7.3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note
from neurocli.recordings.files import memory
from neurocli.recordings.matlab import MatVariables, holds, names_in, open_mat
from neurocli.recordings.plausible import BIN_MS
from neurocli.recordings.readers import Reader
from neurocli.recordings.recordingset import RecordingSet
from neurocli_eirnn.data.doubts import checked
from neurocli_eirnn.data.identity import unique_names
from neurocli_eirnn.data.readers.codes import LABEL_CODES, REQUIRED_LABELS, TYPE_CODES, coded, likely_coding
from neurocli_eirnn.data.readers.matfields import RATES, SIGNAL, SIZES, TARGET, Fields, bare
from neurocli_eirnn.data.session import INPUT_NAMES, LABELS, LOCATIONS, Session
from neurocli_eirnn.data.signals import ONE_HOT, shown
from neurocli_eirnn.data.tasks import bin_centres

SIGNATURE = {"firing_rates", "neuron_type"}
"""By these two variables a MATLAB file is known as a session export."""

EYE = ("eye_x", "eye_y")
BRAIN_AREAS = {1: "SC"}
_FEWEST_SHOWN = 5


class SessionMatReader(Reader):
    """Reads one session export. What the file lacks of the optional fields is listed in `Session.missing`."""

    def can_read(self, path: Path) -> bool:
        return holds(path, SIGNATURE)

    def read(self, paths: list[Path]) -> RecordingSet:
        return read_session(only_one(paths)).recordings()

    def lacks(self, path: Path) -> str | None:
        """Which of the two variables is missing, what is spelled otherwise, and whether all lie within a struct."""
        names = names_in(path)
        if names is None:
            return None
        absent = sorted(SIGNATURE - set(names))
        otherwise = {name: other for name in absent for other in names if bare(other) == bare(name)}
        if len(absent) == len(SIGNATURE) and not otherwise:
            return _nested(path, names)
        spelled = "".join(f"; there is {other}, to be renamed {name}" for name, other in otherwise.items())
        return f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing{spelled}" if absent else None


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
        return _Export(variables).session()


class _Export:
    """One file as a session, field by field."""

    def __init__(self, variables: MatVariables) -> None:
        every = [f"input_{name}" for name in INPUT_NAMES if name not in EYE and not name.startswith("target_loc")]
        self.fields = Fields(variables, every)
        self.sizes = self.fields.sizes

    def session(self) -> Session:
        fields, sizes = self.fields, self.sizes
        types = self._types()
        # Before anything is made: what is counted in bins depends on it.
        bin_ms = BIN_MS.check(fields.scalar("bin_size_ms"), fields.variables.where("bin_size_ms"))
        rates = np.ascontiguousarray(fields.array("firing_rates", RATES).transpose(2, 1, 0))
        inputs = self._inputs()
        time_ms = self._time(bin_ms)
        fields.notes += fields.turned_notes()
        ids, id_notes = self._ids()
        areas = fields.items("brain_area", sizes.neurons) if fields.has("brain_area") else []
        durations = fields.optional("trial_duration_ms", sizes.trials)
        session = Session(
            name=self._name(),
            rates=rates,
            inputs=inputs,
            neuron_type=types,
            neuron_ids=ids,
            time_ms=time_ms,
            bin_ms=bin_ms,
            duration_ms=np.full(sizes.trials, np.nan) if durations is None else durations,
            labels=self._labels(inputs),
            brain_area=[BRAIN_AREAS.get(area, _named(area)) for area in areas],
            missing=(),
            source=fields.where,
        )
        session.notes = (*fields.notes, *id_notes, *checked(session, fields.where))
        session.missing = tuple(fields.missing)
        return session

    def _types(self) -> NDArray[np.int64]:
        """[neuron] 1 or 2. Logical values are refused: they cannot hold 2, and 1 alone does not say which type is meant."""
        self.fields.require("neuron_type")
        if self.fields.is_logical("neuron_type"):
            hint = "write 1 for excitatory, 2 for inhibitory, as numbers"
            raise self.fields.error("neuron_type", "the values are logical, and types are 1 and 2", hint=hint)
        return self._whole("neuron_type", self.sizes.neurons, TYPE_CODES, "neuron")

    def _ids(self) -> tuple[list[str], list[Note]]:
        count = self.sizes.neurons
        if not self.fields.has("neuron_ids"):
            return [str(n + 1) for n in range(count)], []
        names = [_named(value) for value in self.fields.items("neuron_ids", count)]
        return unique_names(names, self.fields.variables.where("neuron_ids"))

    def _inputs(self) -> NDArray[np.float32]:
        """[trial, time, 14]; eye channels that the file lacks are zeros."""
        size = self.sizes.trials * self.sizes.time * len(INPUT_NAMES) * 4
        memory.take(size, self.fields.variables.where(SIZES["trials"]))
        inputs = np.zeros((self.sizes.trials, self.sizes.time, len(INPUT_NAMES)), np.float32)
        inputs[:, :, LOCATIONS] = self.fields.array("input_target_loc", TARGET).transpose(2, 1, 0)
        for channel, name in enumerate(INPUT_NAMES):
            if LOCATIONS.start <= channel < LOCATIONS.stop:
                continue
            if name in EYE and not self.fields.has(f"input_{name}"):
                continue
            inputs[:, :, channel] = self.fields.array(f"input_{name}", SIGNAL).T
        return inputs

    def _labels(self, inputs: NDArray[np.float32]) -> dict[str, NDArray[np.int64]]:
        labels = {}
        for name in LABELS:
            field = f"trial_{name}"
            if name in REQUIRED_LABELS or self.fields.has(field):
                labels[name] = self._whole(
                    field,
                    self.sizes.trials,
                    LABEL_CODES[name],
                    "trial",
                    shown(inputs, name) if name in ONE_HOT else None,
                )
        return labels

    def _whole(
        self, field: str, length: int, codes: dict[Any, int], item: str, seen: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """A field of codes, one per trial or neuron, as numbers or texts; seen: [trial] what the inputs show, 0 for nothing."""
        values = self.fields.items(field, length)
        if any(isinstance(value, str) for value in values):
            return coded(values, codes, self.fields.variables.where(field), item)
        numbers = np.array(values, np.float64)
        low, high = min(codes.values()), max(codes.values())
        if seen is not None and low == 1 and self._counted_from_zero(numbers, seen, high):
            found = f"the values are counted from 0, as the inputs show: 1 was added, so that they are {low} to {high}"
            self.fields.notes.append(Note("labels", self.fields.variables.where(field), found))
            return numbers.astype(np.int64) + 1
        wrong = ~((numbers >= low) & (numbers <= high) & (numbers == np.rint(numbers)))
        if wrong.any():
            first = int(np.argmax(wrong))
            message = f"{item} {first} (counted from 0) has the value {numbers[first]:g}, not a whole number from {low} to {high}"
            advice = "correct the export; an optional field may be left out"
            raise self.fields.error(field, message, hint=advice + likely_coding(values, codes))
        return numbers.astype(np.int64)

    @staticmethod
    def _counted_from_zero(numbers: NDArray[np.float64], seen: NDArray[np.int64], high: int) -> bool:
        told = seen > 0
        if told.sum() < _FEWEST_SHOWN or not (numbers == 0).any() or not (numbers == np.rint(numbers)).all():
            return False
        inside = bool(((numbers >= 0) & (numbers < high)).all())
        return inside and bool((numbers[told] + 1 == seen[told]).all())

    def _time(self, bin_ms: float) -> NDArray[np.float64]:
        """[time] bin centres in ms; without an axis in the file, fixation onset is at the start of bin 8."""
        times = self.fields.optional("time_axis", self.sizes.time)
        if times is None:
            return bin_centres(self.sizes.time, bin_ms)
        steps = np.diff(times)
        if not np.isfinite(times).all() or (np.abs(steps - bin_ms) > 1e-3 * bin_ms).any():
            units = {"s": 1e-3, "µs": 1e3, "minutes": 1 / 6e4, "bins": 1 / bin_ms}
            likely = [unit for unit, factor in units.items() if np.allclose(steps, factor * bin_ms, rtol=1e-2)]
            question = f": are they in {' or '.join(likely)}?" if likely else ""
            message = f"the times do not go in steps of bin_size_ms = {bin_ms:g}{question}"
            raise self.fields.error("time_axis", message, hint="give times of bin centres in ms, or leave the axis out")
        return times

    def _name(self) -> str:
        """The name in the file, else that of the file."""
        field, default = "session_name", self.fields.variables.path.stem.removeprefix("rnn_export_")
        if not self.fields.has(field):
            return default
        try:
            name = self.fields.variables.text(field)
        except DataError as error:
            self.fields.skipped(field, f"the name was skipped: {error.message}")
            return default
        if not name:
            self.fields.missing.append(field)
        return name or default


def _nested(path: Path, names: list[str]) -> str | None:
    """Where the variables are fields of a struct."""
    with open_mat(path) as variables:
        for name in names:
            inside = set(variables.fields(name))
            if inside >= SIGNATURE:
                return (
                    f"its variables are fields of the struct {name}: save them as variables (save FILE -struct {name})"
                )
    return None


def _named(value: Any) -> str:
    """A number or a text as a name."""
    if isinstance(value, str):
        return value.strip()
    return str(int(value)) if float(value).is_integer() else str(value)
