"""A look at the heaps in which an HDF5 file keeps its texts, before the library does: from a damaged one it never returns.

A heap is `GCOL`, version 1, three zeros, its size (8 bytes); then objects: number and references (2 bytes each), four
zeros, size (8 bytes), content padded to 8 bytes. Object 0 is the free space at the end, its size that of all of it.
(HDF5 File Format Specification, "Global Heap"; HDF5 2.0 loops where an object's size leads to a place that is none.)
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_HEAD, _OBJECT = struct.Struct("<4sB3xQ"), struct.Struct("<HH4xQ")
_BEGINNING = b"GCOL\x01\0\0\0"
_BLOCK = 2**22


def damaged_heap(path: Path) -> int | None:
    """The byte at which a heap of texts is damaged; None where all are sound. `path` is a file that is not empty."""
    about = path.stat()
    return _damaged_heap(str(path), about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=256)  # a file is opened once for each of its recordings
def _damaged_heap(path: str, changed_ns: int, size: int) -> int | None:
    with Path(path).open("rb") as file:
        faults = (_fault(file, start, size) for start in _heaps(file))
        return next((fault for fault in faults if fault is not None), None)


def _heaps(file: BinaryIO) -> Iterator[int]:
    """Where heaps begin. The file is read and not mapped: mapped pages are memory of the process, as many as the file has."""
    for first in itertools.count(0, _BLOCK):
        file.seek(first)
        block = file.read(_BLOCK + len(_BEGINNING) - 1)
        if not block:
            return
        at = block.find(_BEGINNING)
        while at >= 0:
            yield first + at
            at = block.find(_BEGINNING, at + len(_BEGINNING))


def _fault(file: BinaryIO, start: int, file_size: int) -> int | None:
    """The first byte of the object with which the heap at `start` goes wrong."""
    if start + _HEAD.size > file_size:
        return start
    _, _, size = _unpacked(file, start, _HEAD)
    end, at, seen = start + size, start + _HEAD.size, set()
    if size < 4096 or end > file_size:
        return start
    while end - at >= _OBJECT.size:
        number, _, length = _unpacked(file, at, _OBJECT)
        if number == 0:
            return None if length == end - at else at
        following = at + _OBJECT.size + -(-length // 8) * 8
        if following > end or number in seen:
            return at
        seen.add(number)
        at = following
    return None


def _unpacked(file: BinaryIO, at: int, form: struct.Struct) -> tuple[Any, ...]:
    file.seek(at)
    return form.unpack(file.read(form.size))
