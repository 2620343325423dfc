"""What a 95 % interval promises, held against worlds whose true score is known: 1,000 experiments each.

Groups are uneven in length and in what they hold. An experiment draws n groups, makes their statistics with the real metrics
and asks `interval` and `verdict`. Where an interval is given it must hold the true score in .92 to .98 of the experiments,
and two predictors that are alike must not be called better or worse in more than 5 %.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from neurocli.evaluation.intervals import interval, mean_interval, paired, paired_means, verdict
from neurocli.evaluation.metrics import R2, RMSE, Metric
from neurocli_eirnn.evaluation.metrics import PsthCorrelation
from neurocli_elm.evaluation.spike_metrics import SpikeAUC
from neurocli_gat_lstm.evaluation.metrics import ErrorReduction

pytestmark = pytest.mark.slow
EXPERIMENTS = 1000
SIZES = (3, 5, 10, 20)
CHANCE = (
    3 * (0.95 * 0.05 / EXPERIMENTS) ** 0.5
)  # three standard errors of a share that is counted in so many experiments
Rng = np.random.Generator
Groups = np.ndarray


def lengths(rng: Rng, n: int) -> np.ndarray:
    """Uneven groups: the longest is often four times the shortest."""
    return np.maximum(np.round(60 * np.exp(rng.normal(0, 0.5, n))), 10).astype(int)


def errors(rng: Rng, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets [time, 1] of sd 1, and errors whose size differs from group to group (as those of simulated cells do)."""
    return rng.normal(0, 1, (length, 1)), 0.6 * np.exp(rng.normal(0, 0.2)) * rng.normal(0, 1, (length, 1))


def forecasts(metric: Metric) -> Callable[[Rng, int], Groups]:
    def draw(rng: Rng, n: int) -> Groups:
        each = (errors(rng, length) for length in lengths(rng, n))
        return np.stack([metric.statistics(y, y + e) for y, e in each])

    return draw


def worms(rng: Rng, n: int) -> Groups:
    metric = ErrorReduction()
    each = []
    for length in lengths(rng, n):
        change, noise = rng.normal(0, 1, (length, 6)), rng.normal(0, 1, (length, 6))
        each.append(metric.statistics(change, 0.3 * change + np.exp(rng.normal(-0.6, 0.2)) * noise))
    return np.stack(each)


def spikes(rng: Rng, n: int) -> Groups:
    metric = SpikeAUC()
    each = []
    for length in lengths(rng, n):
        spike = (rng.random((8 * length, 1)) < 0.03).astype(float)
        logit = 2.5 * spike + rng.normal(0, 0.2) * spike + rng.normal(-3, 1, spike.shape)
        each.append(metric.statistics(spike, 1 / (1 + np.exp(-logit))))
    return np.stack(each)


BINS, NEURONS = 60, 6
TIME = np.linspace(0, 1, BINS)[:, None]
RATES = 10 + 8 * np.sin(2 * np.pi * TIME * np.arange(1, NEURONS + 1) / 2 + np.arange(NEURONS))
GUESS = RATES + 2 * np.cos(9 * TIME + np.arange(NEURONS))


def trials(rng: Rng, n: int, guess: np.ndarray = GUESS, missing: int = 12) -> Groups:
    """Counts of trials with a gain of their own; in some, up to `missing` of the last bins are not there."""
    metric = PsthCorrelation(50, 25)
    each = []
    for _ in range(n):
        counts = rng.poisson(RATES * 0.2 * rng.gamma(8, 1 / 8)).astype(float)
        counts[BINS - rng.integers(0, missing + 1) :] = np.nan
        each.append(metric.statistics(counts, np.broadcast_to(guess, counts.shape)))
    return np.stack(each)


WORLDS: dict[str, tuple[Metric, Callable[[Rng, int], Groups]]] = {
    "R2": (R2("z"), forecasts(R2("z"))),
    "RMSE": (RMSE("mV"), forecasts(RMSE("mV"))),
    "AUC": (SpikeAUC(), spikes),
    "S": (ErrorReduction(), worms),
    "r of PSTHs": (PsthCorrelation(50, 25), trials),
}


def true_score(name: str, n: int) -> float:
    """The score of a great many groups; where the score of a mean depends on how many trials it has, its mean over draws."""
    metric, draw = WORLDS[name]
    rng = np.random.default_rng(999)
    if name == "r of PSTHs":
        return float(np.mean([metric.value(draw(rng, n).sum(0)) for _ in range(1500)]))
    return float(metric.value(sum(draw(rng, 50).sum(0) for _ in range(200))))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", WORLDS)
def test_intervals_hold_the_true_score(name: str, n: int) -> None:
    metric, draw = WORLDS[name]
    true = true_score(name, n)
    rng = np.random.default_rng(n)
    held, given = 0, 0
    for _ in range(EXPERIMENTS):
        low, high = interval(metric, draw(rng, n))
        if np.isfinite(low):
            given += 1
            held += low <= true <= high
    assert given > 0.5 * EXPERIMENTS
    assert 0.92 <= held / given <= 0.98, f"{held / given:.3f} of {given}"


@pytest.mark.parametrize("n", SIZES)
def test_intervals_of_means_hold_the_mean(n: int) -> None:
    rng = np.random.default_rng(n)
    held = 0
    for _ in range(EXPERIMENTS):
        weight = lengths(rng, n).astype(float)
        low, high = mean_interval(rng.normal(0.3, 1, n), weights=weight)
        held += low <= 0.3 <= high
    assert 0.92 <= held / EXPERIMENTS <= 0.98, held


def smooth(values: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(values, 2, axis=0, mode="nearest")


SMOOTHING = smooth(np.eye(BINS))


def unsmoothed(values: np.ndarray) -> np.ndarray:
    """What gives `values` when it is smoothed."""
    return np.linalg.lstsq(SMOOTHING, values, rcond=1e-6)[0]


def rivals(name: str, rng: Rng, n: int) -> tuple[Groups, Groups]:
    """Two predictors of the same groups that are alike: neither is better but by chance."""
    metric = WORLDS[name][0]
    if name == "r of PSTHs":  # two guesses that are off by as much, in opposite directions that no rate goes in
        rates, bend = (smooth(v) - smooth(v).mean(0) for v in (RATES, rng.normal(0, 4, RATES.shape)))
        off = bend - rates * (bend * rates).sum(0) / (rates * rates).sum(0)
        seed = rng.integers(2**31)
        return tuple(  # type: ignore[return-value]
            trials(np.random.default_rng(seed), n, unsmoothed(rates + s * off), missing=0) for s in (1, -1)
        )
    pairs = []
    for length in lengths(rng, n):
        if name == "AUC":
            spike = (rng.random((8 * length, 1)) < 0.03).astype(float)
            logits = (2.5 * spike + rng.normal(0, 0.3) * spike + rng.normal(-3, 1, spike.shape) for _ in range(2))
            pairs.append([metric.statistics(spike, 1 / (1 + np.exp(-logit))) for logit in logits])
        else:
            y = errors(rng, length)[0]
            pairs.append([metric.statistics(y, y + errors(rng, length)[1]) for _ in range(2)])
    first, second = zip(*pairs, strict=True)
    return np.stack(first), np.stack(second)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", WORLDS)
def test_alike_predictors_are_rarely_called_better_or_worse(name: str, n: int) -> None:
    metric = WORLDS[name][0]
    rng = np.random.default_rng(100 + n)
    experiments = 300 if name == "AUC" and n >= 10 else EXPERIMENTS  # hundreds of exchanges of histograms each
    called = sum(
        verdict(paired(metric, *rivals(name, rng, n)), metric.higher) in ("better", "worse") for _ in range(experiments)
    )
    assert called / experiments <= 0.05 + CHANCE, called


@pytest.mark.parametrize("n", SIZES)
def test_alike_means_are_rarely_told_apart(n: int) -> None:
    rng = np.random.default_rng(n)
    called = sum(
        verdict(paired_means(*rng.exponential(1, (2, n))), True) in ("better", "worse") for _ in range(EXPERIMENTS)
    )
    assert called / EXPERIMENTS <= 0.05 + CHANCE, called
