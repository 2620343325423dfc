"""Trials that go on into the next one: bins that a later trial begins with are taken out of the earlier one.

A session export may cut windows of one length around every fixation, so that the end of a trial's window is the start of
the next trial: the same spikes in two trials, which a split would deal out to both sides. Where the numbers say so, the
earlier trial ends where the later begins: after its reward, or where the two follow on each other in the file. Whatever else
two trials share is left to the audit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from neurocli.recordings import Recording, RecordingSet
from neurocli.recordings.copies import copies
from neurocli_eirnn.data.session import REWARD

_SUCCESSIVE, _FEWEST_BINS = 3, 8
"""Trials that follow on each other, broken ones between them left out; bins that must be left of the earlier."""


def without_overlaps(recordings: RecordingSet) -> tuple[RecordingSet, list[str]]:
    """(the trials without the bins of a later one, the names of those that end earlier for it)."""
    ends: dict[str, int] = {}
    number = {group: place for place, group in enumerate(recordings)}
    for copy in copies(recordings):
        earlier = copy.of if copy.shift_ms > 0 else copy.group
        trial = recordings[earlier]
        begins = round(abs(copy.shift_ms) / trial.dt_ms)
        successive = abs(number[copy.group] - number[copy.of]) <= _SUCCESSIVE and begins >= _FEWEST_BINS
        if successive or begins > _reward(trial):
            ends[earlier] = min(begins, ends.get(earlier, begins))
    if not ends:
        return recordings, []

    def loader(group: str) -> Callable[[], Recording]:
        return lambda: _ended(recordings[group], ends[group]) if group in ends else recordings[group]

    return recordings.with_loaders({group: loader(group) for group in recordings}), sorted(ends)


def _reward(trial: Recording) -> int:
    """The bin of the reward; the last one where there is none."""
    on = (
        trial.inputs[:, REWARD] > 0.5
        if trial.inputs is not None and trial.inputs.shape[1] > REWARD
        else np.zeros(1, bool)
    )
    return int(on.argmax()) if on.any() else trial.steps


def _ended(trial: Recording, end: int) -> Recording:
    signal = np.array(trial.signal, np.float32)
    signal[end:] = np.nan
    return dataclasses.replace(trial, signal=signal, mask=np.isfinite(signal))
