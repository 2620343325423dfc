"""Everything that the diagnosis asks of a worm, as numbers: each recording is read once and then let go."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Recording
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.data import smoothness
from neurocli_gat_lstm.data.chosen import as_chosen
from neurocli_gat_lstm.data.identity import not_understood
from neurocli_gat_lstm.data.series import GAP, UNIDENTIFIED

Array = NDArray[np.floating[Any]]
FORGOTTEN_S, SMOOTHNESS_RATIO = 5.0, 1.9
"""Traces whose half-time is below the first, and below so many times what smoothing explains, have no memory of calcium."""
COARSE = 32
"""Parts of a recording whose means are its coarse picture."""
_STATED = ("", "none", "unknown")


@dataclass(frozen=True)
class Summary:
    """One recording. Shares are of 1, times in s; NaN where a measure cannot be taken.

    unclear: labels that were not understood. used: the neurons that count, identified ones where the options ask for these and there are any; scored: those of them
    that vary. coarse: float32 [COARSE, neuron] means of all varying neurons' z-scores.
    """

    group: str
    source: str
    worm: str
    indicator: str
    smoothing: str
    frames: int
    neurons: int
    identified: tuple[str, ...]
    unclear: tuple[str, ...]
    dt_s: float
    time_fault: str
    steps_off: float
    gaps: tuple[float, ...]
    longest: int
    missing: float
    lost: tuple[str, ...]
    constant: tuple[str, ...]
    whole_z: float
    drift: float
    scored: int
    error_reduction: float
    goes_on: float
    fast: float
    straight: smoothness.Straight
    line: tuple[float, float]
    half_time: float
    memory_ratio: float
    persistence: tuple[float, float]
    coarse: NDArray[np.float32]

    @property
    def forgets(self) -> bool:
        """Whether the traces remember no more than their smoothing makes them: GFP, or another strain than named."""
        return self.half_time < FORGOTTEN_S and self.memory_ratio < SMOOTHNESS_RATIO

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.worm

    @property
    def duration_s(self) -> float:
        return self.frames * self.dt_s


def summary_of(recording: Recording, options: DataConfig) -> Summary:
    """Measure one recording; whatever it holds, nothing is raised."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # what is NaN here is said by the finding
        return _summary(recording, options)


def _summary(recording: Recording, options: DataConfig) -> Summary:
    with contextlib.suppress(DataError):  # a series that is not there is said by whoever uses it
        recording = as_chosen(recording, options)
    names = recording.channels or [f"{UNIDENTIFIED}{k + 1}" for k in range(recording.num_channels)]
    values = signal_of(recording)
    time_s, fault = times_of(recording)
    steps = np.diff(time_s)
    dt_s = float(np.median(steps)) if len(steps) else recording.dt_ms / 1e3
    segments = segments_of(time_s)
    named = np.array([not name.startswith(UNIDENTIFIED) for name in names])
    used = named if named.any() and options.neurons == "identified" else np.ones(len(names), bool)
    mean, sd = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    known = np.isfinite(values).mean(axis=0)
    z, varies = z_scores(values)
    every, chosen = z[:, varies], z[:, varies & used]
    half, ratio = smoothness.memory(chosen, time_s, dt_s) if chosen.size else (np.nan, np.nan)
    scores = (np.abs(mean) < 1e-3) & (np.abs(sd - 1) < 1e-2)
    regular = steps[steps <= GAP * dt_s] if len(steps) else steps
    labels = recording.labels
    smoothing = str(labels.get("smooth_method", "unknown"))
    return Summary(
        group=recording.group,
        source=str(labels.get("source", "")),
        worm=str(labels.get("worm", recording.group)),
        indicator=str(labels.get("indicator", "unknown")),
        smoothing="" if smoothing.lower() in _STATED else smoothing,
        frames=recording.steps,
        neurons=len(names),
        identified=tuple(name for name, is_named in zip(names, named, strict=True) if is_named),
        unclear=tuple(not_understood(labels.get("written") or {})),
        dt_s=dt_s,
        time_fault=fault,
        steps_off=float(np.quantile(np.abs(regular / dt_s - 1), 0.95)) if len(regular) else 0.0,
        gaps=tuple(float(step) for step in steps[steps > GAP * dt_s]),
        longest=max(stop - start for start, stop in segments),
        missing=float(1 - known[used].mean()),
        lost=tuple(name for name, share, is_used in zip(names, known, used, strict=True) if is_used and share <= 0.5),
        constant=tuple(
            name
            for name, moves, share, is_used in zip(names, varies, known, used, strict=True)
            if is_used and not moves and share > 0.5
        ),
        whole_z=float(scores[varies].mean()) if varies.any() else 0.0,
        drift=_drift(every),
        scored=chosen.shape[1],
        error_reduction=smoothness.autoregressive_reduction(chosen, segments) if chosen.size else float("nan"),
        goes_on=smoothness.persistence_of_changes(chosen, segments) if chosen.size else float("nan"),
        fast=smoothness.fast_power(chosen, segments) if chosen.size else float("nan"),
        straight=smoothness.straight_frames(every, segments) if every.size else smoothness.Straight(0.0, 0, 0, 0),
        line=smoothness.resampling_line(every, segments) if every.size else (float("nan"), float("nan")),
        half_time=half,
        memory_ratio=ratio,
        persistence=_persistence(chosen, segments),
        coarse=coarse_of(every),
    )


def z_scores(values: Array) -> tuple[Array, NDArray[np.bool_]]:
    """(values [time, neuron] over the whole recording's mean and sd, which neurons vary)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # a neuron without any number does not vary
        mean, sd = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        varies = np.isfinite(values).any(axis=0) & (sd > 1e-9 * np.maximum(np.abs(mean), 1e-12))
        return (values - mean) / np.where(varies, sd, 1.0), varies


def signal_of(recording: Recording) -> Array:
    """[time, neuron] with NaN wherever the recording has no number."""
    values = np.asarray(recording.signal, np.float64)
    known = np.isfinite(values)
    if recording.mask is not None:
        known = known & recording.mask
    return np.where(known, values, np.nan)


def times_of(recording: Recording) -> tuple[Array, str]:
    """(times in s, what is wrong with them): frames at the recording's step where the times cannot be used."""
    frames = np.arange(recording.steps) * recording.dt_ms / 1e3
    if "time_s" not in recording.events:
        return frames, ""
    time_s = np.asarray(recording.events["time_s"], np.float64).ravel()
    if len(time_s) != recording.steps:
        return frames, f"{len(time_s)} times for {recording.steps} frames"
    wrong = ~np.isfinite(time_s)
    wrong[1:] |= ~(np.diff(time_s) > 0)
    if wrong.any():
        row = int(wrong.argmax())
        return frames, f"row {row} (counted from 0): {time_s[row]:g} s" + (
            f" after {time_s[row - 1]:g} s" if row else ""
        )
    return time_s, ""


def segments_of(time_s: Array) -> list[tuple[int, int]]:
    """[start, stop) of the frames between gaps in time."""
    steps = np.diff(time_s)
    cuts = (np.flatnonzero(steps > GAP * np.median(steps)) + 1).tolist() if len(steps) else []
    edges = [0, *cuts, len(time_s)]
    return list(pairwise(edges))


def coarse_of(z: Array) -> NDArray[np.float32]:
    """[COARSE, neuron]: means over equal parts of the recording."""
    stretches = np.array_split(z, COARSE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a stretch without any number is 0
        means = [np.nanmean(p, axis=0) if len(p) else np.zeros(z.shape[1]) for p in stretches]
    return np.nan_to_num(np.stack(means)).astype(np.float32)


def _drift(z: Array) -> float:
    """Median over neurons of the change of a fitted line from start to end, in sd; 3.5 is nothing but a line."""
    if not z.size or len(z) < 3:
        return float("nan")
    line = np.linspace(-0.5, 0.5, len(z))[:, None] * np.ones(z.shape[1])
    known = np.isfinite(z)
    count = known.sum(axis=0)
    line = np.where(known, line - np.where(known, line, 0).sum(axis=0) / count, 0.0)
    return float(np.median((line * np.where(known, z, 0.0)).sum(axis=0) / np.square(line).sum(axis=0)))


def _persistence(z: Array, segments: list[tuple[int, int]]) -> tuple[float, float]:
    """One-step R2 of "nothing changes": pooled over z-scores, and of the median neuron; each around its own mean."""
    if not z.size:
        return float("nan"), float("nan")
    now = np.concatenate([z[start : stop - 1] for start, stop in segments])
    following = np.concatenate([z[start + 1 : stop] for start, stop in segments])
    known = np.isfinite(now) & np.isfinite(following)
    target = np.where(known, following, np.nan)
    error = np.nansum(np.square(target - now), axis=0)
    spread = np.nansum(np.square(target - np.nanmean(target, axis=0)), axis=0)
    varying = spread > 0
    if not varying.any():
        return float("nan"), float("nan")
    return float(1 - error[varying].sum() / spread[varying].sum()), float(
        np.median(1 - error[varying] / spread[varying])
    )
