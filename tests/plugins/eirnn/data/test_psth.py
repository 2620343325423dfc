"""Trial means, smoothing, alignment, correlation and reliability against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from neurocli_eirnn.data import psth


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def padded(rng):
    """Rates [10 trials, 30 bins, 4 neurons] that end at different bins; the last two bins are in no trial."""
    rates = rng.poisson(0.5, (10, 30, 4)) * 40.0
    ends = rng.integers(15, 28, 10)
    ends[0] = 28
    for trial, end in enumerate(ends):
        rates[trial, end:] = np.nan
    return rates


def gaussian(values, sd):
    """Smoothing of values [time] by a sum over a Gaussian cut at four sd, the edges continued by their last value."""
    radius = int(4 * sd + 0.5)
    lags = np.arange(-radius, radius + 1)
    weights = np.exp(-(lags**2) / (2 * sd**2))
    weights /= weights.sum()
    bins = np.arange(len(values))
    return sum(w * values[np.clip(bins + lag, 0, len(values) - 1)] for w, lag in zip(weights, lags, strict=True))


@pytest.mark.parametrize("sd", [0.5, 2.0, 4.0])
def test_smoothing_is_gaussian_with_continued_edges(rng, sd):
    values = rng.normal(size=40)
    np.testing.assert_allclose(psth.smoothing_matrix(40, sd) @ values, gaussian(values, sd), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(psth.smoothing_matrix(40, sd).sum(1), 1)
    assert (psth.smoothing_matrix(40, 0.0) == np.eye(40)).all()


def test_trial_mean_counts_valid_trials_only(padded):
    mean = psth.trial_mean(padded)
    for t in range(30):
        for k in range(4):
            there = [padded[n, t, k] for n in range(10) if not np.isnan(padded[n, t, k])]
            assert np.isnan(mean[t, k]) if not there else mean[t, k] == pytest.approx(np.mean(there))


def test_sums_and_numbers_of_trials_are_smoothed_alike(padded):
    smooth = psth.smoothed_mean(padded, 2.0)
    assert np.isnan(smooth[28:]).all()
    number = np.isfinite(padded).sum(0)
    for k in range(4):
        expected = gaussian(np.nansum(padded[:, :, k], axis=0), 2.0) / gaussian(number[:, k].astype(float), 2.0)
        np.testing.assert_allclose(smooth[:28, k], expected[:28], rtol=1e-9)
    np.testing.assert_allclose(psth.smoothed_mean(padded, 0.0), psth.trial_mean(padded))


def test_bins_without_data_take_no_part_in_the_smoothing_of_targets(padded):
    mean = psth.trial_mean(padded)
    smooth = psth.smoothed(mean, 2.0)
    assert np.isnan(smooth[28:]).all()
    # As if the last value went on: the same as smoothing the bins with data alone.
    for k in range(4):
        np.testing.assert_allclose(smooth[:28, k], gaussian(mean[:28, k], 2.0), rtol=1e-9, atol=1e-9)


def test_holes_are_filled_from_before_and_at_the_start_from_after():
    values = np.array([9.0, 1.0, 9.0, 9.0, 4.0, 9.0])
    valid = np.array([False, True, False, False, True, False])
    np.testing.assert_array_equal(psth.filled_forward(values, valid, axis=0), [1, 1, 1, 1, 4, 4])
    both = psth.filled_forward(np.stack([values, values]), np.stack([valid, ~valid]), axis=1)
    np.testing.assert_array_equal(both, [[1, 1, 1, 1, 4, 4], [9, 9, 9, 9, 9, 9]])
    np.testing.assert_array_equal(psth.filled_forward(values, np.zeros(6, bool), axis=0), np.zeros(6))


def test_alignment_is_by_bin_and_nan_beyond(rng):
    rates = rng.normal(size=(4, 20, 2))
    onset, window = np.array([10, 1, 19, -1]), np.arange(-3, 4)
    found = psth.aligned(rates, onset, window)
    for n in range(4):
        for j, lag in enumerate(window):
            t = onset[n] + lag
            if onset[n] < 0 or not 0 <= t < 20:
                assert np.isnan(found[n, j]).all()
            else:
                np.testing.assert_array_equal(found[n, j], rates[n, t])


def test_correlation_is_pearson_over_common_bins(rng):
    one, other = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    one[:5, 0] = np.nan
    other[45:, 0] = np.nan
    even = np.full((50, 3), 7)
    found = psth.correlation(one, other, even)
    assert found[0] == pytest.approx(pearsonr(one[5:45, 0], other[5:45, 0]).statistic)
    assert found[1] == pytest.approx(pearsonr(one[:, 1], other[:, 1]).statistic)
    # A bin of three trials counts as three bins of one.
    count = rng.integers(1, 4, (50, 3))
    repeated = [np.repeat(values[:, 1], count[:, 1]) for values in (one, other)]
    assert psth.correlation(one, other, count)[1] == pytest.approx(pearsonr(*repeated).statistic)
    assert psth.temporal_sd(one, count)[1] == pytest.approx(repeated[0].std())
    flat = np.ones((50, 1))
    assert np.isnan(psth.correlation(flat, one[:, 1:2], flat)[0])
    assert psth.correlation(one[:, 1:2], flat, flat)[0] == 0


def test_temporal_sd_leaves_out_missing_bins(rng):
    values = rng.normal(size=(50, 2))
    values[40:, 0] = np.nan
    np.testing.assert_allclose(psth.temporal_sd(values, np.ones((50, 2))), [values[:40, 0].std(), values[:, 1].std()])


def drawn(rng, trials, signal, noise):
    """Trials of a known PSTH [time, neuron] with Gaussian noise of variance noise² that differs from trial to trial."""
    return signal + noise * rng.normal(size=(trials, *signal.shape))


def test_signal_variance_is_recovered(rng):
    time = np.linspace(0, 6 * np.pi, 200)
    signal = np.stack([3 * np.sin(time), np.zeros(200)], axis=1)
    found = psth.signal_variance(drawn(rng, 400, signal, 5.0), 0.0)
    assert found[0] == pytest.approx(signal[:, 0].var(), rel=0.05)
    assert found[1] == pytest.approx(0, abs=0.05) and found[1] >= 0
    assert np.isnan(psth.signal_variance(drawn(rng, 1, signal, 5.0), 0.0)).all()


def test_standard_error_is_that_of_smoothed_trials(padded):
    full = np.nan_to_num(padded, nan=40.0)
    smooth = np.stack([[gaussian(full[n, :, k], 2.0) for k in range(4)] for n in range(10)]).transpose(0, 2, 1)
    np.testing.assert_allclose(psth.standard_error(full, 2.0), smooth.std(axis=0, ddof=1) / np.sqrt(10), rtol=1e-9)
    counts = np.isfinite(padded).sum(axis=0)
    raw = np.nanstd(padded[:, (counts > 1).all(1)], axis=0, ddof=1) / np.sqrt(counts[(counts > 1).all(1)])
    np.testing.assert_allclose(psth.standard_error(padded, 0.0)[(counts > 1).all(1)], raw, rtol=1e-9)


def test_reliability_is_that_of_random_halves(rng):
    time = np.linspace(0, 6 * np.pi, 200)
    signal = np.stack([2 * np.sin(time), np.zeros(200)], axis=1)
    found = psth.reliability(drawn(rng, 40, signal, 4.0), 0.0)
    s, n = signal[:, 0].var(), 16.0 / 20
    assert found[0] == pytest.approx(s / (s + n), abs=0.05)
    assert abs(found[1]) < 0.1
    assert psth.reliability(np.zeros((10, 20, 1)), 0.0)[0] == 0
