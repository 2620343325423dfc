"""Files that are truncated, damaged or hostile: an error that names the place, and never more than that."""

from __future__ import annotations

import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from neurocli.errors import DataError
from neurocli.recordings.matlab import open_mat
from neurocli_eirnn.data.readers.matfile import SessionMatReader, read_session


def variables(v5: Path) -> dict[str, np.ndarray]:
    """The file's variables in MATLAB's order, to change and write again."""
    return {name: value for name, value in scipy.io.loadmat(str(v5)).items() if not name.startswith("__")}


def changed(v73: Path, tmp_path: Path) -> Path:
    """A copy of the v7.3 file, to be changed in place."""
    path = tmp_path / "changed.mat"
    path.write_bytes(v73.read_bytes())
    return path


def replace(file: h5py.File, name: str, values: np.ndarray) -> None:
    del file[name]
    file[name] = values


@pytest.mark.parametrize("kind", ["text", "group", "compound", "link"])
def test_a_wrong_v73_entry_is_named(kind, v73, tmp_path):
    path = changed(v73, tmp_path)
    with h5py.File(path, "r+") as file:
        shape = file["firing_rates"].shape
        del file["firing_rates"]
        if kind == "text":
            file["firing_rates"] = np.zeros(shape, np.uint16)
            file["firing_rates"].attrs["MATLAB_class"] = np.bytes_("char")
        elif kind == "group":
            file.create_group("firing_rates")
        elif kind == "compound":
            file["firing_rates"] = np.zeros(shape, [("real", "f8"), ("imag", "f8")])
        else:
            file["firing_rates"] = h5py.ExternalLink("/etc/hostname", "/x")
    with pytest.raises(DataError, match=r"type|link|group|complex") as caught:
        read_session(path)
    assert "firing_rates" in caught.value.where


def hollow(v73: Path, tmp_path: Path, trials: int) -> Path:
    """A file whose arrays agree that there are so many trials, and hold nothing."""
    path = changed(v73, tmp_path)
    with h5py.File(path, "r+") as file:
        for name in [name for name in file if name == "firing_rates" or name.startswith(("input_", "trial_"))]:
            shape = file[name].shape
            shape = (1, trials) if name.startswith("trial_") else (trials, *shape[1:])
            del file[name]
            chunks = tuple(min(size, 1000) for size in shape)
            file.create_dataset(name, shape, chunks=chunks, dtype="f8")
        replace(file, "n_trials", np.array([[float(trials)]]))
    return path


@pytest.mark.parametrize("trials", [3 * 10**8, 10**11])
def test_a_hostile_v73_size_is_refused_before_memory_is_taken(trials, v73, tmp_path):
    path = hollow(v73, tmp_path, trials)
    tracemalloc.start()
    with pytest.raises(DataError, match="claims") as caught:
        read_session(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert caught.value.where == f"{path}:/firing_rates"


def test_a_hostile_v5_size_is_refused_before_memory_is_taken(v5, tmp_path):
    """The header says 50,000 x 50,000 x 100,000, and the counts agree."""
    values = variables(v5) | {"n_neurons": np.array([[5e4]]), "n_time_bins": np.array([[5e4]])}
    values |= {"n_trials": np.array([[1e5]]), "neuron_type": np.ones((50_000, 1))}
    path = tmp_path / "hostile.mat"
    scipy.io.savemat(str(path), values)
    content = path.read_bytes()
    true, false = (
        np.array(shape, "<i4").tobytes() for shape in (values["firing_rates"].shape, (50_000, 50_000, 100_000))
    )
    assert content.count(true) == 1
    path.write_bytes(content.replace(true, false))
    assert SessionMatReader().can_read(path)
    with pytest.raises(DataError, match="claims") as caught, open_mat(path) as opened:
        opened.numbers("firing_rates")
    assert caught.value.where == f"{path}:firing_rates"
    tracemalloc.start()
    with pytest.raises(DataError, match="the shape is") as caught:  # of another field: those of all are compared first
        read_session(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


@pytest.mark.parametrize("share", [0.0002, 0.01, 0.3, 0.6, 0.9, 0.99, 0.99999])
def test_a_truncated_file_is_said_to_be_one(share, v73, v5, tmp_path):
    for source in (v73, v5):
        content = source.read_bytes()
        path = tmp_path / source.parent.name
        path.write_bytes(content[: max(130, int(share * len(content)))])
        assert SessionMatReader().can_read(path)
        with pytest.raises(DataError, match=r"truncated|damaged") as caught:
            read_session(path)
        assert str(path) in caught.value.where and caught.value.hint


@pytest.mark.parametrize("compressed", [True, False])
def test_random_damage_never_escapes(compressed, v5, v73, tmp_path):
    random = np.random.default_rng(0)
    plain = tmp_path / "plain.mat"
    scipy.io.savemat(str(plain), {k: v for k, v in variables(v5).items() if "eye" not in k}, do_compression=compressed)
    for source in (plain, v73):
        content = source.read_bytes()
        for _ in range(15):
            broken = bytearray(content)
            for at in random.integers(0, len(content), 5) if random.random() < 0.5 else random.integers(120, 1500, 3):
                broken[at] = random.integers(256)
            path = tmp_path / "broken.mat"
            path.write_bytes(broken)
            SessionMatReader().can_read(path)
            try:  # a byte of a number may have changed: then there is nothing to notice
                read_session(path)
            except DataError as error:
                assert str(path) in (error.where or "")


def test_objects_of_matlab_are_not_touched(v5, tmp_path):
    """A function handle in the file is passed over; in the place of a field it is refused."""
    content = v5.read_bytes()
    flags = np.array([6, 8, 16, 0], "<u4").tobytes()  # array flags of class 16, a function handle
    body = flags + np.array([5, 8, 1, 1], "<i4").tobytes() + np.array([1, 4], "<u4").tobytes() + b"hand" + bytes(4)
    element = np.array([14, len(body)], "<u4").tobytes() + body
    packed = zlib.compress(element)
    path = tmp_path / "handle.mat"
    path.write_bytes(content + np.array([15, len(packed)], "<u4").tobytes() + packed)
    assert read_session(path).trials == read_session(v5).trials
