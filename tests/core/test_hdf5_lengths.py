"""Texts and lists of variable length in HDF5: what they claim is known before HDF5 allocates it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import open_hdf5
from neurocli.recordings.files.lengths import take_lengths


@pytest.mark.parametrize("user_block", [0, 512])
@pytest.mark.parametrize("chunks", [None, (2,)])
def test_the_lengths_are_those_of_the_texts_and_lists(user_block, chunks, tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", userblock_size=user_block) as file:
        file.create_dataset("texts", data=["abc", "de", "", "fffff"], dtype=h5py.string_dtype(), chunks=chunks)
        file["one"] = "a scalar"
        lists = file.create_dataset("lists", (3,), dtype=h5py.vlen_dtype("u2"), chunks=chunks)
        for k in range(3):
            lists[k] = np.arange(k + 4, dtype="u2")
        file["numbers"] = np.arange(5)
        file["fixed"] = np.array([b"abc"])
        file.create_dataset("unwritten", (3,), dtype=h5py.string_dtype(), chunks=chunks)
        file["nothing"] = h5py.Empty(h5py.string_dtype())
    expected = {"texts": 10, "one": 8, "lists": 2 * 15, "numbers": 0, "fixed": 0, "unwritten": 0, "nothing": 0}
    with h5py.File(path) as file:
        for name, size in expected.items():
            with memory.reading(path) as budget:
                take_lengths(file[name], name)
                assert budget.taken == size, name


def test_a_text_that_claims_a_gigabyte_is_refused_before_it_is_allocated(tmp_path):
    path: Path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["name"] = "AVAL"
        at = file["name"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[at : at + 4] = (2**30).to_bytes(4, "little")
    path.write_bytes(content)
    with open_hdf5(path) as file, pytest.raises(DataError, match="claims 1 GiB"):
        take_lengths(file["name"], f"{path}:name")
