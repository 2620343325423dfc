"""One value of a MATLAB file, whichever container it lies in: looked into step by step, read only where asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError, nearest_hint

NUMERIC = frozenset({"double", "single", "logical"} | {f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)})
LONGEST_TEXT = 4096
DEEPEST = 16
"""Cells in cells in structs: nobody nests deeper, and a damaged file could go round in a circle."""
MOST_PARTS = 1_000_000
"""Cells of one array, or fields of one struct times its elements."""

_READ_KINDS = NUMERIC | {"char", "struct", "cell"}


class MatValue(ABC):
    """A value with MATLAB's class and shape, in MATLAB's axis order.

    where: file and path of the value, as `file.mat:WT.traces{2}`; kind: MATLAB's class; "complex", "sparse", "object",
    "function" and "opaque" are named, and refused by every method that would read them.
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

    @abstractmethod
    def text(self) -> str:
        """The text of a char array of one row, without white space around it. Raises DataError."""

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

    def need(self, what: str, kinds: frozenset[str] | set[str]) -> None:
        """Raise DataError unless the class is one of `kinds`."""
        if self.kind in kinds:
            return
        if self.kind in _READ_KINDS:
            raise DataError(f"there is a {self.kind} array in the place of {what}", where=self.where, hint=_PLAIN)
        raise DataError(f"there is a MATLAB {self.kind} here, which is never read", where=self.where, hint=_PLAIN)

    def need_text(self) -> None:
        """Raise DataError unless this is a short char array of one row."""
        self.need("a text", {"char"})
        if self.count > LONGEST_TEXT:
            raise DataError("the text is too long for a name", where=self.where, hint="export it with a shorter one")
        if sum(size != 1 for size in self.shape) > 1 and self.count:
            raise DataError("the text has several rows", where=self.where, hint="export it as a cell array of texts")

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


_PLAIN = "export it as a plain array, struct or cell array"
