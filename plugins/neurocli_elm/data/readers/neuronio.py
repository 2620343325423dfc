"""NeuronIO files: simulations of the layer-5 pyramidal cell as `sim__*.p`, each one made into a `Recording`.

A file is {"Params": {...}, "Results": {"listOfSingleSimulationDicts": [one dict for each simulation]}}. (Beniaguev, Segev &
London 2021, kaggle.com/datasets/selfishgene; the same layout comes from the simulation script of that work.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE, check_file
from neurocli.recordings.pickles.costs import expansion
from neurocli.recordings.pickles.unpickle import load, peek
from neurocli.recordings.pickles.values import Array
from neurocli.recordings.recording import Recording, Spikes
from neurocli_elm.data.readers.neuronio_checks import (
    HINT,
    check_counts,
    check_inputs,
    check_output,
    check_voltage,
    seconds_of,
)
from neurocli_elm.data.spike_times import label_steps, redetected_ms

SIMULATIONS = "listOfSingleSimulationDicts"
DT_MS = 1.0
BASAL = "basal"
KINDS = (BASAL, "apical")
MOST_SEGMENTS = 20_000
_SMALLEST = 256
"""Bytes that a simulation takes at least: a file that promises more of them is not believed."""


_INPUTS = ("exInputSpikeTimes", "inhInputSpikeTimes")
_ARRAYS = ("somaVoltageLowRes", "somaVoltageHighRes", "recordingTimeLowRes", "outputSpikeTimes")
_PASSING_SAMPLE, _PASSING_SPIKE, _KEPT_RECORDING = 40, 64, 4096
"""Bytes: a sample and an input spike while they are checked and sorted, and a recording beside its arrays. The input of a
simulation, as one byte for each step and synapse, must fit too: windows of it are made dense."""


@dataclass(frozen=True)
class Cell:
    """What the head of a file says: the dendrite, and how many simulations follow (None where it does not say)."""

    segments: int
    simulations: int | None
    steps: int | None
    truth: dict[str, NDArray[Any]]
    """is_basal: bool [segment]; distance_um: [segment], from the soma; where the file has them."""
    params: dict[Any, Any]
    unknown: tuple[str, ...] = ()
    """Types of segments that are neither basal nor apical; is_basal is left out then."""


def read_cell(path: Path) -> Cell:
    """The head of a file, read no further than it must be. Raises DataError."""
    params = peek(path, "Params", before=SIMULATIONS)
    return _cell(load(path) if params is None else {"Params": params}, path)


def read_file(path: Path) -> list[Recording]:
    """All simulations of a file. Raises DataError that names the simulation and the key."""
    check_file(path)
    with memory.reading(path, expansion=expansion(path)):
        return _read_file(path)


def _read_file(path: Path) -> list[Recording]:
    content = load(path)
    cell = _cell(content, path)
    results = _entry(content, "Results", dict, str(path))
    simulations = _entry(results, SIMULATIONS, list, f"{path}:Results")
    if not simulations:
        raise DataError("the file holds no simulation", where=str(path), hint=REMAKE)
    if cell.simulations not in (None, len(simulations)):
        raise DataError(
            f"the file holds {len(simulations)} simulations, but {cell.simulations} according to its Params",
            where=f"{path}:Params/numSimulations",
            hint="copy the file again, or correct the number",
        )
    if len({id(simulation) for simulation in simulations}) < len(simulations):
        raise DataError(
            "a simulation is in the list more than once", where=f"{path}:Results/{SIMULATIONS}", hint="keep each once"
        )
    recordings: list[Recording] = []
    for number, simulation in enumerate(simulations):
        recording = _Simulation(simulation, number, cell, path).recording()
        expected = recordings[0].steps if recordings else cell.steps or recording.steps
        if recording.steps != expected:
            against = "simulation 0" if recordings else "Params/totalSimDurationInSec"
            raise DataError(
                f"simulation {number} lasts {recording.steps} ms, but {expected} ms according to {against}",
                where=f"{path}, simulation {number}",
                hint="simulations of one file have one length, at 1 sample a ms: keep those of each length in a file of their own",
            )
        recordings.append(recording)
        simulations[number] = None  # its spike times are not needed any more
    return recordings


def group_name(path: Path, simulation: int) -> str:
    """`seed100523-3`: what a simulation is called in a set; the whole name of the file where it tells no random seed."""
    seed = re.fullmatch(r"sim__.*_randomSeed_(\d+)", path.stem)
    name = f"seed{seed[1]}" if seed else re.sub(r"[^A-Za-z0-9._-]", "_", path.stem)
    return f"{name}-{simulation}"


def _cell(content: Any, path: Path) -> Cell:
    if not isinstance(content, dict):
        raise DataError("the pickle does not hold Params and Results", where=str(path), hint=REMAKE)
    params, where = _entry(content, "Params", dict, str(path)), f"{path}:Params"
    kinds = _entry(params, "allSegmentsType", list, where)
    if not 1 <= len(kinds) <= MOST_SEGMENTS:
        raise DataError(
            f"a cell of {len(kinds)} segments, and 1 to {MOST_SEGMENTS} can be read",
            where=f"{where}/allSegmentsType",
            hint="name a cell of fewer segments, or correct the list",
        )
    for name, values in params.items():
        length = _length(values) if isinstance(name, str) and name.startswith("allSegments") else None
        if length is not None and isinstance(values, list | Array) and length != len(kinds):
            raise DataError(
                f"{len(kinds)} segments according to allSegmentsType, and {length} according to {name}",
                where=f"{where}/{name}",
                hint=REMAKE,
            )
    names = [_kind_of(kind) for kind in kinds]
    unknown = tuple(dict.fromkeys(name for name in names if name not in KINDS))
    truth: dict[str, NDArray[Any]] = {} if unknown else {"is_basal": np.array([name == BASAL for name in names], bool)}
    distance = params.get("allSegments_DistFromSoma")
    distance_um = _row(distance, where) if isinstance(distance, list | Array) else None
    if distance_um is not None and np.isfinite(distance_um).all():
        truth["distance_um"] = distance_um.astype(np.float64)
    count, seconds = params.get("numSimulations"), seconds_of(params, where)
    steps = None if seconds is None else round(seconds * 1000 / DT_MS)
    most = path.stat().st_size // _SMALLEST
    count = count if type(count) is int and 0 < count <= most else None
    return Cell(len(kinds), count, steps, truth, params, unknown)


def _kind_of(kind: Any) -> str:
    """The type of a segment in small letters; what is no text in a few of its characters."""
    if isinstance(kind, bytes):
        kind = kind.decode("latin-1")
    return kind.strip().lower()[:40] if isinstance(kind, str) else type(kind).__name__


class _Simulation:
    """One entry of the list, checked."""

    def __init__(self, content: Any, number: int, cell: Cell, path: Path) -> None:
        self.where = f"{path}, simulation {number}"
        if not isinstance(content, dict):
            raise self._error("", "the simulation is not a dict of results")
        self.content, self.number, self.cell, self.path = content, number, cell, path
        self.segments = cell.segments

    def recording(self) -> Recording:
        """The recording of the simulation, after what it takes has been taken from the file's budget, and what it keeps."""
        passing, kept = self._sizes()
        with memory.passing(passing, self.where):
            memory.take(kept, self.where)
            return self._recording()

    def _sizes(self) -> tuple[int, int]:
        """(bytes while it is read, bytes that it keeps): arrays and lists count each time that they are copied, shared or not."""
        sizes = {name: _length(self.content.get(name)) for name in _ARRAYS}
        trains = [train for name in _INPUTS for train in _values(self.content.get(name))]
        spikes = sum(len(train) if type(train) is list else _length(train) for train in trains)
        samples, steps = sum(sizes.values()), sizes["somaVoltageLowRes"]
        passing = _PASSING_SAMPLE * samples + _PASSING_SPIKE * spikes + 2 * self.segments * steps
        return passing, _KEPT_RECORDING + 8 * samples + 8 * spikes

    def _recording(self) -> Recording:
        soma = self._array("somaVoltageLowRes")
        steps = len(soma)
        bad = ~np.isfinite(soma)
        if bad.any():
            raise self._error("somaVoltageLowRes", f"the soma's voltage at {int(np.argmax(bad))} ms is not a number")
        self._check_step(steps)
        output = self._array("outputSpikeTimes", may_be_empty=True).astype(np.float64)
        labels = label_steps(output)
        wrong = ~np.isfinite(output) | (labels < 0) | (labels >= steps)
        if wrong.any():
            raise self._error("outputSpikeTimes", f"an output spike at {output[np.argmax(wrong)]:g} ms of {steps}")
        events: dict[str, NDArray[Any]] = {"output_spike_ms": output, "output_spikes": labels}
        fine = self._array("somaVoltageHighRes") if "somaVoltageHighRes" in self.content else None
        check_voltage(soma, fine, self._place)
        check_counts(
            self.cell.params, self.number, len(output), None if fine is None else len(fine), steps, self._place
        )
        redetected = None if fine is None else redetected_ms(fine, steps)
        if redetected is not None:
            events["output_spike_redetected_ms"] = redetected
            events["output_spikes_redetected"] = np.minimum(label_steps(redetected), steps - 1)
        check_output(output, redetected, soma, self._place)
        spikes = self._inputs(steps)
        return Recording(
            group=group_name(self.path, self.number),
            signal=soma.astype(np.float32)[:, None],
            dt_ms=DT_MS,
            unit="mV",
            channels=["soma"],
            spikes=spikes,
            events=events,
            labels={
                "num_inputs": 2 * self.segments,
                "num_excitatory": self.segments,
                "file": self.path.name,
                "simulation": self.number,
            },
        )

    def _inputs(self, steps: int) -> Spikes:
        """Excitatory channels first, then inhibitory; a synapse that is named twice in a step has one event, as published."""
        channels = 2 * self.segments
        keys = [np.zeros(0, np.int64)]
        for first, name in zip((0, self.segments), _INPUTS, strict=True):
            trains = self._entry(name, dict)
            for segment in trains:
                if type(segment) is not int or not 0 <= segment < self.segments:
                    question = ": are they counted from 1?" if segment == self.segments else ""
                    message = f"segment {str(segment)[:20]} is not one of 0 to {self.segments - 1}{question}"
                    raise self._error(f"{name}[{str(segment)[:20]}]", message)
            times = _together(trains.values(), steps)
            if times is None:  # something is wrong, or unusual: one by one
                train_steps = [self._steps(train, steps, f"{name}[{segment}]") for segment, train in trains.items()]
                times, counts = (
                    np.concatenate([np.zeros(0, np.int64), *train_steps]),
                    [len(steps_of_train) for steps_of_train in train_steps],
                )
            else:
                counts = [len(train) for train in trains.values()]
            keys.append(times * channels + np.repeat(np.array([*trains], np.int64) + first, counts))
        event_keys = np.sort(np.concatenate(keys))
        step, channel = np.divmod(event_keys[np.diff(event_keys, prepend=-1) > 0], channels)
        spikes = Spikes(step.astype(np.int32), channel.astype(np.int32), dt_ms=DT_MS)
        check_inputs(spikes, steps, len(event_keys), self._place)
        return spikes

    def _steps(self, times: Any, steps: int, place: str) -> NDArray[np.int64]:
        if not isinstance(times, list | Array):
            raise self._error(place, "the spike times are not a list")
        values = _row(times, self.where)
        if values is None:
            raise self._error(place, "a spike time is not a number")
        wrong = ~((values >= 0) & (values < steps)) | (values != np.floor(values))
        if wrong.any():
            question = ": are the times in s?" if values.max() < steps / 100 else ""
            raise self._error(
                place, f"a spike at {values[np.argmax(wrong)]:g} ms is not at 0, 1, ... or {steps - 1}{question}"
            )
        return values.astype(np.int64)

    def _check_step(self, steps: int) -> None:
        """Raise DataError where the times that go with the voltage do not go in steps of 1 ms."""
        if "recordingTimeLowRes" not in self.content:
            return
        times = self._array("recordingTimeLowRes").astype(np.float64)
        if len(times) != steps or not (np.abs(np.diff(times) - DT_MS) < 0.01).all() or abs(times[0]) > DT_MS:
            raise self._error(
                "recordingTimeLowRes", f"the times are not {steps} samples from 0 in steps of {DT_MS:g} ms"
            )

    def _array(self, name: str, *, may_be_empty: bool = False) -> NDArray[Any]:
        """Numbers [n] of an entry, at least two unless none are allowed."""
        values = _row(self._entry(name, Array | list), self.where)
        if values is None or (len(values) < 2 and not may_be_empty):
            raise self._error(name, "not a list of numbers" if values is None else f"{len(values)} samples")
        return values

    def _entry(self, name: str, kind: Any) -> Any:
        return _entry(self.content, name, kind, self.where)

    def _place(self, name: str) -> str:
        return f"{self.where}, {name}" if name else self.where

    def _error(self, place: str, message: str) -> DataError:
        return DataError(message, where=self._place(place), hint=HINT)


def _length(stored: Any) -> int:
    """How many values a list or an array has."""
    return math.prod(stored.shape) if isinstance(stored, Array) else len(stored) if isinstance(stored, list) else 0


def _values(stored: Any) -> Iterable[Any]:
    return stored.values() if isinstance(stored, dict) else ()


def _entry(holder: dict[Any, Any], name: str, kind: Any, where: str) -> Any:
    if name not in holder:
        raise DataError(f"the key {name} is missing{_near_miss(name, holder)}", where=where, hint=REMAKE)
    if not isinstance(holder[name], kind):
        raise DataError(f"{name} has an unexpected type", where=f"{where}, {name}", hint=REMAKE)
    return holder[name]


def _near_miss(name: str, holder: Iterable[Any]) -> str:
    """`; there is PARAMS`, where a key differs in its case or blanks alone."""
    near = [key for key in holder if isinstance(key, str) and key.strip().lower() == name.lower()]
    return f"; there is {near[0][:60]!r}" if near else ""


def _together(trains: Iterable[Any], steps: int) -> NDArray[np.int64] | None:
    """All spike times of lists of whole numbers from 0 to steps - 1, one list behind the other; None where they are not that."""
    trains = list(trains)
    if not all(type(train) is list for train in trains):
        return None
    times = _numbers([time for train in trains for time in train])
    if times is None or times.size == 0:
        return None
    right = times.dtype == np.int64 and bool(((times >= 0) & (times < steps)).all())
    return times if right else None


def _numbers(values: list[Any]) -> NDArray[Any] | None:
    """A list of numbers as an array; None where something else is in it. Lists in lists are not gone into."""
    if not {*map(type, values)} <= {int, float}:
        return None
    try:
        array = np.asarray(values)
    except OverflowError:
        return None
    return array if array.dtype.kind in "if" else None  # a whole number of more than 64 bits is an object


def _row(stored: list[Any] | Array, where: str) -> NDArray[Any] | None:
    """A list or an array as numbers [n]; None where it is something else. Raises DataError where an array is damaged."""
    if isinstance(stored, list):
        return _numbers(stored)
    try:
        array = stored.read()
    except ValueError as error:
        raise DataError(f"an array is damaged: {str(error)[:80]}", where=where, hint=REMAKE) from None
    return array if array.ndim == 1 and array.dtype.kind in "iuf" else None
