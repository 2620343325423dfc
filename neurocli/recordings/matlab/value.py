"""One value of a MATLAB file, whichever container it lies in: looked into step by step, read only where asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError, nearest_hint
from neurocli.recordings.matlab.classes import NUMERIC, READ, refusal

LONGEST_TEXT = 4096
DEEPEST = 16
"""Cells in cells in structs: nobody nests deeper, and a damaged file could go round in a circle."""
MOST_PARTS = 1_000_000
"""Cells of one array, or fields of one struct times its elements."""


class MatValue(ABC):
    """A value with MATLAB's class and shape, in MATLAB's axis order.

    where: file and path of the value, as `file.mat:WT.traces{2}`; kind: MATLAB's class, "string", "table" or any other of an
    object; "complex", "function_handle" and objects are refused by every method that would read them. A sparse matrix is of
    the class of its values, and is read as a full one.
    """

    where: str
    kind: str
    shape: tuple[int, ...]
    depth: int

    @property
    def count(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def is_numeric(self) -> bool:
        return self.kind in NUMERIC

    @abstractmethod
    def numbers(self) -> NDArray[Any]:
        """The values of a numeric array, in its shape. Raises DataError where it is of another class, too large or damaged."""

    def text(self) -> str:
        """The text of a char array of one row, without what pads it. Raises DataError."""
        self.need_text()
        return _text_of(self.code_units()) if self.count else ""

    @abstractmethod
    def cells(self) -> list[MatValue]:
        """The cells of a cell array, down its columns. Raises DataError."""

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...]:
        """The names of a struct's fields; none for any other class."""

    @abstractmethod
    def field(self, name: str, number: int = 0) -> MatValue:
        """A field of a struct; of an array of structs, that of element `number`. Raises DataError."""

    def vector(self) -> NDArray[Any]:
        """The values [n] of a numeric array with one axis longer than 1. Raises DataError."""
        self.need("numbers", NUMERIC)
        if self.count != max(self.shape, default=1):
            size = " x ".join(str(length) for length in self.shape)
            raise DataError(
                f"the shape is {size}, not that of a list", where=self.where, hint="export it as n x 1 or 1 x n"
            )
        return self.numbers().ravel()

    def texts(self) -> list[str]:
        """The texts of a cell array of texts, or the rows of a char matrix, without what pads them. Raises DataError."""
        if self.kind == "cell":
            return [cell.text() if cell.count else "" for cell in self.cells()]
        self.need("texts", {"cell", "char"})
        if not self.count:
            return []
        if len(self.shape) > 2 or self.count > MOST_PARTS:
            raise DataError("the texts are no rows of a char matrix", where=self.where, hint=_CELLSTR)
        height, width = (1,) * (2 - len(self.shape)) + self.shape
        units = self.code_units()
        if units.size != self.count:
            raise DataError(
                f"there are {units.size} characters for {height} x {width}", where=self.where, hint=_CELLSTR
            )
        return [_text_of(row) for row in units.reshape(width, height).T]

    @abstractmethod
    def code_units(self) -> NDArray[np.uint16]:
        """[n] The characters of a char array in UTF-16, down its columns. Raises DataError."""

    def need(self, what: str, kinds: frozenset[str] | set[str]) -> None:
        """Raise DataError unless the class is one of `kinds`."""
        if self.kind in kinds:
            return
        if self.kind in READ:
            raise DataError(f"there is a {self.kind} array in the place of {what}", where=self.where, hint=_PLAIN)
        raise refusal(self.kind, self.where)

    def need_text(self) -> None:
        """Raise DataError unless this is a short char array of one row."""
        self.need("a text", {"char"})
        if self.count > LONGEST_TEXT:
            raise DataError("the text is too long for a name", where=self.where, hint="export it with a shorter one")
        if sum(size != 1 for size in self.shape) > 1 and self.count:
            raise DataError("the text has several rows", where=self.where, hint=_CELLSTR)

    def need_parts(self, count: int) -> None:
        """Raise DataError where a cell array or a struct has more parts, or lies deeper, than anything real does."""
        if count > MOST_PARTS:
            raise DataError(f"an array claims {count} parts", where=self.where, hint="the file is damaged or hostile")
        if self.depth >= DEEPEST:
            raise DataError(
                f"the values are nested more than {DEEPEST} deep",
                where=self.where,
                hint="the file is damaged or hostile",
            )

    def missing(self, name: str) -> DataError:
        """The error for a field that is not there."""
        return DataError(f"the field {name} is missing", where=self.where, hint=nearest_hint(name, self.fields))


def code_units_of(text: str) -> NDArray[np.uint16]:
    """[n] A text in UTF-16."""
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2")


def _text_of(units: NDArray[np.uint16]) -> str:
    """A text out of its code units, without white space around it, and the zeros of fixed-length characters."""
    text = np.ascontiguousarray(units, "<u2").tobytes().decode("utf-16-le", errors="replace")
    return text.strip().strip("\0").strip()


_CELLSTR = "export it as a cell array of characters (cellstr)"
_PLAIN = "export it as a plain array, struct or cell array"
