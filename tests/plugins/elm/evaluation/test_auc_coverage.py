"""Intervals of spike scores hold the truth as often as they say, and where spikes are too few none is given."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurocli.evaluation.intervals import interval, why_no_interval
from neurocli_elm.evaluation.spike_metrics import (
    BINS,
    FEWEST_EACH,
    FEWEST_POSITIVES,
    AveragePrecision,
    SpikeAUC,
    TruePositives,
    _bin,
)

EXPERIMENTS, OTHERS, SHIFT = 1000, 300, 0.3
"""Steps without a spike of a simulation; sd over simulations of the level of the logits, and of how far spikes stand out."""


def statistics(spikes, height, random):
    """[simulation, 1, k] of simulations whose logits differ in level and in the height of their spikes."""
    actual = np.zeros((len(spikes), 1, 2 * BINS))
    for group, count in enumerate(spikes):
        level, above = random.normal(0, SHIFT), height + random.normal(0, SHIFT)
        logit = np.concatenate([random.normal(level + above, 1, count), random.normal(level, 1, OTHERS)]) - 5
        bins = _bin(1 / (1 + np.exp(-logit)))
        actual[group, 0, :BINS] = np.bincount(bins[:count], minlength=BINS)
        actual[group, 0, BINS:] = np.bincount(bins[count:], minlength=BINS)
    return actual


def coverage(auc, groups, positives, random, metric=None):
    """(share of intervals that hold the AUC over all simulations that there could be, share of experiments with one)."""
    height = stats.norm.ppf(auc) * np.sqrt(2 + 3 * SHIFT**2)
    held = []
    for _ in range(EXPERIMENTS):
        rate = random.gamma(3, positives / groups / 3, groups)  # cells that fire unevenly
        low, high = interval(metric or SpikeAUC(), statistics(random.poisson(rate), height, random))
        if np.isfinite(low):
            held.append(low <= auc <= high)
    return float(np.mean(held)), len(held) / EXPERIMENTS


@pytest.mark.slow
@pytest.mark.parametrize("auc", [0.9, 0.98, 0.99])
@pytest.mark.parametrize("groups", [3, 5, 10, 20])
def test_intervals_of_an_auc_hold_the_truth_from_the_fewest_spikes_on(groups, auc):
    fewest = max(FEWEST_POSITIVES, FEWEST_EACH * groups)
    held, given = coverage(auc, groups, 1.3 * fewest, np.random.default_rng(groups))
    assert given > 0.6 and 0.92 <= held <= 0.985


class _Always(SpikeAUC):
    """Without the rule."""

    def fewest(self, groups):
        return None


@pytest.mark.slow
def test_below_the_fewest_spikes_they_would_not():
    """The control: one spike for each of twenty simulations."""
    held, given = coverage(0.99, 20, 20, np.random.default_rng(0), _Always())
    assert given > 0.6 and held < 0.915
    assert coverage(0.99, 20, 20, np.random.default_rng(0))[1] == 0


@pytest.mark.parametrize("metric", [SpikeAUC(), AveragePrecision(), TruePositives(0.01)], ids=lambda m: m.name)
def test_too_few_spikes_are_said(metric):
    random = np.random.default_rng(1)
    few, enough = (statistics(np.full(7, n), 2.0, random) for n in (4, 5))
    assert np.isnan(interval(metric, few)).all()
    reason = why_no_interval(metric, few)
    assert "28 steps with an output spike" in reason and "needs 30" in reason
    low, high = interval(metric, enough)
    assert 0 < low < float(metric.value(enough.sum(0))) < high < 1


def test_many_simulations_need_more_spikes():
    few = statistics(np.full(20, 2), 2.0, np.random.default_rng(2))
    assert "40 steps with an output spike" in why_no_interval(SpikeAUC(), few)
    assert "needs 80" in why_no_interval(SpikeAUC(), few)


def test_steps_without_a_spike_may_be_too_few_too():
    counts = statistics(np.full(5, 20), 2.0, np.random.default_rng(3))
    swapped = np.concatenate([counts[..., BINS:], 0 * counts[..., :BINS]], -1)
    assert "without" in why_no_interval(SpikeAUC(), swapped)
