"""Recordings with another future: what the look-ahead check shows to a model instead of what happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Recording, RecordingSet, Spikes

LARGE = 100.0
FEW = 0.05
"""Share of later samples that go missing: so few that no channel is left out for it."""

Alter = Callable[[Recording], Recording]


def with_altered(recordings: RecordingSet, alter: Mapping[str, Alter]) -> RecordingSet:
    """The same set, some recordings of it altered."""

    def loader(group: str) -> Callable[[], Recording]:
        change = alter.get(group)
        return (lambda: recordings[group]) if change is None else (lambda: change(recordings[group]))

    return recordings.with_loaders({group: loader(group) for group in recordings})


def another_signal(recording: Recording, cut: int, *, large: bool = False) -> Recording:
    """Another signal after sample `cut`, and other events: as large as the signal is, or a hundred times as large.

    What is missing stays missing; times of samples stay.
    """
    signal = np.array(recording.signal, np.result_type(recording.signal, np.float32))
    later = signal[cut + 1 :]
    rng = np.random.default_rng(cut + 1)
    size = np.nanstd(signal) + 1
    later += (LARGE * size if large else size) * rng.uniform(0.5, 1.5, later.shape).astype(signal.dtype)
    return dataclasses.replace(recording, signal=signal, events=_fewer_events(recording, cut))


def another_last_sample(recording: Recording) -> Recording:
    """Another last sample, and nothing else."""
    return another_signal(recording, recording.steps - 2)


def other_gaps(recording: Recording, cut: int) -> Recording:
    """Other samples missing after `cut`: some that were there are not, and those that were missing are there.

    In every second channel the sample after `cut` changes sides.
    """
    signal = np.array(recording.signal, np.result_type(recording.signal, np.float32))
    there = np.isfinite(signal) if recording.mask is None else recording.mask & np.isfinite(signal)
    rng = np.random.default_rng(cut + 1)
    chosen = ~there | (rng.random(there.shape) < FEW)
    chosen[: cut + 1] = False
    chosen[cut + 1 : cut + 2, ::2] = True
    signal[chosen & ~there] = rng.normal(np.nanmean(signal), np.nanstd(signal), int((chosen & ~there).sum()))
    signal[chosen & there] = np.nan
    mask = None if recording.mask is None else there ^ chosen
    return dataclasses.replace(recording, signal=signal, mask=mask)


def other_inputs(recording: Recording, cut: int) -> Recording:
    """Other inputs and other spikes after sample `cut`. What is zero stays zero, so that no event moves to another time."""
    inputs = recording.inputs
    if inputs is not None:
        inputs = np.array(inputs, np.result_type(inputs, np.float32))
        inputs[cut + 1 :] *= np.random.default_rng(cut + 1).uniform(1.2, 1.8, inputs[cut + 1 :].shape)
    return dataclasses.replace(recording, inputs=inputs, spikes=_fewer_spikes(recording, cut))


def _fewer_spikes(recording: Recording, cut: int) -> Spikes | None:
    """Without every second spike after sample `cut`."""
    spikes = recording.spikes
    if spikes is None:
        return None
    kept = _every_second(spikes.time_ms > cut * recording.dt_ms)
    return Spikes(spikes.step[kept], spikes.channel[kept], spikes.dt_ms)


def _fewer_events(recording: Recording, cut: int) -> dict[str, NDArray[Any]]:
    """Without every second event after sample `cut`, in all lists that are as long as one of times in ms."""
    altered = dict(recording.events)
    for name, times in recording.events.items():
        if name.endswith("_ms") and times.ndim == 1 and len(times) != recording.steps:
            kept = _every_second(times > cut * recording.dt_ms)
            for other, values in recording.events.items():
                if len(values) == len(times) and len(altered[other]) == len(values):
                    altered[other] = values[kept]
    return altered


def _every_second(late: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return ~(late & (np.cumsum(late) % 2 == 1))
