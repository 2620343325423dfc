"""Was a trace smoothed, resampled or interpolated, and does it hold anything slower than its smoothing? Numbers only.

Traces are float64 [time, neuron], NaN where there is no number; segments are [start, stop) without a gap in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

Array = NDArray[np.floating[Any]]
Segments = Sequence[tuple[int, int]]

ORDER, FITTED = 10, 0.8
"""Lags of the autoregression, and the share of the recording that it is fitted on; the rest is what it is scored on."""
_MOST_ROWS = 400_000
_FLAT = 1e-3
"""A second difference below this share of the neurons' usual step is none: float32 leaves 1e-6, real traces 1e-1."""
_BAND = (0.02, 0.49)
_BACKGROUND = 101
_SLOWEST_S = 120.0


def autoregressive_reduction(z: Array, segments: Segments) -> float:
    """S(1) = 1 - MSE / MSE of persistence of one AR(10) shared by all neurons, in the last fifth of a recording.

    Least squares without penalty on the first four fifths, on steps inside segments and whose samples are all known.
    """
    cut = int(FITTED * len(z))
    past, change = _rows(z, segments, 0, cut)
    tested, target = _rows(z, segments, cut, len(z))
    if len(change) < 10 * ORDER or not len(target) or not np.square(target).mean() > 0:
        return float("nan")
    weights = np.linalg.lstsq(past, change, rcond=None)[0]
    return float(1 - np.square(target - tested @ weights).mean() / np.square(target).mean())


def _rows(z: Array, segments: Segments, first: int, last: int) -> tuple[Array, Array]:
    """(past [row, lag], next change [row]) of all neurons in frames [first, last); of very many, evenly some."""
    at = [np.arange(max(a, first) + ORDER - 1, min(b, last) - 1) for a, b in segments]
    frames = np.concatenate([np.zeros(0, np.int64), *at])
    frames = frames[:: max(1, -(-len(frames) * z.shape[1] // _MOST_ROWS))]
    past = np.stack([z[frames - lag] for lag in range(ORDER)], axis=-1).reshape(-1, ORDER)
    change = (z[frames + 1] - z[frames]).ravel()
    known = np.isfinite(change) & np.isfinite(past).all(axis=1)
    return past[known], change[known]


def persistence_of_changes(z: Array, segments: Segments) -> float:
    """Median over neurons of the correlation of a change with the next one.

    -0.5 for white noise, 0 for a random walk, above 0 where traces go on as they went: smoothed, or slower than the frames.
    """
    first, second, product = (np.zeros(z.shape[1]) for _ in range(3))
    for start, stop in segments:
        change = np.diff(z[start:stop], axis=0)
        before, after = change[:-1], change[1:]
        known = np.isfinite(before) & np.isfinite(after)
        before, after = np.where(known, before, 0.0), np.where(known, after, 0.0)
        first, second, product = (
            first + (before**2).sum(0),
            second + (after**2).sum(0),
            product + (before * after).sum(0),
        )
    varying = first * second > 0
    return (
        float(np.median(product[varying] / np.sqrt(first[varying] * second[varying])))
        if varying.any()
        else float("nan")
    )


@dataclass(frozen=True)
class Straight:
    """share: of frames at which all neurons go straight on at once; runs: of such frames; longest: frames of the longest.

    gaps: runs that are much longer than the others, which fill what was not recorded.
    """

    share: float
    runs: int
    longest: int
    gaps: int


def straight_frames(z: Array, segments: Segments) -> Straight:
    """Frames whose second difference is zero in (nearly) all neurons at once: what linear interpolation leaves behind."""
    lengths: list[int] = []
    frames = 0
    usual = np.sqrt(np.nanmean(np.square(np.diff(z, axis=0))))
    for start, stop in segments:
        bend = np.abs(np.diff(z[start:stop], 2, axis=0))
        known = np.isfinite(bend)
        many = known.sum(axis=1) >= 2
        frames += int(many.sum())
        flat = many & ((known & (bend < _FLAT * usual)).sum(axis=1) >= 0.9 * known.sum(axis=1))
        edges = np.flatnonzero(np.diff(np.concatenate(([False], flat, [False])).astype(np.int8)))
        lengths += (edges[1::2] - edges[::2]).tolist()
    if not lengths:
        return Straight(0.0, 0, 0, 0)
    # Upsampling leaves very many short runs; a gap that was filled is a rare one, or one that is much longer.
    rare = len(lengths) < 0.02 * frames
    gaps = sum(length > (0 if rare else 3 * float(np.median(lengths)) + 1) for length in lengths)
    return Straight(sum(lengths) / max(frames, 1), len(lengths), max(lengths), gaps)


def resampling_line(z: Array, segments: Segments) -> tuple[float, float]:
    """(height, frequency in 1/frame) of the strongest line in the spectrum of the traces' common roughness.

    Interpolation makes samples the smoother the farther they are from a sample that was measured, in all neurons alike, with
    the beat of the two rates. Roughness: logarithm of the mean over neurons of squared second differences, each neuron in
    units of its own; the height of a line is relative to the median of the spectrum around it, 10 to 20 for noise.
    Source: Gallagher (2005), CRV, "Detection of linear and cubic interpolation in JPEG compressed images", for time series.
    """
    start, stop = max(segments, key=lambda segment: segment[1] - segment[0])
    bend = np.square(np.diff(z[start:stop], 2, axis=0))
    scale = np.array([column[np.isfinite(column)].mean() if np.isfinite(column).any() else 0.0 for column in bend.T])
    bend = bend[:, scale > 0] / scale[scale > 0]
    known = np.isfinite(bend)
    if len(bend) < 2 * _BACKGROUND or not known.any():
        return float("nan"), float("nan")
    mean = np.where(known, bend, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    roughness = np.log(np.maximum(mean, 1e-12))
    roughness -= uniform_filter1d(roughness, _BACKGROUND)
    power = np.abs(np.fft.rfft(roughness * np.hanning(len(roughness)))) ** 2
    frequency = np.fft.rfftfreq(len(roughness))
    background = np.maximum(median_filter(power, _BACKGROUND, mode="nearest"), 1e-30)
    inside = (frequency > _BAND[0]) & (frequency < _BAND[1])
    height = np.where(inside, power / background, 0.0)
    return float(height.max()), float(frequency[height.argmax()])


def fast_power(z: Array, segments: Segments) -> float:
    """Median over neurons of the share of power above half of the highest frequency, in the longest segment (Hann window)."""
    start, stop = max(segments, key=lambda segment: segment[1] - segment[0])
    part = z[start:stop]
    part = part[:, np.isfinite(part).all(axis=0)]
    if len(part) < 16 or not part.size:
        return float("nan")
    power = np.abs(np.fft.rfft((part - part.mean(axis=0)) * np.hanning(len(part))[:, None], axis=0)) ** 2
    total = power.sum(axis=0)
    fast = power[np.fft.rfftfreq(len(part)) > 0.25].sum(axis=0)
    return float(np.median(fast[total > 0] / total[total > 0])) if (total > 0).any() else float("nan")


def memory(z: Array, time_s: Array, dt_s: float) -> tuple[float, float]:
    """(half-time in s, half-time over smoothness) of z-scored traces.

    Half-time: where the autocorrelation of the median neuron, 1 - half the mean squared difference of samples that far
    apart, falls below 0.5; inf where it never does within two minutes. Smoothness: sd over rms rate of change, in s. Smoothed
    noise has a ratio of 1.2, whatever the kernel's width: it remembers nothing but its smoothing.
    """
    lags = _lags(dt_s, min(_SLOWEST_S, 0.5 * float(time_s[-1] - time_s[0])))
    before, correlation = 0.0, 1.0
    smoothness = half = float("nan")
    for lag in lags:
        apart = _squared_difference(z, time_s, lag, dt_s)
        if apart is None:
            continue
        if np.isnan(smoothness):
            smoothness = float(np.median(lag / np.sqrt(np.maximum(apart, 1e-12))))
        now = 1 - float(np.median(apart)) / 2
        if now < 0.5:
            half = before + (lag - before) * (correlation - 0.5) / (correlation - now)
            return half, half / smoothness
        before, correlation = lag, now
    return (float("inf"), float("inf")) if correlation < 1.0 else (half, half)


def _lags(dt_s: float, longest_s: float) -> Array:
    """Every frame for a start, then ever wider."""
    frames = np.unique(np.rint(np.geomspace(1, max(2.0, longest_s / dt_s), 120)).astype(np.int64))
    return frames * dt_s


def _squared_difference(z: Array, time_s: Array, lag_s: float, dt_s: float) -> Array | None:
    """[neuron] mean squared difference of samples `lag_s` apart, to half a frame; None for fewer than 50 such frames."""
    wanted = time_s + lag_s
    after = np.clip(np.searchsorted(time_s, wanted), 1, len(time_s) - 1)
    after -= wanted - time_s[after - 1] < time_s[after] - wanted
    pairs = np.flatnonzero(np.abs(time_s[after] - wanted) < 0.5 * dt_s)
    if len(pairs) < 50:
        return None
    square = np.square(z[after[pairs]] - z[pairs])
    known = np.isfinite(square)
    count = known.sum(axis=0)
    if not count.any():
        return None
    squared: Array = np.where(known, square, 0.0).sum(axis=0)[count > 0] / count[count > 0]
    return squared
