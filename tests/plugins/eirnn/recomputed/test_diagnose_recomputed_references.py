"""Reliability, ceilings, oracle average and ridge of the diagnosis, computed once more from the file's arrays."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from numpy.linalg import eigh

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("ignore:Mean of empty slice")]
EVENTS = ("target", "go", "reward")
LAGS = (0, 1, 2, 4, 8, 16, 32)


def numbers(finding) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+\.\d+", finding["value"])]


def half_means(newton, rates, sd_bins):
    """Twenty times the smoothed means [time, neuron] of two random halves."""
    random = np.random.default_rng(0)
    for _ in range(20):
        order = random.permutation(len(rates))
        middle = len(order) // 2
        yield tuple(
            newton.smooth(np.nanmean(rates[part], axis=0), sd_bins) for part in (order[:middle], order[middle:])
        )


def signal(newton, rates, sd_bins):
    """[neuron] covariance over time of the means of two halves; never below zero."""
    found = []
    for a, b in half_means(newton, rates, sd_bins):
        known = np.isfinite(a).all(axis=1)
        found.append([np.cov(a[known, k], b[known, k], bias=True)[0, 1] for k in range(rates.shape[2])])
    return np.maximum(np.mean(found, axis=0), 0)


def noise(newton, rates, sd_bins):
    """[neuron] variance over trials, mean over time."""
    smooth = np.stack([newton.smooth(trial, sd_bins) for trial in rates])
    several = np.isfinite(smooth[..., 0]).sum(axis=0) > 1
    return np.nanvar(smooth[:, several], axis=0, ddof=1).mean(axis=0)


def ceiling(newton, rates, test_trials, sd_bins):
    """Mean over neurons that fire at all of sqrt(S / (S + N / n))."""
    s, n = signal(newton, rates, sd_bins), noise(newton, rates, sd_bins)
    heard = np.nansum(rates, axis=(0, 1)) > 0
    return np.sqrt(s[heard] / (s[heard] + n[heard] / test_trials)).mean()


def correlation(newton, data, model, sd_bins):
    """Mean over neurons of r between trial means [trial, time, neuron]; the model answers where there are data."""
    model = np.where(np.isfinite(data), model, np.nan)
    a, b = (newton.smooth(np.nanmean(x, axis=0), sd_bins) for x in (data, model))
    known = np.isfinite(a).all(axis=1)
    a, b = a[known], b[known]
    fires = np.ptp(a, axis=0) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        r = [np.corrcoef(x, y)[0, 1] if np.ptp(y) > 0 else 0.0 for x, y in zip(a.T[fires], b.T[fires], strict=True)]
    return float(np.mean(r))


def average(newton, rates):
    """The smoothed mean [time, neuron] of trials; beyond them its first and last values go on."""
    course = newton.smooth(np.nanmean(rates, axis=0), newton.sd_bins)
    known = np.flatnonzero(np.isfinite(course).all(axis=1))
    return course[np.clip(np.arange(len(course)), known[0], known[-1])]


def ridge(newton, which):
    """Rates [trial, time, neuron] by ridge on the inputs now and up to 32 bins ago; the penalty that does best on trials held back."""
    train, held, _ = newton.split(which)
    late = []
    for lag in LAGS:
        shifted = np.zeros_like(newton.given)
        shifted[:, lag:] = newton.given[:, : newton.given.shape[1] - lag]
        late.append(shifted)
    features = np.concatenate(late, axis=2)

    def flat(values, rows):
        return values[rows].reshape(-1, values.shape[2])

    x, y = flat(features, train), flat(newton.rates, train)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    values, vectors = eigh((x - mean_x).T @ (x - mean_x))
    projected = vectors.T @ ((x - mean_x).T @ (y - mean_y))

    def predict(rows, penalty):
        return (flat(features, rows) - mean_x) @ (vectors @ (projected / (values + penalty)[:, None])) + mean_y

    errors = {p: ((predict(held, p) - flat(newton.rates, held)) ** 2).mean() for p in 10.0 ** np.arange(7)}
    best = min(errors, key=errors.get)
    return np.maximum(predict(np.arange(len(features)), best), 0).reshape(newton.rates.shape)


@pytest.fixture(scope="module")
def by_ridge(newton):
    return {which: ridge(newton, which) for which in ("all", "ordered")}


def check(finding, *expected):
    """To the last digit that is printed."""
    assert numbers(finding) == pytest.approx(list(expected), abs=0.00051)
    assert finding["verdict"] == ("PASS" if expected[0] >= 0.3 else "WARN")


@pytest.mark.parametrize("which", ["all", "ordered"])
@pytest.mark.parametrize(("name", "sd_bins"), [("raw", 0.0), ("50 ms", 2.0)])
def test_whole_trials(which, name, sd_bins, newton, by_ridge, said):
    train, held, test = newton.split(which)
    used, fitted = newton.chosen(which), np.concatenate([train, held])
    assert sorted([*fitted, *test]) == used.tolist()
    data, oracle = newton.rates[test], average(newton, newton.rates[fitted])
    check(
        said["noise-ceiling", f"{which} trials: {name}"],
        ceiling(newton, newton.rates[used], len(test), sd_bins),
        correlation(newton, data, np.broadcast_to(oracle, data.shape), sd_bins),
        correlation(newton, data, by_ridge[which][test], sd_bins),
    )


@pytest.mark.parametrize("which", ["all", "ordered"])
def test_locations(which, newton, by_ridge, said):
    """Each location's test trials against the same grand average; then the mean over locations."""
    train, held, test = newton.split(which)
    used, location = newton.chosen(which), newton.label["location"]
    oracle = average(newton, newton.rates[np.concatenate([train, held])])
    rows = []
    for place in (1, 2, 3, 4):
        here = test[location[test] == place]
        data = newton.rates[here]
        rows.append(
            [
                ceiling(newton, newton.rates[used[location[used] == place]], len(here), 2.0),
                correlation(newton, data, np.broadcast_to(oracle, data.shape), 2.0),
                correlation(newton, data, by_ridge[which][here], 2.0),
            ]
        )
    check(said["noise-ceiling", f"{which} trials: locations, 50 ms"], *np.mean(rows, axis=0))


@pytest.mark.parametrize("which", ["all", "ordered"])
def test_windows_around_events(which, newton, by_ridge, said):
    """Trials without the event are left out; the mean over target, go and reward."""
    train, held, test = newton.split(which)
    used = newton.chosen(which)
    rows = []
    for event in EVENTS:
        there = newton.onset[event] >= 0
        windows, answers = newton.around(newton.rates, event), newton.around(by_ridge[which], event)
        fitted = np.concatenate([train, held])
        oracle = average(newton, windows[fitted[there[fitted]]])
        here = test[there[test]]
        rows.append(
            [
                ceiling(newton, windows[used[there[used]]], len(here), 2.0),
                correlation(newton, windows[here], np.broadcast_to(oracle, windows[here].shape), 2.0),
                correlation(newton, windows[here], answers[here], 2.0),
            ]
        )
    check(said["noise-ceiling", f"{which} trials: events, 50 ms"], *np.mean(rows, axis=0))


@pytest.mark.parametrize("which", ["all", "ordered"])
def test_reliability(which, newton, said):
    rates = newton.rates[newton.chosen(which)]
    r = np.mean(
        [
            [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(rates.shape[2])]
            for a, b in half_means(newton, rates, newton.sd_bins)
        ],
        axis=0,
    )
    low = sorted(np.flatnonzero(r < 0.1), key=lambda k: r[k])
    found = said["psth-reliability", f"{which} trials"]
    assert found["value"] == "no PSTH signal in neuron id " + ", ".join(f"{newton.id[k]}: {r[k]:.2f}" for k in low)
    assert found["verdict"] == "WARN"


def pairs_of_trials(newton, rates, sd_bins):
    """[neuron] covariance over time of two different trials, mean over all pairs: what random halves estimate."""
    smooth = np.stack([newton.smooth(trial, sd_bins) for trial in rates])
    centred = smooth - smooth.mean(axis=1, keepdims=True)
    n, bins = centred.shape[:2]
    together, alone = (centred.sum(axis=0) ** 2).sum(axis=0), (centred**2).sum(axis=(0, 1))
    return (together - alone) / (n * (n - 1) * bins)


def test_the_spread_of_psths(newton, said):
    course = newton.smooth(newton.rates.mean(axis=0), 2.0)
    spread = np.sqrt(signal(newton, newton.rates, 2.0))
    assert numbers(said["psth-sd", "50 ms, mean of neurons"]) == pytest.approx(
        [course.std(axis=0).mean(), spread.mean()], abs=0.0051
    )


@pytest.mark.parametrize("which", ["all", "ordered"])
def test_random_halves_find_what_all_pairs_of_trials_have(which, newton):
    rates = newton.rates[newton.chosen(which)]
    exact, drawn = (f(newton, rates, 2.0) for f in (pairs_of_trials, signal))
    strong = exact > 0.1
    assert strong.sum() >= 6
    assert drawn[strong] == pytest.approx(exact[strong], rel=0.2)
    assert np.abs(drawn - np.maximum(exact, 0))[~strong].max() < 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        n = noise(newton, rates, 2.0) / (len(rates) // 5)
    assert np.sqrt(np.maximum(exact, 0) / (np.maximum(exact, 0) + n)).mean() == pytest.approx(
        np.sqrt(drawn / (drawn + n)).mean(), abs=0.03
    )
