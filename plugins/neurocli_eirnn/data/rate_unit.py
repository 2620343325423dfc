"""In which unit a session's rates are, by their smallest step: one spike in a bin of 25 ms is 40 sp/s."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Note
from neurocli.recordings.plausible import RATE_HZ

CHECK = "rate-unit"
_ENOUGH = 200
"""Rates above 0 from which on it cannot be chance that all are even numbers of spikes."""
_HIGHEST_MEAN, _MOST_PER_BIN = 150.0, 3.0
"""sp/s of a whole population; spikes in a bin, on average, of rates that are counts."""


def in_hertz(rates: NDArray[np.float32], bin_ms: float, where: str) -> list[Note]:
    """Rates [trial, time, neuron] brought to sp/s, in place, where they are certainly counts per bin or spikes per ms. With doubts.

    Raises DataError where a neuron has more spikes in a second than there can be.
    """
    values = rates[np.isfinite(rates)].astype(np.float64)
    positive = values[values > 0]
    step = 1000 / bin_ms
    negative = int((values < 0).sum())
    if negative:
        found = f"{negative / len(values):.1%} of rates are negative: are these z-scores, or differences?"
        return [Note(CHECK, where, found, "export rates in sp/s, as count divided by the bin")]
    if not len(positive):
        return []
    quantum = float(positive.min())
    in_steps = _are_multiples(positive, step)
    if _are_multiples(positive, quantum) and not in_steps:
        mean = float(values.mean())
        if abs(quantum - 1) < 1e-6 and mean < _MOST_PER_BIN and mean * step <= _HIGHEST_MEAN:
            return [_converted(rates, step, "spike counts per bin", where)]
        if abs(quantum - step / 1000) < 1e-4 * step / 1000 and mean * 1000 <= _HIGHEST_MEAN:
            return [_converted(rates, 1000.0, "spikes per ms", where)]
    _check_means(rates, where)
    if in_steps:
        factor = round(quantum / step)
        if factor < 2 or len(positive) < _ENOUGH or not _are_multiples(positive, factor * step):
            return []
        found = (
            f"all rates are multiples of {factor * step:g} sp/s, and one spike in a bin of {bin_ms:g} ms is {step:g}"
        )
        return [
            Note(CHECK, where, found, f"is bin_size_ms right, and are the rates in sp/s? {factor} times too much else")
        ]
    odd = float((~_multiples(positive, step)).mean())
    found = f"{odd:.1%} of the rates above 0 are not multiples of {step:g} sp/s, which is one spike in a bin of {bin_ms:g} ms"
    return [Note(CHECK, where, found, "smoothed, scaled or in another unit? export counts divided by the bin, in sp/s")]


def _converted(rates: NDArray[np.float32], factor: float, unit: str, where: str) -> Note:
    rates *= np.float32(factor)
    _check_means(rates, where)
    found = f"the rates are {unit}: multiplied by {factor:g} to sp/s"
    return Note(CHECK, where, found, "see that this is so; export rates in sp/s")


def _check_means(rates: NDArray[np.float32], where: str) -> None:
    valid = np.isfinite(rates)
    means = np.where(valid, rates, 0).sum((0, 1), dtype=np.float64) / np.maximum(valid.sum((0, 1)), 1)
    highest = int(np.argmax(means))
    RATE_HZ.check(float(means[highest]), f"{where}, neuron {highest + 1}", hint="export rates in sp/s")


def _are_multiples(values: NDArray[np.float64], step: float) -> bool:
    return bool(_multiples(values, step).all())


def _multiples(values: NDArray[np.float64], step: float) -> NDArray[np.bool_]:
    count = values / step
    return np.asarray(np.abs(count - np.rint(count)) <= 1e-3 + 1e-6 * count)
