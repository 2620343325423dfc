"""Our reader of MATLAB v5 files beside scipy's."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from neurocli.errors import DataError
from neurocli.recordings.matlab import mat5, open_mat
from neurocli.recordings.matlab.classes import NUMERIC

TYPES = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


def read(path: Path) -> dict[str, np.ndarray]:
    found = mat5.entries(path)
    return {name: mat5.read_numbers(path, entry) for name, entry in found.items() if entry.kind in NUMERIC}


@pytest.mark.parametrize("compressed", [True, False])
def test_every_type_is_read_as_scipy_reads_it(compressed, tmp_path):
    random = np.random.default_rng(0)
    values: dict[str, object] = {}
    for kind in TYPES:
        for shape in ((1, 1), (3, 1), (2, 5), (3, 4, 5), (0, 0)):
            values[f"{kind}_{len(values)}"] = random.integers(0, 100, shape).astype(kind)
    values |= {"logical": np.array([[True, False]]), "few": np.array([[1, 2]], "u1"), "f": np.array([[np.nan, 1e300]])}
    values |= {"text": "Synth_A", "cell": np.array([1, "a"], object), "struct": {"x": 1.0}, "complex": np.array([[1j]])}
    path = tmp_path / "types.mat"
    scipy.io.savemat(str(path), values, do_compression=compressed)
    expected = scipy.io.loadmat(str(path))
    found = read(path)
    assert {name for name in values if name not in ("text", "cell", "struct", "complex")} == set(found)
    for name, array in found.items():
        assert array.dtype == expected[name].dtype and np.array_equal(array, expected[name], equal_nan=True), name
    entries = mat5.entries(path)
    assert {name: entries[name].kind for name in ("text", "cell", "struct", "complex", "logical")} == {
        "text": "char",
        "cell": "cell",
        "struct": "struct",
        "complex": "complex",
        "logical": "logical",
    }
    assert mat5.read_text(path, entries["text"]) == "Synth_A"


def test_the_other_byte_order(tmp_path):
    """As an old workstation wrote it: 2 x 2 doubles kept as bytes, small elements for name and values."""
    body = np.array([6, 8, 6, 0, 5, 8, 2, 2], ">u4").tobytes()
    body += (
        np.array([2 << 16 | 1], ">u4").tobytes() + b"ab\0\0" + np.array([4 << 16 | 2], ">u4").tobytes() + b"\1\2\3\4"
    )
    element = np.array([14, len(body)], ">u4").tobytes() + body
    path = tmp_path / "big.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\1\0MI" + element)
    assert np.array_equal(read(path)["ab"], [[1, 3], [2, 4]]) and read(path)["ab"].dtype == np.float64
    assert np.array_equal(scipy.io.loadmat(str(path))["ab"], [[1, 3], [2, 4]])


@pytest.mark.realdata
@pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set")
def test_the_real_file_is_read_as_scipy_reads_it():
    path = Path(os.environ["NEUROCLI_REAL_DATA"]) / "eirnn" / "rnn_export_Synth_A_v5_SC.mat"
    expected = scipy.io.loadmat(str(path))
    found = read(path)
    assert len(found) == 26
    assert all(np.array_equal(array, expected[name], equal_nan=True) for name, array in found.items())


def test_damage_of_every_byte_of_the_head_is_noticed_or_harmless(tmp_path):
    """Scipy's reader ends the process on some of these."""
    path = tmp_path / "damaged.mat"
    scipy.io.savemat(str(path), {"x": np.arange(6.0).reshape(2, 3), "name": "text"})
    content = path.read_bytes()
    for at in range(128, len(content)):
        for value in (0, 1, 19, 127, 255):
            broken = bytearray(content)
            broken[at] = value
            path.write_bytes(broken)
            try:
                for entry in mat5.entries(path).values():
                    if entry.kind in NUMERIC:
                        mat5.read_numbers(path, entry)
                    elif entry.kind == "char":
                        mat5.read_text(path, entry)
            except DataError as error:
                assert str(path) in (error.where or "")


def test_a_bomb_is_not_unpacked(tmp_path):
    """A small packed element that claims a large array is refused; one that holds more than it claims is cut off."""
    path = tmp_path / "bomb.mat"
    scipy.io.savemat(str(path), {"x": np.zeros((2000, 2000))}, do_compression=True)
    (entry,) = mat5.entries(path).values()
    assert mat5.read_numbers(path, entry).shape == (2000, 2000)
    with pytest.raises(DataError, match="claims"):
        mat5.read_numbers(path, dataclasses.replace(entry, shape=(200_000, 2000)))
    with pytest.raises(DataError, match="damaged"):
        mat5.read_numbers(path, dataclasses.replace(entry, size=1000))


def test_a_file_of_countless_variables_is_refused_by_both_containers(tmp_path, monkeypatch):
    monkeypatch.setattr(mat5, "MOST_VARIABLES", 3)
    old, new = tmp_path / "old.mat", tmp_path / "new.mat"
    scipy.io.savemat(str(old), {f"v{k}": 1.0 for k in range(4)})
    with h5py.File(new, "w", userblock_size=512) as file:
        for k in range(4):
            file[f"v{k}"] = 1.0
    for path in (old, new):
        with pytest.raises(DataError, match="more than 3 variables"), open_mat(path):
            pass
