"""A worm as the models see it: z-scores of its neurons at one frame step, cut where frames are missing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Recording
from neurocli_gat_lstm.config import DataConfig

GAP = 1.5
"""A step longer than this many median steps is a gap in time."""
UNIDENTIFIED = "unidentified-"
FEWEST_NEURONS = 2


@dataclass(frozen=True)
class WormSeries:
    """z: float32 [time, neuron]; known: bool like it, False where the recording has no number (z holds the last one).

    names: of the neurons; segments: [start, stop) without gaps in time; dt_ms: median step; mean, sd [neuron]: in the
    recording's unit.
    """

    group: str
    names: tuple[str, ...]
    z: NDArray[np.float32]
    known: NDArray[np.bool_]
    segments: tuple[tuple[int, int], ...]
    dt_ms: float
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]

    @property
    def frames(self) -> int:
        return len(self.z)

    def origins(self, context: int, ahead: int, stride: int = 1) -> NDArray[np.int64]:
        """Frames [origin] that have `context` frames up to themselves and `ahead` after, all in one segment."""
        found = [np.arange(start + context - 1, stop - ahead, stride) for start, stop in self.segments]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def windows(self, length: int) -> NDArray[np.int64]:
        """First frames [window] of all windows of that length inside a segment."""
        return self.origins(1, length - 1)


def series_of(recording: Recording, options: DataConfig) -> WormSeries:
    """A recording's neurons as z-scores. Raises DataError where nothing is left of it."""
    where = f"recording {recording.group}"
    names = recording.channels or [f"{UNIDENTIFIED}{k + 1}" for k in range(recording.num_channels)]
    signal = np.asarray(recording.signal, np.float64)
    known: NDArray[np.bool_] = np.isfinite(signal)
    if recording.mask is not None:
        known &= recording.mask
    chosen = np.array([options.neurons == "all" or not name.startswith(UNIDENTIFIED) for name in names])
    chosen &= known.mean(axis=0) > 0.5
    time_s = np.asarray(recording.events.get("time_s", np.arange(len(signal)) * recording.dt_ms / 1e3), np.float64)
    segments = _segments(time_s)
    signal, known = signal[:, chosen], known[:, chosen]
    if options.dt != "native" and signal.size:
        signal, known, segments = _resampled(time_s, signal, known, segments, float(options.dt) / 1e3)
    z, mean, sd = _z_scores(signal, known, options, recording.dt_ms if options.dt == "native" else float(options.dt))
    varying = sd > 0
    if varying.sum() < FEWEST_NEURONS:
        kind = "identified neurons" if options.neurons == "identified" else "neurons"
        raise DataError(
            f"{int(varying.sum())} {kind} have a signal: nothing can be forecast from another",
            where=where,
            hint="--set data.neurons=all takes unidentified neurons too"
            if options.neurons == "identified"
            else "leave this worm out",
        )
    kept = [name for name, used in zip(names, chosen, strict=True) if used]
    return WormSeries(
        group=recording.group,
        names=tuple(name for name, used in zip(kept, varying, strict=True) if used),
        z=z[:, varying],
        known=known[:, varying],
        segments=segments,
        dt_ms=recording.dt_ms if options.dt == "native" else float(options.dt),
        mean=mean[varying],
        sd=sd[varying],
    )


def _segments(time_s: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    steps = np.diff(time_s)
    cuts = np.flatnonzero(steps > GAP * np.median(steps)) + 1
    edges = [0, *cuts.tolist(), len(time_s)]
    return tuple(itertools.pairwise(edges))


def _resampled(
    time_s: NDArray[np.float64],
    signal: NDArray[np.float64],
    known: NDArray[np.bool_],
    segments: tuple[tuple[int, int], ...],
    step_s: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], tuple[tuple[int, int], ...]]:
    """Linear interpolation inside each segment; never across a gap."""
    parts, masks, found, first = [], [], [], 0
    for start, stop in segments:
        grid = np.arange(time_s[start], time_s[stop - 1], step_s)
        if not len(grid):
            continue
        at, there = time_s[start:stop], known[start:stop]
        columns = [
            np.interp(grid, at[there[:, k]], signal[start:stop, k][there[:, k]]) if there[:, k].any() else 0.0 * grid
            for k in range(signal.shape[1])
        ]
        # A point of the grid is known where the samples around it are.
        before = np.clip(np.searchsorted(at, grid, side="right") - 1, 0, stop - start - 1)
        after = np.where(at[before] == grid, before, np.minimum(before + 1, stop - start - 1))
        parts.append(np.stack(columns, axis=1))
        masks.append(there[before] & there[after])
        found.append((first, first + len(grid)))
        first += len(grid)
    if not parts:
        raise DataError(
            f"a step of {step_s * 1e3:g} ms is longer than the recording", where="data.dt", hint="use native"
        )
    return np.concatenate(parts), np.concatenate(masks), tuple(found)


def _z_scores(
    signal: NDArray[np.float64], known: NDArray[np.bool_], options: DataConfig, dt_ms: float
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    frames = len(signal) if options.normalisation == "whole" else max(2, round(options.start_s * 1e3 / dt_ms))
    used, there = signal[:frames], known[:frames]
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, used, 0.0).sum(axis=0) / count
    sd = np.sqrt(np.where(there, np.square(np.where(there, used, mean) - mean), 0.0).sum(axis=0) / count)
    sd = np.where(sd > 1e-9 * np.maximum(np.abs(mean), 1e-12), sd, 0.0)
    z: NDArray[Any] = np.where(known, signal - mean, np.nan) / np.where(sd > 0, sd, 1.0)
    return _filled(z.astype(np.float32), known), mean, sd


def _filled(z: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The last known value where there is none; 0, the mean, before the first."""
    if known.all():
        return z
    last = np.maximum.accumulate(np.where(known, np.arange(len(z))[:, None], -1), axis=0)
    return np.where(last >= 0, np.take_along_axis(z, np.maximum(last, 0), axis=0), np.float32(0))
