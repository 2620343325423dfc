"""From the samples of a recording to frames of one step: the sample before, or interpolation, which looks one ahead."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError

GAP = 1.5
"""A step longer than this many median steps is a gap in time."""
_SAME = 1e-6
"""Times that differ by less of a step are the same: half a step of rounding must not cost a whole sample."""


@dataclass(frozen=True)
class Frames:
    """signal, known [time, neuron]; sample: int64 [time], the last sample of the recording that a frame holds.

    segments: [start, stop) without gaps in time.
    """

    signal: NDArray[np.float64]
    known: NDArray[np.bool_]
    sample: NDArray[np.int64]
    segments: tuple[tuple[int, int], ...]

    def of(self, chosen: NDArray[np.bool_]) -> Frames:
        """The same frames of some neurons."""
        return replace(self, signal=self.signal[:, chosen], known=self.known[:, chosen])


def native(time_s: NDArray[np.float64], signal: NDArray[np.float64], known: NDArray[np.bool_]) -> Frames:
    """Every sample is a frame."""
    steps = np.diff(time_s)
    cuts = np.flatnonzero(steps > GAP * np.median(steps)) + 1
    edges = [0, *cuts.tolist(), len(time_s)]
    return Frames(signal, known, np.arange(len(signal)), tuple(itertools.pairwise(edges)))


def resampled(frames: Frames, time_s: NDArray[np.float64], step_s: float, *, interpolated: bool) -> Frames:
    """Frames of another step inside each segment, never across a gap.

    Each holds the last sample at or before its time; `interpolated`: a line to the sample after it, which a forecaster
    would have to know beforehand.
    """
    signals, masks, samples, segments, first = [], [], [], [], 0
    for start, stop in frames.segments:
        grid = np.arange(time_s[start], time_s[stop - 1], step_s)
        if not len(grid):
            continue
        at, known = time_s[start:stop], frames.known[start:stop]
        before = np.clip(np.searchsorted(at, grid + _SAME * step_s, side="right") - 1, 0, stop - start - 1)
        if interpolated:
            signals.append(_lines(grid, at, frames.signal[start:stop], known))
            after = np.where(at[before] == grid, before, np.minimum(before + 1, stop - start - 1))
            masks.append(known[before] & known[after])
        else:
            signals.append(frames.signal[start:stop][before])
            masks.append(known[before])
        samples.append(frames.sample[start + before])
        segments.append((first, first + len(grid)))
        first += len(grid)
    if not signals:
        raise DataError(
            f"a step of {step_s * 1e3:g} ms is longer than the recording", where="data.dt", hint="use native"
        )
    return Frames(np.concatenate(signals), np.concatenate(masks), np.concatenate(samples), tuple(segments))


def _lines(
    grid: NDArray[np.float64], at: NDArray[np.float64], signal: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Linear interpolation between the samples that are known."""
    columns = [
        np.interp(grid, at[known[:, k]], signal[known[:, k], k]) if known[:, k].any() else 0.0 * grid
        for k in range(signal.shape[1])
    ]
    return np.stack(columns, axis=1)
