"""The noise of a trial mean: what is independent from bin to bin within a trial, bin by bin, from the trials that have the bin.

A trial's own rates are what a perfect model would predict: its level, its gain, when its events were. None of these is noise,
although all of them differ between trials. They change slowly from bin to bin; the noise of counts does not. The
difference of a bin to the mean of its neighbours, less its mean over trials, holds hardly anything but noise
(pseudo-residuals: Gasser, Sroka & Jennen-Steinmetz 1986, Biometrika 73:625). The variance over trials would count every
difference between trials as noise, and no level need be removed before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli_eirnn.data.psth import Array, sums

_PSEUDO = 1.5
"""Variance of x[t] - x[t-1] / 2 - x[t+1] / 2 for independent x of variance 1."""
_FEWEST = 2


def bin_noise(rates: Array) -> NDArray[np.float64]:
    """[time, neuron] variance within a trial of rates [trial, time, neuron] that is independent from bin to bin.

    NaN beyond a trial's end. Bins with fewer than two trials that have both neighbours take the noise of the nearest bin that
    has; 0 where there is none at all.
    """
    residual = np.asarray(rates[:, 1:-1] - (rates[:, :-2] + rates[:, 2:]) / 2, np.float64)
    total, n = sums(residual)
    deviation = np.where(np.isfinite(residual), residual - total / np.maximum(n, 1), 0.0)
    variance = (deviation**2).sum(0) / np.maximum(n - 1, 1) / _PSEUDO
    known = 1 + np.flatnonzero((n >= _FEWEST).all(1))
    if not len(known):
        return np.zeros(rates.shape[1:])
    nearest = known[np.abs(np.arange(rates.shape[1])[:, None] - known).argmin(1)]
    return variance[nearest - 1]
