"""MATLAB v5 files: the arrays in them, read with every length checked before it is used.

Not through scipy, whose reader crashes the process on some damaged files. Objects and functions are listed by their class
and never read; what lies in structs and cells is the matter of `values5`. The container: 128 bytes of header, then
elements (type, length, content), each an array or an array packed by zlib; an array is itself elements: flags,
dimensions, name, values.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.matlab.decode5 import decode_fields, decode_numbers, decode_text, item_bytes
from neurocli.recordings.matlab.elements5 import HINT, Elements, Head, damaged, head_of

HEADER_BYTES = 128
MATRIX, _COMPRESSED = 14, 15
MOST_VARIABLES = 20_000
"""Nobody's workspace has more; every one is looked at."""
_HEAD_BYTES = 65536
"""Flags, dimensions and name fit into this with room to spare, and so do the names of a struct's fields."""


@dataclass(frozen=True, kw_only=True)
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
                raise damaged(path, position)
            packed = kind == _COMPRESSED
            head = file.read(min(length, _HEAD_BYTES))
            entry = _entry(path, order, position, length, packed, head)
            if len(entries) == MOST_VARIABLES:
                raise too_many(path)
            if entry.name in entries:
                raise DataError(
                    f"the variable {entry.name} is there twice", where=f"{path}, byte {position}", hint=HINT
                )
            if entry.name:  # what has none is MATLAB's own storage of objects
                entries[entry.name] = entry
            position += 8 + length
    if position != size or size <= HEADER_BYTES:
        raise DataError("the MATLAB file is truncated", where=f"{path}, byte {size}", hint=HINT)
    return entries


def too_many(path: Path) -> DataError:
    """The error for a file of more variables than can be looked at."""
    what = f"there are more than {MOST_VARIABLES} variables in the file"
    return DataError(what, where=str(path), hint="save the variables of the recording alone")


def read_numbers(path: Path, entry: Entry) -> NDArray[np.generic]:
    """The values of a numeric array in its shape and class. Raises DataError where they are damaged or too many."""
    _check_size(path, entry, 0 if entry.sparse else item_bytes(entry.kind))
    content, order = content_of(path, entry)
    elements = Elements(path, entry.position, order, content, entry.values_at)
    return decode_numbers(elements, entry, f"{path}:{entry.name}")


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


def byte_order(header: bytes) -> str:
    """`<` or `>`, as the last two bytes of a file's header say."""
    return ">" if header[126:128] == b"MI" else "<"


def _entry(path: Path, order: str, position: int, length: int, packed: bool, head: bytes) -> Entry:
    """One array of the file, by what its head says."""
    size = length
    if packed:
        head = _unpacked_head(path, position, head)
        tag = np.frombuffer(head[:8], f"{order}u4") if len(head) >= 8 else np.zeros(2, "u4")
        if tag[0] != MATRIX:
            raise damaged(path, position)
        head, size = head[8:], int(tag[1])
    inner_head = head_of(Elements(path, position, order, head))
    return Entry(**vars(inner_head), position=position, length=length, packed=packed, size=size)


def _unpacked_head(path: Path, position: int, head: bytes) -> bytes:
    """The first bytes of a packed array, tag included."""
    try:
        return zlib.decompressobj().decompress(head, _HEAD_BYTES)
    except zlib.error:
        raise damaged(path, position) from None


def content_of(path: Path, entry: Entry) -> tuple[bytes | memoryview, str]:
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
            raise damaged(path, entry.position) from None
        if len(unpacked) != 8 + entry.size or not unpacker.eof:
            raise damaged(path, entry.position)
        return memoryview(unpacked)[8:], order  # no copy: the array may be most of the memory there is
    return content, order


def _check_size(path: Path, entry: Entry, item_bytes: int) -> None:
    """Raise DataError where an array claims more than a file of this size can hold."""
    with memory.reading(path) as budget:
        budget.take(max(int(np.prod(entry.shape, dtype=object)) * item_bytes, entry.size), f"{path}:{entry.name}")
