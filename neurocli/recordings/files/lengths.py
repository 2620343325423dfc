"""What texts and lists of variable length claim to hold, looked up in the file before HDF5 allocates it.

HDF5 keeps each as its length (4 bytes), the address of a heap (8) and a place in it (4), and believes the length: it takes as
much memory, fills it with zeros, and only then looks into the heap. Those of attributes lie in the headers of the file, where
nothing tells their place: they are left to HDF5, which takes 4 GB for a moment at the most. (HDF5 File Format
Specification, "Variable-Length Data".)
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from neurocli.recordings.files import memory

_REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("place", "<u4")])


def take_lengths(data: h5py.Dataset, where: str) -> None:
    """Take what the texts or lists of a dataset claim from the budget of its file. Raises DataError where that is too much.

    Nothing is taken of other datasets, nor of packed ones, whose references cannot be looked up.
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
        places = [(offset, int(data.size))]
    elif data.chunks is not None and data.id.get_create_plist().get_nfilters() == 0:
        chunks = [data.id.get_chunk_info(number) for number in range(data.id.get_num_chunks())]
        places = [(chunk.byte_offset, chunk.size // _REFERENCE.itemsize) for chunk in chunks]
    else:
        return 0
    path, total = Path(data.file.filename), 0
    size = path.stat().st_size
    with path.open("rb") as file:
        for at, count in places:
            if 0 <= at < size and count > 0:
                file.seek(at)
                content = file.read(min(count * _REFERENCE.itemsize, size - at))
                lengths = np.frombuffer(content, _REFERENCE, len(content) // _REFERENCE.itemsize)["length"]
                total += int(lengths.astype(np.uint64).sum())
    return total
