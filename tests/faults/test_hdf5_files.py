"""HDF5 that is cut off, damaged, foreign or hostile: code 3, with the file and the entry or the byte."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

SIGNAL = "recordings/run-0002/signal"


def edited(good: Path, change) -> Path:
    """`good`, changed in place, as a file of version 1, which had no content sums: the sum of this one would be wrong."""
    with h5py.File(good, "r+") as file:
        file.attrs["version"] = 1
        for holder in (file, *file["recordings"].values()):
            del holder.attrs["sum"]
        change(file)
    return good


def replaced(name: str, values) -> object:
    """A change: the entry `name` becomes `values`; a function makes it in the file."""

    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        if callable(values):
            values(file, name)
        else:
            file[name] = values

    return change


def attribute(holder: str, name: str, value: object) -> object:
    """A change of one attribute."""
    return lambda file: file[holder].attrs.__setitem__(name, value)


def with_voltage(value: float) -> object:
    """A change: one voltage becomes `value`."""

    def change(file: h5py.File) -> None:
        volts = file[SIGNAL][()].astype("f8") * 1e-3 - 70
        volts[900, 3] = value
        replaced(SIGNAL, volts)(file)

    return change


def huge(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (10**9, 20), "f8", chunks=(1000, 20), compression="gzip")


def elsewhere(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (100, 8), "f8", external=[("/etc/passwd", 0, 6400)])


RUN = "recordings/run-0002"
# change, what the error must say, the entry that it must name
CHANGES = {
    "giant signal": (replaced(SIGNAL, huge), "claims 149 GiB", SIGNAL),
    "giant truth": (replaced("truth/x", huge), "claims 149 GiB", "truth/x"),
    "link to another file": (replaced(SIGNAL, h5py.ExternalLink("/etc/passwd", "/x")), "not followed", SIGNAL),
    "soft link": (replaced(SIGNAL, h5py.SoftLink("/recordings/run-0000/signal")), "not followed", SIGNAL),
    "link to nowhere": (replaced(SIGNAL, h5py.SoftLink("/nowhere")), "not followed", SIGNAL),
    "run is a link": (replaced(RUN, h5py.SoftLink("/recordings/run-0000")), "not followed", RUN),
    "link to itself": (replaced("recordings", h5py.SoftLink("/recordings")), "not followed", "recordings"),
    "values in another file": (replaced(SIGNAL, elsewhere), "another file", SIGNAL),
    "complex numbers": (replaced(SIGNAL, np.zeros((9, 20), complex)), "not a number", SIGNAL),
    "one dimension": (replaced(SIGNAL, np.zeros(5)), "1 dimensions", SIGNAL),
    "no dimensions": (replaced(SIGNAL, h5py.Empty("f4")), "no dimensions", SIGNAL),
    "no samples": (replaced(SIGNAL, np.zeros((0, 20))), "holds no samples", RUN),
    "a run is no group": (replaced(RUN, np.zeros(4)), "not a group", RUN),
    "no order": (lambda file: file.__delitem__("order"), "missing", "order"),
    "ghost": (replaced("order", np.array([b"run-9999"])), "missing", "run-9999"),
    "not UTF-8": (replaced("order", np.array([b"\xff\xfe"])), "missing", "recordings"),
    "the same run twice": (replaced("order", np.array([b"run-0000"] * 4)), "same name", "order"),
    "a path as a name": (replaced("order", np.array([b"../recordings"])), "missing", "recordings"),
    "no recordings": (replaced("order", np.zeros(0, "S1")), "no recording in it", "good.h5"),
    "mask of another shape": (replaced(f"{RUN}/mask", np.zeros((5, 5), bool)), "differ in shape", RUN),
    "meta is no JSON": (attribute("/", "meta", "{"), "'meta' is damaged", "/"),
    "meta is a list": (attribute("/", "meta", "[1]"), "not an object", "/"),
    "meta is a number": (attribute("/", "meta", 5), "not a single str", "/"),
    "a later version": (attribute("/", "version", 99), "update neurocli", "good.h5"),
    "another format": (attribute("/", "format", np.arange(2)), "no reader knows", "good.h5"),
    "labels are a list": (attribute(RUN, "labels", "[1]"), "not an object", RUN),
    "channels are a number": (attribute(RUN, "channels", "5"), "not a list of names", RUN),
    "too few channels": (attribute(RUN, "channels", '["a"]'), "1 names for 20 channels", RUN),
    "step is text": (attribute(RUN, "dt_ms", "x"), "not a single float", RUN),
    "step is an array": (attribute(RUN, "dt_ms", np.arange(3.0)), "not a single float", RUN),
    "step is NaN": (attribute(RUN, "dt_ms", float("nan")), "sampling step", RUN),
    "step is endless": (attribute(RUN, "dt_ms", float("inf")), "sampling step", RUN),
    "scale is NaN": (attribute(SIGNAL, "scale", float("nan")), "are not numbers", SIGNAL),
    "spikes without neuron": (replaced(f"{RUN}/spikes/channel", np.arange(3)), "3 a neuron", RUN),
    "negative neuron": (replaced(f"{RUN}/spikes/channel", np.full(1, -5)), "neuron", RUN),
    "a neuron beyond 32 bits": (replaced(f"{RUN}/spikes/channel", np.full(1, 2**40)), "32 bits", "channel"),
    "parameters are missing": (attribute("/", "meta", '{"simulator": "brunel"}'), "parameters", "meta"),
    "parameters are wrong": (
        attribute("/", "meta", '{"simulator": "brunel", "parameters": {"neurons": "many"}}'),
        "neurons",
        "meta",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_damaged_or_hostile_file_is_refused(case, good, place, refused):
    change, message, entry = CHANGES[case]
    edited(good, change)
    first = refused(3, "diagnose", "cnn-lstm", "--data", good)
    tracemalloc.start()  # from here on everything is imported
    second = refused(3, "preprocess", "cnn-lstm", "--out", "out.h5", "--data", good)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for done in (first, second):
        assert message in done.said and "good.h5" in done.error["where"] and entry in done.said
    assert peak < 100e6  # refused before memory is taken
    assert not (place / "out.h5").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("command", ["preprocess", "train"])
def test_a_voltage_that_is_no_number_is_named_by_its_place(value, command, good, place, refused):
    edited(good, with_voltage(value))
    done = refused(3, command, "cnn-lstm", "--data", good)
    assert "recording run-0002" in done.said and "sample 900, neuron 3" in done.said and "good.h5" in done.said
    assert sorted(path.name for path in place.iterdir()) == ["good.h5"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_diagnose_finds_a_voltage_that_is_no_number(value, good, neuro):
    edited(good, with_voltage(value))
    done = neuro("diagnose", "cnn-lstm", "--data", good, "--strict", "--json")
    found = {finding["check"]: finding for finding in done.envelope["data"]["findings"]}
    assert done.code == 4 and found["finite-values"]["value"] == 1 and "run-0002" in found["finite-values"]["advice"]


@pytest.mark.parametrize("share", [0.0001, 0.002, 0.02, 0.25, 0.5, 0.75, 0.9999])
def test_a_truncated_file_says_at_which_byte_it_ends(share, good, refused):
    content = good.read_bytes()
    end = int(len(content) * share)
    good.write_bytes(content[:end])
    for command in (["train", "cnn-lstm"], ["preprocess", "cnn-lstm"], ["diagnose", "cnn-lstm"]):
        done = refused(3, *command, "--data", good)
        assert "good.h5" in done.error["where"]
        assert f"byte {end} of {len(content)}" in done.said or "damaged" in done.error["message"]


def test_a_damaged_heap_of_texts_does_not_hang(good, place):
    """HDF5 2.0 never comes back from this file, so it is read in a process that can be ended."""
    content = bytearray(good.read_bytes())
    heap = content.index(b"GCOL")
    first = heap + 16
    content[first + 8 : first + 16] = (2000).to_bytes(8, "little")  # the size of the first text
    good.write_bytes(content)
    command = [sys.executable, "-m", "neurocli", "diagnose", "cnn-lstm", "--data", "good.h5"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "damaged" in done.stderr and "Traceback" not in done.stderr


CONTENTS = {
    "empty": (b"", "empty"),
    "text": (b"these are not the bytes you are looking for", "begins with 'these are"),
    "noise": (bytes(range(255, -1, -1)) * 9, "first bytes are"),
    "pickle": (pickle.dumps({"a": np.zeros(3)}), "not HDF5"),
    "the signature alone": (b"\x89HDF\r\n\x1a\n", "cut off"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_what_is_no_hdf5_is_not_read_as_such(name, place, refused):
    content, message = CONTENTS[name]
    (place / "odd.h5").write_bytes(content)
    for command in ("diagnose", "preprocess", "train"):
        done = refused(3, command, "cnn-lstm", "--data", "odd.h5")
        assert message in done.said and "odd.h5" in done.error["where"]


def test_hdf5_of_another_format(place, refused):
    with h5py.File(place / "foreign.h5", "w") as file:
        file["x"] = np.arange(5)
    assert "formats known: neurocli-recordings" in refused(3, "train", "cnn-lstm", "--data", "foreign.h5").said


def test_places_that_hold_no_data(place, good, refused):
    (place / "folder").mkdir()
    (place / "useless").mkdir()
    (place / "useless" / "readme.txt").write_text("nothing here")
    (place / "text.xyz").write_text("nor here")
    for path, message in (
        ("goood.h5", "did you mean good.h5"),
        ("gone/good.h5", "no folder gone"),
        ("good.h5/inside", "does not exist"),
        ("x" * 300, "name too long"),
        ("folder", "no file that can be read"),
        ("useless", "formats known"),
        ("text.xyz", "formats known"),
        ("/dev/null", "device"),
    ):
        for command in ("diagnose", "preprocess", "train"):
            assert message in refused(3, command, "cnn-lstm", "--data", path).said.lower()


def test_files_that_do_not_belong_together(place, good, refused):
    from neurocli_cnn_lstm.simulation.example import small_network

    small_network(0, runs=1, duration_ms=1200.0, neurons=10).save(place / "other.h5")
    done = refused(3, "preprocess", "cnn-lstm", "--data", good, "--data", "other.h5")
    assert "different making" in done.said
    (place / "copy.h5").write_bytes(good.read_bytes())
    done = refused(3, "preprocess", "cnn-lstm", "--data", good, "--data", "copy.h5")
    assert done.error["kind"] == "leak"
