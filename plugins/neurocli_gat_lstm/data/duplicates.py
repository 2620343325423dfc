"""The same worm again: told from its traces, whatever file, name, unit or frame rate it comes with.

Worms come in several formats, smoothed or resampled, and one of each is used. What two worms may not share, numbers of any
part, is refused by the core (`neurocli.recordings.copies`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Recording, RecordingSet
from neurocli_gat_lstm.data.summary import Summary, coarse_of, signal_of, times_of, z_scores

Array = NDArray[np.floating[Any]]
SAME = 0.999
"""Median correlation of matched neurons from which on two recordings hold the same numbers."""
LIKE = 0.9
"""The same for the same worm after smoothing or resampling. Other worms share behaviour, not noise: they stay below .8."""
_LENGTH, _MATCHED, _COARSE = 0.02, 0.8, 0.95


@dataclass(frozen=True)
class Copy:
    """group is the same worm as `of`, an earlier one; correlation: median over matched neurons."""

    group: str
    of: str
    correlation: float

    @property
    def exact(self) -> bool:
        return self.correlation > SAME


@dataclass(frozen=True)
class Course:
    """What a worm is known again by: its duration, and the slow course of its neurons, float32 [COARSE, neuron]."""

    group: str
    duration_s: float
    coarse: NDArray[np.float32]

    @classmethod
    def of(cls, recording: Recording) -> Course:
        values, (time_s, _) = signal_of(recording), times_of(recording)
        z, varies = z_scores(values)
        step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else recording.dt_ms / 1e3
        return cls(recording.group, recording.steps * step_s, coarse_of(z[:, varies]))


def copies(recordings: RecordingSet, summaries: Sequence[Summary]) -> list[Copy]:
    """Every recording that is an earlier one again. Coarse pictures are compared first, traces only where these agree."""
    first: list[Summary] = []
    duplicates = []
    for summary in summaries:
        copy = copy_of(recordings, summary, first)
        if copy is None:
            first.append(summary)
        else:
            duplicates.append(copy)
    return duplicates


def copy_of(recordings: RecordingSet, summary: Summary | Course, others: Sequence[Summary | Course]) -> Copy | None:
    """The first of `others` that is the same worm."""
    for other in others:
        if _similar(summary, other):
            correlation = _correlation(recordings, other.group, summary.group)
            if correlation > LIKE:
                return Copy(summary.group, other.group, correlation)
    return None


def _similar(summary: Summary | Course, other: Summary | Course) -> bool:
    """As long, and most neurons of the smaller one have a neuron of the same slow course in the other."""
    if abs(np.log(summary.duration_s / other.duration_s)) > _LENGTH or not summary.coarse.size or not other.coarse.size:
        return False
    match = _best_matches(summary.coarse.astype(np.float64), other.coarse.astype(np.float64))
    return bool((match > _COARSE).mean() > _MATCHED)


def _correlation(recordings: RecordingSet, first: str, second: str) -> float:
    """Median correlation of each neuron of the smaller recording with the most similar one of the other."""
    (a, time_a), (b, time_b) = (_traces(recordings, group) for group in (first, second))
    if len(a) != len(b):
        step = max(float(np.median(np.diff(time_a))), float(np.median(np.diff(time_b))))
        grid = np.arange(0.0, min(time_a[-1] - time_a[0], time_b[-1] - time_b[0]), step)
        a, b = _at(grid, time_a - time_a[0], a), _at(grid, time_b - time_b[0], b)
    return float(np.median(_best_matches(a, b)))


def _traces(recordings: RecordingSet, group: str) -> tuple[Array, Array]:
    """(varying traces with their mean where a number is missing, times in s)."""
    recording = recordings[group]
    values = signal_of(recording)
    values = values[:, np.isfinite(values).any(axis=0)]
    values = np.where(np.isfinite(values), values, np.nanmean(values, axis=0))
    return values[:, values.std(axis=0) > 0], times_of(recording)[0]


def _at(grid: Array, time_s: Array, values: Array) -> Array:
    return np.stack([np.interp(grid, time_s, column) for column in values.T], axis=1)


def _best_matches(a: Array, b: Array) -> Array:
    """[neuron of the smaller] its highest correlation with a neuron of the other, -1 where another neuron has it already."""
    if a.shape[1] > b.shape[1]:
        a, b = b, a
    a, b = (((x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12)) for x in (a, b))
    correlation = a.T @ b / len(a)
    best = correlation.argmax(axis=1)
    taken = np.zeros(b.shape[1], bool)
    highest = np.full(len(best), -1.0)
    for k in np.argsort(-correlation[np.arange(len(best)), best], kind="stable"):
        if not taken[best[k]]:
            taken[best[k]], highest[k] = True, correlation[k, best[k]]
    return highest
