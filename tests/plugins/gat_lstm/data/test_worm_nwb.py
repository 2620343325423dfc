"""NWB files of worms: one series for each neuron or one for all, what glows, and files that are not theirs or damaged."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurocli.errors import DataError, MissingDependency
from neurocli_eirnn.data.readers.nwb import SessionNwbReader
from neurocli_gat_lstm.data.readers.nwb import WormNwbReader

pynwb = pytest.importorskip("pynwb")
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel  # noqa: E402

STEPS, NEURONS = 40, 3
TRACES = np.random.default_rng(0).uniform(1, 2, (STEPS, NEURONS))
TIMES = np.cumsum(np.random.default_rng(1).uniform(0.2, 0.4, STEPS))


def new(**values: Any) -> Any:
    start = datetime(2023, 1, 2, tzinfo=UTC)
    return pynwb.NWBFile(values.pop("description", "a worm"), "id-7", start, **values)


def save(content: Any, path: Path) -> Path:
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(content)
    return path


def with_activity(path: Path, times: list[np.ndarray] | None = None, *, content: Any = None, names=None) -> Path:
    """One series for each neuron, written in another order than that of their numbers."""
    content = content or new()
    for neuron in reversed(range(NEURONS)):
        label = f"Neuron: {neuron}" if names is None else names[neuron]
        times_of = TIMES if times is None else times[neuron]
        name, data = f"Activity_{neuron:04d}", TRACES[:, neuron]
        series = pynwb.TimeSeries(name=name, data=data, unit="none", timestamps=times_of, description=label)
        content.add_acquisition(series)
    return save(content, path)


def with_rois(
    path: Path,
    *,
    names=None,
    order=(0, 1, 2),
    glows="GCaMP6s",
    kinds=("DfOverF",),
    time=None,
    subject=None,
    data=TRACES,
) -> Path:
    """A series of regions of interest, with names in the table of regions."""
    content = new(subject=subject)
    device = content.create_device("microscope")
    plane = content.create_imaging_plane(
        name="plane",
        optical_channel=OpticalChannel(name="channel", description="green", emission_lambda=500.0),
        description="head",
        device=device,
        excitation_lambda=488.0,
        imaging_rate=2.5,
        indicator=glows,
        location="head",
    )
    network = content.create_processing_module("ophys", "traces")
    segmentation = ImageSegmentation()
    network.add(segmentation)
    table = segmentation.create_plane_segmentation(name="PlaneSegmentation", description="neurons", imaging_plane=plane)
    if names is not None:
        table.add_column("neuron_name", "its name")
    for number in range(NEURONS):
        extra = {} if names is None else {"neuron_name": names[number]}
        table.add_roi(pixel_mask=[(number, 0, 1.0)], **extra)
    for number, kind in enumerate(kinds):
        region = table.create_roi_table_region(description="the neurons", region=list(order))
        holder = {"DfOverF": DfOverF, "Fluorescence": Fluorescence}[kind](name=f"{kind}{number}")
        network.add(holder)
        clock = {"timestamps": TIMES} if time is None else time
        series = {"name": f"{kind}Series{number}", "data": data + number, "rois": region, "unit": "n.a."}
        holder.create_roi_response_series(**series, **clock)
    return save(content, path)


def read(path: Path):
    assert WormNwbReader().can_read(path) and not SessionNwbReader().can_read(path)
    (recording,) = WormNwbReader().read([path]).values()
    return recording


def test_one_series_for_each_neuron(tmp_path):
    recording = read(with_activity(tmp_path / "Lab_3.nwb"))
    assert recording.group == "Lab-id-7"
    assert np.array_equal(recording.signal, TRACES.astype(np.float32))
    assert np.array_equal(recording.events["time_s"], TIMES)
    assert recording.channels == ["unidentified-1", "unidentified-2", "unidentified-3"]
    assert recording.unit == "a.u." and recording.labels["indicator"] == "unknown"
    named = read(with_activity(tmp_path / "named.nwb", names=["Neuron: AVAL", "VB02", "neuron : VB02"]))
    assert named.channels == ["AVAL", "unidentified-2", "VB2"]


def test_one_series_for_all(tmp_path):
    path = with_rois(tmp_path / "all.nwb", names=["VB02", "", "AVAL?"], order=(2, 0, 1))
    recording = read(path)
    assert recording.channels == ["AVAL", "VB2", "unidentified-3"]
    assert np.array_equal(recording.signal, TRACES.astype(np.float32)) and recording.unit == "dF/F0"
    assert recording.labels["indicator"] == "gcamp"
    assert read(with_rois(tmp_path / "b.nwb")).channels == ["unidentified-1", "unidentified-2", "unidentified-3"]


def test_a_rate_in_the_place_of_times(tmp_path):
    recording = read(with_rois(tmp_path / "rate.nwb", time={"rate": 2.5, "starting_time": 10.0}))
    assert recording.dt_ms == pytest.approx(400) and recording.events["time_s"][:2].tolist() == [10.0, 10.4]


def test_ratios_come_before_raw_fluorescence(tmp_path):
    recording = read(with_rois(tmp_path / "both.nwb", kinds=("Fluorescence", "DfOverF")))
    assert recording.unit == "dF/F0" and np.array_equal(recording.signal, (TRACES + 1).astype(np.float32))
    assert read(with_rois(tmp_path / "raw.nwb", kinds=("Fluorescence",))).unit == "a.u."
    two = WormNwbReader().read([with_rois(tmp_path / "two.nwb", kinds=("DfOverF", "DfOverF"))])
    (doubt,) = [note for note in two.notes if note.check == "series"]
    assert doubt.is_doubt and "DfOverFSeries0 is read" in doubt.found and "data.series" in doubt.advice


def test_a_control_is_known(tmp_path):
    subject = pynwb.file.Subject(subject_id="w1", strain="AML18", species="Caenorhabditis elegans", age="P3D")
    assert read(with_rois(tmp_path / "a.nwb", glows="n.a.", subject=subject)).labels["indicator"] == "gfp"
    assert read(with_rois(tmp_path / "b.nwb", glows="GFP")).labels["indicator"] == "gfp"
    paper = new(description="Scholz et al. 2018 dataset, strain AML32")
    recording = read(with_activity(tmp_path / "c.nwb", content=paper))
    assert recording.group == "Scholz2018-id-7" and recording.labels["indicator"] == "gcamp"


def test_times_that_differ_are_named(tmp_path):
    path = with_activity(tmp_path / "x.nwb", [TIMES, TIMES + 0.1, TIMES])
    with pytest.raises(DataError, match="not those of Activity_0000") as caught:
        WormNwbReader().read([path])
    assert caught.value.where == f"{path}:acquisition/Activity_0001"
    path = with_activity(tmp_path / "y.nwb", [TIMES[::-1].copy()] * 3)
    with pytest.raises(DataError, match="row 1"):
        WormNwbReader().read([path])
    path = with_rois(tmp_path / "z.nwb", names=["AVAL", "VB02", "VB2"])
    recordings = WormNwbReader().read([path])
    assert next(iter(recordings.values())).channels == ["AVAL", "unidentified-2", "unidentified-3"]
    assert any("columns 2 and 3" in note.found and note.is_doubt for note in recordings.notes)


@pytest.mark.parametrize("kind", ["length", "text", "size", "link", "cut", "no times"])
def test_a_hostile_or_damaged_file_is_refused(kind, tmp_path):
    path = with_activity(tmp_path / "x.nwb")
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    else:
        with h5py.File(path, "r+") as file:
            series = file["acquisition/Activity_0001"]
            if kind == "link":
                file["acquisition/elsewhere"] = h5py.ExternalLink("/etc/hostname", "/x")
            elif kind == "no times":
                del series["timestamps"]
            else:
                attributes = dict(series["data"].attrs)
                del series["data"]
                if kind == "size":
                    series.create_dataset("data", (10**12,), chunks=(1000,), dtype="f8")
                else:
                    series["data"] = TRACES[:7, 1] if kind == "length" else np.array([b"a"] * STEPS)
                series["data"].attrs.update(attributes)
    expected = {
        "length": "40 times do not fit",
        "text": "type|numbers|read",
        "size": "claims",
        "link": "another file",
        "cut": "truncated",
        "no times": "neither timestamps nor a rate|cannot read",
    }
    with pytest.raises(DataError, match=expected[kind]) as caught:
        WormNwbReader().read([path])
    assert str(path) in caught.value.where


def test_sessions_with_units_are_left_to_their_reader(tmp_path):
    content = new()
    content.add_unit(spike_times=[1.0, 2.0])
    path = with_activity(tmp_path / "units.nwb", content=content)
    assert SessionNwbReader().can_read(path) and not WormNwbReader().can_read(path)
    trials = new()
    trials.add_trial(start_time=0.0, stop_time=1.0)
    path = save(trials, tmp_path / "trials.nwb")
    assert not WormNwbReader().can_read(path)


def test_knowing_the_format_does_not_import_pynwb(tmp_path, monkeypatch):
    single, all_ = with_activity(tmp_path / "one.nwb"), with_rois(tmp_path / "all.nwb")
    empty = save(new(), tmp_path / "empty.nwb")
    (tmp_path / "text.nwb").write_text("hello")
    monkeypatch.setitem(sys.modules, "pynwb", None)
    reader = WormNwbReader()
    assert reader.can_read(single) and reader.can_read(all_)
    assert not any(reader.can_read(path) for path in (empty, tmp_path / "text.nwb", tmp_path / "absent.nwb", tmp_path))
    with pytest.raises(MissingDependency) as caught:
        reader.read([single])
    assert caught.value.hint == 'pip install "neurocli[nwb]"'


def with_names(path: Path, column: str, names: list[Any], *, index: bool = False, elsewhere: bool = False) -> Path:
    """The names in a column of any name and kind, or in a table of their own."""
    path = with_rois(path)
    with pynwb.NWBHDF5IO(str(path), "r+") as io:
        content = io.read()
        if elsewhere:
            table = pynwb.core.DynamicTable(name="NeuroPALNeurons", description="names", id=list(range(len(names))))
            content.processing["ophys"].add(table)
        else:
            table = content.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        table.add_column(column, "names", data=names, index=index)
        io.write(content)
    return path


def notes_of(path: Path):
    recordings = WormNwbReader().read([path])
    (recording,) = recordings.values()
    return recording, recordings.notes


@pytest.mark.parametrize(
    ("column", "names", "index"),
    [
        ("ID_labels", [list("AVAL "), list("VB02 "), list("     ")], False),
        ("NeuroPAL_ID", ["AVAL", "VB02", ""], False),
        ("anything", [["AVAL"], ["VB02"], []], True),
    ],
)
def test_names_are_found_by_their_content(column, names, index, tmp_path):
    recording, notes = notes_of(with_names(tmp_path / "x.nwb", column, names, index=index))
    assert recording.channels == ["AVAL", "VB2", "unidentified-3"]
    assert any(column in note.found for note in notes) == (column != "ID_labels")


def test_names_in_another_table_are_a_doubt(tmp_path):
    recording, notes = notes_of(with_names(tmp_path / "x.nwb", "ID_labels", ["AVAL", "VB02", ""], elsewhere=True))
    assert recording.channels == ["AVAL", "VB2", "unidentified-3"]
    assert any("NeuroPALNeurons" in note.found and note.is_doubt for note in notes)
    recording, notes = notes_of(with_names(tmp_path / "y.nwb", "ID_labels", ["AVAL", "VB02"], elsewhere=True))
    assert recording.channels[0] == "unidentified-1" and any("not used" in note.found for note in notes)


def test_a_rate_in_another_unit_is_refused(tmp_path):
    path = with_rois(tmp_path / "rate.nwb", time={"rate": 171.4, "starting_time": 0.0})
    with pytest.raises(DataError, match="is it in frames per minute"):
        WormNwbReader().read([path])


def test_the_reference_channel_is_not_the_signal(tmp_path):
    path = with_rois(tmp_path / "x.nwb", kinds=("Fluorescence", "Fluorescence"))
    with h5py.File(path, "r+") as file:
        holder = file["processing/ophys"]
        holder.move("Fluorescence0/FluorescenceSeries0", "Fluorescence0/ReferenceRFP")
    recording, notes = notes_of(path)
    assert (
        np.array_equal(recording.signal, (TRACES + 1).astype(np.float32))
        and recording.labels["series"] == "FluorescenceSeries1"
    )
    assert np.array_equal(recording.events["series:ReferenceRFP"], TRACES.astype(np.float32))
    (said,) = [note for note in notes if note.check == "series"]
    assert not said.is_doubt and "ReferenceRFP" in said.found
