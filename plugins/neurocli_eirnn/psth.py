"""Peristimulus time histograms: trial means, their smoothing, their reliability, and the ceiling that follows from it."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Array = NDArray[np.floating]
HALVES = 20


@functools.lru_cache(maxsize=32)
def smoothing_matrix(bins: int, sd_bins: float) -> NDArray[np.float64]:
    """[bins, bins] Gaussian smoothing with standard deviation `sd_bins`; the edges are continued by their last value."""
    identity = np.eye(bins)
    return identity if sd_bins <= 0 else gaussian_filter1d(identity, sd_bins, axis=0, mode="nearest")


def trial_mean(rates: Array) -> NDArray[np.float64]:
    """[time, neuron] mean over trials of rates [trial, time, neuron] where they are not NaN; NaN where no trial has data."""
    valid = np.isfinite(rates)
    count = valid.sum(0)
    total = np.where(valid, rates, 0.0).sum(0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def smoothed(psth: Array, sd_bins: float) -> NDArray[np.float64]:
    """A PSTH [time, neuron] under Gaussian smoothing; bins without data keep NaN and take no part."""
    valid = np.isfinite(psth)
    filled = filled_forward(np.asarray(psth, np.float64), valid, axis=0)
    return np.where(valid, smoothing_matrix(len(psth), sd_bins) @ filled, np.nan)


def filled_forward(values: NDArray[np.float64], valid: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    """`values` with each invalid place filled by the last valid one before it, or the first one after it, along `axis`."""
    values, valid = np.moveaxis(values, axis, -1), np.moveaxis(valid, axis, -1)
    places = np.arange(values.shape[-1])
    last = np.maximum.accumulate(np.where(valid, places, -1), axis=-1)
    first = np.where(valid.any(-1), valid.argmax(-1), 0)[..., None]
    found = np.take_along_axis(np.where(valid, values, 0.0), np.where(last >= 0, last, first), axis=-1)
    return np.moveaxis(found, -1, axis)


def aligned(rates: Array, onset: NDArray[np.int64], window: NDArray[np.int64]) -> NDArray[np.floating]:
    """[trial, window, neuron]: rates [trial, time, neuron] at `onset` [trial] + `window`; NaN beyond the trial or where onset < 0."""
    bins = onset[:, None] + window
    inside = (bins >= 0) & (bins < rates.shape[1]) & (onset[:, None] >= 0)
    found = rates[np.arange(len(rates))[:, None], np.clip(bins, 0, rates.shape[1] - 1)].copy()
    found[~inside] = np.nan
    return found


def correlation(one: Array, other: Array) -> NDArray[np.float64]:
    """[neuron] Pearson correlation over time of PSTHs [time, neuron], over bins that both have.

    NaN where `one` (the data) is constant: there is nothing to explain; 0 where only `other` (the model) is.
    """
    valid = np.isfinite(one) & np.isfinite(other)
    n = np.maximum(valid.sum(0), 1)

    def centred(values: Array) -> NDArray[np.float64]:
        kept = np.where(valid, values, 0.0)
        return np.where(valid, kept - kept.sum(0) / n, 0.0)

    a, b = centred(one), centred(other)
    va, vb = (a**2).sum(0), (b**2).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (a * b).sum(0) / np.sqrt(va * vb)
    return np.where(va <= 1e-12, np.nan, np.where(vb <= 1e-12, 0.0, r))


def temporal_sd(psth: Array) -> NDArray[np.float64]:
    """[neuron] standard deviation over time of a PSTH [time, neuron]."""
    with np.errstate(invalid="ignore"):
        return np.nanstd(psth, axis=0)


def signal_variance(rates: Array, sd_bins: float, seed: int = 0) -> NDArray[np.float64]:
    """[neuron] variance over time of the trial mean without its noise: covariance of two halves' means, over random halves.

    rates: [trial, time, neuron]. Never below zero; NaN for fewer than two trials.
    """
    n, _, neurons = rates.shape
    if n < 2:
        return np.full(neurons, np.nan)
    rng = np.random.default_rng(seed)
    total = np.zeros(neurons)
    for _ in range(HALVES):
        order = rng.permutation(n)
        halves = [smoothed(trial_mean(rates[part]), sd_bins) for part in (order[: n // 2], order[n // 2 :])]
        a, b = (half - np.nanmean(half, axis=0) for half in halves)
        total += np.nanmean(a * b, axis=0)
    return np.maximum(total / HALVES, 0.0)


def noise_variance(rates: Array, sd_bins: float) -> NDArray[np.float64]:
    """[neuron] variance across trials of smoothed rates [trial, time, neuron], mean over time."""
    variance, count = variance_over_trials(rates, sd_bins)
    return np.where(count > 1, variance, 0.0).sum(0) / np.maximum((count > 1).sum(0), 1)


def standard_error(rates: Array, sd_bins: float) -> NDArray[np.float64]:
    """[time, neuron] standard error over trials of smoothed rates [trial, time, neuron]; NaN for fewer than two trials."""
    variance, count = variance_over_trials(rates, sd_bins)
    return np.where(count > 1, np.sqrt(variance / np.maximum(count, 1)), np.nan)


def variance_over_trials(rates: Array, sd_bins: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(variance, number of trials), each [time, neuron], of smoothed rates [trial, time, neuron]; 0 below two trials."""
    matrix = smoothing_matrix(rates.shape[1], sd_bins)
    valid = np.isfinite(rates)
    filled = filled_forward(np.asarray(rates, np.float64), valid, axis=1)
    smooth = np.where(valid, np.einsum("ts,nsk->ntk", matrix, filled, optimize=True), 0.0)
    count = valid.sum(0)
    mean = smooth.sum(0) / np.maximum(count, 1)
    return (np.where(valid, smooth - mean, 0.0) ** 2).sum(0) / np.maximum(count - 1, 1), count


def noise_ceiling(rates: Array, test_trials: int, sd_bins: float) -> NDArray[np.float64]:
    """[neuron] correlation with the mean of `test_trials` trials that the true PSTH would reach: sqrt(S / (S + N / n))."""
    signal, noise = signal_variance(rates, sd_bins), noise_variance(rates, sd_bins)
    total = signal + noise / max(test_trials, 1)
    return np.where(total > 0, np.sqrt(signal / np.where(total > 0, total, 1.0)), 0.0)


def reliability(rates: Array, sd_bins: float, seed: int = 0) -> NDArray[np.float64]:
    """[neuron] correlation of the PSTHs of two halves of the trials, mean over random halves; 0 for silent neurons."""
    rng = np.random.default_rng(seed)
    n = len(rates)
    found = []
    for _ in range(HALVES):
        order = rng.permutation(n)
        halves = [smoothed(trial_mean(rates[part]), sd_bins) for part in (order[: n // 2], order[n // 2 :])]
        found.append(np.nan_to_num(correlation(*halves)))
    return np.mean(found, axis=0)
