"""Texts and lists of variable length in HDF5: what they claim is known before HDF5 allocates it."""

from __future__ import annotations

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import attribute, open_hdf5
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


@pytest.mark.parametrize(
    "packing",
    [
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True},
    ],
)
def test_the_lengths_in_packed_datasets_are_those_of_the_texts(packing, tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("texts", data=["abc", "de", "", "fffff"], dtype=h5py.string_dtype(), chunks=(3,), **packing)
    with h5py.File(path) as file, memory.reading(path) as budget:
        take_lengths(file["texts"], "texts")
        assert budget.taken == 10


def test_a_packed_text_that_claims_a_gigabyte_is_refused_before_it_is_allocated(tmp_path):
    path: Path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "names", data=["AVAL", "AVAR"], dtype=h5py.string_dtype(), chunks=(2,), compression="gzip"
        )
        _, packed = data.id.read_direct_chunk((0,))
        content = bytearray(zlib.decompress(packed))
        content[:4] = (2**30).to_bytes(4, "little")
        data.id.write_direct_chunk((0,), zlib.compress(bytes(content)))
    with open_hdf5(path) as file, pytest.raises(DataError, match="claims 1 GiB"):
        take_lengths(file["names"], f"{path}:names")


@pytest.mark.parametrize("name", ["unit", "einheit-µ"])
def test_an_attribute_that_claims_a_gigabyte_is_refused_before_it_is_allocated(name, tmp_path):
    path: Path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.attrs[name] = "q" * 13
        file.attrs["other"] = ["q" * 7, "q"]
    with open_hdf5(path) as file:
        assert attribute(file, name, str) == "q" * 13
    content = path.read_bytes()
    at = next(
        at
        for at in range(content.find(name.encode()), len(content))
        if content[at : at + 4] == (13).to_bytes(4, "little")
        and content[at + 12 : at + 16] == (1).to_bytes(4, "little")
    )
    path.write_bytes(content[:at] + (2**30).to_bytes(4, "little") + content[at + 4 :])
    with open_hdf5(path) as file, pytest.raises(DataError, match="claims 1 GiB"):
        attribute(file, name, str)
