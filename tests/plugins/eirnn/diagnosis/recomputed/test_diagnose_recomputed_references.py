"""Reliability, oracle average and ridge of the diagnosis, computed once more from the file's arrays.

The ceilings beside them have tests of their own, against teachers of known rates.
"""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from sklearn.linear_model import Ridge

from neurocli_eirnn.data.overlaps import without_overlaps
from neurocli_eirnn.data.readers.matfile import read_session
from neurocli_eirnn.data.session import Session

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("ignore:Mean of empty slice")]
EVENTS = ("target", "go", "reward")
LAGS = (0, 1, 2, 4, 8, 16, 32)


@pytest.fixture(scope="module")
def whole(path, newton):
    """The file's trials, each ended where a later one begins."""
    found = copy.copy(newton)
    found.rates = Session.of(without_overlaps(read_session(path).recordings())[0]).rates.astype(float)
    return found


def numbers(finding) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+\.\d+", finding["value"])]


def psth(rates, sd_bins):
    """(smoothed mean [time, neuron], number of trials [time]): smoothed sums over smoothed numbers of trials."""

    def smooth(values):
        return gaussian_filter1d(values, sd_bins, axis=0, mode="nearest") if sd_bins else values

    number = np.isfinite(rates[..., 0]).sum(axis=0)
    total, below = smooth(np.nansum(rates, axis=0)), smooth(number.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number[:, None] > 0, total / below[:, None], np.nan), number


def weighted(a, b, number):
    """[neuron] Pearson correlation over bins [time, neuron], each as often as it has trials."""
    found = []
    for x, y in zip(a.T, b.T, strict=True):
        known = (number > 0) & np.isfinite(x) & np.isfinite(y)
        c = np.cov(x[known], y[known], fweights=number[known])
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(np.nan if c[0, 0] < 1e-9 else 0.0 if c[1, 1] < 1e-9 else c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]))
    return np.array(found)


def correlations(data, model, sd_bins):
    """[neuron] r between trial means [trial, time, neuron]; the model answers where there are data."""
    (a, number), (b, _) = (psth(x, sd_bins) for x in (data, np.where(np.isfinite(data), model, np.nan)))
    return weighted(a, b, number)


def average(newton, rates):
    """The smoothed mean [time, neuron] of trials; beyond them its last values go on."""
    course, number = psth(rates, newton.sd_bins)
    last = np.flatnonzero(number)
    return course[np.clip(np.arange(len(course)), last[0], last[-1])]


def ridge(newton, which):
    """Rates [trial, time, neuron] by ridge on the inputs now and up to 32 bins ago; the penalty by five parts of the trials left out in turn."""
    train, held, _ = newton.split(which, development=True)
    rows = np.concatenate([train, held])
    late = []
    for lag in LAGS:
        shifted = np.zeros_like(newton.given)
        shifted[:, lag:] = newton.given[:, : newton.given.shape[1] - lag]
        late.append(shifted)
    features = np.concatenate(late, axis=2)

    def known(some):
        x, y = (values[some].reshape(-1, values.shape[2]) for values in (features, newton.rates))
        there = np.isfinite(y).all(axis=1)
        return x[there], y[there]

    variance = known(rows)[1].var(axis=0)

    def error(penalty):
        total = 0.0
        for part in np.array_split(np.random.default_rng(0).permutation(rows), 5):
            x, y = known(part)
            fitted = Ridge(penalty).fit(*known(np.setdiff1d(rows, part)))
            total += (((y - fitted.predict(x)) ** 2).sum(axis=0) / variance).sum()
        return total

    best = min(10.0 ** np.arange(-0.5, 6.01, 0.5), key=error)
    fitted = Ridge(best).fit(*known(rows))
    return np.maximum(fitted.predict(features.reshape(-1, features.shape[2])), 0).reshape(newton.rates.shape)


@pytest.fixture(scope="module")
def by_ridge(whole):
    return {which: ridge(whole, which) for which in ("all", "ordered")}


def check(finding, *expected):
    """To the last digit that is printed; the ceiling is first, and passes where it is high enough and not passed by more than .02."""
    ceiling, *references = numbers(finding)
    assert references == pytest.approx(list(expected), abs=0.00051)
    if abs(ceiling - 0.3) > 1e-3 and min(abs(ceiling + 0.02 - r) for r in references) > 1e-3:
        assert finding["verdict"] == ("PASS" if ceiling >= 0.3 and ceiling + 0.02 > max(references) else "WARN")
    assert finding["threshold"] == "≥ 0.3, above the baselines"


@pytest.mark.parametrize("which", ["all", "ordered"])
@pytest.mark.parametrize(("name", "sd_bins"), [("unsmoothed", 0.0), ("50 ms", 2.0)])
def test_whole_trials(which, name, sd_bins, whole, by_ridge, said):
    train, held, test = whole.split(which, development=True)
    fitted = np.concatenate([train, held])
    assert sorted([*fitted, *test]) == whole.chosen(which, development=True).tolist()
    data, oracle = whole.rates[test], average(whole, whole.rates[fitted])
    check(
        said["noise-ceiling", f"{which} trials: {name}"],
        np.nanmean(correlations(data, oracle, sd_bins)),
        np.nanmean(correlations(data, by_ridge[which][test], sd_bins)),
    )


@pytest.mark.parametrize("which", ["all", "ordered"])
def test_locations(which, whole, by_ridge, said):
    """Each location's test trials against the same grand average; then the mean over locations and neurons."""
    train, held, test = whole.split(which, development=True)
    location = whole.label["location"]
    oracle = average(whole, whole.rates[np.concatenate([train, held])])
    members = [test[location[test] == place] for place in (1, 2, 3, 4)]
    each = [
        (correlations(whole.rates[rows], oracle, 2.0), correlations(whole.rates[rows], by_ridge[which][rows], 2.0))
        for rows in members
    ]
    check(said["noise-ceiling", f"{which} trials: locations, 50 ms"], *(np.nanmean(r) for r in zip(*each, strict=True)))


@pytest.mark.parametrize("which", ["all", "ordered"])
def test_windows_around_events(which, whole, by_ridge, said):
    """Trials without the event are left out; the mean over target, go and reward."""
    train, held, test = whole.split(which, development=True)
    rows = []
    for event in EVENTS:
        there = whole.onset[event] >= 0
        windows, predictions = whole.around(whole.rates, event), whole.around(by_ridge[which], event)
        fitted = np.concatenate([train, held])
        oracle = average(whole, windows[fitted[there[fitted]]])
        here = test[there[test]]
        pair = correlations(windows[here], oracle, 2.0), correlations(windows[here], predictions[here], 2.0)
        rows.append([np.nanmean(r) for r in pair])
    check(said["noise-ceiling", f"{which} trials: events, 50 ms"], *np.mean(rows, axis=0))


@pytest.mark.parametrize("which", ["all", "ordered"])
def test_reliability(which, newton, said):
    """Of all trials of the file: all have the same bins there, so that every bin counts alike."""
    rates = newton.rates[newton.chosen(which)]
    random = np.random.default_rng(0)
    each = []
    for _ in range(20):
        order = random.permutation(len(rates))
        halves = (order[: len(order) // 2], order[len(order) // 2 :])
        a, b = (newton.smooth(rates[half].mean(axis=0), newton.sd_bins) for half in halves)
        each.append([np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(rates.shape[2])])
    r = np.mean(each, axis=0)
    low = sorted(np.flatnonzero(r < 0.1), key=lambda k: r[k])
    found = said["psth-reliability", f"{which} trials"]
    assert found["value"] == "no PSTH signal in neuron id " + ", ".join(f"{newton.id[k]}: {r[k]:.2f}" for k in low)
    assert found["verdict"] == "WARN"
