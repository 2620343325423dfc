"""Whole-brain recordings as the Zimmer lab publishes them: a struct in a MATLAB file, v5 or v7.3.

Kato et al., Cell 163:656 (2015): struct WT_NoStim with deltaFOverF_bc [time, neuron], NeuronNames, tv in s, fps, States.
Nichols et al. (2017), Skora et al. (2018): traces, IDs, timeVectorSeconds. Kaplan et al. (2020): traces_bleach_corrected,
neuron_ID, time_vector. The published files hold several worms: each field is a cell array with one entry for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.matlab import MatValue, MatVariables, open_mat
from neurocli.recordings.readers import Reader
from neurocli.recordings.recordingset import RecordingSet
from neurocli_gat_lstm.data.worm import DFF, GCAMP, Worm, split_name, worm_set

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
        return worm_set((worm.recording() for path in paths for worm in read_worms(path)), paths)


def read_worms(path: Path) -> Iterator[Worm]:
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
            if fields.intersection(_TRACES) and fields.intersection((*_NAMES, *_TIMES)):
                structs.append(name)
    return structs


def _worms(path: Path, name: str, value: MatValue, *, alone: bool) -> Iterator[Worm]:
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
        yield part.worm(source, worm, path)


@dataclass(frozen=True)
class _Part:
    """The fields of one worm: those of element `element`, and of each the cell `cell` where one struct holds all worms."""

    struct: MatValue
    element: int
    cell: int | None

    def worm(self, source: str, worm: str, path: Path) -> Worm:
        traces = self.need(_TRACES)
        values, times = traces.numbers(), self.need(_TIMES).vector()
        if values.ndim != 2:
            raise DataError(f"the traces have {values.ndim} dimensions, not 2", where=traces.where, hint=_HINT)
        names = self._names()
        if values.shape != (len(times), len(names)) and values.shape == (len(names), len(times)):
            values = values.T
        state, states = self._states(len(times))
        return Worm(
            source=source,
            worm=worm,
            time_s=times,
            traces=values,
            names=names,
            unit=DFF,
            where=traces.where,
            file=path.name,
            indicator=GCAMP,  # what these structs are made for: fluorescence over its baseline, with calcium indicators
            normalization_method="dF/F0",
            state=state,
            states=states,
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
        name = next((name for name in names if name in self.struct.fields), None)
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
        value = self.need(_NAMES)
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
