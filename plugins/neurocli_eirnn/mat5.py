"""MATLAB v5 files: the plain arrays in them, read with every length checked before it is used.

Not through scipy, whose reader crashes the process on some damaged files. Cells, structures, objects and functions are
listed and never read. The container: 128 bytes of header, then elements (type, length, content), each an array or an
array packed by zlib; an array is itself elements: flags, dimensions, name, values.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.hdf5 import LARGEST_ARRAY_BYTES, LARGEST_EXPANSION

HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_INT8, _INT32, _UINT32 = 1, 5, 6
# Types of stored values: MATLAB keeps an array in the smallest type that holds its values.
_VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CLASSES = {6: "double", 7: "single", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32"}
_CLASSES |= {14: "int64", 15: "uint64", 1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 16: "function"}
_DTYPES = {"double": "f8", "single": "f4", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4"}
_DTYPES |= {"uint32": "u4", "int64": "i8", "uint64": "u8", "logical": "u1"}
NUMERIC = frozenset(_DTYPES)
_OPAQUE = 17
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_NAME_BYTES, _DIMENSIONS = 256, 32
_HEAD_BYTES = 4096
"""Flags, dimensions and name fit into this with room to spare."""

HINT = "copy or export it again"


@dataclass(frozen=True)
class Entry:
    """One array of a file: kind is MATLAB's class (logical and complex have precedence); position and length of its element."""

    name: str
    kind: str
    shape: tuple[int, ...]
    position: int
    length: int
    packed: bool
    values_at: int
    """Where the values begin in the array's content."""
    size: int
    """Length of the array's content, unpacked."""


def entries(path: Path) -> dict[str, Entry]:
    """The arrays of a file by name. Raises DataError where it is truncated or damaged."""
    size = path.stat().st_size
    found: dict[str, Entry] = {}
    with path.open("rb") as file:
        order = byte_order(file.read(HEADER_BYTES))
        position = HEADER_BYTES
        while position < size:
            file.seek(position)
            tag = file.read(8)
            kind, length = (int(value) for value in np.frombuffer(tag.ljust(8, b"\0"), f"{order}u4"))
            if position + 8 + length > size or len(tag) < 8:
                break
            if kind not in (_MATRIX, _COMPRESSED):
                raise _damaged(path, position)
            packed = kind == _COMPRESSED
            head = file.read(min(length, _HEAD_BYTES))
            entry = _entry(path, order, position, length, packed, head)
            if entry is not None:
                found[entry.name] = entry
            position += 8 + length
    if position != size or size <= HEADER_BYTES:
        raise DataError("the MATLAB file is truncated", where=f"{path}, byte {size}", hint=HINT)
    return found


def read_numbers(path: Path, entry: Entry) -> NDArray[np.generic]:
    """The values of a numeric array in its shape and class. Raises DataError where they are damaged or too many."""
    item = np.dtype(_DTYPES[entry.kind]).itemsize
    _check_size(path, entry, item)
    content, order = _content(path, entry)
    kind, values = _Elements(path, entry.position, order, content, entry.values_at).next()
    count = int(np.prod(entry.shape, dtype=object))
    stored = np.dtype(f"{order}{_VALUES[kind]}") if kind in _VALUES else None
    if stored is None or len(values) != count * stored.itemsize:
        raise _damaged(path, entry.position)
    numbers = np.frombuffer(values, stored).astype(_DTYPES[entry.kind])
    return numbers.reshape(entry.shape, order="F")


def read_text(path: Path, entry: Entry) -> str:
    """The characters of a char array. Raises DataError where they are damaged."""
    _check_size(path, entry, 4)
    content, order = _content(path, entry)
    kind, values = _Elements(path, entry.position, order, content, entry.values_at).next()
    if kind not in _TEXTS:
        raise _damaged(path, entry.position)
    encoding = _TEXTS[kind]
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if order == "<" else "-be"
    return bytes(values).decode(encoding, errors="replace")


def byte_order(header: bytes) -> str:
    """`<` or `>`, as the last two bytes of a file's header say."""
    return ">" if header[126:128] == b"MI" else "<"


class _Elements:
    """Walks the elements of an array's content. Raises DataError where one does not fit."""

    def __init__(self, path: Path, position: int, order: str, content: bytes, start: int = 0) -> None:
        self._path, self._position, self._order = path, position, order
        self._content, self.at = memoryview(content), start

    def next(self) -> tuple[int, memoryview]:
        """(type, content) of the next element."""
        tag = self._content[self.at : self.at + 8]
        if len(tag) < 8:
            raise _damaged(self._path, self._position)
        kind, length = (int(value) for value in np.frombuffer(tag, f"{self._order}u4"))
        if kind >> 16:  # a small element: length and type share a word, up to four bytes follow
            kind, length = kind & 0xFFFF, kind >> 16
            if length > 4:
                raise _damaged(self._path, self._position)
            self.at += 8
            return kind, tag[4 : 4 + length]
        values = self._content[self.at + 8 : self.at + 8 + length]
        if len(values) != length:
            raise _damaged(self._path, self._position)
        self.at += 8 + length + (-length) % 8
        return kind, values


def _entry(path: Path, order: str, position: int, length: int, packed: bool, head: bytes) -> Entry | None:
    """What an array's head says; None for an object of MATLAB's own, which has another layout."""
    size = length
    if packed:
        try:
            head = zlib.decompressobj().decompress(head, _HEAD_BYTES)
        except zlib.error:
            raise _damaged(path, position) from None
        tag = np.frombuffer(head[:8], f"{order}u4") if len(head) >= 8 else np.zeros(2, "u4")
        if tag[0] != _MATRIX:
            raise _damaged(path, position)
        head, size = head[8:], int(tag[1])
    elements = _Elements(path, position, order, head)
    kind, flags = elements.next()
    if kind != _UINT32 or len(flags) != 8:
        raise _damaged(path, position)
    word = int(np.frombuffer(flags, f"{order}u4")[0])
    if word & 0xFF == _OPAQUE:
        return None
    kind, dimensions = elements.next()
    if kind != _INT32 or len(dimensions) % 4 or not 8 <= len(dimensions) <= 4 * _DIMENSIONS:
        raise _damaged(path, position)
    shape = tuple(int(one) for one in np.frombuffer(dimensions, f"{order}i4"))
    kind, name = elements.next()
    if kind != _INT8 or len(name) > _NAME_BYTES or min(shape) < 0 or word & 0xFF not in _CLASSES:
        raise _damaged(path, position)
    described = "complex" if word & _COMPLEX else "logical" if word & _LOGICAL else _CLASSES[word & 0xFF]
    text = bytes(name).decode("latin-1")
    return Entry(text, described, shape, position, length, packed, elements.at, size)


def _content(path: Path, entry: Entry) -> tuple[bytes, str]:
    """(an array's content, byte order); a packed one is unpacked up to the length it claims, and its checksum compared."""
    with path.open("rb") as file:
        order = byte_order(file.read(HEADER_BYTES))
        file.seek(entry.position + 8)
        content = file.read(entry.length)
    if entry.packed:
        unpacker = zlib.decompressobj()
        try:
            unpacked = unpacker.decompress(content, 8 + entry.size)
            unpacker.decompress(unpacker.unconsumed_tail, 1)
        except zlib.error:
            raise _damaged(path, entry.position) from None
        if len(unpacked) != 8 + entry.size or not unpacker.eof:
            raise _damaged(path, entry.position)
        content = unpacked[8:]
    return content, order


def _check_size(path: Path, entry: Entry, item_bytes: int) -> None:
    """Raise DataError where an array claims more than a file of this size can hold."""
    on_disk = path.stat().st_size
    size = max(int(np.prod(entry.shape, dtype=object)) * item_bytes, entry.size)
    if size > min(LARGEST_ARRAY_BYTES, LARGEST_EXPANSION * on_disk):
        raise DataError(
            f"an array claims {size / 2**30:.1f} GiB in a file of {on_disk} bytes",
            where=f"{path}:{entry.name}",
            hint="the file is damaged or hostile",
        )


def _damaged(path: Path, position: int) -> DataError:
    return DataError("the MATLAB file is damaged", where=f"{path}, byte {position}", hint=HINT)
