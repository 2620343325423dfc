"""The real recordings, each beside an independent reading of its file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from neurocli.plugin.cards import ReaderCard
from neurocli.recordings import RecordingSet
from neurocli.recordings.readers import Reader, open_paths
from neurocli_gat_lstm.data.readers.nwb import WormNwbReader
from neurocli_gat_lstm.data.readers.parquet import QsimeonParquetReader
from neurocli_gat_lstm.data.readers.wormwideweb import WormWideWebJsonReader
from neurocli_gat_lstm.data.readers.wormwideweb_hdf5 import WormWideWebHdf5Reader
from neurocli_gat_lstm.data.readers.zimmer import ZimmerMatReader
from neurocli_gat_lstm.data.writers.parquet import write_parquet
from neurocli_gat_lstm.graph.names import is_neuron

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set"),
]
FOLDER = Path(os.environ.get("NEUROCLI_REAL_DATA", ".")) / "worm"
READERS: dict[type[Reader], str] = {
    ZimmerMatReader: "Kato2015_*.mat",
    WormWideWebJsonReader: "*.json",
    WormWideWebHdf5Reader: "*.h5",
    WormNwbReader: "*.nwb",
    QsimeonParquetReader: "*.parquet",
}
KATO = {"worm0": 38, "worm1": 44, "worm2": 32, "worm4": 31}
PARQUET = FOLDER / "worm_data_open.parquet"


@pytest.fixture(scope="module")
def collection() -> RecordingSet:
    pytest.importorskip("pyarrow")
    return QsimeonParquetReader().read([PARQUET])


def identified(recording) -> list[str]:
    return [name for name in recording.channels if not name.startswith("unidentified-")]


def test_each_file_is_claimed_by_its_own_reader_alone():
    from neurocli_eirnn.data.readers.matfile import SessionMatReader
    from neurocli_eirnn.data.readers.nwb import SessionNwbReader

    for path in sorted(FOLDER.iterdir()):
        claimed = [kind for kind in (*READERS, SessionMatReader, SessionNwbReader) if kind().can_read(path)]
        assert claimed == [kind for kind, pattern in READERS.items() if path.match(pattern)], path
    sessions = sorted((FOLDER.parent / "eirnn").glob("*.mat"))
    assert sessions and not any(kind().can_read(path) for path in sessions for kind in READERS)


@pytest.mark.parametrize(("worm", "named"), KATO.items())
def test_kato(worm, named):
    path = FOLDER / f"Kato2015_{worm}.mat"
    expected = scipy.io.loadmat(str(path))["WT_NoStim"][0, 0]
    (recording,) = ZimmerMatReader().read([path]).values()
    assert recording.group == f"Kato2015-{worm}"
    assert np.array_equal(recording.signal, expected["deltaFOverF_bc"].astype(np.float32))
    assert np.array_equal(recording.events["time_s"], expected["tv"].ravel())
    assert np.array_equal(recording.events["state"], expected["States"].ravel())
    assert recording.dt_ms == pytest.approx(1e3 / expected["fps"].item(), rel=1e-9)
    assert recording.unit == "dF/F0" and recording.mask is None and recording.labels["indicator"] == "gcamp"
    raw = [cell.item() for cell in expected["NeuronNames"].ravel()]
    for column, (name, channel) in enumerate(zip(raw, recording.channels, strict=True), start=1):
        assert channel == (f"unidentified-{column}" if name.isdigit() else name.replace("B0", "B").replace("VA0", "VA"))
    names = identified(recording)
    assert len(names) == named and all(map(is_neuron, names))


def test_atanas_in_json_and_hdf5():
    (json_path,), (h5_path,) = FOLDER.glob("*.json"), FOLDER.glob("*.h5")
    expected = json.loads(json_path.read_text())
    (worm,) = WormWideWebJsonReader().read([json_path]).values()
    (other,) = WormWideWebHdf5Reader().read([h5_path]).values()
    assert np.array_equal(worm.signal, np.array(expected["trace_array"], np.float32).T)
    with h5py.File(h5_path) as file:
        assert np.array_equal(other.signal, file["gcamp/trace_array"][()].T)
        assert np.array_equal(other.events["time_s"], file["timing/timestamp_confocal"][()])
    labels = [expected["labeled"][str(n + 1)]["label"] for n in range(98)]
    for recording in (worm, other):
        assert recording.group == "Atanas2023-2022-08-02-01" and recording.signal.shape == (1600, 98)
        assert [name for name in recording.channels if name not in labels] == ["VB2"] and "VB02" in labels
        assert all(map(is_neuron, recording.channels))
        assert np.array_equal(recording.events["time_s"], expected["timestamp_confocal"])
        assert recording.dt_ms == pytest.approx(expected["avg_timestep"] * 60e3, rel=0.01)
        assert recording.unit == "z-score" and recording.labels["normalization_method"] == "standard"
    # The two differ by how many decimals they keep: one worm.
    assert np.abs(worm.signal - other.signal).max() < 1e-5


@pytest.mark.parametrize("number", [0, 2])
def test_scholz_is_known_as_a_control(number):
    pytest.importorskip("pynwb")
    path = FOLDER / f"ScholzEtAl2018_{number}.nwb"
    (recording,) = WormNwbReader().read([path]).values()
    with h5py.File(path) as file:
        series = [file["acquisition"][name] for name in sorted(file["acquisition"]) if name.startswith("Activity")]
        expected = np.stack([entry["data"][()] for entry in series], axis=1).astype(np.float32)
        times = series[0]["timestamps"][()]
        assert recording.labels["worm"] == file["identifier"][()].decode()
    assert np.array_equal(recording.signal, expected) and np.array_equal(recording.events["time_s"], times)
    assert recording.labels["indicator"] == "gfp" and recording.labels["source"] == "Scholz2018"
    assert recording.unit == "z-score" and identified(recording) == []
    assert recording.dt_ms == pytest.approx(166, abs=0.5) and np.diff(times).max() > 10


def test_the_collection_is_what_pyarrow_reads(collection):
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(PARQUET).to_pylist()
    assert list(dict.fromkeys(f"{row['source_dataset']}-{row['worm']}" for row in rows)) == collection.groups
    assert len(collection) == 7 and sum(r.num_channels for r in collection.values()) == len(rows) == 721
    for row in rows:
        recording = collection[f"{row['source_dataset']}-{row['worm']}"]
        assert np.array_equal(recording.signal[:, row["slot"]], np.array(row["original_calcium_data"], np.float32))
        assert np.array_equal(recording.events["time_s"], row["original_time_in_seconds"])
        assert recording.channels[row["slot"]].startswith("unidentified-") != row["is_labeled_neuron"]
        labels = ("smooth_method", "interpolate_method", "normalization_method")
        assert all(recording.labels[name] == row[name] for name in labels)


def test_a_worm_is_the_same_in_every_format(collection):
    pytest.importorskip("pynwb")
    pairs = {f"Kato2015_{worm}.mat": f"Kato2015-{worm}" for worm in KATO}
    pairs |= {f"ScholzEtAl2018_{n}.nwb": f"Scholz2018-worm{n}" for n in (0, 2)}
    pairs["Atanas2023_2022-08-02-01.h5"] = "Atanas2023-worm0"
    cards = [(ReaderCard("x", "x", "x:X"), kind()) for kind in READERS]
    for name, group in pairs.items():
        (recording,) = open_paths([FOLDER / name], cards).values()
        other = collection[group]
        assert (
            recording.fingerprint() == other.fingerprint()
            and recording.channels == other.channels
            and recording.unit == other.unit
        )
        assert np.allclose(recording.events["time_s"], other.events["time_s"], atol=1e-4)
        assert recording.dt_ms == pytest.approx(other.dt_ms, rel=2e-4)


def test_what_is_written_is_the_published_collection(tmp_path):
    """Every column of every row of the Kato worms, made anew from the .mat files."""
    import pyarrow.parquet

    paths = [FOLDER / f"Kato2015_{worm}.mat" for worm in KATO]
    written = pyarrow.parquet.read_table(write_parquet(ZimmerMatReader().read(paths), tmp_path / "out.parquet"))
    published = pyarrow.parquet.read_table(PARQUET)
    assert written.column_names == published.column_names
    published = published.slice(0, written.num_rows)
    arrays = {
        "original_calcium_data": 0.0,
        "calcium_data": 1e-4,
        "original_time_in_seconds": 0.0,
        "time_in_seconds": 1e-4,
    }
    for name in written.column_names:
        ours, expected = written[name], published[name]
        if name == "neuron":
            pairs = zip(ours.to_pylist(), expected.to_pylist(), strict=True)
            assert all(a == b or (is_neuron(b) and a == b.replace("0", "")) for a, b in pairs)
        elif name in arrays:
            a, b = (np.concatenate([entry.values.to_numpy() for entry in column]) for column in (ours, expected))
            assert a.shape == b.shape and np.abs(a - b).max() <= arrays[name], name
        else:
            assert ours.to_pylist() == expected.to_pylist(), name
