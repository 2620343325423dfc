"""Small recordings that stay in memory once they were read: a set of thousands of cases is read several times by every command."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.recording import Recording

SMALL_BYTES, ALL_BYTES = 1 << 16, 1 << 26
"""A recording up to the first size is kept, as long as all that are kept come to no more than the second."""


class Kept:
    """The small recordings of one file. What is kept is read-only: whoever changed it would change it for all."""

    def __init__(self, load: Callable[[str], Recording]) -> None:
        self._load = load
        self._recordings: dict[str, Recording] = {}
        self._bytes = 0

    def __call__(self, name: str) -> Recording:
        recording = self._recordings.get(name)
        if recording is None:
            recording = self._load(name)
            arrays = _arrays(recording)
            size = sum(array.nbytes for array in arrays)
            if size > SMALL_BYTES or self._bytes + size > ALL_BYTES:
                return recording
            for array in arrays:
                array.flags.writeable = False
            self._recordings[name], self._bytes = recording, self._bytes + size
        given = copy.copy(recording)
        given.events, given.labels, given.truth = dict(given.events), dict(given.labels), dict(given.truth)
        return given


def _arrays(recording: Recording) -> list[NDArray[Any]]:
    arrays = [recording.signal, recording.mask, recording.inputs, *recording.events.values(), *recording.truth.values()]
    if recording.spikes is not None:
        arrays += [recording.spikes.step, recording.spikes.channel]
    return [array for array in arrays if isinstance(array, np.ndarray)]
