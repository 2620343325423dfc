"""What texts and lists of variable length claim to hold, looked up in the file before HDF5 allocates it.

HDF5 keeps each as its length (4 bytes), the address of a heap (8) and a place in it (4), and believes the length: it takes as
much memory, fills it with zeros, and only then looks into the heap. Those of attributes lie in the headers of the file, and are
found by the attribute's name. (HDF5 File Format Specification, "Variable-Length Data", "The Attribute Message".)
"""

from __future__ import annotations

import functools
import struct
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from neurocli.recordings.files import memory

_REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("place", "<u4")])
_SIZES = struct.Struct("<HHH")
_VARIABLE = 9
"""The class of the type of texts and lists of variable length."""
_MOST_TEXTS = 4096
_KNOWN = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE}


def take_lengths(data: h5py.Dataset, where: str) -> None:
    """Take what the texts or lists of a dataset claim from the budget of its file. Raises DataError where that is too much.

    Packed ones are unpacked for it, a chunk at a time. Nothing is taken of other datasets, nor of those that are packed in a way
    that Python does not know (LZF, SZIP).
    """
    base = h5py.check_vlen_dtype(data.dtype)
    about_text = h5py.check_string_dtype(data.dtype)
    if base is None and (about_text is None or about_text.length is not None):
        return
    item = 1 if base is None or not isinstance(base, np.dtype) else base.itemsize
    memory.take(item * _claimed(data), where)


def _claimed(data: h5py.Dataset) -> int:
    """The sum of the lengths in a dataset."""
    if not data.size or data.is_virtual or data.external or not data.id.get_storage_size():
        return 0  # what was never written has no place
    offset = data.id.get_offset()
    if offset is not None:
        return _sum_at(Path(data.file.filename), [(offset, int(data.size))])
    if data.chunks is None:
        return 0
    packed = [data.id.get_create_plist().get_filter(k)[0] for k in range(data.id.get_create_plist().get_nfilters())]
    chunks = [data.id.get_chunk_info(number) for number in range(data.id.get_num_chunks())]
    if not packed:
        places = [(chunk.byte_offset, chunk.size // _REFERENCE.itemsize) for chunk in chunks]
        return _sum_at(Path(data.file.filename), places)
    if not set(packed) <= _KNOWN:
        return 0
    most = int(np.prod(data.chunks, dtype=object)) * _REFERENCE.itemsize
    return sum(_lengths(_unpacked(data, chunk, packed, most)) for chunk in chunks)


def _sum_at(path: Path, places: list[tuple[int, int]]) -> int:
    """The sum of the lengths at places of a file: (byte, how many)."""
    total, size = 0, path.stat().st_size
    with path.open("rb") as file:
        for at, count in places:
            if 0 <= at < size and count > 0:
                file.seek(at)
                total += _lengths(file.read(min(count * _REFERENCE.itemsize, size - at)))
    return total


def _lengths(content: bytes) -> int:
    lengths = np.frombuffer(content, _REFERENCE, len(content) // _REFERENCE.itemsize)["length"]
    return int(lengths.astype(np.uint64).sum())


def _unpacked(data: h5py.Dataset, chunk: Any, packed: list[int], most: int) -> bytes:
    """The references of a chunk, `most` bytes at the most; what is damaged is HDF5's to tell."""
    skipped, content = data.id.read_direct_chunk(chunk.chunk_offset)
    content = bytes(content)
    for number, kind in reversed(list(enumerate(packed))):
        if skipped >> number & 1:
            continue
        if kind == h5py.h5z.FILTER_DEFLATE:
            try:
                content = zlib.decompressobj().decompress(content, most)
            except zlib.error:
                return b""
        elif len(content) % _REFERENCE.itemsize == 0:  # the first bytes of all references, then the second ones
            content = np.frombuffer(content, np.uint8).reshape(_REFERENCE.itemsize, -1).T.tobytes()
    return content


def take_attribute_lengths(path: Path, name: str, where: str) -> None:
    """Take what the texts of every attribute of this name claim from the budget of the file. Raises DataError where that is too much.

    In a file that may become 4 GB, the most that a text can claim, nothing is looked up.
    """
    about = path.stat()
    if about.st_size * memory.COMPRESSED < 2**32:
        largest = _largest_attribute(str(path), about.st_mtime_ns, about.st_size, name.encode() + b"\0")
        with memory.passing(largest, where):
            pass


@functools.lru_cache(maxsize=1)
def _content(path: str, changed_ns: int, size: int) -> bytes:
    return Path(path).read_bytes()


@functools.lru_cache(maxsize=64)  # a file has as many attributes of a name as recordings, and each asks
def _largest_attribute(path: str, changed_ns: int, size: int, name: bytes) -> int:
    """Bytes that the texts of one attribute of this name, with the zero that ends it, claim; the most of all such attributes."""
    content = _content(path, changed_ns, size)
    most, at = 0, content.find(name)
    while at >= 0:
        for version, head in ((1, 8), (2, 8), (3, 9)):
            start = at - head
            if start >= 0 and content[start] == version:
                sizes = _SIZES.unpack_from(content, start + 2)
                if sizes[0] == len(name):
                    most = max(most, _claimed_at(content, at, [-(-s // 8) * 8 if version == 1 else s for s in sizes]))
        at = content.find(name, at + 1)
    return most


def _claimed_at(content: bytes, at: int, sizes: list[int]) -> int:
    """What an attribute claims: name, type and shape lie at `at` one after the other, then its references."""
    kind, shape = at + sizes[0], at + sizes[0] + sizes[1]
    if shape + 2 > len(content) or content[kind] & 15 != _VARIABLE:
        return 0
    dims = shape + (8 if content[shape] == 1 else 4)
    rank = content[shape + 1]
    if dims + 8 * rank > len(content):
        return 0
    count = int(np.prod(np.frombuffer(content, "<u8", rank, dims), dtype=object)) if rank else 1
    return _lengths(content[shape + sizes[2] :][: min(count, _MOST_TEXTS) * _REFERENCE.itemsize])
