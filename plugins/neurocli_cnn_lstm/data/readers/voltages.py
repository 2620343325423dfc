"""A table of voltages: its time step, its units, and whether the columns are what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.tables import NumberTable, read_numbers, read_table
from neurocli.recordings.plausible import RESTING_MV, VOLTAGE_STEP_MS, median_of, voltage_fault
from neurocli_cnn_lstm.data.readers.units import Told, told_by

LAYOUT = "each line holds a time in ms and the voltage of every neuron in mV, separated by blanks"
REPAIR = "correct the line, or leave the run out"
LARGEST_MV = 250.0
"""What no membrane reaches: above are other units, codes for missing values and broken amplifiers."""
_LARGEST = float(np.finfo(np.float32).max)
_ROUNDED_MS = 1.1e-3
"""Times carry three decimals: half of the last one may be rounded away at both ends of a step."""
_FEWEST_TO_JUDGE = 10


class Voltages(NamedTuple):
    """signal: float32 [time, neuron] in mV; dt_ms: its step; start_ms: the time of its first row."""

    signal: NDArray[np.float32]
    dt_ms: float
    start_ms: float


def read_voltages(path: Path) -> Voltages:
    """The voltages of a file. Raises DataError with the line, and with the unit that the numbers are likely to have."""
    table = checked_table(path)
    values = table.values
    if values.shape[1] < 2:
        what = "a voltage file needs a column of times and at least one of voltages"
        raise DataError(what, where=f"{path}:1", hint=LAYOUT)
    if len(values) < 2:
        what = "a voltage file needs at least two rows, from which its time step is read"
        raise DataError(what, where=f"{path}:1", hint=LAYOUT)
    told = told_by(table.header)
    refuse_other_contents(path, table, told)
    per_unit = 1.0 if told.time in ("", "ms") else VOLTAGE_STEP_MS.others[told.time]
    times = values[:, 0] if per_unit == 1.0 else values[:, 0] * per_unit
    dt_ms = _even_step(path, table, times)
    # In the unit of the file, so that the error says what stands there.
    VOLTAGE_STEP_MS.check(dt_ms / per_unit, f"{path}, column 1", stated=told.time)
    signal = values[:, 1:].astype(np.float32)
    scale = voltage_scale(signal, told, str(path))
    if scale != 1.0:
        signal *= np.float32(scale)
    _refuse_padding(path, table, signal)
    _refuse_ramps(path, table)
    lowest, highest = float(signal.min()), float(signal.max())
    if max(-lowest, highest) > LARGEST_MV:
        row, column = np.unravel_index(int(np.abs(signal).argmax()), signal.shape)
        raise DataError(
            f"column {column + 2} is {signal[row, column]:.6g} mV, which no membrane reaches",
            where=f"{path}:{line_of(path, table, int(row))}",
            hint="is it the code of a missing value, or another unit? " + REPAIR,
        )
    return Voltages(signal, dt_ms, float(times[0]))


def checked_table(path: Path) -> NumberTable:
    """The numbers of a file, all of them finite. Raises DataError with line and column."""
    table = read_table(path, layout=LAYOUT)
    values = table.values
    if values.size == 0:
        raise DataError("the file holds no numbers", where=str(path), hint=LAYOUT)
    if not (values.min() >= -_LARGEST and values.max() <= _LARGEST):  # false for NaN
        row, column = (int(k) for k in np.argwhere(~(np.abs(values) <= _LARGEST))[0])
        shown = f"{values[row, column]:g}".replace("e+", "e")
        raise DataError(f"column {column + 1} is {shown}", where=f"{path}:{line_of(path, table, row)}", hint=REPAIR)
    return table


def line_of(path: Path, table: NumberTable, row: int) -> int:
    """The line in which a row stands."""
    lines = table.lines if table.lines.size else read_numbers(path, layout=LAYOUT).lines
    return int(lines[row])


def voltage_scale(signal: NDArray[np.generic], told: Told, where: str) -> float:
    """How many mV one unit of the signal [time, neuron] is. Raises DataError where its numbers are in another unit than the file says.

    What looks like no unit at all (a model's rest at 0) is left to the reader's doubts.
    """
    if told.voltage and told.voltage != "mV":
        scale = RESTING_MV.others[told.voltage]
        if voltage_fault(np.asarray(signal, np.float64) * scale) is None:
            return scale
        if told.sure:
            median = median_of(signal)
            RESTING_MV.check(median, where, stated=told.voltage, hint="correct the unit in the header, or the numbers")
    fault = voltage_fault(signal)
    if fault is not None and fault.endswith("?"):
        raise DataError(fault, where=where, hint="convert the voltages to mV, or leave the run out")
    return 1.0


def refuse_other_contents(path: Path, table: NumberTable, told: Told) -> None:
    """Raise DataError where the header says that the columns hold something else, or where time runs along the rows."""
    if told.what:
        raise DataError(
            f"the header speaks of {told.what}: {' '.join(table.header)[:60]!r}",
            where=f"{path}:{table.header_line}",
            hint=LAYOUT,
        )
    row, column = table.values[0], table.values[:, 0]
    if len(row) > max(2, len(column)) and is_even(row) and not is_even(column):
        raise DataError(
            f"time runs along the first row, not down the first column: {len(column)} rows of {len(row)} numbers",
            where=f"{path}:{line_of(path, table, 0)}",
            hint=f"transpose the table: {LAYOUT}",
        )


def is_even(values: NDArray[np.float64]) -> bool:
    """Whether three or more numbers rise by equal steps."""
    steps = np.diff(values)
    return bool(steps.size > 1 and (steps > 0).all() and np.ptp(steps) <= max(2.2e-3, 1e-6 * float(steps.mean())))


def _even_step(path: Path, table: NumberTable, times: NDArray[np.float64]) -> float:
    dt_ms = round(float((times[-1] - times[0]) / (len(times) - 1)), 6)
    steps = np.diff(times)
    usual = np.median(steps[steps > 0]) if (steps > 0).any() else 0.0
    bad = np.flatnonzero(~(steps > 0) | (np.abs(steps - usual) > _ROUNDED_MS))
    if bad.size or not dt_ms > 0:
        raise DataError(
            "the times of the first column are not evenly spaced" + _where_time_is(table.values),
            where=f"{path}:{line_of(path, table, int(bad[0]) + 1 if bad.size else 1)}",
            hint=REPAIR,
        )
    return dt_ms


def _where_time_is(values: NDArray[np.float64]) -> str:
    """What the file may have in place of times, as the end of a sentence."""
    even = [k + 1 for k in range(1, values.shape[1]) if is_even(values[:, k])]
    if even:
        return f"; column {even[0]} is: times must be the first"
    if len(values) >= _FEWEST_TO_JUDGE and np.mean(np.diff(values[:, 0]) > 0) < 0.9:
        return ", nor those of another: is the column of times missing?"
    return ""


def _refuse_ramps(path: Path, table: NumberTable) -> None:
    """Raise DataError where a column of voltages rises all the time: it holds times, and the first one the numbers of rows."""
    values = table.values
    if len(values) < _FEWEST_TO_JUDGE:
        return
    start = np.diff(values[: 5 * _FEWEST_TO_JUDGE, 1:], axis=0)
    for column in np.flatnonzero((start > 0).all(axis=0)) + 1:
        if (np.diff(values[:, column]) > 0).all():
            raise DataError(
                f"column {column + 1} rises from row to row like a time: is column 1 the number of the row?",
                where=f"{path}:{line_of(path, table, 0)}",
                hint=f"keep one column of times: {LAYOUT}",
            )


def _refuse_padding(path: Path, table: NumberTable, signal: NDArray[np.float32]) -> None:
    """Raise DataError where the last rows, the first, or several within hold 0 for every neuron."""
    for row, beside, what in ((len(signal) - 1, len(signal) - 2, "last"), (0, 1, "first")):
        if not signal[row].any() and not signal[beside].any() and signal.any():
            raise DataError(
                f"the {what} rows hold 0 for every neuron: is the recording padded with zeros?",
                where=f"{path}:{line_of(path, table, row)}",
                hint="leave the rows out that were not recorded",
            )
    zero = np.flatnonzero(~signal.any(axis=1))
    together = zero[2:][zero[2:] - zero[:-2] == 2]
    if together.size and signal.any():
        raise DataError(
            f"{zero.size} rows within the run hold 0 for every neuron: was nothing recorded there?",
            where=f"{path}:{line_of(path, table, int(together[0]) - 2)}",
            hint="leave the run out, or cut it there: a time without data is no voltage of 0 mV",
        )
