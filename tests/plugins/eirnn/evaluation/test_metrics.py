"""Scores of trial means against numpy and scipy, with trials of different lengths, subsets and resampling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import pearsonr

from neurocli_eirnn.evaluation.metrics import MedianRateRatio, PsthCorrelation, RateRatio, SdRatio

BIN = 25.0


@pytest.fixture
def trials():
    """(data, model): lists of [40 bins, 5 neurons] in sp/s, all bins valid."""
    rng = np.random.default_rng(0)
    true = 10 + 8 * np.sin(np.linspace(0, 9, 40)[:, None] + np.arange(5))
    data = [rng.poisson(true * BIN / 1000) * 1000 / BIN for _ in range(12)]
    return data, [true + rng.normal(0, 3, true.shape) for _ in range(12)]


def scored(metric, data, model, mask=None):
    statistics = sum(metric.statistics(d, m, mask) for d, m in zip(data, model, strict=True))
    return float(metric.value(statistics))


@pytest.mark.parametrize("sd_ms", [0.0, 50.0, 100.0])
def test_correlation_of_smoothed_trial_means(trials, sd_ms):
    data, model = trials
    psths = [np.mean(x, axis=0) for x in trials]
    if sd_ms:
        psths = [gaussian_filter1d(x, sd_ms / BIN, axis=0, mode="nearest") for x in psths]
    expected = np.mean([pearsonr(psths[0][:, k], psths[1][:, k]).statistic for k in range(5)])
    assert scored(PsthCorrelation(sd_ms, BIN), data, model) == pytest.approx(expected, rel=1e-9)


def test_rate_ratios(trials):
    data, model = trials
    total = [np.sum(x, axis=(0, 1)) for x in trials]
    assert scored(RateRatio(BIN), data, model) == pytest.approx(total[1].sum() / total[0].sum())
    assert scored(MedianRateRatio(BIN), data, model) == pytest.approx(np.median(total[1] / total[0]))


def test_sd_ratio(trials):
    data, model = trials
    sd = [gaussian_filter1d(np.mean(x, axis=0), 2.0, axis=0, mode="nearest").std(axis=0).mean() for x in trials]
    assert scored(SdRatio(50.0, BIN), data, model) == pytest.approx(sd[1] / sd[0], rel=1e-9)


def weighted(one, other, weight):
    """Pearson correlation of [time] with weights [time], from its definition."""
    mean = [np.average(x, weights=weight) for x in (one, other)]
    both, *alone = (
        np.average((x - a) * (y - b), weights=weight)
        for x, a, y, b in (
            (one, mean[0], other, mean[1]),
            (one, mean[0], one, mean[0]),
            (other, mean[1], other, mean[1]),
        )
    )
    return both / np.sqrt(alone[0] * alone[1])


def test_bins_count_by_their_number_of_trials(trials):
    data, model = trials
    ends = [40, 38, 25, 30, 20, 36, 40, 33, 38, 22, 28, 38]
    cut = [np.where(np.arange(40)[:, None] < end, x, np.nan) for x, end in zip(data, ends, strict=True)]
    seen = [np.where(np.isnan(d), np.nan, m) for d, m in zip(cut, model, strict=True)]
    number = np.isfinite(cut).sum(0)[:, 0].astype(float)
    psths = [np.nanmean(x, axis=0) for x in (cut, seen)]
    expected = np.mean([weighted(psths[0][:, k], psths[1][:, k], number) for k in range(5)])
    assert scored(PsthCorrelation(0.0, BIN), cut, model) == pytest.approx(expected, rel=1e-9)
    total = [np.nansum(x) for x in (cut, seen)]
    assert scored(RateRatio(BIN), cut, model) == pytest.approx(total[1] / total[0])

    def smooth(values):
        return gaussian_filter1d(values, 2.0, axis=0, mode="nearest")

    psths = [smooth(np.nansum(x, axis=0)) / smooth(number)[:, None] for x in (cut, seen)]
    expected = np.mean([weighted(psths[0][:, k], psths[1][:, k], number) for k in range(5)])
    assert scored(PsthCorrelation(50.0, BIN), cut, model) == pytest.approx(expected, rel=1e-9)
    sd = [
        [np.sqrt(np.average((p[:, k] - np.average(p[:, k], weights=number)) ** 2, weights=number)) for k in range(5)]
        for p in psths
    ]
    assert scored(SdRatio(50.0, BIN), cut, model) == pytest.approx(np.sum(sd[1]) / np.sum(sd[0]), rel=1e-9)


def test_bins_of_few_trials_hardly_move_a_score(trials):
    """One trial in forty goes on for as long again: what it holds alone is noise, and decides nothing."""
    rng = np.random.default_rng(3)
    true = np.tile(10 + 8 * np.sin(np.linspace(0, 9, 40))[:, None], (2, 1))
    data = [rng.poisson(true * BIN / 1000) * 1000 / BIN for _ in range(40)]
    short = [x[:40] for x in data]
    uneven = [x if n == 0 else np.where(np.arange(80)[:, None] < 40, x, np.nan) for n, x in enumerate(data)]
    metric = PsthCorrelation(50.0, BIN)
    r, alike = scored(metric, uneven, [true] * 40), scored(metric, short, [true[:40]] * 40)
    assert abs(r - alike) < 0.06
    means = np.nanmean(uneven, axis=0)
    assert np.corrcoef(gaussian_filter1d(means[:, 0], 2.0), true[:, 0])[0, 1] < r - 0.1


def test_a_subset_of_neurons_or_of_trials(trials):
    data, model = trials
    metric = PsthCorrelation(0.0, BIN)
    neurons = np.array([[True, False, True, False, False]])
    psths = [np.mean(x, axis=0) for x in trials]
    expected = np.mean([pearsonr(psths[0][:, k], psths[1][:, k]).statistic for k in (0, 2)])
    assert scored(metric, data, model, neurons) == pytest.approx(expected, rel=1e-9)
    some = sum(
        metric.statistics(d, m, np.full((1, 1), n < 6)) for n, (d, m) in enumerate(zip(data, model, strict=True))
    )
    assert float(metric.value(some)) == pytest.approx(scored(metric, data[:6], model[:6]), rel=1e-12)


def test_silent_neurons_are_left_out_and_a_flat_model_scores_zero(trials):
    data, model = trials
    quiet = [np.concatenate((d, np.zeros((40, 1))), axis=1) for d in data]
    wide = [np.concatenate((m, m[:, :1]), axis=1) for m in model]
    for metric in (PsthCorrelation(0.0, BIN), MedianRateRatio(BIN)):
        assert scored(metric, quiet, wide) == pytest.approx(scored(metric, data, model), rel=1e-12)
    flat = [np.full_like(m, 5.0) for m in model]
    assert scored(PsthCorrelation(0.0, BIN), data, flat) == 0
    silent = [np.zeros_like(d) for d in data]
    for metric in (PsthCorrelation(0.0, BIN), RateRatio(BIN), MedianRateRatio(BIN), SdRatio(50.0, BIN)):
        assert np.isnan(scored(metric, silent, model))


def test_many_resamplings_at_once_are_those_one_by_one(trials):
    """Exchanges of groups hand over statistics with a leading axis."""
    data, model = trials
    rng = np.random.default_rng(1)
    for metric in (PsthCorrelation(50.0, BIN), RateRatio(BIN), MedianRateRatio(BIN), SdRatio(50.0, BIN)):
        each = np.stack([metric.statistics(d, m) for d, m in zip(data, model, strict=True)])
        counts = rng.multinomial(12, np.full(12, 1 / 12), size=6)
        together = metric.value(np.einsum("bn,nkc->bkc", counts, each))
        alone = [
            scored(metric, [data[i] for i in np.repeat(range(12), c)], [model[i] for i in np.repeat(range(12), c)])
            for c in counts
        ]
        np.testing.assert_allclose(together, alone, rtol=1e-9)
