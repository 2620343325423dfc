"""A table of spikes (time, neuron), held against the voltages of its run: their clock, their unit, their numbering."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.tables import NumberTable
from neurocli.recordings.notes import Note
from neurocli.recordings.plausible import VOLTAGE_STEP_MS
from neurocli.recordings.recording import Spikes
from neurocli_cnn_lstm.data.readers.units import are_swapped, time_unit
from neurocli_cnn_lstm.data.readers.voltages import REPAIR, checked_table, line_of

_STEPS_MS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_ENOUGH = 20
"""Spikes from which their spread over the run can be judged."""
_EARLY = 0.2
_TWICE = 0.05
LAYOUT = "each line of a spike file holds a time in ms on the clock of the voltages, and the number of a neuron, counted from 0"


class Clock(NamedTuple):
    """The times of a run's voltages: its step, its first and its last time in ms, and how many neurons it has.

    network: neurons of the simulated network, more where not all were recorded; None where nobody says.
    """

    dt_ms: float
    start_ms: float
    last_ms: float
    neurons: int
    network: int | None = None


def read_spikes(path: Path | None, clock: Clock, notes: list[Note]) -> Spikes | None:
    """Spikes [n] of a file from the first row of the voltages on, in steps of the coarsest usual step that all times are multiples of.

    notes: doubts are added to them. Raises DataError where times or numbers do not fit the voltages.
    """
    if path is None:
        return None
    if path.stat().st_size <= 8 and not path.read_bytes().strip(
        b"\r\n\0\xff\xfe\xef\xbb\xbf "
    ):  # a run without a spike
        return Spikes(np.zeros(0, np.int32), np.zeros(0, np.int32), _STEPS_MS[0])
    table = checked_table(path)
    if table.values.shape[1] != 2:
        message = f"a spike file has two columns, ms and neuron, not {table.values.shape[1]}"
        raise DataError(message, where=f"{path}:1", hint=REPAIR)
    first, second = (1, 0) if are_swapped(table.header) else (0, 1)
    times, index = table.values[:, first], table.values[:, second]
    unit = time_unit(table.header[first]) if table.header else ""
    if unit not in ("", "ms"):
        times = times * VOLTAGE_STEP_MS.others[unit]
    dt_ms = next((dt for dt in _STEPS_MS if np.abs(times / dt - np.rint(times / dt)).max() * dt < 4e-4), _STEPS_MS[-1])
    _refuse_impossible(path, table, times, index, dt_ms)
    if abs(clock.start_ms) > 1.5 * clock.dt_ms:
        times = _from_start(path, times, clock)
    _check_clock(path, times, index, clock, notes)
    index = _from_zero(path, index, clock, notes)
    order = np.argsort(times, kind="stable")
    _doubt_twice(path, times, index, notes)
    return Spikes(np.rint(times[order] / dt_ms).astype(np.int32), index[order].astype(np.int32), dt_ms)


def _doubt_twice(path: Path, times: NDArray[np.float64], index: NDArray[np.float64], notes: list[Note]) -> None:
    """A doubt where neurons have several spikes at the same time."""
    order = np.lexsort((times, index))
    again = int(((np.diff(index[order]) == 0) & (np.diff(times[order]) == 0)).sum())
    if again > max(1, _TWICE * len(times)):
        found = f"{again} of {len(times)} spikes are at the time of another spike of the same neuron"
        notes.append(Note("spikes-twice", str(path), found, "is each line there twice, or were the times rounded?"))


def _refuse_impossible(
    path: Path, table: NumberTable, times: NDArray[np.float64], index: NDArray[np.float64], dt_ms: float
) -> None:
    most = np.iinfo(np.int32).max
    wrong = (times < 0) | (times > most * dt_ms) | (index < 0) | (index > most) | (index != np.rint(index))
    if wrong.any():
        raise DataError(
            "a spike is a time of 0 ms or more and a whole neuron number",
            where=f"{path}:{line_of(path, table, int(np.argmax(wrong)))}",
            hint=REPAIR,
        )


def _from_start(path: Path, times: NDArray[np.float64], clock: Clock) -> NDArray[np.float64]:
    """Times since the first row of voltages that begin later than at 0."""
    if times.min() < clock.start_ms - clock.dt_ms:
        raise DataError(
            f"spikes begin at {times.min():.6g} ms, the voltages at {clock.start_ms:.6g} ms",
            where=str(path),
            hint=f"cut both alike, and write both on one clock: {LAYOUT}",
        )
    return np.maximum(times - clock.start_ms, 0.0)


def _check_clock(
    path: Path, times: NDArray[np.float64], index: NDArray[np.float64], clock: Clock, notes: list[Note]
) -> None:
    """Whether the spikes cover the run and not more. times: since its first row."""
    duration = clock.last_ms - clock.start_ms + clock.dt_ms
    last = float(times.max())
    if last > duration + max(clock.dt_ms, 1.0):
        samples = f", or sample numbers, {duration / last:.3g} ms each" if last > 2 * duration else ""
        raise DataError(
            f"spikes go on to {last:.6g} ms, and the voltages end after {duration:.6g} ms: are they of another run{samples}?",
            where=str(path),
            hint=LAYOUT,
        )
    if last >= _EARLY * duration:
        return
    where_and_when = f"all {len(times)} spikes lie in the first {last:.4g} of {duration:.6g} ms"
    if len(times) >= _ENOUGH and index.max() >= max(clock.neurons, clock.network or 0) and times.max() <= clock.neurons:
        raise DataError(
            f"{where_and_when}, and neurons are numbered up to {index.max():.0f}: are the two columns the other way round?",
            where=str(path),
            hint=LAYOUT,
        )
    if len(times) >= _ENOUGH and _EARLY * duration <= last * 1000 <= duration + max(clock.dt_ms, 1.0):
        raise DataError(f"{where_and_when}: are they in s?", where=str(path), hint="convert them to ms")
    notes.append(
        Note("spike-clock", str(path), where_and_when, "check that they are in ms, and of the run whose name they have")
    )


def _from_zero(path: Path, index: NDArray[np.float64], clock: Clock, notes: list[Note]) -> NDArray[np.float64]:
    """Numbers of neurons counted from 0."""
    size = max(clock.neurons, clock.network or 0)
    if index.min() >= 1 and index.max() == size:
        notes.append(
            Note(
                "neuron-numbers",
                str(path),
                f"neurons are numbered 1 to {size}, and there are {size}: read as counted from 1",
                "count them from 0 in the file, so that nothing has to be guessed",
            )
        )
        return index - 1
    beyond = index >= size
    if beyond.any():
        notes.append(
            Note(
                "neuron-numbers",
                str(path),
                f"{int(beyond.sum())} of {len(index)} spikes are of neurons above {size - 1}, whose voltages are not there",
                "check that spikes and voltages are of one run, and that neurons are counted from 0",
            )
        )
    elif size > 2 and index.min() >= 1 and len(np.unique(index)) == size - 1:
        notes.append(
            Note(
                "neuron-numbers",
                str(path),
                "every neuron spikes but the one with number 0",
                "check that neurons are counted from 0",
            )
        )
    return index
