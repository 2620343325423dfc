"""What makes the input of a simulation known again, in a hundred numbers.

A stretch of 20 ms of input spikes is as good as unique. A hash is made of every one; of these the ones that end in six zero
bits are kept, so that a stretch is kept wherever it stands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Recording

_STRETCH, _FEWEST_EVENTS = 20, 8
_KEPT_BITS = np.uint64(63)
_FACTOR, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


def fingerprints(recording: Recording) -> NDArray[np.uint64]:
    """Hashes [stretch] of a selection of the stretches of input spikes, each once."""
    spikes = recording.spikes
    assert spikes is not None
    inside = spikes.step < recording.steps
    step, channel = spikes.step[inside], spikes.channel[inside].astype(np.uint64)
    code = _mixed((channel + np.uint64(1)) * _FACTOR)
    of_step = np.zeros(recording.steps, np.uint64)
    np.add.at(of_step, step, code)  # unsigned: wraps around
    count = np.bincount(step, minlength=recording.steps)
    places = recording.steps - _STRETCH + 1
    if places < 1:
        return np.zeros(0, np.uint64)
    found, events = np.zeros(places, np.uint64), np.zeros(places, np.int64)
    for offset in range(_STRETCH):
        found = found * _FACTOR + of_step[offset : offset + places]
        events += count[offset : offset + places]
    found = _mixed(found)
    return np.unique(found[((found & _KEPT_BITS) == 0) & (events >= _FEWEST_EVENTS)])


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(31))) * _MIX
    return values ^ (values >> np.uint64(29))
