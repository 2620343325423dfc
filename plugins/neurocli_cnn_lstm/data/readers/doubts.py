"""What is doubtful in a voltage file by its first and last rows, and by the spikes beside it: told before it is read whole."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.tables import NumberTable, form_of, read_ends
from neurocli.recordings.files.text import read_end, read_start
from neurocli.recordings.notes import Note
from neurocli.recordings.plausible import RESTING_MV, VOLTAGE_STEP_MS, median_of, voltage_fault
from neurocli.recordings.recording import Spikes
from neurocli_cnn_lstm.data.readers.spikes import Clock, read_spikes
from neurocli_cnn_lstm.data.readers.units import Told, told_by
from neurocli_cnn_lstm.data.readers.voltages import refuse_other_contents, voltage_scale

_FEWEST_ROWS = 10
_SHORTEST_MS = 100.0
_LONGEST_RESET_MS = 20.0
_ROUGH = 0.3
"""Sd of the change from sample to sample, in sds of the signal: a membrane changes little within 0.01 ms."""


class _Seen(NamedTuple):
    """signal: float32 [row, neuron] of the first and the last rows, in mV; first: how many are first ones; clock: of the run."""

    table: NumberTable
    told: Told
    signal: NDArray[np.floating]
    first: int
    clock: Clock


def doubts_of(path: Path, spikes: Path | None, network: int | None) -> list[Note]:
    """Notes on a file; none for what an error will say when it is read. network: neurons of the simulated network, if known."""
    notes: list[Note] = []
    try:
        seen = _seen(path, network)
        if seen is None:
            return []
        notes += _header(path, seen.table)
        beside = read_spikes(spikes, seen.clock, notes)
    except DataError:
        return notes
    notes += [*_clock(path, seen, beside), *_values(path, seen), *_numbering(path, seen.table.header)]
    return notes + _cut_off(path)


def _seen(path: Path, network: int | None) -> _Seen | None:
    ends = read_ends(path)
    if ends is None or ends[0].values.shape[1] < 2 or len(ends[0].values) < 2:
        return None
    table, last = ends
    told = told_by(table.header)
    refuse_other_contents(path, table, told)
    values = np.concatenate([table.values, last[last[:, 0] > table.values[-1, 0]]])
    if not np.isfinite(values).all():
        return None
    scale = 1.0 if told.time in ("", "ms") else VOLTAGE_STEP_MS.others[told.time]
    times = table.values[:, 0] * scale
    signal = values[:, 1:] * voltage_scale(values[:, 1:], told, str(path))
    dt_ms = round(float((times[-1] - times[0]) / (len(times) - 1)), 6)
    clock = Clock(dt_ms, float(times[0]), float(values[-1, 0]) * scale, signal.shape[1], network)
    return _Seen(table, told, signal, len(times), clock)


def _header(path: Path, table: NumberTable) -> list[Note]:
    notes = []
    if table.header:
        shown = " ".join(table.header)
        shown = shown if len(shown) <= 60 else shown[:60] + "…"
        told = told_by(table.header)
        units = ", ".join(
            f"{what} in {unit}" for what, unit in (("times", told.time), ("voltages", told.voltage)) if unit
        )
        found = f"line {table.header_line} looks like a header, and is not read as numbers: {shown!r}"
        notes.append(Note("header", str(path), found + (f"; {units}" if units and told.sure else "")))
    if table.decimal_comma:
        notes.append(Note("decimal-comma", str(path), "numbers are written with a decimal comma"))
    return notes


def _clock(path: Path, seen: _Seen, spikes: Spikes | None) -> list[Note]:
    """Steps that are possible in ms, and as likely in another unit, where neither header nor spikes say which."""
    dt_ms, duration = seen.clock.dt_ms, seen.clock.last_ms - seen.clock.start_ms
    if seen.told.time:
        return []
    found = ""
    if dt_ms == 1.0 and not _confirmed(spikes, duration):
        if seen.clock.start_ms == 1.0 or spikes is None or _written_whole(path):
            found = "the first column counts 0, 1, 2, …: read as ms, and could be sample numbers"
    elif VOLTAGE_STEP_MS.holds(dt_ms * 1e3):
        rows = seen.signal[: seen.first]
        spread, change = float(rows.std(0).mean()), float(np.diff(rows, axis=0).std(0).mean())
        if duration < _SHORTEST_MS or change > _ROUGH * spread:
            found = f"the whole run takes {duration:.3g} ms, in steps of {dt_ms:g} ms: are the times in s?"
    elif VOLTAGE_STEP_MS.holds(dt_ms / 1e3):
        found = f"steps of {dt_ms:g} ms are long for membrane voltage: are the times in µs?"
    advice = "write times in ms, or their unit in a header: t_ms"
    return [Note("time-unit", str(path), found, advice)] if found else []


def _confirmed(spikes: Spikes | None, duration: float) -> bool:
    """Whether spikes, whose times are in ms and not whole, go on to the end of the voltages."""
    if spikes is None or spikes.step.size == 0:
        return False
    times = spikes.time_ms
    return bool(times.max() > 0.8 * duration and np.abs(times - np.rint(times)).max() > 1e-6)


def _written_whole(path: Path) -> bool:
    lines = read_start(path).split("\n")
    form = form_of(lines)
    return form is not None and re.match(r"\s*\d+(?![\d.,eEdD])", lines[form.skip]) is not None


def _values(path: Path, seen: _Seen) -> list[Note]:
    notes: list[Note] = []
    fault = voltage_fault(seen.signal)
    medians = [median_of(seen.signal[:, k]) for k in range(seen.signal.shape[1])]
    odd = [k for k, median in enumerate(medians) if not RESTING_MV.holds(median)]
    if fault is not None:
        notes.append(
            Note("voltage-unit", str(path), fault, "check that the voltages are in mV, and what their zero is")
        )
    elif odd:
        where = ", ".join(f"{k + 2} ({medians[k]:.3g} mV)" for k in odd[:3]) + (" …" if len(odd) > 3 else "")
        found = f"{len(odd)} of {len(medians)} columns have a median that no resting membrane has: column {where}"
        notes.append(Note("voltage-unit", str(path), found, "check what these columns hold, and in which unit"))
    if len(seen.signal) < _FEWEST_ROWS:
        return notes
    if (seen.signal == np.rint(seen.signal)).all():
        advice = "write the voltages with their decimals; the models would learn the steps"
        notes.append(Note("voltage-digits", str(path), "all voltages are whole mV", advice))
    still = np.flatnonzero((seen.signal != seen.signal[-1]).any(axis=1))
    rows = len(seen.signal) - 1 - int(still[-1]) if still.size else 0
    # A single neuron may stay at its reset for some ms; all of them together do not.
    if rows >= _FEWEST_ROWS and (len(medians) > 1 or rows * seen.clock.dt_ms > _LONGEST_RESET_MS):
        found = f"no voltage changes any more in the last rows, {rows} or more"
        notes.append(Note("held", str(path), found, "leave the rows out that were not recorded"))
    elif len(medians) > 1 and (within := _longest_still(seen.signal)) >= max(_FEWEST_ROWS, 0.1 * len(seen.signal)):
        found = f"no voltage changes in {within} rows, one after the other"
        notes.append(Note("held", str(path), found, "was nothing recorded there? leave the run out, or cut it"))
    else:
        notes += _dead_columns(path, seen)
    return notes + _same_columns(path, seen.signal)


def _longest_still(signal: NDArray[np.floating]) -> int:
    """How many rows in a row hold what the row before them does."""
    changes = np.flatnonzero((signal[1:] != signal[:-1]).any(axis=1))
    return int(np.diff(np.concatenate([[-1], changes, [len(signal) - 1]])).max()) - 1


def _dead_columns(path: Path, seen: _Seen) -> list[Note]:
    """Single neurons that change, and from some row on do not: for longer than any stays at its reset, in most of the last rows."""
    after = seen.signal[seen.first :] if len(seen.signal) - seen.first >= _FEWEST_ROWS else seen.signal
    changes = np.diff(after, axis=0) != 0
    still = np.where(changes.any(axis=0), changes[::-1].argmax(axis=0), len(changes))
    changing = (seen.signal != seen.signal[-1]).any(axis=0)  # one that never changes is a finding of its own
    dead = np.flatnonzero(changing & (still * seen.clock.dt_ms > _LONGEST_RESET_MS) & (still > len(changes) / 2))
    if not dead.size or not changing.any() or dead.size == len(changing):
        return []
    found = f"columns no longer change in the last {int(still[dead].min())} rows or more: {_listed(dead)}"
    return [Note("held", str(path), found, "did the electrode fail? leave the run out, or these neurons")]


def _same_columns(path: Path, signal: NDArray[np.floating]) -> list[Note]:
    """Neurons with the same voltage in every row: one neuron under two numbers."""
    if len(signal) < _FEWEST_ROWS:
        return []
    moving = (signal != signal[0]).any(axis=0)
    _, first, inverse = np.unique(signal.T, axis=0, return_index=True, return_inverse=True)
    twins = np.flatnonzero(moving & (first[inverse.ravel()] != np.arange(signal.shape[1])))
    if not twins.size:
        return []
    found = f"columns hold the same voltages as one before them: {_listed(twins)}"
    return [Note("same-neurons", str(path), found, "keep one of each: they count twice in every score")]


def _listed(columns: NDArray[np.integer]) -> str:
    """Columns of the file, counted from 1, that hold these neurons."""
    return ", ".join(str(int(k) + 2) for k in columns[:5]) + (" …" if columns.size > 5 else "")


def _cut_off(path: Path) -> list[Note]:
    """A last number with fewer decimals than those above it: the file may have been written or copied in part."""
    rows = [line.split() for line in read_end(path, 4096).split("\n") if line.strip()]
    decimals = [len(row[-1].partition(".")[2]) for row in rows]
    if len(rows) < _FEWEST_ROWS or len(set(decimals[:-1])) > 1 or decimals[-1] >= decimals[0] or "e" in rows[0][-1]:
        return []
    found = f"the last number of the file, {rows[-1][-1][-20:]}, has fewer decimals than those above it"
    return [Note("cut-off", str(path), found, "copy the file again, or take its last line out")]


def _numbering(path: Path, header: Sequence[str]) -> list[Note]:
    """Columns whose names end in numbers that do not ascend: spikes are counted by the place of a column."""
    ends = [re.search(r"(\d+)\D*$", cell) for cell in header[1:]]
    numbers = [int(match[1]) for match in ends if match]
    if len(numbers) < len(ends) or all(b > a for a, b in itertools.pairwise(numbers)):
        return []
    found = f"the columns are not in the order of their numbers: {' '.join(header[1:6])}{' …' if len(ends) > 5 else ''}"
    return [Note("column-order", str(path), found, "order them as spikes and the other runs count the neurons")]
