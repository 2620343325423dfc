"""Copies of a recording as they come about: cut, shifted, scaled, rounded, reordered, with a little noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from neurocli.recordings import Recording, Spikes


def _shifted(recording: Recording) -> Recording:
    return _cut(recording, 1, recording.steps)


def _shortened(recording: Recording) -> Recording:
    return _cut(recording, recording.steps // 6, recording.steps - recording.steps // 6)


def _scaled(recording: Recording) -> Recording:
    return dataclasses.replace(recording, signal=recording.signal * np.float32(1.001))


def _noisy(recording: Recording) -> Recording:
    size = 0.002 if recording.unit == "mV" else 0.001 * np.nanstd(recording.signal)  # 2 µV
    noise = np.random.default_rng(0).normal(0, size, recording.signal.shape)
    return dataclasses.replace(recording, signal=(recording.signal + noise).astype(np.float32))


def _permuted(recording: Recording) -> Recording:
    order = np.roll(np.arange(recording.num_channels), 1)
    spikes = recording.spikes
    if spikes is not None:
        channels = int(spikes.channel.max()) + 1
        spikes = Spikes(spikes.step, (spikes.channel + 1) % channels, spikes.dt_ms)
    mask = None if recording.mask is None else recording.mask[:, order]
    return dataclasses.replace(recording, signal=recording.signal[:, order], mask=mask, spikes=spikes)


def _one_changed(recording: Recording) -> Recording:
    signal = recording.signal.copy()
    place = int(np.isfinite(signal[:, 0]).sum()) // 2
    signal[place, 0] += 3 * np.nanstd(signal)
    return dataclasses.replace(recording, signal=signal)


KINDS: dict[str, Callable[[Recording], Recording]] = {
    "exact": lambda recording: recording,
    "shifted by a sample": _shifted,
    "shortened": _shortened,
    "scaled by 1.001": _scaled,
    "with 2 µV of noise": _noisy,
    "with permuted channels": _permuted,
    "with one changed value": _one_changed,
}


def half_overlapping(recording: Recording, other: Recording) -> Recording:
    """As long as before: the second half of a recording, then the first half of another."""
    half = _valid(recording) // 2
    tail = _cut(recording, half, recording.steps)
    signal = np.concatenate([tail.signal[: _valid(tail)], other.signal])[: recording.steps]
    together: dict[str, Any] = {"mask": None if recording.mask is None else np.isfinite(signal)}
    return dataclasses.replace(recording, signal=signal, spikes=tail.spikes, **together)


def _valid(recording: Recording) -> int:
    """Samples up to the last one that has a value."""
    return int(np.flatnonzero(np.isfinite(recording.signal).any(axis=1))[-1]) + 1


def _cut(recording: Recording, start: int, stop: int) -> Recording:
    """Samples start to stop - 1, filled up at the end as the recording was."""

    def moved(values: Any, fill: Any) -> Any:
        if values is None:
            return None
        kept = values[start:stop]
        if not np.isnan(recording.signal).any():
            return kept
        return np.concatenate([kept, np.full((len(values) - len(kept), *values.shape[1:]), fill, values.dtype)])

    spikes = recording.spikes
    if spikes is not None:
        ratio = recording.dt_ms / spikes.dt_ms
        first = round(start * ratio)
        inside = (spikes.step >= first) & (spikes.step < round(stop * ratio))
        spikes = Spikes(spikes.step[inside] - np.int32(first), spikes.channel[inside], spikes.dt_ms)
    events = {
        name: values[start:stop] if len(values) == recording.steps else values
        for name, values in recording.events.items()
    }
    return dataclasses.replace(
        recording,
        signal=moved(recording.signal, np.nan),
        mask=moved(recording.mask, False),
        inputs=moved(recording.inputs, 0),
        spikes=spikes,
        events=events,
    )
