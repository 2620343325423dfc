"""MATLAB v5 files: the arrays in them, read with every length checked before it is used.

Not through scipy, whose reader crashes the process on some damaged files. Objects and functions are listed and never
read; what lies in structs and cells is the matter of `values5`. The container: 128 bytes of header, then elements
(type, length, content), each an array or an array packed by zlib; an array is itself elements: flags, dimensions, name,
values.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory

HEADER_BYTES = 128
MATRIX, _COMPRESSED = 14, 15
INT8, INT32, _UINT32 = 1, 5, 6
# Types of stored values: MATLAB keeps an array in the smallest type that holds its values.
_VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CLASSES = {6: "double", 7: "single", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32"}
_CLASSES |= {14: "int64", 15: "uint64", 1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 16: "function"}
_DTYPES = {"double": "f8", "single": "f4", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4"}
_DTYPES |= {"uint32": "u4", "int64": "i8", "uint64": "u8", "logical": "u1"}
_OPAQUE = 17
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_NAME_BYTES, _DIMENSIONS = 256, 32
_HEAD_BYTES = 65536
"""Flags, dimensions and name fit into this with room to spare, and so do the names of a struct's fields."""

HINT = "copy or export it again"


@dataclass(frozen=True)
class Head:
    """How an array begins: kind is MATLAB's class (logical and complex have precedence)."""

    name: str
    kind: str
    shape: tuple[int, ...]
    values_at: int
    """Where the values begin in the array's content."""


@dataclass(frozen=True)
class Entry(Head):
    """One array of a file, with position and length of its element."""

    position: int
    length: int
    packed: bool
    size: int
    """Length of the array's content, unpacked."""


def entries(path: Path) -> dict[str, Entry]:
    """The arrays of a file by name. Raises DataError where it is truncated or damaged."""
    size = path.stat().st_size
    entries: dict[str, Entry] = {}
    with path.open("rb") as file:
        order = byte_order(file.read(HEADER_BYTES))
        position = HEADER_BYTES
        while position < size:
            file.seek(position)
            tag = file.read(8)
            kind, length = (int(value) for value in np.frombuffer(tag.ljust(8, b"\0"), f"{order}u4"))
            if position + 8 + length > size or len(tag) < 8:
                break
            if kind not in (MATRIX, _COMPRESSED):
                raise _damaged(path, position)
            packed = kind == _COMPRESSED
            head = file.read(min(length, _HEAD_BYTES))
            entry = _entry(path, order, position, length, packed, head)
            if entry.name:  # what has none is MATLAB's own storage of objects
                entries[entry.name] = entry
            position += 8 + length
    if position != size or size <= HEADER_BYTES:
        raise DataError("the MATLAB file is truncated", where=f"{path}, byte {size}", hint=HINT)
    return entries


def read_numbers(path: Path, entry: Entry) -> NDArray[np.generic]:
    """The values of a numeric array in its shape and class. Raises DataError where they are damaged or too many."""
    _check_size(path, entry, np.dtype(_DTYPES[entry.kind]).itemsize)
    content, order = content_of(path, entry)
    return decode_numbers(Elements(path, entry.position, order, content, entry.values_at), entry)


def read_text(path: Path, entry: Entry) -> str:
    """The characters of a char array. Raises DataError where they are damaged."""
    _check_size(path, entry, 4)
    content, order = content_of(path, entry)
    return decode_text(Elements(path, entry.position, order, content, entry.values_at))


def read_fields(path: Path, entry: Entry) -> tuple[str, ...]:
    """The names of a struct's fields, from the start of its content alone. Raises DataError where they are damaged."""
    with path.open("rb") as file:
        order = byte_order(file.read(HEADER_BYTES))
        file.seek(entry.position + 8)
        head = file.read(min(entry.length, _HEAD_BYTES))
    if entry.packed:
        head = _unpacked_head(path, entry.position, head)[8:]
    return decode_fields(Elements(path, entry.position, order, head, entry.values_at))


def decode_numbers(elements: Elements, head: Head) -> NDArray[np.generic]:
    """The values of a numeric array of which `elements` are about to give the values."""
    kind, values = elements.next()
    stored = np.dtype(f"{elements.order}{_VALUES[kind]}") if kind in _VALUES else None
    if stored is None or len(values) != int(np.prod(head.shape, dtype=object)) * stored.itemsize:
        raise elements.damaged()
    return np.frombuffer(values, stored).astype(_DTYPES[head.kind]).reshape(head.shape, order="F")


def decode_text(elements: Elements) -> str:
    """The characters of a char array."""
    kind, values = elements.next()
    if kind not in _TEXTS:
        raise elements.damaged()
    encoding = _TEXTS[kind]
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if elements.order == "<" else "-be"
    return bytes(values).decode(encoding, errors="replace")


def decode_fields(elements: Elements) -> tuple[str, ...]:
    """The names of a struct's fields: each takes the same number of bytes, zeros at its end."""
    kind, width = elements.next()
    if kind != INT32 or len(width) != 4:
        raise elements.damaged()
    step = int(np.frombuffer(width, f"{elements.order}i4")[0])
    kind, names = elements.next()
    if kind != INT8 or not 0 < step <= _NAME_BYTES or len(names) % step:
        raise elements.damaged()
    texts = [bytes(names[at : at + step]).partition(b"\0")[0] for at in range(0, len(names), step)]
    return tuple(text.decode("latin-1") for text in texts)


def byte_order(header: bytes) -> str:
    """`<` or `>`, as the last two bytes of a file's header say."""
    return ">" if header[126:128] == b"MI" else "<"


class Elements:
    """Walks the elements of an array's content. Raises DataError where one does not fit."""

    def __init__(self, path: Path, position: int, order: str, content: bytes | memoryview, start: int = 0) -> None:
        self.path, self.position, self.order = path, position, order
        self._content, self.at = memoryview(content), start

    def damaged(self) -> DataError:
        return _damaged(self.path, self.position)

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
    """What an array's head says. Of an object of MATLAB's own, which has another layout, only the name is known."""
    kind, flags = elements.next()
    if kind != _UINT32 or len(flags) != 8:
        raise elements.damaged()
    word = int(np.frombuffer(flags, f"{elements.order}u4")[0])
    if word & 0xFF == _OPAQUE:
        kind, name = elements.next()
        known = kind == INT8 and len(name) <= _NAME_BYTES
        return Head(bytes(name).decode("latin-1") if known else "", "opaque", (), elements.at)
    kind, dimensions = elements.next()
    if kind != INT32 or len(dimensions) % 4 or not 8 <= len(dimensions) <= 4 * _DIMENSIONS:
        raise elements.damaged()
    shape = tuple(int(size) for size in np.frombuffer(dimensions, f"{elements.order}i4"))
    kind, name = elements.next()
    if kind != INT8 or len(name) > _NAME_BYTES or min(shape) < 0 or word & 0xFF not in _CLASSES:
        raise elements.damaged()
    described = "complex" if word & _COMPLEX else "logical" if word & _LOGICAL else _CLASSES[word & 0xFF]
    return Head(bytes(name).decode("latin-1"), described, shape, elements.at)


def _entry(path: Path, order: str, position: int, length: int, packed: bool, head: bytes) -> Entry:
    """One array of the file, by what its head says."""
    size = length
    if packed:
        head = _unpacked_head(path, position, head)
        tag = np.frombuffer(head[:8], f"{order}u4") if len(head) >= 8 else np.zeros(2, "u4")
        if tag[0] != MATRIX:
            raise _damaged(path, position)
        head, size = head[8:], int(tag[1])
    inner_head = head_of(Elements(path, position, order, head))
    return Entry(
        inner_head.name, inner_head.kind, inner_head.shape, inner_head.values_at, position, length, packed, size
    )


def _unpacked_head(path: Path, position: int, head: bytes) -> bytes:
    """The first bytes of a packed array, tag included."""
    try:
        return zlib.decompressobj().decompress(head, _HEAD_BYTES)
    except zlib.error:
        raise _damaged(path, position) from None


def content_of(path: Path, entry: Entry) -> tuple[bytes, str]:
    """(an array's content, byte order); a packed one is unpacked up to the length it claims, and its checksum compared.

    Raises DataError where it is damaged, or claims more than the file can hold.
    """
    with memory.reading(path) as budget:
        budget.take(entry.size, f"{path}:{entry.name}")
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
    with memory.reading(path) as budget:
        budget.take(max(int(np.prod(entry.shape, dtype=object)) * item_bytes, entry.size), f"{path}:{entry.name}")


def _damaged(path: Path, position: int) -> DataError:
    return DataError("the MATLAB file is damaged", where=f"{path}, byte {position}", hint=HINT)
