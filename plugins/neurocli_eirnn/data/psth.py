"""Peristimulus time histograms: trial means, their smoothing, and their reliability.

Trials end at different times, so that the last bins are held by few of them. One rule holds for every PSTH that is scored or
shown: sums over trials and numbers of trials are smoothed alike, and in whatever is taken over time, a variance or a
correlation, each bin counts by its number of trials. A mean's noise is inversely proportional to that number: every bin is
then worth what it says.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Array = NDArray[np.floating]
HALVES = 20
_TINY = 1e-12


@functools.lru_cache(maxsize=32)
def smoothing_matrix(bins: int, sd_bins: float) -> NDArray[np.float64]:
    """[bins, bins] Gaussian smoothing with standard deviation `sd_bins`; the edges are continued by their last value."""
    identity = np.eye(bins)
    return identity if sd_bins <= 0 else gaussian_filter1d(identity, sd_bins, axis=0, mode="nearest")


def sums(rates: Array) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(sum over trials, number of trials), each [time, neuron], of rates [trial, time, neuron] where they are not NaN."""
    valid = np.isfinite(rates)
    return np.where(valid, rates, 0.0).sum(0, dtype=np.float64), valid.sum(0)


def trial_mean(rates: Array) -> NDArray[np.float64]:
    """[time, neuron] mean over trials of rates [trial, time, neuron] where they are not NaN; NaN where no trial has data."""
    return of_sums(*sums(rates), 0.0)


def smoothed_mean(rates: Array, sd_bins: float) -> NDArray[np.float64]:
    """[time, neuron] smoothed trial mean of rates [trial, time, neuron]; NaN where no trial has data."""
    return of_sums(*sums(rates), sd_bins)


def of_sums(total: Array, count: NDArray[np.number], sd_bins: float) -> NDArray[np.float64]:
    """[..., time, neuron] smoothed sums over trials by smoothed numbers of trials; NaN where no trial has data."""
    if sd_bins > 0:
        matrix = smoothing_matrix(total.shape[-2], sd_bins)
        above, below = matrix @ total, matrix @ count
    else:
        above, below = np.asarray(total, np.float64), np.asarray(count, np.float64)
    return np.where(count > 0, above / np.maximum(below, _TINY), np.nan)


def smoothed(psth: Array, sd_bins: float) -> NDArray[np.float64]:
    """A PSTH [time, neuron] of unknown numbers of trials under Gaussian smoothing; bins without data keep NaN.

    For targets of losses; what is scored or shown is `smoothed_mean`.
    """
    valid = np.isfinite(psth)
    filled = filled_forward(np.asarray(psth, np.float64), valid, axis=0)
    return np.where(valid, smoothing_matrix(len(psth), sd_bins) @ filled, np.nan)


def filled_forward(values: NDArray[np.float64], valid: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    """`values` with each invalid place filled by the last valid one before it, or the first one after it, along `axis`."""
    values, valid = np.moveaxis(values, axis, -1), np.moveaxis(valid, axis, -1)
    places = np.arange(values.shape[-1])
    last = np.maximum.accumulate(np.where(valid, places, -1), axis=-1)
    first = np.where(valid.any(-1), valid.argmax(-1), 0)[..., None]
    filled = np.take_along_axis(np.where(valid, values, 0.0), np.where(last >= 0, last, first), axis=-1)
    return np.moveaxis(filled, -1, axis)


def aligned(rates: Array, onset: NDArray[np.int64], window: NDArray[np.int64]) -> NDArray[np.floating]:
    """[trial, window, neuron]: rates [trial, time, neuron] at `onset` [trial] + `window`; NaN beyond the trial or where onset < 0."""
    bins = onset[:, None] + window
    inside = (bins >= 0) & (bins < rates.shape[1]) & (onset[:, None] >= 0)
    windows = rates[np.arange(len(rates))[:, None], np.clip(bins, 0, rates.shape[1] - 1)].copy()
    windows[~inside] = np.nan
    return windows


def centred(values: Array, count: NDArray[np.number], axis: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(values less their mean over time, share [like values] that each bin has by its number of trials).

    0 where `count` is 0 or a value is not a number.
    """
    weight = np.where(np.isfinite(values), count, 0)
    share = weight / np.maximum(weight.sum(axis, keepdims=True), _TINY)
    finite = np.where(share > 0, values, 0.0)
    return np.where(share > 0, finite - (share * finite).sum(axis, keepdims=True), 0.0), share


def correlation(observed: Array, predicted: Array, count: NDArray[np.number]) -> NDArray[np.float64]:
    """[neuron] Pearson correlation over time of PSTHs [time, neuron], bins weighted by their number of trials `count` (like them).

    NaN where the observed one is constant: there is nothing to explain; 0 where only the predicted one is.
    """
    weight = np.where(np.isfinite(observed) & np.isfinite(predicted), count, 0)
    (a, share), (b, _) = centred(observed, weight), centred(predicted, weight)
    va, vb, both = ((share * product).sum(0) for product in (a * a, b * b, a * b))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = both / np.sqrt(va * vb)
    return np.where(va <= _TINY, np.nan, np.where(vb <= _TINY, 0.0, r))


def temporal_sd(psth: Array, count: NDArray[np.number]) -> NDArray[np.float64]:
    """[neuron] standard deviation over time of a PSTH [time, neuron], bins weighted by their number of trials."""
    a, share = centred(psth, count)
    return np.sqrt((share * a * a).sum(0))


def signal_variance(rates: Array, sd_bins: float, seed: int = 0) -> NDArray[np.float64]:
    """[neuron] variance over time of the trial mean without its noise: covariance of two halves' means, over random halves.

    rates: [trial, time, neuron]; bins are weighted by their number of trials. Never below zero; NaN for fewer than two trials.
    """
    if len(rates) < 2:
        return np.full(rates.shape[2], np.nan)
    count = sums(rates)[1]
    products = []
    for first, second in _halves(rates, sd_bins, seed):
        weight = np.where(np.isfinite(first) & np.isfinite(second), count, 0)
        (a, share), (b, _) = centred(first, weight), centred(second, weight)
        products.append((share * a * b).sum(0))
    return np.maximum(np.mean(products, axis=0), 0.0)


def reliability(rates: Array, sd_bins: float, seed: int = 0) -> NDArray[np.float64]:
    """[neuron] correlation of the PSTHs of two halves of the trials, mean over random halves; 0 for silent neurons."""
    count = sums(rates)[1]
    correlations = [np.nan_to_num(correlation(first, second, count)) for first, second in _halves(rates, sd_bins, seed)]
    return np.mean(correlations, axis=0)


def _halves(rates: Array, sd_bins: float, seed: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """PSTHs of random halves of the trials."""
    rng = np.random.default_rng(seed)
    n = len(rates)
    orders = [rng.permutation(n) for _ in range(HALVES)]
    return [
        (smoothed_mean(rates[order[: n // 2]], sd_bins), smoothed_mean(rates[order[n // 2 :]], sd_bins))
        for order in orders
    ]


def standard_error(rates: Array, sd_bins: float) -> NDArray[np.float64]:
    """[time, neuron] standard error over trials of smoothed rates [trial, time, neuron]; NaN for fewer than two trials.

    Between trials that end at different times each one's own bins are smoothed.
    """
    matrix = smoothing_matrix(rates.shape[1], sd_bins)
    valid = np.isfinite(rates)
    filled = np.where(valid, rates, 0.0).astype(np.float64)
    held = np.einsum("ts,nsk->ntk", matrix, valid.astype(np.float64), optimize=True)
    smooth = np.where(valid, np.einsum("ts,nsk->ntk", matrix, filled, optimize=True) / np.maximum(held, _TINY), np.nan)
    total, count = sums(smooth)
    deviation = np.where(valid, smooth - total / np.maximum(count, 1), 0.0)
    variance = (deviation**2).sum(0) / np.maximum(count - 1, 1)
    return np.where(count > 1, np.sqrt(variance / np.maximum(count, 1)), np.nan)
