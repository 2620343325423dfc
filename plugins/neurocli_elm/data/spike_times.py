"""Output spikes: the step of each label, and how far float16 has moved the published times.

float16 keeps 11 bits: times are multiples of 1 ms from 1,024 ms on, of 2 ms from 2,048 and of 4 ms from 4,096. Where a file has
the voltage at 8 samples per ms, the spikes are redetected in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.recording import Recording

THRESHOLD_MV = -25.0
MOVED_MS = 0.5
_MATCH_MS = 4.0  # the coarsest step of float16 below 8 s, with both roundings


def label_steps(time_ms: NDArray[Any]) -> NDArray[np.int32]:
    """The step int(t - .5) of spike times [n], as the published targets have it; -1 where there is none."""
    with np.errstate(invalid="ignore"):
        steps = np.trunc(time_ms - 0.5)
    return np.where((time_ms >= 0) & (steps < 2**31), steps, -1).astype(np.int32)


def redetected_ms(voltage: NDArray[Any], steps: int) -> NDArray[np.float64] | None:
    """Times [n] of local maxima above -25 mV in a voltage [time] of `steps` ms; None where it is not sampled evenly.

    A maximum that float16 has flattened over several samples counts once, at its first: as in the simulation's own output.
    """
    per_ms, rest = divmod(len(voltage), steps)
    if rest or per_ms < 1 or not np.isfinite(voltage).all():
        return None
    values = voltage.astype(np.float64)
    changes = np.flatnonzero(np.diff(values)) + 1  # where another value begins
    starts = np.concatenate([[0], changes])
    level = values[starts]
    inner = level[1:-1]
    peak = (inner > level[:-2]) & (inner > level[2:]) & (inner > THRESHOLD_MV)
    return starts[1:-1][peak] / per_ms


@dataclass(frozen=True)
class Moved:
    """Labels of a recording: how many there are, how many float16 could have moved, how many it has moved by .5 ms or more.

    moved: None where the file does not tell, or where the times in it are others than those in the voltage.
    """

    labels: int
    coarse: int
    moved: int | None


def moved_labels(recording: Recording) -> Moved:
    """What float16 has done to the output spikes of a recording."""
    times = recording.events["output_spike_ms"]
    coarse = int((np.spacing(times.astype(np.float16)).astype(np.float64) >= 2 * MOVED_MS).sum())
    true = recording.events.get("output_spike_redetected_ms")
    if true is None or len(true) != len(times):
        return Moved(len(times), coarse, None)
    distance = np.abs(np.sort(times) - true)
    if len(times) and distance.max() > _MATCH_MS:
        return Moved(len(times), coarse, None)
    return Moved(len(times), coarse, int((distance >= MOVED_MS).sum()))
