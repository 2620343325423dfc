"""Short stretches of a signal that know themselves again: whatever their offset, gain, sign, place, channel or file.

A stretch is 32 successive changes of one channel, 16 in short recordings. Where stretches begin follows from the signal alone (the maxima of a
filter), so that a copy that is shifted or cut has the same ones. Each gets a code of random projections: what correlates
by .99 has nearly the same code, and stands beside it when codes are sorted (Charikar 2002, "Similarity estimation
techniques from rounding algorithms"; Bawa et al. 2005, "LSH forest").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from neurocli.recordings.recording import Recording

CHANGES, FEW_CHANGES = 32, 16
"""Changes in a stretch, and in one of recordings shorter than `SHORT` samples."""
SHORT = 300
CODE_BITS = 48
_TAPS = {0: 1.0, 1: -0.6, 3: 0.8, 7: -0.9, 12: 0.7, 18: -0.5, 25: 0.6}
_PLANES = np.random.default_rng(20080408).normal(size=(CHANGES, CODE_BITS + 1)).astype(np.float32)
_LEVELS = 16
_MOST = 2.5
SIZE = 180.0
"""Norm of a shape: a change as large as .7 of all together still fits into a byte."""
_STEPS = (1, 2, 4, 8, 16)
_ENOUGH = 0.45


@dataclass(frozen=True)
class Scale:
    """changes: in a stretch; step: samples from one value of a stretch to the next; reach: values on both sides of a start
    among which there is no other.
    """

    changes: int = CHANGES
    step: int = 1
    reach: int = 12

    @property
    def span(self) -> int:
        """Samples from the first value of a stretch to its last."""
        return self.changes * self.step

    @property
    def alone(self) -> float:
        """The share of a stretch that it does not have in common with the next, on average."""
        return min(1.0, (2 * self.reach + 1) / self.changes)


@dataclass(frozen=True)
class Stretches:
    """shape: int8 [stretch, change] changes without their mean, of norm SIZE and of one sign; code: uint64 [stretch];
    channel, start: int32 [stretch]; freedom: float32 [stretch] changes that are as good as independent;
    most_bits: float32 [stretch] what so many values of these levels can tell at most.
    """

    shape: NDArray[np.int8]
    code: NDArray[np.uint64]
    channel: NDArray[np.int32]
    start: NDArray[np.int32]
    freedom: NDArray[np.float32]
    most_bits: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.code)


def signal_of(recording: Recording) -> NDArray[np.float32]:
    """[channel, time], NaN wherever the recording has no number."""
    with np.errstate(over="ignore", invalid="ignore"):
        signal = np.array(recording.signal.T, np.float32, order="C")
    if recording.mask is not None:
        signal[~recording.mask.T] = np.nan
    signal[np.isinf(signal)] = np.nan
    return signal


def stretches_of(signal: NDArray[np.float32], scale: Scale) -> Stretches:
    """The stretches of a signal [channel, time]; none where it is missing or constant."""
    step, starts = scale.step, signal.shape[1] - scale.span
    if starts < 1:
        return _stretches(np.zeros((0, scale.changes + 1), np.float32), *np.zeros((2, 0), np.int32))
    missing = np.isnan(signal)
    some_missing = bool(missing.any())
    filled = np.where(missing, np.float32(0), signal) if some_missing else signal
    largest = np.maximum(filled.max(axis=1), -filled.min(axis=1))[:, None]
    filled = filled / np.where(largest > 0, largest, np.float32(1))  # so that no square overflows
    response = np.zeros((len(signal), starts), np.float32)
    for tap, weight in _TAPS.items():  # weights of changes: the offset drops out
        if tap >= scale.changes:
            break
        change = filled[:, (tap + 1) * step :][:, :starts] - filled[:, tap * step :][:, :starts]
        response += np.float32(weight) * change
    np.abs(response, out=response)  # so that a negative gain has the same maxima
    peaks = (response >= maximum_filter1d(response, 2 * scale.reach * step + 1, axis=1)) & (response > 0)
    if some_missing:
        gaps = np.cumsum(np.pad(missing, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
        peaks &= gaps[:, scale.span + 1 :] == gaps[:, :starts]
    channel, start = np.nonzero(peaks)
    values = filled[channel[:, None], start[:, None] + np.arange(scale.changes + 1) * step]
    return _stretches(values, channel.astype(np.int32), start.astype(np.int32))


def scale_for(signals: Sequence[NDArray[np.float32]]) -> Scale:
    """The step at which changes are as good as independent, more than one for smooth traces, and a reach that leaves a
    short recording a few dozen starts per channel.

    At most so long a step that a stretch fits four times into a recording of median length.
    """
    length = float(np.median([np.isfinite(signal).any(axis=0).sum() for signal in signals]))
    reach = int(np.clip(length / 40, 2, 20))
    changes = CHANGES if length >= SHORT else FEW_CHANGES
    for step in _STEPS:
        chosen = Scale(changes, step, reach)
        if 8 * chosen.span > length:
            break
        freedom = np.concatenate([stretches_of(s[:: max(1, len(s) // 16)], chosen).freedom for s in signals])
        if freedom.size and np.median(freedom) >= _ENOUGH * changes:
            break
    return chosen


def _stretches(values: NDArray[np.float32], channel: NDArray[np.int32], start: NDArray[np.int32]) -> Stretches:
    """values: [stretch, changes + 1]."""
    changes = np.diff(values, axis=1)
    # A spike or a reset is much larger than what tells stretches apart.
    most = _MOST * np.abs(changes).mean(axis=1, keepdims=True)
    changes = np.clip(changes, -most, most)
    changes -= changes.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.square(changes).sum(axis=1))
    # What float32 cannot hold exactly is rounding and no change.
    sound = norm > 1e-5 * np.abs(values).max(axis=1, initial=0)
    changes, values = changes[sound] / norm[sound, None], values[sound]
    projected = changes @ _PLANES[: changes.shape[1]]
    sign = np.where(projected[:, -1:] < 0, np.float32(-1), np.float32(1))
    packed = np.packbits(projected[:, :-1] * sign > 0, axis=1)
    code = np.zeros(len(packed), np.uint64)
    for byte in packed.T:
        code = (code << np.uint64(8)) | byte
    shape = np.clip(np.rint(changes * sign * SIZE), -127, 127).astype(np.int8)
    return Stretches(shape, code, channel[sound], start[sound], _freedom(changes), _most_bits(values))


def _freedom(changes: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many of the changes [stretch, change], of norm 1, are as good as independent: few of a smooth or a single one.

    Participation ratios over time and over frequencies, each such that white Gaussian noise has about as many as there are.
    """
    over_time = 3 / np.maximum(np.power(changes, 4).sum(axis=1), 1e-12)
    power = np.square(np.abs(np.fft.rfft(changes, axis=1)))[:, 1:]
    over_frequency = 4 * np.square(power.sum(axis=1)) / np.maximum(np.square(power).sum(axis=1), 1e-12) - 2
    ratios: NDArray[np.float32] = np.minimum(np.minimum(over_time, over_frequency), changes.shape[1]).astype(np.float32)
    return ratios


def _most_bits(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Entropy of the values [stretch, value] in 16 levels, times their number: small for counts and for clamps."""
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    level = np.rint((values - low) / np.maximum(high - low, 1e-30) * _LEVELS).astype(np.int64)
    row = np.arange(len(values))[:, None] * (_LEVELS + 1)
    count = np.bincount((row + level).ravel(), minlength=len(values) * (_LEVELS + 1)).reshape(len(values), _LEVELS + 1)
    information = np.log2(values.shape[1] / np.maximum(count, 1)) * count
    bits: NDArray[np.float32] = information.sum(axis=1).astype(np.float32)
    return bits
