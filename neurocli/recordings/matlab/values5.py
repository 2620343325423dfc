"""Values of a MATLAB v5 file, structs and cells included: an array's content is unpacked once, its parts are views of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.files import memory
from neurocli.recordings.matlab.classes import NUMERIC
from neurocli.recordings.matlab.decode5 import decode_fields, decode_numbers, decode_text, item_bytes
from neurocli.recordings.matlab.elements5 import Elements, Head, head_of
from neurocli.recordings.matlab.mat5 import MATRIX
from neurocli.recordings.matlab.value import MatValue, code_units_of


class Value5(MatValue):
    """An array of which the content is in memory. `elements` stand before its head."""

    def __init__(self, where: str, elements: Elements, depth: int = 0) -> None:
        self.where, self.depth, self._elements = where, depth, elements
        if elements.left:
            self._head = head_of(elements)
        else:  # how MATLAB writes an empty cell or field
            self._head = Head("", "double", (0, 0), 0)
        self.kind, self.shape = self._head.kind, self._head.shape
        self._parts: list[MatValue] | None = None
        self._fields: tuple[str, ...] | None = None

    def numbers(self) -> NDArray[Any]:
        self.need("numbers", NUMERIC)
        if not self.count:
            return np.zeros(self.shape)
        elements = self._at_values()
        if not self._head.sparse:
            most = elements.left  # stored in one byte each, at least
            memory.take(min(self.count, most) * item_bytes(self.kind), self.where)
        return decode_numbers(elements, self._head, self.where)

    def code_units(self) -> NDArray[np.uint16]:
        return code_units_of(decode_text(self._at_values()))

    def cells(self) -> list[MatValue]:
        self.need("a cell array", {"cell"})
        if self._parts is None:
            self.need_parts(self.count)
            elements = self._at_values()
            self._parts = [self._part(elements, f"{self.where}{{{n + 1}}}") for n in range(self.count)]
        return self._parts

    @property
    def fields(self) -> tuple[str, ...]:
        if self.kind != "struct":
            return ()
        if self._fields is None:
            self._fields = decode_fields(self._at_values())
        return self._fields

    def field(self, name: str, number: int = 0) -> MatValue:
        self.need("a struct", {"struct"})
        if name not in self.fields or not 0 <= number < self.count:
            raise self.missing(name)
        if self._parts is None:
            self.need_parts(self.count * len(self.fields))
            elements = self._at_values()
            decode_fields(elements)
            places = [f"{self.where}({n + 1})" for n in range(self.count)] if self.count > 1 else [self.where]
            self._parts = [self._part(elements, f"{place}.{field}") for place in places for field in self.fields]
        return self._parts[number * len(self.fields) + self.fields.index(name)]

    def _at_values(self) -> Elements:
        return self._elements.copy_at(self._head.values_at)

    def _part(self, elements: Elements, where: str) -> Value5:
        kind, content = elements.next()
        if kind != MATRIX:
            raise elements.damaged()
        return Value5(where, Elements(elements.path, elements.position, elements.order, content), self.depth + 1)
