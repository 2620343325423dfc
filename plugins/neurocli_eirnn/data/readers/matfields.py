"""Fields of a session export: arrays with the axes of the format, lists of numbers or texts, and what was done to read them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note
from neurocli.recordings.matlab import MatValue, MatVariables
from neurocli_eirnn.data.readers import axes as order_of
from neurocli_eirnn.data.readers.axes import Order, Sizes, arranged, orders

SIZES = {"trials": "n_trials", "neurons": "n_neurons", "time": "n_time_bins"}
RATES = ("neurons", "time", "trials")
TARGET = (4, "time", "trials")
SIGNAL = ("time", "trials")
HINT = "export the session again, or add the field"


class Fields:
    """The fields of one file, checked against the sizes that it declares. missing: optional fields that it lacks; notes: what was done."""

    def __init__(self, variables: MatVariables, signals: list[str]) -> None:
        """signals: the fields [time, trial] that every session has."""
        self.variables = variables
        self.names = variables.names
        self.where = str(variables.path)
        self.sizes = Sizes(**{axis: self._size(name) for axis, name in SIZES.items()})
        self.missing: list[str] = []
        self.notes: list[Note] = []
        self.turned: dict[str, list[str]] = {}
        self.reversed = self._are_axes_reversed(signals)

    # -- arrays -------------------------------------------------------------------------------------------------------

    def array(self, field: str, axes: tuple[Any, ...]) -> NDArray[np.float32]:
        """A field as float32 with these axes. Raises DataError before reading where its shape is another."""
        expected, fitting = self.sizes.of(axes), self._fitting(field, axes)
        values = self.variables.numbers(field)
        usual = self._usual(fitting, expected)
        order = self._by_content(field, values, fitting, usual, axes) if len(fitting) > 1 else fitting[0]
        if order != usual or usual != self._straight(expected):
            named = order_of.in_words(order, axes), order_of.in_words(self._straight(expected), axes)
            self.turned.setdefault(f"has its axes as {named[0]}, not {named[1]}", []).append(field)
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is inf, which diagnosis finds
            return arranged(values, expected, order).astype(np.float32)

    def _fitting(self, field: str, axes: tuple[Any, ...]) -> list[Order]:
        """The orders of axes that a field can have, by its shape alone. Raises DataError where there is none."""
        self.require(field)
        expected, shape = self.sizes.of(axes), self.variables.shape(field)
        fitting = orders(shape, expected)
        if not fitting:
            declared = ", ".join(f"{name} = {getattr(self.sizes, axis)}" for axis, name in SIZES.items())
            raise self.error(field, f"the shape is {times(shape)}, not {times(expected)} as {declared} say")
        return fitting

    def turned_notes(self) -> list[Note]:
        """Which fields have their axes otherwise than the format and the other fields."""
        return [
            Note("axes", self.where, f"{', '.join(fields)} {found}: read by the sizes that the file declares")
            for found, fields in self.turned.items()
        ]

    def _straight(self, expected: tuple[int, ...]) -> Order:
        """The order that the file has on the whole."""
        straight = tuple(range(len(expected)))
        return straight[::-1] if self.reversed else straight

    def _usual(self, fitting: list[Order], expected: tuple[int, ...]) -> Order:
        """The order of the file where an array can have it, else the first that it can have."""
        straight = self._straight(expected)
        return next((order for order in fitting if _long(order, expected) == _long(straight, expected)), fitting[0])

    def _by_content(
        self, field: str, values: NDArray[Any], fitting: list[Order], usual: Order, axes: tuple[Any, ...]
    ) -> Order:
        """Of several orders that sizes allow, the one that the content speaks for; doubts where it speaks against the usual one."""
        expected = self.sizes.of(axes)
        if axes != RATES:
            if not order_of.goes_along_second(_as_signal(arranged(values, expected, usual))):
                return usual
            return next(
                (o for o in fitting if not order_of.goes_along_second(_as_signal(arranged(values, expected, o)))), usual
            )
        fits = {order: order_of.padding_fits(arranged(values, expected, order)) for order in fitting}
        if fits[usual] or (fits[usual] is False and not any(fits.values())):
            if not fits[usual]:
                self._doubt_axes(field, "NaN is not in all neurons alike to the end of a trial")
            return usual
        by_padding = next((order for order, fit in fits.items() if fit), None)
        if by_padding is not None:
            return by_padding
        rates = arranged(values, expected, usual)
        if order_of.is_neuron_axis_doubtful(rates, [axis for axis in (1, 2) if expected[axis] == expected[0]]):
            self._doubt_axes(field, "the axis taken for neurons differs less in its mean rates than another")
        elif expected[1] == expected[2] and order_of.is_time_axis_doubtful(rates):
            self._doubt_axes(field, "rates change less along the axis taken for trials than along that taken for time")
        return usual

    def _doubt_axes(self, field: str, found: str) -> None:
        sizes = ", ".join(f"{name} = {getattr(self.sizes, axis)}" for axis, name in SIZES.items())
        advice = f"the sizes ({sizes}) do not tell the axes apart: see that they are neurons x time x trials"
        self.notes.append(Note("axes", f"{self.where}:{field}", found, advice))

    def _are_axes_reversed(self, signals: list[str]) -> bool:
        """Whether the file keeps its arrays the other way round; told by most of the arrays whose shapes can tell."""
        fields = [("firing_rates", RATES), ("input_target_loc", TARGET), *((name, SIGNAL) for name in signals)]
        straight = reverse = 0
        for field, axes in fields:
            expected, fitting = self.sizes.of(axes), self._fitting(field, axes)
            if len(fitting) == 1 and len(_long(fitting[0], expected)) > 1:
                forward = tuple(range(len(expected)))
                straight += _long(fitting[0], expected) == _long(forward, expected)
                reverse += _long(fitting[0], expected) == _long(forward[::-1], expected)
        return reverse > straight

    # -- lists --------------------------------------------------------------------------------------------------------

    def vector(self, field: str, length: int) -> NDArray[np.float64]:
        """[length] numbers. Raises DataError."""
        self.require(field)
        shape = self.variables.shape(field)
        if max(shape, default=1) != length or np.prod(shape, dtype=object) != length:
            raise self.error(field, f"the shape is {times(shape)}, not {length} x 1")
        return self.variables.numbers(field).astype(np.float64).ravel()

    def items(self, field: str, length: int) -> list[Any]:
        """Numbers, or the texts of a cell array or of the rows of a char array. Raises DataError."""
        self.require(field)
        value = self.variables.value(field)
        if value.is_numeric:
            return self.vector(field, length).tolist()
        if value.kind == "char":
            return self._rows(field, length)
        cells = value.cells()
        if len(cells) != length:
            raise self.error(field, f"the shape is {times(value.shape)}, not {length} x 1")
        return [cell.text() if cell.kind == "char" else _single(cell) for cell in cells]

    def _rows(self, field: str, length: int) -> list[Any]:
        """The rows of a char array; a character each of one row of that length; one text for all."""
        rows = self.variables.texts(field)
        if len(rows) == length:
            return list(rows)
        if len(rows) == 1:
            each = len(rows[0]) == length and set(rows[0]) <= set("EIei12")
            return list(rows[0]) if each else rows * length
        raise self.error(field, f"there are {len(rows)} rows of text, not {length}")

    def optional(self, field: str, length: int) -> NDArray[np.float64] | None:
        """Numbers of a field that may be absent; a MATLAB object is left out, with a note."""
        return self.vector(field, length) if self.has(field) else None

    def has(self, field: str) -> bool:
        """Whether an optional field can be read: what is absent, or a MATLAB object, is listed as missing."""
        if field not in self.names:
            near = self.near(field)
            if near:
                self.notes.append(
                    Note(
                        "names",
                        f"{self.where}:{near}",
                        f"this was not read as {field}",
                        f"rename it to {field}, if it is that",
                    )
                )
            self.missing.append(field)
            return False
        kind = self.kind(field)
        if kind in ("cell", "char", "struct") or kind is None:
            return True
        self.skipped(field, f"a MATLAB object ({kind}) was skipped: only plain arrays are read")
        return False

    def kind(self, field: str) -> str | None:
        """The class of what is no array of numbers; None for numbers."""
        try:
            value = self.variables.value(field)
        except DataError:  # whoever reads it says what is wrong
            return None
        return None if value.is_numeric else value.kind

    def is_logical(self, field: str) -> bool:
        """Whether a field is an array of true and false."""
        return self.variables.value(field).kind == "logical"

    def skipped(self, field: str, found: str) -> None:
        """An optional field that is there and is not used."""
        self.missing.append(field)
        self.notes.append(
            Note("skipped", self.variables.where(field), found, "export it as numbers, char or a cell array of texts")
        )

    def scalar(self, field: str) -> float:
        """One number. Raises DataError."""
        return float(self.vector(field, 1)[0])

    def _size(self, field: str) -> int:
        value = self.scalar(field)
        if not (np.isfinite(value) and value >= 1 and value == round(value)):
            raise self.error(field, f"the value is {value:g}, not a number of at least 1")
        return int(value)

    def require(self, field: str) -> None:
        """Raises DataError where a field is absent."""
        if field not in self.names:
            near = self.near(field)
            hint = f"rename {near} to {field}" if near else HINT
            raise self.error(field, f"the required field {field} is missing", hint=hint)

    def near(self, field: str) -> str | None:
        """A variable of that name in other capitals, or with other underscores."""
        return next((name for name in sorted(self.names) if bare(name) == bare(field)), None)

    def error(self, field: str, message: str, *, hint: str = HINT) -> DataError:
        return DataError(message, where=self.variables.where(field), hint=hint)


def bare(name: str) -> str:
    """A name without capitals and underscores."""
    return name.lower().replace("_", "")


def times(shape: tuple[int, ...]) -> str:
    """`30 x 119`."""
    return " x ".join(str(size) for size in shape) or "empty"


def _long(order: Order, expected: tuple[int, ...]) -> Order:
    """Without axes of length 1, which may be anywhere."""
    return tuple(axis for axis in order if expected[axis] != 1)


def _as_signal(values: NDArray[Any]) -> NDArray[Any]:
    """[time, trial] of one signal, or of whether any of several is on."""
    return values if values.ndim == 2 else values.max(axis=0)


def _single(cell: MatValue) -> float:
    values = cell.vector()
    if len(values) != 1:
        raise DataError(
            f"a cell holds {len(values)} numbers, not one", where=cell.where, hint="one text or number a cell"
        )
    return float(values[0])
