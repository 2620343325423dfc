"""What the footer of a parquet file says of its columns, read without pyarrow, which ends the process over some damaged ones.

The footer is a struct of Thrift's compact protocol: fields as (type, distance to the number of the field before), numbers of
variable length. (Apache Parquet format, `parquet.thrift`; pyarrow 26 calls `std::terminate` over a histogram of the wrong length.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neurocli.errors import DataError

_DEEPEST = 16
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_ROW_GROUPS, _COLUMNS, _ABOUT, _PATH, _NUM_VALUES = 4, 1, 3, 3, 5
"""Numbers of the fields: of the file, a group of rows, a column of it, and what is said about that."""


def values_of(footer: bytes, names: tuple[str, ...], where: str) -> int:
    """How many values the columns of these names claim to have, in all groups of rows. Raises DataError where the footer is damaged."""
    try:
        file = _Compact(footer).struct(0)
        columns = [column for group in _list(file, _ROW_GROUPS) for column in _list(group, _COLUMNS)]
        about = [column[_ABOUT] for column in columns]
        return sum(max(int(one[_NUM_VALUES]), 0) for one in about if _list(one, _PATH)[0].decode() in names)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("the footer of the parquet file is damaged", where=where, hint="download it again") from error


def _list(struct: dict[int, Any], number: int) -> list[Any]:
    values = struct[number]
    if not isinstance(values, list):
        raise TypeError
    return values


class _Compact:
    """Reads values one after the other. Raises IndexError at the end, ValueError for what cannot be."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def struct(self, depth: int) -> dict[int, Any]:
        """Number of a field → its value."""
        if depth > _DEEPEST:
            raise ValueError
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            kind, step = head & 0x0F, head >> 4
            number = number + step if step else self._signed()
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._number())
        if kind in (_LIST, _SET):
            return list(self._items(depth))
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise ValueError  # the parquet format has no maps

    def _items(self, depth: int) -> Iterator[Any]:
        head = self._byte()
        count = head >> 4
        count = self._number() if count == 15 else count
        if count > len(self.content) - self.at:  # each takes a byte at least
            raise ValueError
        for _ in range(count):
            yield self._value(head & 0x0F, depth + 1)

    def _byte(self) -> int:
        self.at += 1
        return self.content[self.at - 1]

    def _bytes(self, length: int) -> bytes:
        self.at += length
        if self.at > len(self.content):
            raise IndexError
        return self.content[self.at - length : self.at]

    def _number(self) -> int:
        """A whole number of variable length: seven bits a byte, the lowest first."""
        number = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise ValueError

    def _signed(self) -> int:
        number = self._number()
        return number >> 1 ^ -(number & 1)
