"""NeuronIO files: what is read, what is refused and how it is named, one file in memory at a time."""

from __future__ import annotations

import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.plugin.cards import ReaderCard
from neurocli.recordings import RecordingSet
from neurocli.recordings.readers import open_paths
from neurocli_elm.data.readers import reader as reader_module
from neurocli_elm.data.readers.neuronio import group_name, read_cell, read_file
from neurocli_elm.data.readers.reader import NeuronIoReader
from neurocli_elm.data.spike_times import label_steps, moved_labels, redetected_ms

SEGMENTS, STEPS = 6, 900
real = pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set")
REAL = Path(os.environ.get("NEUROCLI_REAL_DATA", ".")) / "elm"


def simulation(seed: int, steps: int = STEPS, *, high: bool = True) -> dict[str, Any]:
    """One simulation as the published script stores it: a resting voltage with a few spikes."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.choice(np.arange(10, 8 * steps - 10, 40), 5, replace=False)) / 8
    fine = -70 + rng.normal(size=8 * steps)
    fine[(times * 8).astype(int)] = 20.0
    actual = {
        "recordingTimeLowRes": np.arange(steps, dtype=np.float32),
        "somaVoltageLowRes": fine[::8].astype(np.float16),
        "nexusVoltageLowRes": fine[::8].astype(np.float16),
        "outputSpikeTimes": times.astype(np.float16),
    }
    for name in ("exInputSpikeTimes", "inhInputSpikeTimes"):
        actual[name] = {
            np.int64(k): [np.int64(t) for t in np.sort(rng.choice(steps, 20, replace=False))]
            for k in rng.permutation(SEGMENTS)[:-1]
        }
    if high:
        actual["somaVoltageHighRes"] = fine.astype(np.float16)
    return actual


def content(count: int = 3, **kwargs: Any) -> dict[str, Any]:
    params = {
        "numSimulations": count,
        "totalSimDurationInSec": kwargs.get("steps", STEPS) / 1000,
        "allSegmentsType": ["basal"] * 2 + ["apical"] * (SEGMENTS - 2),
        "allSegments_DistFromSoma": [float(k) for k in range(SEGMENTS)],
    }
    simulations = [simulation(seed, **kwargs) for seed in range(count)]
    return {"Params": params, "Results": {"listOfSingleSimulationDicts": simulations}}


def write(tmp_path: Path, value: Any, name: str = "sim__x__randomSeed_7.p", protocol: int = 2) -> Path:
    path = tmp_path / name
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def test_simulations_become_recordings(tmp_path):
    stored = content()
    recordings = read_file(write(tmp_path, stored))
    assert [recording.group for recording in recordings] == ["seed7-0", "seed7-1", "seed7-2"]
    for number, recording in enumerate(recordings):
        given = stored["Results"]["listOfSingleSimulationDicts"][number]
        assert recording.signal.dtype == np.float32 and recording.signal.shape == (STEPS, 1)
        np.testing.assert_array_equal(recording.signal[:, 0], given["somaVoltageLowRes"].astype(np.float32))
        assert (recording.unit, recording.dt_ms, recording.channels) == ("mV", 1.0, ["soma"])
        assert recording.labels == {
            "num_inputs": 2 * SEGMENTS,
            "num_excitatory": SEGMENTS,
            "file": "sim__x__randomSeed_7.p",
            "simulation": number,
        }
        dense = np.zeros((2 * SEGMENTS, STEPS), bool)
        for first, name in ((0, "exInputSpikeTimes"), (SEGMENTS, "inhInputSpikeTimes")):
            for segment, times in given[name].items():
                for t in times:
                    dense[first + segment, t] = True
        mine = np.zeros_like(dense)
        mine[recording.spikes.channel, recording.spikes.step] = True
        np.testing.assert_array_equal(mine, dense)
        assert len(recording.spikes.step) == dense.sum() and (np.diff(recording.spikes.step) >= 0).all()
        assert recording.spikes.step.dtype == recording.spikes.channel.dtype == np.int32
        np.testing.assert_array_equal(recording.events["output_spike_ms"], given["outputSpikeTimes"].astype(float))
        assert recording.events["output_spikes"].tolist() == [int(float(t) - 0.5) for t in given["outputSpikeTimes"]]
        assert recording.events["output_spikes_redetected"].dtype == np.int32


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_gives_the_same(protocol, tmp_path):
    first, second = (
        read_file(write(tmp_path, content(), protocol=p, name=f"sim__{p}_randomSeed_1.p")) for p in (2, protocol)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.spikes.step, b.spikes.step)
        np.testing.assert_array_equal(a.signal, b.signal)


def test_a_synapse_named_twice_in_a_step_has_one_event(tmp_path):
    stored = content(1)
    simulation = stored["Results"]["listOfSingleSimulationDicts"][0]
    simulation["exInputSpikeTimes"], simulation["inhInputSpikeTimes"] = (
        {np.int64(3): [np.int64(5), np.int64(5), np.int64(2)]},
        {},
    )
    spikes = read_file(write(tmp_path, stored))[0].spikes
    assert spikes.step.tolist() == [2, 5] and spikes.channel.tolist() == [3, 3]


def test_plain_lists_arrays_and_silence_are_accepted(tmp_path):
    stored = content(1)
    simulation = stored["Results"]["listOfSingleSimulationDicts"][0]
    simulation["exInputSpikeTimes"] = {0: [1, 2], 1: np.array([3, 4]), 2: [5.0], 3: [], 4: np.zeros(0)}
    simulation["inhInputSpikeTimes"], simulation["outputSpikeTimes"] = {}, []
    actual = read_file(write(tmp_path, stored))[0]
    assert actual.spikes.step.tolist() == [1, 2, 3, 4, 5] and actual.spikes.channel.tolist() == [0, 0, 1, 1, 2]
    assert actual.events["output_spikes"].shape == (0,)


def broken() -> dict[str, tuple[Any, str]]:
    """What is changed in simulation 1, and what the error says."""

    def entry(name: str, value: Any) -> Any:
        return lambda simulation: simulation.__setitem__(name, value)

    def train(value: Any, segment: Any = 2) -> Any:
        return lambda simulation: simulation["inhInputSpikeTimes"].__setitem__(segment, value)

    bad_voltage = np.full(STEPS, -70, np.float16)
    bad_voltage[17] = np.nan
    walk: list[Any] = [1]
    for _ in range(60):
        walk = [walk, walk]
    return {
        "no voltage": (lambda simulation: simulation.pop("somaVoltageLowRes"), "somaVoltageLowRes is missing"),
        "no excitation": (lambda simulation: simulation.pop("exInputSpikeTimes"), "exInputSpikeTimes is missing"),
        "no inhibition": (lambda simulation: simulation.pop("inhInputSpikeTimes"), "inhInputSpikeTimes is missing"),
        "no output": (lambda simulation: simulation.pop("outputSpikeTimes"), "outputSpikeTimes is missing"),
        "voltage is not a number": (entry("somaVoltageLowRes", bad_voltage), "voltage at 17 ms is not a number"),
        "voltage of two axes": (entry("somaVoltageLowRes", np.zeros((STEPS, 2))), "not a list of numbers"),
        "voltage of texts": (entry("somaVoltageLowRes", np.array(["a"] * STEPS)), "not a list of numbers"),
        "voltage is a text": (entry("somaVoltageLowRes", "-70"), "unexpected type"),
        "one sample": (entry("somaVoltageLowRes", np.zeros(1)), "1 samples"),
        "shorter": (
            lambda simulation: simulation.update(
                somaVoltageLowRes=np.full(800, -70.0),
                somaVoltageHighRes=np.full(6400, -70.0),
                recordingTimeLowRes=np.arange(800.0),
                exInputSpikeTimes={},
                inhInputSpikeTimes={},
                outputSpikeTimes=[],
            ),
            "lasts 800 ms, but 900 ms according to simulation 0",
        ),
        "another step": (entry("recordingTimeLowRes", np.arange(STEPS) / 2), "steps of 1 ms"),
        "trains are a list": (entry("exInputSpikeTimes", [1, 2]), "unexpected type"),
        "train is a number": (train(5), "not a list"),
        "negative time": (train([3, -1]), "-1 ms"),
        "time behind the end": (train([np.int64(STEPS)]), f"{STEPS} ms"),
        "time between steps": (train([1.5]), "1.5 ms"),
        "time is not a number": (train([float("nan")]), "nan ms"),
        "time is a text": (train(["a"]), "not a number"),
        "time of many digits": (train([2**70]), "not a number"),
        "lists in lists without end": (train(walk), "not a number"),
        "segment behind the last": (train([1], SEGMENTS), f"segment {SEGMENTS}"),
        "negative segment": (train([1], -1), "segment -1"),
        "segment is a text": (train([1], "a"), "segment a"),
        "output behind the end": (entry("outputSpikeTimes", np.array([950.0])), "950 ms"),
        "output before the start": (entry("outputSpikeTimes", [-2.0]), "-2 ms"),
        "output too late for float16": (entry("outputSpikeTimes", np.array([np.inf], np.float16)), "inf ms"),
    }


@pytest.mark.parametrize("name", broken())
def test_what_is_wrong_is_named_with_its_simulation(name, tmp_path):
    change, message = broken()[name]
    stored = content()
    change(stored["Results"]["listOfSingleSimulationDicts"][1])
    with pytest.raises(DataError, match=message) as caught:
        read_file(write(tmp_path, stored))
    assert "simulation 1" in caught.value.where


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("Params"), "Params is missing"),
        (lambda v: v.pop("Results"), "Results is missing"),
        (lambda v: v["Params"].pop("allSegmentsType"), "allSegmentsType is missing"),
        (lambda v: v["Results"].pop("listOfSingleSimulationDicts"), "listOfSingleSimulationDicts is missing"),
        (lambda v: v["Results"].update(listOfSingleSimulationDicts=[]), "no simulation"),
        (lambda v: v["Results"].update(listOfSingleSimulationDicts=[1, 2, 3]), "not a dict"),
        (
            lambda v: v["Results"]["listOfSingleSimulationDicts"].pop(),
            "holds 2 simulations, but 3 according to its Params",
        ),
        (lambda v: v["Params"].update(totalSimDurationInSec=6), "lasts 900 ms, but 6000 ms according to Params"),
        (lambda v: v["Params"].update(allSegmentsType=[]), "0 segments"),
    ],
)
def test_a_wrong_file_is_named(change, message, tmp_path):
    stored = content()
    change(stored)
    path = write(tmp_path, stored)
    with pytest.raises(DataError, match=message) as caught:
        read_file(path)
    assert str(path) in caught.value.where


def test_a_number_of_simulations_beyond_the_file_is_not_believed(tmp_path):
    stored = content()
    stored["Params"]["numSimulations"] = 10**12
    path = write(tmp_path, stored)
    assert read_cell(path).simulations is None
    assert len(NeuronIoReader().read([path])) == 3


def test_the_reader_knows_its_files_by_their_content(tmp_path):
    reader = NeuronIoReader()
    for protocol in range(6):
        assert reader.can_read(write(tmp_path, content(1), f"any.{protocol}", protocol))
    (tmp_path / "text.p").write_text("Params")
    (tmp_path / "empty.p").write_bytes(b"")
    assert not any(reader.can_read(path) for path in (tmp_path / "text.p", tmp_path / "empty.p", tmp_path))
    assert not reader.can_read(write(tmp_path, {"other": 1}, "other.p"))


def test_files_are_read_when_they_are_asked_for(tmp_path, monkeypatch):
    paths = [write(tmp_path, content(2), f"sim__a_randomSeed_{k}.p") for k in range(3)]
    seen: list[str] = []
    monkeypatch.setattr(reader_module, "read_file", lambda path: seen.append(path.name) or read_file(path))
    card = ReaderCard(
        name="neuronio", summary="", implementation="neurocli_elm.data.readers.reader:NeuronIoReader", suffixes=(".p",)
    )
    actual = open_paths([tmp_path], [(card, NeuronIoReader())])
    assert seen == [] and len(actual) == 6 and actual.sources == [str(path) for path in paths]
    assert actual.meta == {"kind": "neuronio"}
    assert actual.truth["is_basal"].tolist() == [True, True] + [False] * (SEGMENTS - 2)
    assert actual.truth["distance_um"].tolist() == list(range(SEGMENTS))
    for group in actual:
        assert actual[group].group == group
    assert seen == [path.name for path in paths]
    recording = actual["seed0-0"]
    recording.group = "renamed"
    assert actual["seed0-0"].group == "seed0-0"


def test_a_file_that_changes_is_read_again(tmp_path):
    path = write(tmp_path, content(1))
    actual = NeuronIoReader().read([path])
    before = actual["seed7-0"].signal
    changed = content(1)
    changed["Results"]["listOfSingleSimulationDicts"][0] = simulation(99)
    write(tmp_path, changed)
    os.utime(path, ns=(1, 1))
    assert not np.array_equal(actual["seed7-0"].signal, before)
    path.unlink()
    with pytest.raises(DataError, match="does not exist"):
        actual["seed7-0"]


def test_names_that_clash_and_cells_that_differ(tmp_path):
    path = write(tmp_path, content(1))
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="two files hold a simulation seed7-0"):
        NeuronIoReader().read([path, write(tmp_path / "b", content(1))])
    other = content(1)
    other["Params"]["allSegmentsType"].append("apical")
    other["Params"]["allSegments_DistFromSoma"].append(7.0)
    with pytest.raises(DataError, match="different cells: 6 and 7"):
        NeuronIoReader().read([path, write(tmp_path, other, "other.p")])
    assert group_name(Path("my file?.p"), 3) == "my_file_-3"


def test_saving_and_reading_again_gives_the_same(tmp_path):
    path = write(tmp_path, content())
    actual = NeuronIoReader().read([path])
    actual.save(tmp_path / "prepared.h5")
    again = RecordingSet.open(tmp_path / "prepared.h5")
    assert again.groups == actual.groups and again.meta == actual.meta
    for group in actual:
        a, b = actual[group], again[group]
        np.testing.assert_allclose(a.signal, b.signal, atol=5.1e-4)
        np.testing.assert_array_equal(a.spikes.step, b.spikes.step)
        np.testing.assert_array_equal(a.spikes.channel, b.spikes.channel)
        assert a.events.keys() == b.events.keys() and a.labels == b.labels
        for name in a.events:
            np.testing.assert_array_equal(a.events[name], b.events[name])


def test_labels_are_truncated_as_published():
    times = np.array([0.0, 0.4, 0.5, 1.4, 1.5, 2290.0, 5999.9, -1.0, np.nan, np.inf])
    assert label_steps(times).tolist() == [0, 0, 0, 0, 1, 2289, 5999, -1, -1, -1]


def test_spikes_are_found_again_in_the_fine_voltage():
    voltage = np.full(80, -70.0)
    voltage[[20, 41, 42, 43, 60]] = [10, 30, 30, 5, -26]  # a flat top counts once, what stays below -25 mV does not
    assert redetected_ms(voltage, 10).tolist() == [20 / 8, 41 / 8]
    assert redetected_ms(voltage[:-1], 10) is None
    assert redetected_ms(np.where(np.arange(80) == 3, np.nan, voltage), 10) is None


def test_moved_labels_are_counted(tmp_path):
    stored = content(1, steps=5000)
    actual = read_file(write(tmp_path, stored))[0]
    true = actual.events["output_spike_redetected_ms"]
    stored_ms = true.astype(np.float16).astype(float)
    np.testing.assert_array_equal(actual.events["output_spike_ms"], stored_ms)
    moved = moved_labels(actual)
    assert moved.labels == 5 and moved.moved == int((np.abs(stored_ms - true) >= 0.5).sum())
    assert moved.coarse == int((true.astype(np.float16) >= 1024).sum())
    del actual.events["output_spike_redetected_ms"]
    assert moved_labels(actual).moved is None


@real
def test_real_files_take_less_than_a_megabyte_for_each_simulation():
    paths = sorted(REAL.glob("*.p"))
    actual = NeuronIoReader().read(paths)
    assert len(actual) == 8
    labels, moved = 0, 0
    for group in actual:
        file = actual[group]
        arrays = [file.signal, file.spikes.step, file.spikes.channel, *file.events.values()]
        assert sum(array.nbytes for array in arrays) < 1e6
        assert file.steps == 6000 and file.labels["num_inputs"] == 1278
        assert 75_000 < len(file.spikes.step) < 90_000
        assert len(file.events["output_spikes"]) == len(file.events["output_spikes_redetected"])
        # The file's times are those of the voltage, in float16.
        times = file.events["output_spike_redetected_ms"].astype(np.float16)
        np.testing.assert_array_equal(times.astype(float), file.events["output_spike_ms"])
        counted = moved_labels(file)
        labels, moved = labels + counted.labels, moved + (counted.moved or 0)
    assert (labels, moved) == (38, 14)


@real
def test_real_files_equal_an_independent_reading():
    path = min(REAL.glob("*.p"), key=lambda one: one.stat().st_size)
    expected = pickle.loads(path.read_bytes(), encoding="latin1")  # the project's own file
    for one, given in zip(read_file(path), expected["Results"]["listOfSingleSimulationDicts"], strict=True):
        np.testing.assert_array_equal(one.signal[:, 0], given["somaVoltageLowRes"].astype(np.float32))
        pairs = {(int(t), int(k)) for k, times in given["exInputSpikeTimes"].items() for t in times}
        pairs |= {(int(t), 639 + int(k)) for k, times in given["inhInputSpikeTimes"].items() for t in times}
        assert sorted(pairs) == list(zip(one.spikes.step.tolist(), one.spikes.channel.tolist(), strict=True))


@real
def test_reading_takes_a_fraction_of_what_unpickling_takes():
    path = min(REAL.glob("*.p"), key=lambda file: file.stat().st_size)
    peaks = []
    for read in (read_file, lambda path: pickle.loads(path.read_bytes(), encoding="latin1")):
        tracemalloc.start()
        try:
            read(path)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[0] < peaks[1] / 4
