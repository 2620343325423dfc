"""Mean and sd of each neuron: over all frames up to now, of the start, or of the whole recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
SMALLEST = 1e-9
"""A neuron whose sd is below so much of its size does not vary: what is left is rounding."""


def running(signal: Array, known: Flags) -> tuple[Array, Array]:
    """(mean, sd) [time, neuron] over all known samples up to and with each frame; 0 before the first.

    Sums run from the first frame on, so that what comes later changes no bit of what was before. They are taken around each
    neuron's first known sample, without which a large offset would drown a small variance.
    """
    first = np.take_along_axis(signal, known.argmax(axis=0)[None, :], axis=0)
    first = np.where(known.any(axis=0), first, 0.0)
    count = np.maximum(np.cumsum(known, axis=0), 1)
    with np.errstate(over="ignore", invalid="ignore"):  # of samples that nobody forecasts from
        away = np.where(known, signal - first, 0.0)
        centre = np.cumsum(away, axis=0) / count
        spread = np.sqrt(np.maximum(np.cumsum(away**2, axis=0) / count - centre**2, 0.0))
    seen = np.cumsum(known, axis=0) > 0
    mean = np.where(seen, first + centre, 0.0)
    return mean, _varying(mean, spread)


def of_frames(signal: Array, known: Flags, frames: int) -> tuple[Array, Array]:
    """(mean, sd) [neuron] over the known samples of the first `frames` frames."""
    used, valid = signal[:frames], known[:frames]
    count = np.maximum(valid.sum(axis=0), 1)
    mean = np.where(valid, used, 0.0).sum(axis=0) / count
    sd = np.sqrt(np.where(valid, np.square(np.where(valid, used, mean) - mean), 0.0).sum(axis=0) / count)
    return mean, _varying(mean, sd)


def _varying(mean: Array, sd: Array) -> Array:
    return np.where(sd > SMALLEST * np.maximum(np.abs(mean), 1e-12), sd, 0.0)
