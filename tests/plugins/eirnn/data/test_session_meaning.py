"""What the numbers of an export mean: padding, units, axes, labels and names are found out, said, or refused."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from neurocli.errors import DataError
from neurocli.recordings import Recording, RecordingSet
from neurocli_eirnn.data.padding import find_padding
from neurocli_eirnn.data.readers.matfile import SessionMatReader, read_session
from neurocli_eirnn.data.session import INPUT_NAMES, Session, select
from neurocli_eirnn.data.writers.matfile import write_mat, write_mat5
from tests.plugins.eirnn.data.small import AREAS, TRIALS, variables


def read(tmp_path: Path, **changes: Any) -> Session:
    """The small session with some variables changed, or left out for None."""
    fields = {name: value for name, value in {**variables(), **changes}.items() if value is not None}
    path = tmp_path / "session.mat"
    scipy.io.savemat(str(path), fields)
    return read_session(path)


def doubts(session: Session) -> dict[str, str]:
    """Check → what was found, all of it."""
    found = [(note.check, note.found) for note in session.notes if note.is_doubt]
    return {check: "; ".join(text for name, text in found if name == check) for check, _ in found}


@pytest.fixture
def base(tmp_path) -> Session:
    session = read(tmp_path)
    assert not session.notes
    return session


@pytest.mark.parametrize("known", ["durations", "rewards", "neither"])
@pytest.mark.parametrize("fill", [0.0, -1.0, 9999.0, "held"])
def test_padding_with_numbers_is_taken_as_no_data_and_said(fill, known, base, tmp_path):
    rates = variables()["firing_rates"]
    missing = np.isnan(rates)
    last = (~missing[0]).sum(axis=0) - 1
    filler = rates[:, last, np.arange(TRIALS)][:, None, :] if fill == "held" else fill
    changes: dict[str, Any] = {"firing_rates": np.where(missing, filler, rates).astype(np.int16)}
    if known != "durations":
        changes["trial_duration_ms"] = None
    if known == "neither":
        changes["input_reward_on"] = np.zeros_like(variables()["input_reward_on"])
    session = read(tmp_path, **changes)
    kind = {0.0: "zeros", "held": "the last value held"}.get(fill, f"{fill}".removesuffix(".0"))
    assert f"padded with {kind}" in doubts(session)["padding"]
    if known == "durations":
        assert np.array_equal(session.rates, base.rates, equal_nan=True)
    else:  # the end is known to a bin or two, in which no neuron may have a spike
        assert (np.isnan(session.rates) == np.isnan(base.rates)).mean() > 0.98


def test_silence_at_the_end_of_trials_is_not_padding(base, tmp_path):
    """Trials of one length in which all neurons pause at times: within trials, and at their end."""
    random = np.random.default_rng(0)
    rates = random.poisson(0.4, variables()["firing_rates"].shape) * 40.0
    for trial in range(TRIALS):
        for start in random.integers(0, rates.shape[1] - 9, 2):
            rates[:, start : start + 9, trial] = 0
        if trial % 3 == 0:
            rates[:, -8:, trial] = 0
    for duration in (variables()["trial_duration_ms"], None):
        session = read(tmp_path, firing_rates=rates, trial_duration_ms=duration)
        assert np.isfinite(session.rates).all() and "padding" not in doubts(session)


def test_silence_that_does_not_go_with_durations_is_doubted_and_kept(tmp_path):
    random = np.random.default_rng(0)
    rates = (1 + random.poisson(0.4, variables()["firing_rates"].shape)) * 40.0
    rates[:, -12:, ::2] = 0
    session = read(tmp_path, firing_rates=rates)
    assert np.isfinite(session.rates).all() and "no rate changes" in doubts(session)["trial-ends"]


def test_padding_that_no_reader_took_out_fails_the_diagnosis(base):
    from neurocli_eirnn.config import V2Config
    from neurocli_eirnn.diagnosis.neurons import neuron_findings

    filled = select(base, np.arange(TRIALS))
    filled.rates = np.nan_to_num(base.rates)
    assert find_padding(base) is None
    found = find_padding(filled)
    assert found is not None and np.array_equal(found.ends, np.isfinite(base.rates[:, :, 0]).sum(1))
    verdicts = {finding.check: finding.verdict for finding in neuron_findings(filled, V2Config())}
    assert verdicts["padding"] == "FAIL"


@pytest.mark.parametrize(
    ("name", "factor", "unit"),
    [
        ("bin_size_ms", 1e-3, "is it in s"),
        ("bin_size_ms", 1e3, "is it in µs"),
        ("time_axis", 1e-3, "are they in s"),
        ("time_axis", 1 / 25, "are they in bins"),
        ("trial_duration_ms", 1e-3, "is it in s"),
        ("trial_duration_ms", 1e3, "is it in µs"),
        ("trial_duration_ms", 1 / 6e4, "is it in minutes"),
        ("trial_duration_ms", 1 / 25, "is it in bins of 25 ms"),
    ],
)
def test_times_in_another_unit_are_refused_by_name(name, factor, unit, tmp_path):
    with pytest.raises(DataError, match=unit) as caught:
        read(tmp_path, **{name: variables()[name] * factor})
    assert caught.value.where.endswith(name) and caught.value.hint


def test_nothing_is_made_of_a_bin_in_seconds(tmp_path):
    tracemalloc.start()
    with pytest.raises(DataError, match=r"0\.025 ms"):
        read(tmp_path, bin_size_ms=np.array([[0.025]]), time_axis=None)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    trial = Recording("trial-0", np.zeros((9, 2), np.float32), 2.5e-5, "sp/s", inputs=np.zeros((9, len(INPUT_NAMES))))
    with pytest.raises(DataError, match="the bin width"):
        Session.of(RecordingSet.of([trial], truth={"neuron_type": np.array([1, 2])}))


def test_times_that_do_not_begin_at_fixation_or_lie_on_edges_are_doubted(tmp_path):
    axis = variables()["time_axis"]
    assert "begins at 200 ms" in doubts(read(tmp_path, time_axis=axis + 187.5))["time-axis"]
    assert "bin edges" in doubts(read(tmp_path, time_axis=axis - 12.5))["time-axis"]


@pytest.mark.parametrize(("factor", "unit"), [(0.025, "spike counts per bin"), (1e-3, "spikes per ms")])
def test_counts_and_spikes_per_ms_become_rates_and_it_is_said(factor, unit, base, tmp_path):
    session = read(tmp_path, firing_rates=variables()["firing_rates"] * factor)
    assert np.allclose(session.rates, base.rates, equal_nan=True)
    assert unit in doubts(session)["rate-unit"]


@pytest.mark.parametrize(
    ("factor", "shift", "words"), [(2, 0, "multiples of 80"), (1 / 3, 0, "not multiples"), (1 / 40, -1, "negative")]
)
def test_scaled_or_z_scored_rates_are_doubted(factor, shift, words, tmp_path):
    assert words in doubts(read(tmp_path, firing_rates=variables()["firing_rates"] * factor + shift))["rate-unit"]


def test_spikes_per_minute_are_refused(tmp_path):
    with pytest.raises(DataError, match="spikes per minute"):
        read(tmp_path, firing_rates=variables()["firing_rates"] * 60)


@pytest.mark.parametrize(
    ("name", "order", "words"),
    [
        ("firing_rates", (2, 1, 0), "trials x time x neurons"),
        ("firing_rates", (1, 0, 2), "time x neurons x trials"),
        ("input_target_loc", (1, 2, 0), "time x trials x 4"),
        ("input_go_signal", (1, 0), "trials x time"),
    ],
)
def test_a_field_with_other_axes_is_read_and_named(name, order, words, base, tmp_path):
    session = read(tmp_path, **{name: variables()[name].transpose(order)})
    assert np.array_equal(session.rates, base.rates, equal_nan=True) and np.array_equal(session.inputs, base.inputs)
    (note,) = session.notes
    assert note.check == "axes" and note.found.startswith(f"{name} has its axes as {words}") and not note.is_doubt


@pytest.mark.parametrize("padding", [np.nan, 0.0])
def test_axes_of_equal_length_are_told_by_what_is_in_them(padding, base, tmp_path):
    """As many trials as neurons: padding shows which is which; without it the rates of neurons do, as a doubt."""
    few = select(base, np.arange(base.neurons))
    path = write_mat5(few, tmp_path / "few.mat")
    fields = {name: value for name, value in scipy.io.loadmat(str(path)).items() if not name.startswith("__")}
    fields["firing_rates"] = np.nan_to_num(fields["firing_rates"], nan=padding).transpose(2, 1, 0)
    scipy.io.savemat(str(path), fields)
    session = read_session(path)
    if np.isnan(padding):
        assert np.array_equal(session.rates, few.rates, equal_nan=True)
        assert [note.check for note in session.notes] == ["axes"]
    else:
        assert "the axis taken for neurons" in doubts(session)["axes"]


def test_signals_of_as_many_bins_as_trials_are_told_by_when_they_change(base, tmp_path):
    fields = variables()
    cut = int(TRIALS)
    for name, value in fields.items():
        if name.startswith("input_") or name in ("firing_rates", "time_axis"):
            fields[name] = value[:, 28 : 28 + cut] if value.ndim == 3 or name == "time_axis" else value[28 : 28 + cut]
    fields |= {"n_time_bins": np.array([[float(cut)]]), "trial_duration_ms": None}
    straight = read(tmp_path, **fields)
    turned = read(tmp_path, **{**fields, "input_go_signal": fields["input_go_signal"].T})
    assert np.array_equal(straight.inputs, turned.inputs)
    assert any("input_go_signal has its axes" in note.found for note in turned.notes)


def test_labels_from_0_are_read_where_the_inputs_show_them(base, tmp_path):
    session = read(tmp_path, trial_location=variables()["trial_location"] - 1)
    assert np.array_equal(session.labels["location"], base.labels["location"])
    assert [note.check for note in session.notes] == ["labels"]
    with pytest.raises(DataError) as caught:
        read(tmp_path, trial_reward=variables()["trial_reward"] + 1)
    assert "counted from 1" in caught.value.hint
    with pytest.raises(DataError) as caught:
        read(tmp_path, neuron_type=variables()["neuron_type"] - 1)
    assert "write 1 for excitatory" in caught.value.hint
    with pytest.raises(DataError, match="logical"):
        read(tmp_path, neuron_type=variables()["neuron_type"] > 0)


def test_words_and_characters_are_read_as_codes(base, tmp_path):
    words = np.array([("low", "High")[int(v)] for v in variables()["trial_reward"].ravel()], object)[:, None]
    session = read(tmp_path, trial_reward=words, neuron_type="EEIEIEE")
    assert np.array_equal(session.labels["reward"], base.labels["reward"])
    assert np.array_equal(session.neuron_type, base.neuron_type)
    words[3] = "middle"
    with pytest.raises(DataError, match="'middle' is not known") as caught:
        read(tmp_path, trial_reward=words)
    assert caught.value.where.endswith("trial_reward, trial 3")


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        ([1, 1, 1, 1, 1, 1, 1], ["1", "1-2", "1-3", "1-4", "1-5", "1-6", "1-7"]),
        ([3, 4, np.nan, 4, 5, 6, np.nan], ["3", "4", "unnamed-3", "4-2", "5", "6", "unnamed-7"]),
        (["a", "b", "b", "b-2", "c", "", "d"], ["a", "b", "b-3", "b-2", "c", "unnamed-6", "d"]),
    ],
)
def test_every_neuron_has_a_name_of_its_own(ids, names, tmp_path):
    column = np.array(ids, object if isinstance(ids[0], str) else float)[:, None]
    session = read(tmp_path, neuron_ids=column)
    assert session.neuron_ids == names and "neuron-ids" in doubts(session)


@pytest.mark.parametrize("write", [write_mat, write_mat5])
def test_names_and_areas_in_words_are_kept(write, base, tmp_path):
    names = [f"sc-{number}" for number in range(base.neurons)]
    session = read(tmp_path, neuron_ids=np.array(names, object)[:, None], brain_area=np.array(AREAS))
    assert session.neuron_ids == names and session.brain_area == AREAS
    back = read_session(write(session, tmp_path / "again.mat"))
    assert back.neuron_ids == names and back.brain_area == AREAS and not back.notes


def test_a_field_of_another_spelling_is_named(tmp_path):
    session = read(tmp_path, trial_identity=None, Trial_Identity=variables()["trial_identity"])
    assert doubts(session)["names"] == "this was not read as trial_identity"
    with pytest.raises(DataError, match="missing") as caught:
        read(tmp_path, trial_reward=None, TrialReward=variables()["trial_reward"])
    assert caught.value.hint == "rename TrialReward to trial_reward"


def test_a_near_miss_says_what_it_misses(tmp_path):
    reader = SessionMatReader()
    path = tmp_path / "near.mat"
    fields = variables()
    scipy.io.savemat(
        str(path), {**{k: v for k, v in fields.items() if k != "neuron_type"}, "NeuronType": fields["neuron_type"]}
    )
    assert not reader.can_read(path)
    assert reader.lacks(path) == "neuron_type is missing; there is NeuronType, to be renamed neuron_type"
    scipy.io.savemat(str(path), {"session": fields})
    assert "fields of the struct session" in (reader.lacks(path) or "")
    scipy.io.savemat(str(path), {"voltage": np.ones(3)})
    assert reader.lacks(path) is None and reader.lacks(tmp_path / "absent.mat") is None


def test_values_that_go_against_each_other_are_doubted(tmp_path):
    fields = variables()
    assert "trial_location" in doubts(read(tmp_path, trial_location=fields["trial_location"][::-1]))["label-vs-input"]
    assert (
        "other than 0 and 1" in doubts(read(tmp_path, input_go_signal=fields["input_go_signal"] * 255))["task-inputs"]
    )
    assert (
        "24 of 24 trials the duration"
        in doubts(read(tmp_path, trial_duration_ms=fields["trial_duration_ms"] + 700))["trial-duration"]
    )
    assert "trial-ends" in doubts(read(tmp_path, firing_rates=fields["firing_rates"][:, :, ::-1]))
    assert (
        "no data in their first bins"
        in doubts(read(tmp_path, firing_rates=fields["firing_rates"][:, ::-1]))["trial-ends"]
    )
    holes = fields["firing_rates"].copy()
    holes[2, 20:25, 3] = np.nan
    assert "5 bins have no rates" in doubts(read(tmp_path, firing_rates=holes))["holes"]
    silent = fields["firing_rates"].copy()
    silent[4] *= 0
    assert "12" in doubts(read(tmp_path, firing_rates=silent))["silent-neurons"]
