"""Which trials can be trusted: the real session's counts, and each fault made on purpose."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from neurocli.errors import UnknownName
from neurocli_eirnn.data.readers.matfile import read_session
from neurocli_eirnn.data.session import FIXATION, GO, LOCATIONS, REWARD
from neurocli_eirnn.data.trials import classify, durations_ms, event_bins, selection


@pytest.fixture
def broken(session):
    """A copy to break, with all its trials ordered."""
    assert classify(session).ordered.all()
    return copy.deepcopy(session)


def move(session, trial: int, channels, start: int | None, end: int | None = None) -> None:
    """Let a signal go on at another bin, or never."""
    inputs = session.inputs[trial, :, channels]
    height = inputs.max(axis=0)
    inputs[:] = 0
    if start is not None:
        inputs[start:end] = height
    session.inputs[trial, :, channels] = inputs


@pytest.mark.realdata
def test_the_real_session_has_the_known_faults(real):
    session = read_session(real / "rnn_export_Newton_08_13_2025_SC.mat")
    faults = classify(session)
    assert faults.counts == {
        "trials": 670,
        "ordered": 206,
        "plausible": 382,
        "shorter than 200 ms": 245,
        "other without fixation signal": 43,
        "target and go at the reward": 176,
        "of these, reward not after go": 120,
        "of these, reward one bin after go": 56,
        "no fixation signal": 288,
        "no target signal": 101,
        "no go signal": 156,
        "no reward signal": 0,
    }
    kinds = np.stack([faults.ordered, faults.short, faults.unfixated, faults.at_reward])
    assert (kinds.sum(axis=0) == 1).all()
    assert [int(selection(session, which).sum()) for which in ("ordered", "plausible", "all")] == [206, 382, 670]


@pytest.mark.realdata
def test_durations_by_signal_agree_with_those_of_the_file(real):
    session = read_session(real / "rnn_export_Newton_08_13_2025_SC.mat")
    known = session.duration_ms.copy()
    session.duration_ms[:] = np.nan
    assert np.abs(durations_ms(session) - known).max() <= session.bin_ms
    assert classify(session).counts["ordered"] == 206
    assert classify(session).counts["shorter than 200 ms"] == 245


@pytest.mark.realdata
def test_the_simulated_real_session_is_in_order(real):
    assert classify(read_session(real / "rnn_export_Synth_A_SC.mat")).ordered.all()


def test_event_bins_are_the_first_of_each_signal(session):
    for trial in range(5):
        for event, channels in (("fixation", [FIXATION]), ("target", [1, 2, 3, 4]), ("go", [GO]), ("reward", [REWARD])):
            on = [t for t in range(session.bins) if any(session.inputs[trial, t, c] > 0.5 for c in channels)]
            assert event_bins(session, event)[trial] == on[0]
    assert (event_bins(session, "fixation") == 8).all()


def test_each_fault_is_found(broken):
    reward = event_bins(broken, "reward")
    move(broken, 0, slice(FIXATION, FIXATION + 1), None)
    move(broken, 1, slice(GO, GO + 1), None)
    move(broken, 2, LOCATIONS, None)
    move(broken, 3, slice(REWARD, REWARD + 1), None)
    for trial, shift in ((4, 0), (5, 1), (6, -1)):
        move(broken, trial, LOCATIONS, reward[trial] - shift)
        move(broken, trial, slice(GO, GO + 1), reward[trial] - shift)
    move(broken, 7, LOCATIONS, event_bins(broken, "go")[7])
    broken.duration_ms[8] = 9.5
    faults = classify(broken)
    assert np.flatnonzero(faults.no_fixation).tolist() == np.flatnonzero(faults.unfixated).tolist() == [0]
    assert np.flatnonzero(faults.no_go).tolist() == [1]
    assert np.flatnonzero(faults.no_target).tolist() == [2]
    assert np.flatnonzero(faults.no_reward).tolist() == [3]
    assert np.flatnonzero(faults.reward_not_after_go).tolist() == [4, 6]
    assert np.flatnonzero(faults.reward_one_bin_after_go).tolist() == [5]
    assert np.flatnonzero(faults.at_reward).tolist() == [4, 5, 6]
    assert np.flatnonzero(faults.short).tolist() == [8]
    assert np.flatnonzero(~faults.ordered).tolist() == list(range(9))
    assert np.flatnonzero(~faults.plausible).tolist() == [0, 1, 2, 3, 7, 8]
    assert event_bins(broken, "go")[1] == -1


def test_a_duration_is_derived_where_the_file_has_none(broken):
    broken.duration_ms[:3] = np.nan
    move(broken, 1, slice(FIXATION, FIXATION + 1), None)
    move(broken, 2, slice(REWARD, REWARD + 1), None)
    found = durations_ms(broken)
    reward = event_bins(broken, "reward")
    assert found[0] == (reward[0] - 8) * 25 and found[1] == (reward[1] - 8) * 25
    assert np.isnan(found[2])
    assert (found[3:] == broken.duration_ms[3:]).all()
    assert not classify(broken).ordered[2] and not classify(broken).short[2]


def test_an_unknown_selection_names_the_known_ones(session):
    with pytest.raises(UnknownName, match="orderd"):
        selection(session, "orderd")
