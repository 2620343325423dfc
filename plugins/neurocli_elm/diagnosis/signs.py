"""Signs in a simulation that its numbers were rounded, cut off, or put in another unit: nothing that could be an error for sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.finding import Finding
from neurocli.diagnosis.words import counted, unless_none
from neurocli.recordings import Recording
from neurocli_elm.data.readers.neuronio_checks import near_spikes
from neurocli_elm.data.windows import SOMA_CLIP_MV

ADVICE = {
    "spikes-in-voltage": "the soma does not rise at the output spikes: check their unit (ms) and that they belong to this voltage",
    "spikes-counted": "output spikes and peaks of the voltage above -25 mV differ in number: check outputSpikeTimes",
    "output-grid": "the times of the output spikes were rounded to ms: labels lie .5 ms early on average; bring them as recorded",
    "input-span": "input spikes end long before the voltage does: check the unit of their times (ms) and the sampling of the voltage (1 a ms)",
    "input-grid": "all input times lie on a coarse grid: were they rounded, or are they in another unit?",
    "soma-resolution": "the voltage has whole mV only: it was rounded, and errors below 1 mV mean nothing",
    "soma-cut": "the voltage was cut off at another value than -55 mV, where targets are clipped: bring it whole",
}
_ENOUGH = 20
_FEW, _WHOLE_FROM_MS = 4, 1024
"""From here on every time in float16 is a whole number of ms."""
_COARSE_MS = 2048
"""From here on float16 has steps of 2 ms."""


def signs_of(recording: Recording) -> dict[str, str]:
    """Check → what was found in a simulation; nothing where all is as it should be."""
    soma, signs = recording.signal[:, 0].astype(np.float64), {}
    output = np.asarray(recording.events.get("output_spike_ms", recording.events["output_spikes"]), np.float64)
    if len(output) and near_spikes(output, soma) < 0.5:
        signs["spikes-in-voltage"] = (
            f"{1 - near_spikes(output, soma):.0%} of {counted(len(output), 'output spike')} without"
        )
    peaks = recording.events.get("output_spike_redetected_ms")
    if peaks is not None and len(peaks) != len(output):
        signs["spikes-counted"] = f"{len(output)} output spikes, {len(peaks)} in the voltage"
    if _rounded_to_ms(output, peaks):
        signs["output-grid"] = f"{counted(len(output), 'output spike')} at whole ms"
    assert recording.spikes is not None
    steps = np.unique(recording.spikes.step)
    if len(steps) >= _ENOUGH:
        if steps[-1] < recording.steps / 2:
            signs["input-span"] = f"last input spike at {steps[-1]} of {recording.steps} ms"
        late = steps[steps >= _COARSE_MS]
        grid = max(int(np.gcd.reduce(part)) if len(part) >= _ENOUGH else 1 for part in (steps, late))
        if grid > 1:
            signs["input-grid"] = f"multiples of {grid} ms"
    if (soma == np.rint(soma)).all():
        signs["soma-resolution"] = "whole mV"
    top = soma >= soma.max() - 0.01
    longest = int(np.diff(np.flatnonzero(np.diff(np.concatenate([[0], top, [0]]))))[::2].max())
    if longest >= 3 and abs(soma.max() - SOMA_CLIP_MV) > 0.1 and soma.max() > soma.min() + 1:
        signs["soma-cut"] = f"{longest} ms at {soma.max():.2f} mV"
    return signs


def _rounded_to_ms(output: NDArray[np.float64], peaks: NDArray[np.float64] | None) -> bool:
    """Whether times are whole where neither float16 nor chance can have made them so."""
    if not len(output) or (output != np.rint(output)).any():
        return False
    if peaks is not None and len(peaks) == len(output):
        return bool(
            (np.abs(np.sort(output) - peaks) > 0.6 * np.spacing(peaks.astype(np.float16)).astype(np.float64)).any()
        )
    return int((output < _WHOLE_FROM_MS).sum()) >= _FEW


def sign_findings(signs: Sequence[tuple[str, Mapping[str, str]]]) -> list[Finding]:
    """One line for each kind of sign. signs: (simulation, what `signs_of` found in it)."""
    subject = counted(len(signs), "simulation")
    return [
        unless_none(check, subject, [f"{group}: {of[check]}" for group, of in signs if check in of], advice=advice)
        for check, advice in ADVICE.items()
    ]
