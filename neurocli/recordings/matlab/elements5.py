"""The elements of a MATLAB v5 file, one after the other: each is walked over only after its length has been checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings.matlab.classes import COMPLEX, FUNCTION, NUMERIC, OBJECT, of_object

INT8, INT32, UINT32 = 1, 5, 6
HINT = "copy or export it again"
NAME_BYTES = 256
_CLASSES = {6: "double", 7: "single", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32"}
_CLASSES |= {14: "int64", 15: "uint64", 1: "cell", 2: "struct", 3: OBJECT, 4: "char", 5: "double", 16: FUNCTION}
_SPARSE, _OPAQUE = 5, 17
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_DIMENSIONS = 32


@dataclass(frozen=True)
class Head:
    """How an array begins: kind is MATLAB's class (logical and complex have precedence); that of an object is its name."""

    name: str
    kind: str
    shape: tuple[int, ...]
    values_at: int
    """Where the values begin in the array's content."""
    sparse: bool = False


class Elements:
    """Walks the elements of an array's content. Raises DataError where one does not fit."""

    def __init__(self, path: Path, position: int, order: str, content: bytes | memoryview, start: int = 0) -> None:
        self.path, self.position, self.order = path, position, order
        self._content, self.at = memoryview(content), start

    def damaged(self) -> DataError:
        return damaged(self.path, self.position)

    def copy_at(self, start: int) -> Elements:
        """The same content from another place on."""
        return Elements(self.path, self.position, self.order, self._content, start)

    @property
    def left(self) -> int:
        """Bytes that have not been walked over."""
        return max(len(self._content) - self.at, 0)

    def next(self) -> tuple[int, memoryview]:
        """(type, content) of the next element."""
        tag = self._content[self.at : self.at + 8]
        if len(tag) < 8:
            raise self.damaged()
        kind, length = (int(value) for value in np.frombuffer(tag, f"{self.order}u4"))
        if kind >> 16:  # a small element: length and type share a word, up to four bytes follow
            kind, length = kind & 0xFFFF, kind >> 16
            if length > 4:
                raise self.damaged()
            self.at += 8
            return kind, tag[4 : 4 + length]
        values = self._content[self.at + 8 : self.at + 8 + length]
        if len(values) != length:
            raise self.damaged()
        self.at += 8 + length + (-length) % 8
        return kind, values


def head_of(elements: Elements) -> Head:
    """What an array's head says. Of an object of MATLAB's own, which has another layout, only name and class are known."""
    kind, flags = elements.next()
    if kind != UINT32 or len(flags) != 8:
        raise elements.damaged()
    word = int(np.frombuffer(flags, f"{elements.order}u4")[0])
    number = word & 0xFF
    if number == _OPAQUE:
        name = _name(elements)
        if elements.left:
            _name(elements)  # which system of classes it is of, as `MCOS`
        return Head(name, of_object(_name(elements) if elements.left else ""), (), elements.at)
    kind, dimensions = elements.next()
    if kind != INT32 or len(dimensions) % 4 or not 8 <= len(dimensions) <= 4 * _DIMENSIONS:
        raise elements.damaged()
    shape = tuple(int(size) for size in np.frombuffer(dimensions, f"{elements.order}i4"))
    name = _name(elements)
    if min(shape) < 0 or number not in _CLASSES:
        raise elements.damaged()
    described = _CLASSES[number]
    if described == OBJECT and elements.left:
        described = of_object(_name(elements))
    if described in NUMERIC:
        described = COMPLEX if word & _COMPLEX else "logical" if word & _LOGICAL else described
    return Head(name, described, shape, elements.at, number == _SPARSE)


def _name(elements: Elements) -> str:
    """The next element, which is a name. Raises DataError where it is none."""
    kind, name = elements.next()
    if kind != INT8 or len(name) > NAME_BYTES:
        raise elements.damaged()
    return bytes(name).decode("latin-1")


def damaged(path: Path, position: int) -> DataError:
    return DataError("the MATLAB file is damaged", where=f"{path}, byte {position}", hint=HINT)
