"""What the times and columns of an NWB session mean: the cause of what does not fit is named."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_eirnn.data.readers.nwb import SessionNwbReader, read_session
from neurocli_eirnn.data.session import Session
from tests.plugins.eirnn.data.small import AREAS, FIXATION_S, NEURONS, TRIALS
from tests.plugins.eirnn.data.test_sc_nwb_variants import TIMES, content, write

pytest.importorskip("pynwb")
pytestmark = pytest.mark.filterwarnings("ignore")  # pynwb says what it thinks of such tables when they are written


def changed(
    tmp_path: Path, *, units: dict[str, Any] | None = None, trials: dict[str, Any] | None = None, **other: Any
) -> Path:
    made = content()
    made["units"] |= units or {}
    made["trials"] |= trials or {}
    for table in ("units", "trials"):
        made[table] = {name: values for name, values in made[table].items() if values is not None}
    path = tmp_path / "session.nwb"
    path.unlink(missing_ok=True)
    write(made | other, path)
    return path


def found(session: Session) -> dict[str, str]:
    return {note.check: note.found for note in session.notes}


@pytest.fixture
def base(tmp_path) -> Session:
    session = read_session(changed(tmp_path))
    assert not session.notes
    return session


@pytest.mark.parametrize("is_sorted", [True, False])
def test_spike_times_that_start_again_in_every_trial_are_named(is_sorted, tmp_path):
    units = []
    for times in content()["units"]["spike_times"]:
        parts = [times[(times >= zero) & (times < zero + 2.4)] - zero for zero in FIXATION_S]
        units.append(np.sort(np.concatenate(parts)) if is_sorted else np.concatenate(parts))
    with pytest.raises(DataError, match="start again in every trial") as caught:
        read_session(changed(tmp_path, units={"spike_times": units}))
    assert "all spikes lie within 2.4 s of a session of" in caught.value.message
    assert caught.value.where.endswith("units/spike_times")
    assert ("go back" in caught.value.message) is not is_sorted


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1e3, "are the spikes in ms"), (3e4, "samples"), (1e6, "µs"), (1 / 1000, "start again|no spike")],
)
def test_spikes_in_another_unit_are_named(factor, words, tmp_path):
    with pytest.raises(DataError, match=words):
        read_session(
            changed(tmp_path, units={"spike_times": [times * factor for times in content()["units"]["spike_times"]]})
        )


def test_trials_in_ms_and_another_clock_are_named(tmp_path):
    ms = {name: [time * 1e3 for time in content()["trials"][name]] for name in TIMES}
    with pytest.raises(DataError, match="is it in ms"):
        read_session(changed(tmp_path, trials=ms))
    with pytest.raises(DataError, match="the go is at"):
        read_session(changed(tmp_path, trials={"go_time": ms["go_time"]}))
    spikes = [times + 1.7e9 for times in content()["units"]["spike_times"]]
    with pytest.raises(DataError, match="the spikes lie between"):
        read_session(changed(tmp_path, units={"spike_times": spikes}))


def test_event_times_from_the_start_of_a_trial(base, tmp_path):
    start = content()["start"]
    relative = {name: list(np.asarray(content()["trials"][name]) - start) for name in TIMES}
    session = read_session(changed(tmp_path, trials=relative))
    assert (
        np.allclose(session.rates, base.rates, equal_nan=True)
        and "start_time was added" in found(session)["event-times"]
    )
    with pytest.raises(DataError, match="reward count from the start of a trial"):
        read_session(changed(tmp_path, trials={"reward_time": relative["reward_time"]}))


def test_characters_lists_and_bytes_are_read(base, tmp_path):
    reward = content()["trials"]["reward"]
    forms = {
        "characters": np.array([list(value.ljust(6)) for value in reward], "S1"),
        "bytes": np.array([value.encode() for value in reward], "S"),
        "lists": [[value] for value in reward],
    }
    for form, values in forms.items():
        session = read_session(changed(tmp_path, trials={"reward": values}, units={"brain_area": [[a] for a in AREAS]}))
        assert np.array_equal(session.labels["reward"], base.labels["reward"]), form
        assert session.brain_area == AREAS
    with pytest.raises(DataError, match="2 times in one row"):
        read_session(
            changed(tmp_path, trials={"reward_time": [[t, t + 1] for t in content()["trials"]["reward_time"]]})
        )


def test_columns_and_tables_of_other_names_are_found_and_said(base, tmp_path):
    trials = content()["trials"]
    renamed = {
        "fixation_on_time": None,
        "Fixation_Onset_Time": trials["fixation_on_time"],
        "LOCATION": trials["location"],
    }
    path = changed(
        tmp_path,
        trials={**renamed, "location": None},
        units={"neuron_type": None, "classification": content()["units"]["neuron_type"]},
        table="trials_4factors",
    )
    session = read_session(path)
    assert np.array_equal(session.rates, base.rates, equal_nan=True)
    said = " ".join(note.found for note in session.notes)
    for name in ("Fixation_Onset_Time", "LOCATION", "classification", "this table is taken as that of the trials"):
        assert name in said


def test_units_that_were_not_observed_throughout_are_masked_there(base, tmp_path):
    intervals = [np.array([[0.0, 50.0 if unit == 2 else 200.0]]) for unit in range(NEURONS)]
    session = read_session(changed(tmp_path, units={"obs_intervals": intervals}))
    late = FIXATION_S > 50
    assert np.isnan(session.rates[late][:, :, 2]).all()
    others = np.delete(np.arange(NEURONS), 2)
    assert np.array_equal(session.rates[:, :, others], base.rates[:, :, others], equal_nan=True)
    assert "1 of 7 units were not observed" in found(session)["observed"]
    everything = [np.array([[0.0, 30.0], [30.0, 200.0]])] * NEURONS
    assert not read_session(changed(tmp_path, units={"obs_intervals": everything})).notes
    with pytest.raises(DataError, match="observed in any trial"):
        read_session(changed(tmp_path, units={"obs_intervals": [np.array([[1e6, 2e6]])] * NEURONS}))


def test_units_without_spikes_and_shared_ids_are_doubted(tmp_path):
    spikes = list(content()["units"]["spike_times"])
    spikes[3] = spikes[3][:0]
    session = read_session(changed(tmp_path, units={"spike_times": spikes}, ids=[4] * NEURONS))
    assert session.neuron_ids[:3] == ["4", "4-2", "4-3"]
    assert "1 of 7 neurons have no spike: 4-4" in found(session)["silent-neurons"] and "neuron-ids" in found(session)


def test_a_number_in_place_of_an_event_that_did_not_happen(base, tmp_path):
    target = list(content()["trials"]["target_on_time"])
    target[5] = 0.0
    session = read_session(changed(tmp_path, trials={"target_on_time": target}))
    assert "1 trials: taken as one that did not happen" in found(session)["event-times"]
    assert not session.inputs[5, :, 1:5].any() and np.array_equal(session.inputs[6], base.inputs[6])


def test_nothing_is_printed_by_pynwb_or_numpy(tmp_path):
    path = changed(tmp_path)
    with h5py.File(path, "r+") as raw:
        raw.attrs["nwb_version"] = "2.0.0"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_session(path)


def test_a_file_without_units_says_so(tmp_path):
    path = changed(tmp_path)
    with h5py.File(path, "r+") as raw:
        del raw["units"]
    reader = SessionNwbReader()
    assert not reader.can_read(path)
    assert reader.lacks(path) == "the table units is missing; there are trials in intervals/trials"
    assert TRIALS and reader.lacks(tmp_path / "absent.nwb") is None
