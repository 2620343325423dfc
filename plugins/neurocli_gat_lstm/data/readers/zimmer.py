"""Whole-brain recordings as the Zimmer lab publishes them: a struct in a MATLAB file, v5 or v7.3.

Kato et al., Cell 163:656 (2015): struct WT_NoStim with deltaFOverF_bc [time, neuron], NeuronNames, tv in s, fps, States.
Nichols et al. (2017), Skora et al. (2018): traces, IDs, timeVectorSeconds. Kaplan et al. (2020): traces_bleach_corrected,
neuron_ID, time_vector. The published files hold several worms: each field is a cell array with one entry for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note, RecordingSet
from neurocli.recordings.files.hdf5 import damage_told
from neurocli.recordings.matlab import MatValue, MatVariables, open_mat
from neurocli.recordings.readers import Reader
from neurocli_gat_lstm.data.readers.spelling import found, missing
from neurocli_gat_lstm.data.worm import (
    DFF,
    GCAMP,
    STANDARD,
    Z_SCORE,
    Worm,
    Worms,
    measured_unit,
    split_name,
    time_first,
    worm_set,
)

_TRACES = ("deltaFOverF_bc", "traces", "traces_bleach_corrected")
_NAMES = ("NeuronNames", "IDs", "neuron_ID")
_TIMES = ("tv", "timeVectorSeconds", "time_vector")
_SOURCES = {"WT_NoStim": "Kato2015"}
"""Structs by which a published file of several worms is known."""
_SENSIBLE = re.compile(r"[A-Za-z][\w.+-]{2,63}")


class ZimmerMatReader(Reader):
    """Reads every struct of traces, neuron names and times, whatever it is called; all worms in it."""

    def can_read(self, path: Path) -> bool:
        if not path.is_file():
            return False
        try:
            with path.open("rb") as file:
                if not file.read(128).startswith((b"MATLAB", b"\x89HDF")):
                    return False
            with open_mat(path) as variables:
                return bool(_structs(variables))
        except DataError:
            # A MATLAB file that cannot be opened has lost its names: reading it says what is wrong.
            return path.suffix.lower() == ".mat"
        except OSError:
            return False

    def read(self, paths: list[Path]) -> RecordingSet:
        return worm_set(paths, worms_of)

    def lacks(self, path: Path) -> str | None:
        try:
            with path.open("rb") as file:
                is_matlab = file.read(128).startswith(b"MATLAB")
            if not is_matlab and path.suffix.lower() != ".mat":
                return None
            with open_mat(path) as variables:
                return _lacks(variables)
        except (DataError, OSError):
            return None


def worms_of(path: Path) -> Worms:
    """The worms of a file in its order. Raises DataError that names the file and the field."""
    with open_mat(path) as variables:
        names = _structs(variables)
        if not names:
            raise DataError(
                f"no struct has the fields of a recording: {_TRACES[0]}, {_NAMES[0]} and {_TIMES[0]}",
                where=str(path),
                hint=f"or {_TRACES[1]}, {_NAMES[1]} and {_TIMES[1]}; save it as one struct",
            )
        for name in names:
            yield from _worms(path, name, variables.value(name), alone=len(names) == 1)


def _structs(variables: MatVariables) -> list[str]:
    """The variables that are recordings, by the fields they have. One with traces and names counts: its times may lack."""
    structs = []
    for name in sorted(variables.names):
        if not name.startswith("#"):
            fields = set(variables.fields(name))
            if _first(_TRACES, fields) and _first((*_NAMES, *_TIMES), fields):
                structs.append(name)
    return structs


def _first(wanted: tuple[str, ...], fields: Iterable[str]) -> str | None:
    """The first of these names that is among the fields, as it is written there: in whatever case, where that is unambiguous."""
    fields = list(fields)
    exact = next((name for name in wanted if name in fields), None)
    return exact or next((there for name in wanted if (there := found(name, fields))), None)


def _lacks(variables: MatVariables) -> str | None:
    """What the struct that comes nearest misses, or that the fields are there and no struct is."""
    names = sorted(name for name in variables.names if not name.startswith("#"))
    nearest: tuple[int, str] | None = None
    for name in names:
        fields = variables.fields(name)
        near = _near(fields)
        if near and (nearest is None or near[0] > nearest[0]):
            nearest = near[0], f"in the struct {name} {near[1]}"
        for inner in fields if nearest is None else ():
            inside = variables.value(name).field(inner)
            if inside.kind == "struct" and _first(_TRACES, inside.fields):
                nearest = 1, f"its fields are in {name}.{inner}: save that struct as a variable of its own"
    if nearest is None and _first(_TRACES, names):
        return f"{_first(_TRACES, names)} is a variable of its own: put traces, names and times into one struct"
    return nearest[1] if nearest else None


def _near(fields: tuple[str, ...]) -> tuple[int, str] | None:
    """(how many of traces, names and times there are, what of them is missing); None where there is nothing like them."""
    kinds = (_TRACES, _NAMES, _TIMES)
    there = [_first(wanted, fields) is not None for wanted in kinds]
    lacking = [missing(wanted[0], fields) for wanted, has in zip(kinds, there, strict=True) if not has]
    if not any(there) and not any("there is" in text for text in lacking):
        return None
    return sum(there), "; ".join(lacking)


def _worms(path: Path, name: str, value: MatValue, *, alone: bool) -> Worms:
    """The worms of one struct: an array of structs, a struct of cell arrays, or a struct of one worm."""
    if value.count > 1:
        cells_of = [_Part(value, number, None) for number in range(value.count)]
    else:
        traces = _Part(value, 0, None).need(_TRACES)
        cells = len(traces.cells()) if traces.kind == "cell" else None
        cells_of = [_Part(value, 0, None)] if cells is None else [_Part(value, 0, number) for number in range(cells)]
    for number, part in enumerate(cells_of):
        if len(cells_of) == 1:
            stated = part.text("dataset")
            source, worm = split_name(stated if _SENSIBLE.fullmatch(stated) else path.stem)
            source = source if alone else f"{source}_{name}"
        else:
            source, worm = _SOURCES.get(name, path.stem if alone else name), f"worm{number}"
        yield f"{path.name}:{name} {worm}", partial(_made, part, source, worm, path)


def _made(part: _Part, source: str, worm: str, path: Path) -> Worm:
    """One worm. It is read after the generator above has handed it out, so what HDF5 says of damage is told here."""
    with damage_told(path):
        return part.worm(source, worm, path)


@dataclass(frozen=True)
class _Part:
    """The fields of one worm: those of element `element`, and of each the cell `cell` where one struct holds all worms."""

    struct: MatValue
    element: int
    cell: int | None

    def worm(self, source: str, worm: str, path: Path) -> Worm:
        traces = self.need(_TRACES)
        times = self.need(_TIMES).vector()
        names = self._names()
        values = time_first(traces.numbers(), len(times), traces.where)
        state, states = self._states(len(times))
        unit = Z_SCORE if measured_unit(values) == Z_SCORE else DFF
        return Worm(
            source=source,
            worm=worm,
            time_s=times,
            traces=values,
            names=names,
            unit=unit,
            where=traces.where,
            file=path.name,
            indicator=GCAMP,  # what these structs are made for: fluorescence over its baseline, with calcium indicators
            normalization_method="dF/F0" if unit == DFF else STANDARD,
            state=state,
            states=states,
            step_s=self._step(),
            notes=self._renamed(),
        )

    def _step(self) -> float | None:
        """The time between frames by the field fps, where there is one number."""
        value = self.get(("fps",))
        if value is None or not value.is_numeric or value.count != 1:
            return None
        rate = float(value.numbers().ravel()[0])
        return 1 / rate if 0 < rate < float("inf") else None

    def _renamed(self) -> list[Note]:
        """That fields were found in another case."""
        there = [(name, wanted) for wanted in (_TRACES, _NAMES, _TIMES) if (name := _first(wanted, self.struct.fields))]
        other = [name for name, wanted in there if name not in wanted]
        return (
            [Note("spelling", self.struct.where, f"fields in another case are read: {', '.join(other)}")]
            if other
            else []
        )

    def need(self, names: tuple[str, ...]) -> MatValue:
        """The first of these fields. Raises DataError where there is none."""
        value = self.get(names)
        if value is None:
            raise DataError(
                f"the field {' or '.join(names)} is missing",
                where=self.struct.where,
                hint=f"the fields are: {', '.join(self.struct.fields)}",
            )
        return value

    def get(self, names: tuple[str, ...]) -> MatValue | None:
        name = _first(names, self.struct.fields)
        if name is None:
            return None
        value = self.struct.field(name, self.element)
        if self.cell is None or value.kind != "cell":
            return value  # what has one value for all worms, as a common frame rate
        cells = value.cells()
        if self.cell >= len(cells):
            raise DataError(
                f"there are {len(cells)} cells, and worm {self.cell + 1} of the file has none",
                where=value.where,
                hint=_HINT,
            )
        return cells[self.cell]

    def text(self, name: str) -> str:
        """A field that may be a text, else ""."""
        value = self.get((name,))
        return value.text() if value is not None and value.kind == "char" else ""

    def _names(self) -> list[str | None]:
        """Of a cell array, or of a character matrix with one row for each neuron, filled up with blanks."""
        value = self.need(_NAMES)
        if value.kind == "char":
            return [name.strip() for name in value.texts()]
        value.need("a cell array of names", {"cell"})
        return [_name(cell) for cell in value.cells()]

    def _states(self, steps: int) -> tuple[NDArray[Any] | None, list[str]]:
        """([time] state, names of the states): a list of numbers, or a struct with an indicator for each state.

        Of a struct the states are numbered in the order of their names, as those who published them as numbers did; a
        frame in none of them has the state -1.
        """
        value = self.get(("States",))
        if value is None or not value.count:
            return None, []
        if value.kind != "struct":
            value.need("states", _STATE_KINDS)
            return _state_numbers(value, steps), []
        state, names = np.full(steps, -1, np.int64), sorted(value.fields)
        for number, name in enumerate(names):
            field = value.field(name)
            on = field.vector()
            if on.shape != (steps,) or not np.isin(on, (0, 1)).all():
                raise DataError(f"an indicator of a state is not {steps} zeros and ones", where=field.where, hint=_HINT)
            state[on.astype(bool)] = number
        return state, names


_HINT = "save the struct again"
_STATE_KINDS = frozenset(
    {"double", "single", "logical", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"}
)


def _state_numbers(value: MatValue, steps: int) -> NDArray[Any]:
    """[time] states of a list of numbers, or of a matrix with one indicator vector for each state."""
    numbers = value.numbers()
    if numbers.ndim == 2 and min(numbers.shape) > 1 and steps in numbers.shape:
        indicators = numbers if numbers.shape[0] == steps else numbers.T
        if not np.isin(indicators, (0, 1)).all():
            raise DataError("the indicators of the states are not zeros and ones", where=value.where, hint=_HINT)
        return np.where(indicators.any(axis=1), indicators.argmax(axis=1), -1)
    return numbers.ravel()


def _name(value: MatValue) -> str | None:
    """The name in a cell; of several candidates the first, as the published sets are used. None where it is empty."""
    while value.kind == "cell":
        cells = [cell for cell in value.cells() if cell.count]
        if not cells:
            return None
        value = cells[0]
    if value.kind == "char":
        return value.text()
    if value.is_numeric:  # a running number, or the empty array of a neuron without a name
        return None
    value.need("the name of a neuron", {"char"})
    return None
