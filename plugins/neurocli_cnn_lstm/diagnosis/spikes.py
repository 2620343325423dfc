"""Do the spikes belong to the voltages? After its own spike a neuron is reset, or at its peak; after another's it is anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.finding import Finding
from neurocli.recordings import Recording

LEAST = 0.3
"""Mean voltage after a spike, in sds of the neuron, from which spikes are those of the voltages; at random it is within 0.1."""
FEWEST = 100
LONGEST_STEP_MS = 2.0
"""With longer steps a neuron has come back from its reset before the next sample."""
_CHANNEL = re.compile(r"[A-Z](\d+)")


class AfterSpikes(NamedTuple):
    """z: mean voltage of a neuron in the first sample after its spike, in its sds from its mean; shifted: the same where each
    spike is taken for one of the neuron before, or after."""

    z: float
    shifted: tuple[float, float]


def after_spikes(recording: Recording) -> AfterSpikes | None:
    """How far voltages are from their mean after spikes; None where there are too few, or the steps are too long."""
    spikes = recording.spikes
    if spikes is None or spikes.step.size < FEWEST or recording.dt_ms > LONGEST_STEP_MS:
        return None
    signal = np.nan_to_num(np.asarray(recording.signal, np.float32))
    column = _columns(recording)
    sample = np.floor(spikes.time_ms / recording.dt_ms + 1e-6).astype(np.int64) + 1
    mean, sd = signal.mean(0, dtype=np.float64), signal.std(0, dtype=np.float64)

    def mean_z(shift: int) -> float:
        place = np.array([column.get(neuron + shift, -1) for neuron in range(int(_most(spikes.channel)) + 1)])
        at = np.where(spikes.channel < len(place), place[np.minimum(spikes.channel, len(place) - 1)], -1)
        used = (at >= 0) & (sample < len(signal))
        used[used] = sd[at[used]] > 0
        if used.sum() < FEWEST:
            return float("nan")
        return float(((signal[sample[used], at[used]] - mean[at[used]]) / sd[at[used]]).mean())

    z = mean_z(0)
    return None if np.isnan(z) else AfterSpikes(z, (mean_z(-1), mean_z(1)))


def spike_findings(runs: Sequence[tuple[str, AfterSpikes | None]]) -> list[Finding]:
    """The run whose voltages know least of its spikes; nothing where no run can be judged."""
    judged = [(abs(result.z), group, result) for group, result in runs if result is not None]
    if not judged:
        return []
    off = [group for z, group, _ in judged if z < LEAST]
    z, _group, worst = min(judged)
    before, after = (abs(value) if np.isfinite(value) else 0.0 for value in worst.shifted)
    reason = "check that the two files are of one run, on one clock, and that columns and spikes count neurons alike"
    if max(before, after) > max(LEAST, 3 * z):
        reason = "they fit the neuron next to it: are neurons counted from 1?"
    advice = f"voltages of {', '.join(off[:3])}{' …' if len(off) > 3 else ''} do not change with their spikes: {reason}"
    return [Finding.graded("spikes-fit-voltages", "data", round(z, 3), f"≥ {LEAST} sd", advice, warn=bool(off))]


def _columns(recording: Recording) -> dict[int, int]:
    """The column of each neuron's number: as its name says, where not all neurons were recorded."""
    names = [_CHANNEL.fullmatch(name) for name in recording.channels or []]
    if names and all(names):
        return {int(match[1]): k for k, match in enumerate(names) if match}
    return {k: k for k in range(recording.num_channels)}


def _most(channel: NDArray[np.int32], largest: int = 100_000) -> int:
    """The largest number of a neuron that is looked up: a file may claim any."""
    return int(min(channel.max(), largest))
