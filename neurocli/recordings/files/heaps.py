"""A look at the heaps in which an HDF5 file keeps its texts, before the library does: from a damaged one it never returns.

A heap is `GCOL`, version 1, three zeros, its size (8 bytes); then objects: number and references (2 bytes each), four
zeros, size (8 bytes), content padded to 8 bytes. Object 0 is the free space at the end, its size that of all of it.
(HDF5 File Format Specification, "Global Heap"; HDF5 2.0 loops where an object's size leads to a place that is none.)
"""

from __future__ import annotations

import functools
import mmap
import struct
from pathlib import Path

_HEAD, _OBJECT = struct.Struct("<4sB3xQ"), struct.Struct("<HH4xQ")


def damaged_heap(path: Path) -> int | None:
    """The byte at which a heap of texts is damaged; None where all are sound. `path` is a file that is not empty."""
    about = path.stat()
    return _damaged_heap(str(path), about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=256)  # a file is opened once for each of its recordings
def _damaged_heap(path: str, changed_ns: int, size: int) -> int | None:
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(b"GCOL\x01\0\0\0")
        while at >= 0:
            fault = _fault(content, at)
            if fault is not None:
                return fault
            at = content.find(b"GCOL\x01\0\0\0", at + 8)
    return None


def _fault(content: mmap.mmap, start: int) -> int | None:
    """The first byte of the object with which the heap at `start` goes wrong."""
    if start + _HEAD.size > len(content):
        return start
    _, _, size = _HEAD.unpack_from(content, start)
    end, at, seen = start + size, start + _HEAD.size, set()
    if size < 4096 or end > len(content):
        return start
    while end - at >= _OBJECT.size:
        number, _, length = _OBJECT.unpack_from(content, at)
        if number == 0:
            return None if length == end - at else at
        following = at + _OBJECT.size + -(-length // 8) * 8
        if following > end or number in seen:
            return at
        seen.add(number)
        at = following
    return None
