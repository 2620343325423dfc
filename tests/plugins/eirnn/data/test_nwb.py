"""NWB sessions: binning against a plain loop, the task's inputs, and tables that do not fit."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurocli.errors import DataError, MissingDependency
from neurocli_eirnn.data.readers.nwb import SessionNwbReader, read_session
from neurocli_eirnn.data.session import GO, INPUT_NAMES
from neurocli_eirnn.data.trials import classify, event_bins
from neurocli_eirnn.data.writers.matfile import write_mat

TRIALS: dict[str, list[Any]] = {
    "fixation_on_time": [1.0, 10.003, 20.0, np.nan],
    "target_on_time": [1.75, 10.8, 20.75, 30.8],
    "go_time": [2.3, 11.4, 21.3, 31.4],
    "reward_time": [2.8, 11.9007, 21.91, 31.9],
    "location": [1, 4, 2, 3],
    "reward": ["high", "low", "high", "low"],
    "identity": ["face", "bullseye", "bullseye", "nonface"],
    "salience": ["n/a", "low", "high", "none"],
}
TYPES = ["classic", "putative_interneuron", "E"]


def make(path: Path, trials: dict[str, list[Any]] = TRIALS, types: list[Any] = TYPES, *, spikes: bool = True) -> Path:
    pynwb = pytest.importorskip("pynwb")
    content = pynwb.NWBFile("a session", "id-1", datetime(2025, 8, 13, tzinfo=UTC), session_id="Monkey_02")
    random = np.random.default_rng(3)
    content.add_unit_column("neuron_type", "kind of neuron")
    for kind in types:
        times = {"spike_times": np.sort(random.uniform(0, 40, 900))} if spikes else {}
        content.add_unit(neuron_type=kind, **times)
    for name in trials:
        content.add_trial_column(name, name)
    for row in range(len(next(iter(trials.values())))):
        content.add_trial(start_time=10.0 * row, stop_time=10.0 * row + 5, **{k: v[row] for k, v in trials.items()})
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(content)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("nwb") / "session.nwb")


def test_the_session_is_binned_around_fixation(file):
    session = read_session(file)
    assert session.name == "Monkey_02" and session.bin_ms == 25
    assert session.neuron_type.tolist() == [1, 2, 1] and session.neuron_ids == ["0", "1", "2"]
    assert session.rates.shape == (3, 104, 3)
    assert session.duration_ms == pytest.approx([1800, 1897.7, 1910])
    assert np.isfinite(session.rates[:, :, 0]).sum(axis=1).tolist() == [100, 103, 104]
    with h5py.File(file) as raw:
        ends, times = raw["units/spike_times_index"][()], raw["units/spike_times"][()]
    for trial, fixation in enumerate(TRIALS["fixation_on_time"][:3]):
        for unit in range(3):
            own = times[0 if unit == 0 else ends[unit - 1] : ends[unit]]
            for bin in (0, 7, 8, 50, 99):
                start = fixation - 0.2 + bin * 0.025
                count = sum(1 for time in own if start <= time < start + 0.025)
                assert session.rates[trial, bin, unit] == pytest.approx(count * 40)


def test_the_inputs_are_those_of_the_export(file):
    session = read_session(file)
    assert classify(session).ordered.all()
    centres = -187.5 + 25 * np.arange(session.bins)
    for trial in range(3):
        start = TRIALS["fixation_on_time"][trial]
        target, go, reward = (
            (TRIALS[name][trial] - start) * 1e3 for name in ("target_on_time", "go_time", "reward_time")
        )
        named = dict(zip(INPUT_NAMES, session.inputs[trial].T, strict=True))
        assert np.array_equal(named["fixation_on"], (centres >= 0) & (centres < go))
        assert np.array_equal(named["go_signal"], centres >= go)
        assert np.array_equal(named[f"target_loc_{TRIALS['location'][trial]}"], centres >= target)
        assert named["reward_on"].sum() == 8 and event_bins(session, "reward")[trial] == np.argmax(centres >= reward)
        assert (named["eye_x"] == 0).all()
    by_name = {name: session.inputs[:, -1, INPUT_NAMES.index(name)].tolist() for name in INPUT_NAMES[9:]}
    assert by_name == {
        "is_face": [1, 0, 0],
        "is_nonface": [0, 0, 0],
        "is_bullseye": [0, 1, 1],
        "high_salience": [0, 0, 1],
        "low_salience": [0, 1, 0],
    }
    assert {name: values.tolist() for name, values in session.labels.items()} == {
        "reward": [1, 0, 1],
        "location": [1, 4, 2],
        "identity": [1, 3, 3],
        "salience": [0, 2, 1],
    }


def test_what_is_missing_or_left_out_is_said(file):
    missing = read_session(file).missing
    assert {"input_eye_x", "input_eye_y", "trial_probability", "brain_area"} <= set(missing)
    assert any("1 trials, left out" in one for one in missing)


def test_other_names_for_columns_and_an_event_that_did_not_happen(tmp_path):
    trials = {("fix_off_time" if name == "go_time" else name): list(values) for name, values in TRIALS.items()}
    trials["fix_off_time"][1] = np.nan
    trials["reward"] = [1, 0, 1, 0]
    del trials["identity"]
    session = read_session(make(tmp_path / "other.nwb", trials, [1, 2, 1]))
    assert session.labels["reward"].tolist() == [1, 0, 1] and "trial_identity" in session.missing
    assert (session.inputs[1, :, GO] == 0).all() and session.inputs[1, -1, 0] == 1
    assert classify(session).no_go.tolist() == [False, True, False]


def test_the_reader_gives_recordings_and_the_export_follows(file, tmp_path):
    reader = SessionNwbReader()
    assert reader.can_read(file)
    assert len(reader.read([file])) == 3
    with pytest.raises(DataError, match="2 sessions"):
        reader.read([file, file])
    from neurocli_eirnn.data.readers.matfile import read_session as read_mat

    session = read_session(file)
    back = read_mat(write_mat(session, tmp_path / "session.mat"))
    assert np.array_equal(back.rates, session.rates, equal_nan=True) and np.array_equal(back.inputs, session.inputs)
    assert {"input_eye_x", "input_eye_y", "trial_probability"} <= set(back.missing)


def test_knowing_the_format_does_not_import_pynwb(file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynwb", None)
    reader = SessionNwbReader()
    assert reader.can_read(file)
    (tmp_path / "text.nwb").write_text("hello")
    with h5py.File(tmp_path / "plain.nwb", "w") as plain:
        plain["x"] = 1
    assert not any(reader.can_read(tmp_path / name) for name in ("text.nwb", "plain.nwb", "absent.nwb", "."))
    with pytest.raises(MissingDependency) as caught:
        reader.read([file])
    assert caught.value.hint == 'pip install "neurocli[nwb]"'


@pytest.mark.parametrize(
    ("change", "message", "place"),
    [
        ({"location": None}, "required column location", "trials"),
        ({"reward_time": None}, "required column reward_time", "trials"),
        ({"location": [1, 2, 9, 1]}, "value 9 is not known", "trials/location, row 2"),
        ({"reward": ["high", "low", "huge", "low"]}, "'huge' is not known", "trials/reward, row 2"),
        ({"fixation_on_time": [np.nan] * 4}, "no trial has a fixation", "trials"),
        ({"reward_time": [2.8, 1e9, 21.9, 31.9]}, "more than 60 s", "trials, row 1"),
    ],
)
def test_a_wrong_trials_table_is_named(change, message, place, tmp_path):
    trials = {name: values for name, values in {**TRIALS, **change}.items() if values is not None}
    path = make(tmp_path / "wrong.nwb", trials)
    with pytest.raises(DataError, match=message) as caught:
        read_session(path)
    assert caught.value.where == f"{path}:{place}"


def test_a_wrong_units_table_is_named(tmp_path):
    with pytest.raises(DataError, match="'glia' is not known") as caught:
        read_session(make(tmp_path / "wrong.nwb", types=["E", "I", "glia"]))
    assert caught.value.where.endswith("units/neuron_type, row 2")
    with pytest.raises(DataError, match="spike_times is missing"):
        read_session(make(tmp_path / "silent.nwb", spikes=False))


@pytest.mark.parametrize("kind", ["link", "size", "truncated", "tables", "spikes"])
def test_a_hostile_or_damaged_file_is_refused(kind, file, tmp_path):
    path = tmp_path / "hostile.nwb"
    content = file.read_bytes()
    path.write_bytes(content[: len(content) // 2] if kind == "truncated" else content)
    if kind != "truncated":
        with h5py.File(path, "r+") as raw:
            if kind == "link":
                raw["acquisition/elsewhere"] = h5py.ExternalLink("/etc/hostname", "/x")
            elif kind == "size":
                del raw["units/spike_times"]
                raw.create_dataset("units/spike_times", (10**12,), chunks=(1000,), dtype="f8")
            elif kind == "tables":
                del raw["units"], raw["intervals"]
            else:
                raw["units/spike_times"][5] = np.nan
    expected = {
        "link": "another file",
        "size": "claims",
        "truncated": "truncated",
        "tables": "missing",
        "spikes": "finite",
    }
    with pytest.raises(DataError, match=expected[kind]) as caught:
        read_session(path)
    assert str(path) in caught.value.where
