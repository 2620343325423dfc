"""WormWideWeb's JSON and HDF5: orientation, units, labels, controls; and files that are damaged or hostile."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_gat_lstm.data.readers import wormwideweb
from neurocli_gat_lstm.data.readers.wormwideweb import WormWideWebJsonReader
from neurocli_gat_lstm.data.readers.wormwideweb_hdf5 import WormWideWebHdf5Reader

NEURONS, STEPS = 3, 20
TIMES = np.arange(STEPS) * 0.6 + np.random.default_rng(5).uniform(0, 0.01, STEPS)
ORIGINAL = np.random.default_rng(0).uniform(1, 3, (NEURONS, STEPS))
SCORED = (ORIGINAL - ORIGINAL.mean(1, keepdims=True)) / ORIGINAL.std(1, keepdims=True)


def content(**changes: Any) -> dict[str, Any]:
    values = {
        "uid": "2022-06-14-01",
        "dataset_type": ["baseline", "neuropal"],
        "max_t": STEPS,
        "num_neurons": NEURONS,
        "avg_timestep": 0.01,
        "timestamp_confocal": TIMES.tolist(),
        "trace_array": SCORED.tolist(),
        "labeled": {"1": {"label": "AVAL", "neuron_class": "AVA"}, "3": {"label": "VB02", "neuron_class": "VB"}},
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def write(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(content(**changes)))
    return path


def read(path: Path):
    assert WormWideWebJsonReader().can_read(path)
    (recording,) = WormWideWebJsonReader().read([path]).values()
    return recording


def test_the_traces_of_json(tmp_path):
    recording = read(write(tmp_path / "one.json"))
    assert recording.group == "WormWideWeb-2022-06-14-01"
    assert recording.channels == ["AVAL", "unidentified-2", "VB2"]
    assert np.array_equal(recording.signal, SCORED.T.astype(np.float32))
    assert np.array_equal(recording.events["time_s"], TIMES)
    assert (recording.unit, recording.labels["normalization_method"]) == ("z-score", "standard")
    assert recording.labels["indicator"] == "gcamp"


def test_the_original_traces_are_preferred(tmp_path):
    recording = read(write(tmp_path / "one.json", trace_original=ORIGINAL.tolist()))
    assert np.array_equal(recording.signal, ORIGINAL.T.astype(np.float32))
    assert (recording.unit, recording.labels["normalization_method"]) == ("a.u.", "none")


def test_either_axis_may_be_time(tmp_path):
    recording = read(write(tmp_path / "turned.json", trace_array=SCORED.T.tolist()))
    assert np.array_equal(recording.signal, SCORED.T.astype(np.float32))


def test_a_control_is_known(tmp_path):
    assert read(write(tmp_path / "a.json", dataset_type=["GFP", "baseline"])).labels["indicator"] == "gfp"
    assert read(write(tmp_path / "b.json", dataset_type="gfp")).labels["indicator"] == "gfp"
    assert read(write(tmp_path / "c.json", dataset_type=None)).labels["indicator"] == "gcamp"


def test_the_mean_step_is_in_minutes(tmp_path):
    recording = read(write(tmp_path / "steps.json", timestamp_confocal=None, avg_timestep=0.01))
    assert recording.dt_ms == pytest.approx(600) and recording.events["time_s"][-1] == pytest.approx(0.6 * (STEPS - 1))


def test_names_of_source_and_worm(tmp_path):
    assert read(write(tmp_path / "atanas_kim_2023-x.json", uid=None)).labels["source"] == "Atanas2023"
    assert read(write(tmp_path / "x.json", paper="atanas_kim_2023")).group == "Atanas2023-2022-06-14-01"
    assert read(write(tmp_path / "2022-01-01.json", uid=None)).group == "WormWideWeb-2022-01-01"
    code = "__import__('os').system('touch /tmp/executed')"
    assert read(write(tmp_path / "code.json", uid=code)).labels["worm"] == code


def test_null_is_masked(tmp_path):
    rows = SCORED.tolist()
    rows[1][4] = None
    rows[2][5] = float("nan")
    mask = read(write(tmp_path / "gaps.json", trace_array=rows)).mask
    assert np.argwhere(~mask).tolist() == [[4, 1], [5, 2]]


SQUARE = np.random.default_rng(0).normal(size=(STEPS, STEPS)).tolist()


@pytest.mark.parametrize(
    ("changes", "message", "place"),
    [
        ({"trace_array": SQUARE}, "which of them is time cannot be told", "trace_array"),
        ({"timestamp_confocal": TIMES[:-1].tolist()}, "19 times for traces of 3 x 20", "trace_array"),
        ({"timestamp_confocal": TIMES[::-1].tolist()}, "row 1", "trace_array"),
        ({"timestamp_confocal": ["a"] * STEPS}, "'a' is not a number", "timestamp_confocal"),
        ({"timestamp_confocal": None, "avg_timestep": None}, "neither", ""),
        ({"timestamp_confocal": None, "avg_timestep": -1}, "neither", "avg_timestep"),
        ({"timestamp_confocal": None, "max_t": 10**12}, "max_t is 1000000000000", "max_t"),
        ({"trace_array": [[1.0, 2.0], [1.0]]}, r"row 1 \(counted from 0\) has 1 values", "trace_array"),
        ({"trace_array": [[1.0] * STEPS, ["x"] * STEPS]}, "'x' is not a number", "trace_array, row 1"),
        ({"trace_array": [[True] * STEPS]}, "True is not a number", "trace_array, row 0"),
        ({"trace_array": [[10**400] * STEPS]}, "too large", "trace_array, row 0"),
        ({"trace_array": []}, "no traces", "trace_array"),
        ({"trace_array": {"a": 1}}, "no traces", "trace_array"),
        ({"trace_array": [[None] * STEPS], "labeled": None}, "not one sample", "trace_array"),
        ({"labeled": {"4": {"label": "AVAL"}}}, "'4' is no column from 1 to 3", "labeled"),
        ({"labeled": {"0": {"label": "AVAL"}}}, "'0' is no column", "labeled"),
        ({"labeled": [1]}, "not an object", "labeled"),
        ({"timestamp_confocal": None, "avg_timestep": 100.0}, "is it in .*frames per minute", "avg_timestep"),
        ({"timestamp_confocal": None, "avg_timestep": 0.6}, "is it in s", "avg_timestep"),
        ({"timestamp_confocal": (TIMES * 1e3).tolist()}, "is it in ms", "trace_array"),
    ],
)
def test_what_is_wrong_is_named(changes, message, place, tmp_path):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(content(**changes)))
    with pytest.raises(DataError, match=message) as caught:
        WormWideWebJsonReader().read([path])
    assert caught.value.where == f"{path}:{place}".removesuffix(":") and caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "{", '{"trace_array": [[1,', "[1, 2]", "[" * 100_000, '{"a": ' * 50_000, '{"uid": "\\ud8']
)
def test_damaged_json_is_said_to_be(text, tmp_path):
    path = tmp_path / "damaged.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        WormWideWebJsonReader().read([path])
    assert caught.value.where == str(path) and caught.value.hint
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(DataError, match="damaged"):
        WormWideWebJsonReader().read([path])


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(wormwideweb.LARGEST_JSON_BYTES + 1)
    assert WormWideWebJsonReader().can_read(path)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"1.0 GiB is not read"):
        WormWideWebJsonReader().read([path])
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def write_hdf5(path: Path, traces: dict[str, np.ndarray], names: Any = None, times: np.ndarray = TIMES) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in traces.items():
            file[f"gcamp/{name}"] = values
        file["timing/timestamp_confocal"] = times
        if names is not None:
            file["neuron_names"] = names
    return path


def read_hdf5(path: Path):
    assert WormWideWebHdf5Reader().can_read(path)
    (recording,) = WormWideWebHdf5Reader().read([path]).values()
    return recording


@pytest.mark.parametrize("turned", [False, True])
def test_the_traces_of_hdf5(turned, tmp_path):
    stored = {"trace_array": SCORED.T if turned else SCORED}
    fixed = read_hdf5(write_hdf5(tmp_path / "Atanas2023_x1.h5", stored, np.array([b"AVAL", b"", b"VB02"])))
    assert fixed.group == "Atanas2023-x1" and fixed.channels == ["AVAL", "unidentified-2", "VB2"]
    assert np.array_equal(fixed.signal, SCORED.T.astype(np.float32)) and fixed.unit == "z-score"
    stored["trace_array_original"] = ORIGINAL.T if turned else ORIGINAL
    free = read_hdf5(write_hdf5(tmp_path / "2022-06-14-01-data.h5", stored, ["RIML", "?", "12"]))
    assert free.group == "WormWideWeb-2022-06-14-01-data" and free.channels[0] == "RIML"
    assert np.array_equal(free.signal, ORIGINAL.T.astype(np.float32)) and free.unit == "a.u."
    without = read_hdf5(write_hdf5(tmp_path / "none_1.h5", stored))
    assert without.channels == ["unidentified-1", "unidentified-2", "unidentified-3"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("square", "cannot be told"),
        ("times", "19 times"),
        ("no times", "missing"),
        ("names", "for 3 neurons"),
        ("numbers", "not texts"),
        ("size", "claims"),
        ("link", "link"),
        ("cut", "truncated"),
    ],
)
def test_a_wrong_hdf5_file_is_named(kind, message, tmp_path):
    traces = {"trace_array": np.array(SQUARE) if kind == "square" else SCORED}
    names = {"names": np.array([b"AVAL"]), "numbers": np.arange(3)}.get(kind)
    path = write_hdf5(tmp_path / "wrong.h5", traces, names, TIMES[:-1] if kind == "times" else TIMES)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        with h5py.File(path, "r+") as file:
            if kind == "no times":
                del file["timing"]
            elif kind == "size":
                del file["gcamp/trace_array"]
                file.create_dataset("gcamp/trace_array", (10**6, 10**6), chunks=(1000, 100), dtype="f8")
            elif kind == "link":
                del file["gcamp/trace_array"]
                file["gcamp/trace_array"] = h5py.ExternalLink("/etc/hostname", "/x")
        assert WormWideWebHdf5Reader().can_read(path)
    with pytest.raises(DataError, match=message) as caught:
        WormWideWebHdf5Reader().read([path])
    assert str(path) in caught.value.where


def test_other_files_are_left_to_others(tmp_path):
    (tmp_path / "other.json").write_text('{"scores": [1, 2], "trace_array_of_another": 1}')
    (tmp_path / "text.json").write_text("hello")
    (tmp_path / "empty.json").touch()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["gcamp"] = 1.0
    for reader in (WormWideWebJsonReader(), WormWideWebHdf5Reader()):
        assert not any(
            reader.can_read(tmp_path / name) for name in ("other.json", "text.json", "empty.json", "other.h5")
        )
        assert not reader.can_read(tmp_path) and not reader.can_read(tmp_path / "absent")


def test_a_label_on_the_other_side_is_doubted(tmp_path):
    path = write(tmp_path / "one.json", labeled={"1": {"label": "AVAL", "neuron_class": "AVA", "LR": "R"}})
    (note,) = [note for note in WormWideWebJsonReader().read([path]).notes if note.check == "label-classes"]
    assert note.is_doubt and "AVAL of the side R" in note.found


def test_labels_that_are_counted_from_0_are_named(tmp_path):
    with pytest.raises(DataError, match="the label '0' is no column from 1 to 3") as caught:
        WormWideWebJsonReader().read([write(tmp_path / "one.json", labeled={"0": {"label": "AVAL"}})])
    assert "counted from 1" in (caught.value.hint or "")


def test_a_name_that_is_no_text_is_passed_over(tmp_path):
    path = write_hdf5(tmp_path / "one.h5", {"trace_array": SCORED})
    with h5py.File(path, "a") as file:
        h5py.h5g.create(file.id, b"\xff\xfe")
    assert np.array_equal(read_hdf5(path).signal, SCORED.T.astype(np.float32))
