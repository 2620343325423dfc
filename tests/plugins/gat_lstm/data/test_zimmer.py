"""MATLAB files of the Zimmer laboratory as they are published: several worms in cells, v7.3, later layouts; and bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from neurocli.errors import DataError
from neurocli_gat_lstm.data.readers.zimmer import ZimmerMatReader, worms_of

STEPS = (50, 60, 55)
NAMES = [["AVAL", "---", "VB02"], ["1", ["RIML", "RIMR"], "AVAR", "4"], [[], "AVAL?"]]
STATES = ("fwd", "nostate", "rev1", "turn")


def traces(worm: int) -> np.ndarray:
    return np.random.default_rng(worm).normal(size=(STEPS[worm], len(NAMES[worm])))


def times(worm: int) -> np.ndarray:
    return np.arange(STEPS[worm])[:, None] * (0.3 + 0.01 * worm)


def state(worm: int) -> np.ndarray:
    return np.random.default_rng(9 + worm).integers(0, len(STATES), STEPS[worm])


def indicators(worm: int) -> dict[str, np.ndarray]:
    """In another order than that of the alphabet."""
    return {name: (state(worm) == STATES.index(name))[:, None].astype(float) for name in reversed(STATES)}


def published(names: tuple[str, str, str] = ("deltaFOverF_bc", "NeuronNames", "tv")) -> dict[str, Any]:
    """The struct with three worms: a list is a cell array."""
    worms = range(3)
    struct = {names[0]: [traces(w) for w in worms], names[1]: NAMES, names[2]: [times(w) for w in worms]}
    return {**struct, "fps": [3.3, 3.2, 3.1], "States": [indicators(w) for w in worms]}


def put(file: h5py.File, holder: h5py.Group, name: str, value: Any) -> None:
    """A value in HDF5 as MATLAB writes it; a list is a cell array."""
    if isinstance(value, dict):
        holder.create_group(name).attrs["MATLAB_class"] = np.bytes_("struct")
        for field, item in value.items():
            put(file, holder[name], field, item)
        return
    if isinstance(value, list) and value:
        refs = file.require_group("#refs#")
        data = holder.create_dataset(name, (len(value), 1), dtype=h5py.ref_dtype)
        for number, item in enumerate(value):
            put(file, refs, key := f"r{len(refs)}", item)
            data[number, 0] = refs[key].ref
        kind = "cell"
    elif isinstance(value, str):
        data = holder.create_dataset(name, data=np.array([[ord(letter)] for letter in value], np.uint16))
        kind = "char"
    elif isinstance(value, list):
        data = holder.create_dataset(name, data=np.array([0, 0], np.uint64))
        data.attrs["MATLAB_empty"] = np.uint8(1)
        kind = "cell"
    else:
        data = holder.create_dataset(name, data=np.atleast_2d(value).T, compression="gzip" if np.ndim(value) else None)
        kind = "double"
    data.attrs["MATLAB_class"] = np.bytes_(kind)


def write73(path: Path, variables: dict[str, Any]) -> Path:
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            put(file, file, name, value)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: MACI64".ljust(124) + b"\0\2IM")
    return path


def as_cells(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_cells(item) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    array = np.empty((1, len(value)), object)
    for number, item in enumerate(value):
        array[0, number] = as_cells(item)
    return array


def write5(path: Path, variables: dict[str, Any]) -> Path:
    scipy.io.savemat(str(path), {name: as_cells(value) for name, value in variables.items()}, do_compression=True)
    return path


def one_worm(worm: int = 0, **changes: Any) -> dict[str, Any]:
    struct = {"deltaFOverF_bc": traces(worm), "NeuronNames": NAMES[worm], "tv": times(worm), **changes}
    return {name: value for name, value in struct.items() if value is not None}


WRITERS = pytest.mark.parametrize("write", [write5, write73])
LATER = ("traces", "IDs", "timeVectorSeconds"), ("traces_bleach_corrected", "neuron_ID", "time_vector")


@WRITERS
@pytest.mark.parametrize("fields", [("deltaFOverF_bc", "NeuronNames", "tv"), *LATER])
def test_several_worms_in_cells(write, fields, tmp_path):
    path = write(tmp_path / "WT_NoStim.mat", {"WT_NoStim": published(fields), "other": 3.0})
    reader = ZimmerMatReader()
    assert reader.can_read(path)
    read_back = list(reader.read([path]).values())
    assert [recording.group for recording in read_back] == ["Kato2015-worm0", "Kato2015-worm1", "Kato2015-worm2"]
    for worm, recording in enumerate(read_back):
        assert np.array_equal(recording.signal, traces(worm).astype(np.float32))
        assert np.array_equal(recording.events["time_s"], times(worm).ravel())
        assert np.array_equal(recording.events["state"], state(worm))
        assert recording.labels["states"] == "fwd,nostate,rev1,turn"
    assert read_back[0].channels == ["AVAL", "unidentified-2", "VB2"]
    assert read_back[1].channels == ["unidentified-1", "RIML", "AVAR", "unidentified-4"]  # the first of two candidates
    assert read_back[2].channels == ["unidentified-1", "AVAL"]


@WRITERS
def test_one_worm_of_another_name_and_the_states_as_a_matrix(write, tmp_path):
    matrix = np.stack(list(indicators(1).values()), axis=1)[:, :, 0]
    path = write(tmp_path / "npr1_let_worm7.mat", {"KO_Stim": one_worm(1, States=matrix)})
    (recording,) = ZimmerMatReader().read([path]).values()
    assert recording.group == "npr1_let-worm7"
    assert np.array_equal(recording.events["state"], len(STATES) - 1 - state(1))
    path = write(tmp_path / "anything.mat", {"WT": one_worm(1, dataset="Lab2020_worm3", States=None)})
    (recording,) = ZimmerMatReader().read([path]).values()
    assert recording.group == "Lab2020-worm3" and "state" not in recording.events


@WRITERS
def test_two_structs_are_two_sources(write, tmp_path):
    path = write(tmp_path / "both.mat", {"WT_Stim": one_worm(0), "WT_NoStim": one_worm(1)})
    assert {make().source for _, make in worms_of(path)} == {"both_WT_NoStim", "both_WT_Stim"}


def test_an_array_of_structs(tmp_path):
    array = np.empty((1, 2), [("traces", object), ("IDs", object), ("timeVectorSeconds", object)])
    for worm in range(2):
        array[0, worm] = (traces(worm), as_cells(NAMES[worm]), times(worm))
    path = tmp_path / "n2_let.mat"
    scipy.io.savemat(str(path), {"n2_let": array})
    read_back = list(ZimmerMatReader().read([path]).values())
    assert [recording.group for recording in read_back] == ["n2_let-worm0", "n2_let-worm1"]
    assert all(
        np.array_equal(worm_read.signal, traces(worm).astype(np.float32)) for worm, worm_read in enumerate(read_back)
    )


@WRITERS
@pytest.mark.parametrize(
    ("changes", "message", "place"),
    [
        ({"tv": None}, "tv or timeVectorSeconds or time_vector is missing", "WT"),
        ({"NeuronNames": None}, "NeuronNames or IDs or neuron_ID is missing", "WT"),
        ({"NeuronNames": ["AVAL", "AVAR"]}, "2 names do not fit", "WT.deltaFOverF_bc"),
        ({"NeuronNames": "AVAL"}, "1 names do not fit", "WT.deltaFOverF_bc"),
        ({"NeuronNames": [{"a": 1.0}, "x", "y"]}, "struct array in the place of the name", "WT.NeuronNames{1}"),
        ({"NeuronNames": ["A" * 5000, "x", "y"]}, "too long", "WT.NeuronNames{1}"),
        ({"tv": times(0)[::-1]}, "row 1", "WT.deltaFOverF_bc"),
        ({"tv": times(1)}, "60 times", "WT.deltaFOverF_bc"),
        ({"tv": np.ones((5, 10))}, "not that of a list", "WT.tv"),
        ({"deltaFOverF_bc": "text"}, "char array in the place of numbers", "WT.deltaFOverF_bc"),
        ({"deltaFOverF_bc": traces(0) * 1j}, "complex numbers, which are never read", "WT.deltaFOverF_bc"),
        ({"deltaFOverF_bc": np.full((50, 3), np.nan)}, "not one sample", "WT.deltaFOverF_bc"),
        ({"States": np.ones((7, 1))}, "50 whole numbers", "WT.deltaFOverF_bc"),
        ({"States": {"fwd": np.ones((7, 1))}}, "50 zeros and ones", "WT.States.fwd"),
        ({"States": "fwd"}, "char array in the place of states", "WT.States"),
    ],
)
def test_what_is_wrong_is_named(write, changes, message, place, tmp_path):
    if write is write73 and isinstance(changes.get("deltaFOverF_bc"), np.ndarray):
        value = changes["deltaFOverF_bc"]
        if value.dtype.kind == "c":
            pair = np.zeros(value.shape, [("real", "f8"), ("imag", "f8")])
            changes = {"deltaFOverF_bc": pair}
    path = write(tmp_path / "worm.mat", {"WT": one_worm(**changes)})
    assert ZimmerMatReader().can_read(path)
    with pytest.raises(DataError, match=message) as caught:
        ZimmerMatReader().read([path])
    assert caught.value.where == f"{path}:{place}" and caught.value.hint


@WRITERS
def test_a_cell_too_few(write, tmp_path):
    struct = published()
    struct["tv"] = struct["tv"][:2]
    path = write(tmp_path / "WT.mat", {"WT": struct})
    recordings = ZimmerMatReader().read([path])
    assert recordings.groups == ["WT-worm0", "WT-worm1"]
    (left,) = [note for note in recordings.notes if note.check == "left-out"]
    assert "2 cells, and worm 3" in left.found and left.is_doubt


@WRITERS
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_said_to_be_one(write, share, tmp_path):
    path = write(tmp_path / "WT.mat", {"WT": one_worm()})
    content = path.read_bytes()
    path.write_bytes(content[: max(130, int(share * len(content)))])
    assert ZimmerMatReader().can_read(path)
    with pytest.raises(DataError, match=r"truncated|damaged") as caught:
        ZimmerMatReader().read([path])
    assert str(path) in caught.value.where and caught.value.hint


def test_other_files_are_left_to_others(tmp_path):
    write73(tmp_path / "plain.mat", {"x": 1.0, "s": {"traces": 1.0}})
    (tmp_path / "text.mat").write_text("hello")
    (tmp_path / "empty.mat").touch()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = h5py.SoftLink("/nowhere")
    reader = ZimmerMatReader()
    names = ("plain.mat", "text.mat", "empty.mat", "other.h5", "absent.mat", ".")
    assert not any(reader.can_read(tmp_path / name) for name in names)
    with pytest.raises(DataError, match="no struct has the fields"):
        reader.read([tmp_path / "plain.mat"])


def test_names_as_the_rows_of_a_character_matrix(tmp_path):
    struct = {"deltaFOverF_bc": traces(0), "NeuronNames": np.array(["AVAL ", "---  ", "VB02 "]), "tv": times(0)}
    scipy.io.savemat(str(tmp_path / "lab_w1.mat"), {"wt": struct})
    (recording,) = ZimmerMatReader().read([tmp_path / "lab_w1.mat"]).values()
    assert recording.channels == ["AVAL", "unidentified-2", "VB2"]


def test_damage_that_shows_while_a_worm_is_read_is_told_with_its_place(tmp_path):
    path = write73(tmp_path / "one.mat", {"WT": one_worm()})
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        at = h5py.h5o.get_info(file["#refs#"][next(iter(file["#refs#"]))].id).addr + 512
    content[at] = 77  # the version of an object's header
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        ZimmerMatReader().read([path])
    assert str(path) in caught.value.where and caught.value.hint
