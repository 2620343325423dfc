"""Units that the header of a table tells: `t_s`, `time (ms)`, `Vm [mV]`, `V`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_TIMES = {
    "ms": "ms", "msec": "ms", "millisecond": "ms", "milliseconds": "ms",
    "s": "s", "sec": "s", "second": "s", "seconds": "s", "secs": "s",
    "µs": "µs", "us": "µs", "usec": "µs", "microsecond": "µs", "microseconds": "µs",
    "min": "minutes", "minute": "minutes", "minutes": "minutes",
}  # fmt: skip
_COUNTS = ("sample", "samples", "index", "idx", "step", "steps", "row", "frame", "frames")
_VOLTS = {"mv": "mV", "millivolt": "mV", "millivolts": "mV", "uv": "µV", "µv": "µV", "volt": "V", "volts": "V"}
_Z = ("z", "zscore", "z-score", "z_score", "sd")
_CURRENTS = ("pa", "na", "ua", "µa")
_WORDS = re.compile(r"[^\W\d_]+")
_IN_BRACKETS = re.compile(r"[\[(]\s*([^\])]*?)\s*[\])]")
_NEURONS = ("neuron", "cell", "unit", "id", "ids", "channel", "i", "gid", "sender", "senders")
_CLOCKS = ("t", "time", "times", "clock")


class Told(NamedTuple):
    """What a header tells. time, voltage: their units, empty where it tells none; sure: whether the voltage's is a unit and no
    name (`V`); what: another thing that the first column or the others hold ("sample numbers", "z-scores", "pA")."""

    time: str = ""
    voltage: str = ""
    sure: bool = True
    what: str = ""


def told_by(header: Sequence[str]) -> Told:
    """The units of a table with times in its first column and voltages in the others."""
    if not header:
        return Told()
    first, others = header[0], header[1:]
    time = time_unit(first)
    counts = not time and any(word in _COUNTS for word in _words(first)) and not _is_clock(first)
    units = {unit for cell in others if (unit := _voltage_unit(cell))}
    currents = {cell for cell in others if any(word in _CURRENTS for word in _bracketed(cell))}
    if counts:
        return Told(what="sample numbers")
    if currents:
        return Told(time, what="currents")
    if any(word in _Z for cell in others for word in _bracketed(cell)):
        return Told(time, what="z-scores")
    if len(units) > 1:
        return Told(time, what=f"columns in {' and '.join(sorted(units))}")
    if units:
        return Told(time, units.pop())
    return Told(time, "V", sure=False) if others and all(cell.strip() == "V" for cell in others) else Told(time)


def time_unit(cell: str) -> str:
    """The unit of times that a word of a header tells, empty where it tells none."""
    cell = cell.replace("\u03bc", "µ")
    inside = _IN_BRACKETS.search(cell)
    words = _words(inside[1]) if inside else _words(cell)
    return next((_TIMES[word] for word in reversed(words) if word in _TIMES), "")


def are_swapped(header: Sequence[str]) -> bool:
    """Whether the header of a spike file names the neuron first and the time second."""
    return len(header) == 2 and _is_neuron(header[0]) and (_is_clock(header[1]) or bool(time_unit(header[1])))


def _is_clock(cell: str) -> bool:
    return any(word in _CLOCKS for word in _words(cell))


def _is_neuron(cell: str) -> bool:
    return any(word in _NEURONS for word in _words(cell)) and not _is_clock(cell)


def _voltage_unit(cell: str) -> str:
    cell = cell.replace("\u03bc", "µ")
    inside = _IN_BRACKETS.search(cell)
    if (inside and inside[1] == "V") or re.search(r"[_ ]V$", cell):
        return "V"
    return next((_VOLTS[word] for word in _words(cell) if word in _VOLTS), "")


def _bracketed(cell: str) -> list[str]:
    """Words that stand where a unit does: in brackets, or last after a `_`."""
    inside = _IN_BRACKETS.search(cell)
    if inside:
        return [inside[1].lower(), *_words(inside[1])]
    return _words(cell)[-1:] if re.search(r"[_ ]", cell) else []


def _words(cell: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(cell)]
