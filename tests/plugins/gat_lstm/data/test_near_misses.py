"""Files that come near a worm's format: what they miss is said, with the name that is there instead."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import scipy.io

import neurocli
from neurocli.errors import DataError


def refused(path):
    with pytest.raises(DataError) as caught:
        neurocli.open_recordings(path)
    return caught.value.message


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"wbstruct": {"deltaFOverF": np.ones((9, 2)), "tv": np.arange(9.0)}}, "there is deltaFOverF"),
        ({"deltaFOverF_bc": np.ones((9, 2)), "tv": np.arange(9.0)}, "a variable of its own"),
        ({"wb": {"simple": {"traces": np.ones((9, 2)), "IDs": ["a"]}}}, "its fields are in wb.simple"),
    ],
)
def test_a_struct_that_comes_near(variables, said, tmp_path):
    scipy.io.savemat(str(tmp_path / "x.mat"), variables)
    message = refused(tmp_path / "x.mat")
    assert "it comes near zimmer-mat" in message and said in message


def test_json_with_other_keys(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"traces": [[1, 2]], "timestamp_confocal": [0, 1]}))
    message = refused(tmp_path / "x.json")
    assert "it comes near wormwideweb, but timestamp_confocal is there; trace_original" in message


def test_hdf5_with_other_names(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["gcamp/traces"], file["timing/timestamp_confocal"] = np.ones((2, 9)), np.arange(9.0)
    message = refused(tmp_path / "x.h5")
    assert (
        "it comes near wormwideweb-h5" in message and "gcamp/trace_array is missing; there is gcamp/traces" in message
    )


def test_parquet_with_other_columns(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"source_dataset": ["A"], "name": ["w"], "original_time_in_seconds": [[0.0]]}
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    message = refused(tmp_path / "x.parquet")
    assert "it comes near worm-parquet" in message and "original_calcium_data" in message


def test_nwb_without_regions(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    content = pynwb.NWBFile("a worm", "id", datetime(2023, 1, 2, tzinfo=UTC))
    content.add_acquisition(pynwb.TimeSeries(name="dff", data=np.ones((9, 2)), unit="x", timestamps=np.arange(9.0)))
    with pynwb.NWBHDF5IO(str(tmp_path / "x.nwb"), "w") as io:
        io.write(content)
    message = refused(tmp_path / "x.nwb")
    assert "it comes near worm-nwb" in message and "acquisition/dff" in message


def test_a_broken_file_of_another_reader_does_not_stop_a_folder(tmp_path):
    worm = {
        "traces": np.random.default_rng(0).normal(size=(60, 3)),
        "IDs": np.array([["AVAL", "AVAR", "AVBL"]], object),
    }
    scipy.io.savemat(str(tmp_path / "a_w1.mat"), {"wt": {**worm, "timeVectorSeconds": np.arange(60) * 0.3}})
    (tmp_path / "b_w2.mat").write_bytes((tmp_path / "a_w1.mat").read_bytes()[:300])
    recordings = neurocli.open_recordings(tmp_path)
    (note,) = [note for note in recordings.notes if note.check == "left-out"]
    assert len(recordings) == 1 and "b_w2.mat" in note.where and note.is_doubt
    with pytest.raises(DataError, match=r"truncated|damaged"):
        neurocli.open_recordings([tmp_path / "a_w1.mat", tmp_path / "b_w2.mat"])


def test_a_zarr_store_is_called_one(tmp_path):
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    assert refused(tmp_path) == "the folder is a Zarr store, which is not read"
