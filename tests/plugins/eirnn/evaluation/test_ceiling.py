"""The noise ceiling on teachers of known rates: what it says against what the true rates reach."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from neurocli.evaluation.intervals import interval_from_left_out
from neurocli_eirnn.data import psth
from neurocli_eirnn.data.noise import bin_noise
from neurocli_eirnn.data.psth import aligned
from neurocli_eirnn.data.tasks import bin_centres, valid_bins
from neurocli_eirnn.evaluation.expected_r import expected_r
from neurocli_eirnn.evaluation.metrics import PsthCorrelation
from neurocli_eirnn.simulation.parameters import ScSessionConfig
from neurocli_eirnn.simulation.teacher import drive_of, teacher_of
from neurocli_eirnn.simulation.trial_plan import plan_trial, session_bins

SMOOTHING_MS = (0.0, 50.0, 100.0)
BIN_MS = 25.0
WINDOW = np.arange(-8, 21)
ALIGNMENTS = ("whole", "target", "go", "reward")


@dataclass(frozen=True)
class World:
    """true, rates: [trial, time, neuron] in sp/s, NaN beyond a trial's end; onset: [trial, 3] bins of target, go and reward."""

    true: np.ndarray
    rates: np.ndarray
    onset: np.ndarray

    def at(self, alignment: str) -> tuple[np.ndarray, np.ndarray]:
        """(true rates, rates) of whole trials or around an event."""
        if alignment == "whole":
            return self.true, self.rates
        onset = self.onset[:, ALIGNMENTS.index(alignment) - 1]
        return aligned(self.true, onset, WINDOW), aligned(self.rates, onset, WINDOW)


def world(teacher: int, trials: int, seed: int, *, even: bool = False) -> World:
    """A session of a teacher as `sc-session` makes it: gains, conditions and event times differ from trial to trial.

    even: all trials go on for as long as the longest.
    """
    config = ScSessionConfig(network_seed=teacher, seed=seed)
    network = teacher_of(config)
    bins = session_bins(BIN_MS)
    time_ms = bin_centres(bins, BIN_MS)
    plans = [plan_trial(config, index) for index in range(trials)]
    pushed = np.stack([drive_of(plan, time_ms) for plan in plans]) @ network.input_weights.T + network.bias
    state = pushed[:, 0]
    true = np.empty((trials, bins, len(network.recorded_unit)))

    def step(state, push):
        return (1 - network.leak) * state + network.leak * (np.logaddexp(0, state) @ network.weights.T + push)

    for _ in range(40):
        state = step(state, pushed[:, 0])
    for t in range(bins):
        state = step(state, pushed[:, t])
        true[:, t] = network.gain * np.logaddexp(0, state)[:, network.recorded_unit] + network.baseline
    true *= np.array([plan.gain for plan in plans])[:, None, None]
    rates = np.random.default_rng([seed, 1]).poisson(true * BIN_MS / 1000) / (BIN_MS / 1000)
    if not even:
        ends = np.array([valid_bins(plan.events.reward_ms, BIN_MS) for plan in plans])
        beyond = np.arange(bins) >= ends[:, None]
        true[beyond] = rates[beyond] = np.nan
    onset = np.array(
        [
            [np.argmax(time_ms >= at) for at in (plan.events.target_ms, plan.events.go_ms, plan.events.reward_ms)]
            for plan in plans
        ]
    )
    return World(true, rates, onset)


def reached(metric: PsthCorrelation, rates: np.ndarray, predictions: np.ndarray) -> float:
    """The metric's score of answers [trial, time, neuron] on rates like them."""
    total = sum(metric.statistics(a, b) for a, b in zip(rates, predictions, strict=True))
    return float(metric.value(np.asarray(total)))


def measured(teacher: int, trials: int, seed: int, even: bool) -> dict[tuple[str, float], tuple[float, ...]]:
    """(alignment, smoothing) → (ceiling, its upper end, r of the true rates, r of the training trials' PSTH)."""
    session = world(teacher, trials, seed, even=even)
    test = np.isin(np.arange(trials), np.random.default_rng(seed).permutation(trials)[: trials // 5])
    found = {}
    for alignment, ms in itertools.product(ALIGNMENTS, SMOOTHING_MS):
        true, rates = session.at(alignment)
        metric = PsthCorrelation(ms, BIN_MS)
        expected = expected_r(rates, test, metric.sd_bins)
        value = float(np.nanmean(expected.value))
        upper = interval_from_left_out(value, np.nanmean(expected.without, axis=1), link="fisher")[1]
        mean = psth.smoothed_mean(rates[~test], 2.0)
        mean = psth.filled_forward(mean, np.isfinite(mean), axis=0)
        average = reached(metric, rates[test], np.tile(mean, (int(test.sum()), 1, 1)))
        found[alignment, ms] = value, upper, reached(metric, rates[test], true[test]), average
    return found


def report(worlds: list[dict[tuple[str, float], tuple[float, ...]]]) -> dict[tuple[str, float], tuple[float, float]]:
    """(alignment, smoothing) → (bias, share of sessions in which truth or average is above the upper end)."""
    found = {}
    for key in worlds[0]:
        value, upper, true, average = np.array([w[key] for w in worlds]).T
        found[key] = float(np.mean(value - true)), float(np.mean(np.maximum(true, average) > upper))
    return found


def test_on_a_few_teachers_the_ceiling_is_what_true_rates_reach():
    worlds = [measured(teacher, 120, 40 + teacher, even) for teacher in range(1, 6) for even in (False, True)]
    found = report(worlds)
    assert abs(np.mean([bias for bias, _ in found.values()])) <= 0.02
    for (alignment, ms), (bias, above) in found.items():
        assert above <= 0.1, (alignment, ms)
        assert abs(bias) <= (0.02 if alignment == "whole" else 0.05), (alignment, ms, bias)


@pytest.mark.slow
@pytest.mark.parametrize("trials", [40, 100, 250, 800])
def test_bias_and_upper_end_on_many_teachers(trials):
    """Bias at most .02 of the mean over sessions, and no truth or average above the upper end in more than 5 of 100.

    Sessions of one teacher each, half of them with trials of even length; so many that a bias of .02 would be seen.
    """
    sessions = {40: 200, 100: 120, 250: 60, 800: 30}[trials]
    worlds = [measured(number + 1, trials, 1000 + number, bool(number % 2)) for number in range(sessions)]
    for key, (bias, above) in report(worlds).items():
        spread = np.std([w[key][0] - w[key][2] for w in worlds]) / np.sqrt(sessions)
        assert abs(bias) <= 0.02 + 2 * spread, (key, bias)
        assert above <= 0.05, key


def test_noise_is_what_differs_from_bin_to_bin():
    """Gains and slow courses that differ between trials are rates; the noise is that of the counts."""
    rng = np.random.default_rng(0)
    time = np.linspace(0, 1, 80)
    course = 20 + 10 * np.sin(2 * np.pi * (time + rng.uniform(0, 0.3, (300, 1))))
    true = rng.lognormal(0, 0.6, (300, 1)) * course
    rates = rng.poisson(true * 0.025)[..., None] / 0.025
    assert bin_noise(rates).mean() == pytest.approx(true.mean() / 0.025, rel=0.04)
    assert np.var(rates, axis=0).mean() > 1.1 * true.mean() / 0.025


def test_a_level_that_each_trial_keeps_does_not_lower_the_ceiling():
    """Around events a level moves no correlation over time, and must not count as noise."""
    rng = np.random.default_rng(1)
    true = 15 + 6 * np.sin(np.linspace(0, 9, 29))[None, :, None] + np.zeros((200, 1, 4))
    rates = rng.poisson(true * 0.025) / 0.025
    test = np.arange(200) < 40
    level = rng.normal(0, 30, (200, 1, 4))
    for sd in (0.0, 2.0, 4.0):
        alone, shifted = (np.nanmean(expected_r(r, test, sd).value) for r in (rates, rates + level))
        assert shifted == pytest.approx(alone, abs=0.01)


def test_trials_that_end_early_are_not_counted_where_they_are_not():
    """All trials have the first half, a tenth have the second, where all the signal is."""
    rng = np.random.default_rng(2)
    course = np.concatenate([np.full(40, 10.0), 10 + 9 * np.sin(np.linspace(0, 12, 40))])
    values = []
    for _ in range(20):
        true = np.tile(course[None, :, None], (200, 1, 5))
        true[np.arange(200) % 10 > 0, 40:] = np.nan
        rates = np.where(np.isfinite(true), rng.poisson(np.nan_to_num(true) * 0.025) / 0.025, np.nan)
        test = np.isin(np.arange(200), rng.permutation(200)[:40])
        truth = reached(PsthCorrelation(50.0, BIN_MS), rates[test], true[test])
        values.append((np.nanmean(expected_r(rates, test, 2.0).value), truth))
    ceiling, truth = np.mean(values, axis=0)
    assert abs(ceiling - truth) <= 0.02


def test_silent_neurons_have_no_ceiling():
    rates = np.random.default_rng(3).poisson(1.0, (20, 30, 3)) * 40.0
    test = np.arange(20) < 5
    rates[test, :, 1] = 0
    found = expected_r(rates, test, 2.0)
    assert np.isnan(found.value[1]) and np.isfinite(found.value[[0, 2]]).all()
    assert found.without.shape == (5, 3)
