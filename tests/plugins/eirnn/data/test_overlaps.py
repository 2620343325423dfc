"""Trials whose window goes on into the next trial end where that begins; copies that are no such thing are refused."""

import dataclasses

import numpy as np
import pytest

from neurocli.config.resolve import resolve
from neurocli.errors import LeakError
from neurocli.recordings import Recording, RecordingSet, Split
from neurocli.recordings.copies import refuse_copies
from neurocli_eirnn.config import V2Config
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.data.overlaps import without_overlaps
from neurocli_eirnn.data.session import REWARD
from neurocli_eirnn.simulation.example import small_session


@pytest.fixture(scope="module")
def session() -> RecordingSet:
    return small_session(0, trials=30)


def reward_of(trial: Recording) -> int:
    return int((trial.inputs[:, REWARD] > 0.5).argmax())


def going_on(session: RecordingSet) -> tuple[RecordingSet, dict[str, int]]:
    """Every trial's window filled up with the start of the next one, from three bins after its reward."""
    trials, ends = [], {}
    for group, later in zip(session.groups, [*session.groups[1:], None], strict=True):
        trial = session[group]
        end = reward_of(trial) + 3
        signal = np.array(trial.signal)
        if later is not None:
            signal[end:] = session[later].signal[: len(signal) - end]
            ends[group] = end
        trials.append(dataclasses.replace(trial, signal=signal, mask=np.isfinite(signal)))
    return RecordingSet.of(trials, meta=session.meta, truth=session.truth), ends


def test_trials_end_where_the_next_one_begins(session: RecordingSet) -> None:
    joined, ends = going_on(session)
    kept, ending = without_overlaps(joined)
    assert len(ending) > 0.8 * len(ends)
    for group in ending:
        assert np.isnan(kept[group].signal[ends[group] :]).all() and not kept[group].mask[ends[group] :].any()
        np.testing.assert_array_equal(kept[group].signal[: ends[group]], joined[group].signal[: ends[group]])
    assert without_overlaps(session) == (session, [])


def test_such_a_session_can_be_trained_on(session: RecordingSet) -> None:
    joined, _ = going_on(session)
    data = SessionData(joined, resolve(V2Config, sets=["data.trials=all"]).config)
    refuse_copies(data.recordings, data.split)
    with pytest.raises(LeakError):
        refuse_copies(joined, data.split)


def test_a_copy_that_is_no_continuation_is_left_to_the_audit(session: RecordingSet) -> None:
    first = session[session.groups[0]]
    moved = np.roll(first.signal, 1, axis=0)
    moved[0] = 0
    copy = dataclasses.replace(first, group="copy", signal=moved)
    trials = RecordingSet.of([*(session[g] for g in session.groups), copy], meta=session.meta, truth=session.truth)
    assert without_overlaps(trials)[1] == []
    with pytest.raises(LeakError):
        refuse_copies(trials, Split((first.group,), (), ("copy",)))
