"""What the diagnosis says of trials, inputs and neurons, computed once more from the file's arrays."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from scipy.special import gammainc

pytestmark = pytest.mark.realdata


def percentages(finding) -> list[float]:
    return [float(number) for number in re.findall(r"(-?\d+\.\d+)%", finding["value"])]


def share_verdict(bad: int, total: int) -> str:
    return "FAIL" if bad > 0.05 * total else "WARN" if bad > 0.01 * total else "PASS"


# -- trials -------------------------------------------------------------------------------------------------------------


def test_the_file(newton, said):
    trials, bins, neurons = newton.rates.shape
    assert said["readable", "data"]["value"] == f"{trials} trials, {bins} bins of 25 ms, {neurons} neurons"
    assert newton.time == pytest.approx(-187.5 + 25 * np.arange(bins))


def test_every_trial_has_exactly_one_kind_of_event_order(newton, said):
    """One trial at a time, by reading its events."""
    kinds = {"ordered": 0, "short": 0, "unfixated": 0, "not after": 0, "one after": 0}
    for n, duration in enumerate(newton.duration):
        fixation, target, go, reward = (int(newton.onset[e][n]) for e in ("fixation", "target", "go", "reward"))
        if duration < 200:
            kinds["short"] += 1
        elif fixation < 0:
            kinds["unfixated"] += 1
        elif duration > 500 and 0 <= target < go < reward and reward - go > 1:
            kinds["ordered"] += 1
        elif abs(target - reward) <= 1 and reward <= go:
            kinds["not after"] += 1
        elif abs(target - reward) <= 1 and reward == go + 1:
            kinds["one after"] += 1
    assert sum(kinds.values()) == len(newton.rates)
    found = said["event-order", "trials"]
    bad = len(newton.rates) - kinds["ordered"]
    assert found["value"] == (
        f"{bad} of {len(newton.rates)} trials ({100 * bad / len(newton.rates):.1f}%): {kinds['short']} shorter than 200 ms, "
        f"{kinds['unfixated']} without fixation signal, {kinds['not after']} reward not after go, "
        f"{kinds['one after']} reward one bin after go"
    )
    assert found["verdict"] == share_verdict(bad, len(newton.rates)) == "FAIL"


def test_durations(newton, said):
    end = newton.time[-1] + 12.5
    short, long = int((newton.duration < 200).sum()), int((newton.duration > end).sum())
    total = len(newton.duration)
    found = said["trial-duration", "trials"]
    assert found["value"] == (
        f"{short + long} of {total} trials ({100 * (short + long) / total:.1f}%): {short} shorter than 200 ms, {long} longer than"
        f" the time axis, which ends at {end:g} ms"
    )
    assert found["verdict"] == share_verdict(short + long, total)
    assert newton.duration[newton.duration < 200].max() < 20  # none of them is a short trial: all are about 10 ms


@pytest.mark.parametrize("event", ["fixation", "target", "go", "reward"])
def test_missing_signals(event, newton, said):
    missing, total = int((newton.onset[event] < 0).sum()), len(newton.rates)
    found = said[f"missing-{event}", "inputs"]
    assert found["verdict"] == share_verdict(missing, total)
    assert found["value"].startswith(f"{missing} of {total} trials" if missing else "none")


def test_the_reward_is_at_the_end_of_the_duration(newton, said):
    at = newton.time[newton.onset["reward"]]
    a, b = newton.duration - newton.duration.mean(), at - at.mean()
    found = said["duration-vs-reward", "trials"]
    assert found["value"] == pytest.approx((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()), abs=1e-12)
    assert np.abs(at - newton.duration).max() <= 25
    assert found["verdict"] == "PASS"


def test_every_trial_has_its_window(newton, said):
    there = np.isfinite(newton.rates).any(axis=2)
    first = np.array([np.flatnonzero(row)[0] for row in there])
    last = np.array([np.flatnonzero(row)[-1] for row in there])
    starts, ends = newton.time[first] - 12.5, newton.time[last] + 12.5
    covered = (starts <= -200 + 25) & (ends >= newton.duration + 500 - 25)
    assert covered.all()
    assert said["window-coverage", "rates"]["value"] == f"all {len(covered)} trials"


def test_no_trial_is_there_twice(newton, said):
    spikes = newton.counts.sum(axis=(1, 2))
    same = [
        (a, b)
        for a, b in itertools.combinations(np.flatnonzero(spikes >= 20), 2)
        if spikes[a] == spikes[b] and (newton.counts[a] == newton.counts[b]).all()
    ]
    assert same == []
    assert (said["duplicate-trials", "rates"]["verdict"], said["duplicate-trials", "rates"]["value"]) == (
        "PASS",
        "none",
    )


@pytest.mark.parametrize("which", ["all", "ordered"])
def test_trials_per_condition(which, newton, said):
    table = np.zeros((4, 2, 3), int)
    for row in newton.chosen(which):
        location, reward, salience = (int(newton.label[name][row]) for name in ("location", "reward", "salience"))
        table[location - 1, reward, salience] += 1
    found = said["trials-per-condition", f"{which} trials"]
    assert found["value"] == f"{table.size} conditions of {table.min()} to {table.max()} trials"
    assert found["verdict"] == ("WARN" if table.min() < 5 else "PASS")
    if table.min() < 5:
        assert found["advice"].startswith(f"{(table < 5).sum()} conditions")
    assert said["usable", f"{which} trials"]["value"] == f"{table.sum()} trials"


# -- inputs -------------------------------------------------------------------------------------------------------------


def test_inputs_are_finite_and_one_hot_and_as_labelled(newton, said):
    assert np.isfinite(newton.inputs).all()
    assert said["finite-inputs", "inputs"]["value"] == "all finite"
    task = np.delete(newton.inputs, (7, 8), axis=2)
    assert np.isin(task, (0, 1)).all()
    contradictions = 0
    for name, channels in (("location", (1, 2, 3, 4)), ("identity", (9, 10, 11)), ("salience", (12, 13))):
        for trial, label in zip(newton.inputs, newton.label[name], strict=True):
            on = [n for n, channel in enumerate(channels, 1) if trial[:, channel].any()]
            assert len(on) <= 1
            contradictions += bool(on) and on[0] != label
    assert contradictions == 0
    assert said["one-hot", "inputs"]["value"] == "at most one channel on"
    assert said["label-vs-input", "inputs"]["value"] == "equal"


@pytest.mark.parametrize(
    ("group", "channels"),
    [("events", (0, 5, 6)), ("locations", (1, 2, 3, 4)), ("features", (9, 10, 11)), ("salience", (12, 13))],
)
def test_how_long_each_channel_is_on(group, channels, newton, said):
    shares = [f"{100 * newton.inputs[..., k].sum() / newton.inputs[..., k].size:.1f}" for k in channels]
    assert [f"{share:.1f}" for share in percentages(said["input-on", group])] == shares


def test_the_eye(newton, said):
    eye = newton.inputs[..., 7:9]
    assert not eye.any()
    assert said["input-mean", "eye"]["value"] == "eye_x 0.00 ± 0.00, eye_y 0.00 ± 0.00"
    constant = [k for k in range(14) if len(set(newton.inputs[..., k].ravel())) == 1]
    assert constant == [7, 8]
    found = said["constant-channels", "inputs"]
    assert (found["verdict"], found["value"]) == ("WARN", "eye_x = 0, eye_y = 0")


# -- neurons ------------------------------------------------------------------------------------------------------------


def test_rates_are_finite_counts(newton, said):
    assert np.isfinite(newton.rates).all()
    assert said["finite-rates", "rates"]["value"] == "all finite"
    assert (newton.rates == 40 * newton.counts).all()
    assert (newton.counts >= 0).all()
    assert said["rates-are-counts", "rates"]["value"] == "all"
    assert said["negative-rates", "rates"]["value"] == "none"


def test_rates(newton, said):
    seconds = newton.counts.shape[0] * newton.counts.shape[1] * 0.025
    rate = newton.counts.sum(axis=(0, 1)) / seconds
    assert said["neuron-rate", "neurons"]["value"] == f"{rate.min():.3g} to {rate.max():.3g} sp/s"
    assert rate.min() > 0.5
    assert said["neuron-rate", "neurons"]["verdict"] == "PASS"


def test_bins_above_200(newton, said):
    """Above 200 sp/s is more than five spikes in a bin."""
    many = (newton.counts > 5).sum(axis=(0, 1))
    order = sorted(np.flatnonzero(many), key=lambda k: -many[k])
    assert said["rates-above-200", "rates"]["value"] == (
        f"{many.sum()} bins ({100 * many.sum() / newton.counts.size:.3f}%), "
        + newton.named(order, lambda k: f"{many[k]}")
    )


def test_the_spikes_that_a_clip_removes(newton, said):
    """Counted in spikes: the percentile is of all bins of all neurons."""
    limit = np.sort(newton.counts.ravel())[int(0.995 * (newton.counts.size - 1))]
    removed = np.array(
        [sum(max(int(c) - limit, 0) for c in newton.counts[..., k][newton.counts[..., k] > limit]) for k in range(14)]
    )
    share = removed / newton.counts.sum(axis=(0, 1))
    order = sorted(np.flatnonzero(share > 0.01), key=lambda k: -share[k])
    assert said["clip-loss", "neurons"]["value"] == (
        f"above {limit * 40:g} sp/s, " + newton.named(order, lambda k: f"{100 * share[k]:.1f}%")
    )


def test_bins_that_no_poisson_process_would_have(newton, said):
    """P(X >= k) of a Poisson count is the regularised gamma function of k at its mean; corrected for the number of bins."""
    counts = newton.counts
    usual = np.maximum(newton.smooth(counts.mean(axis=0), 2.0), counts.mean(axis=(0, 1)))
    padded = np.pad(counts, ((0, 0), (1, 1), (0, 0)))
    beside = np.maximum(padded[:, :-2], padded[:, 2:])
    expected = np.maximum(beside, usual)
    with np.errstate(divide="ignore"):
        tail = np.where(counts > 0, gammainc(np.maximum(counts, 1), expected), 1.0)
    found = ((counts > beside) & (tail * counts.size < 0.01)).sum(axis=(0, 1))
    order = sorted(np.flatnonzero(found), key=lambda k: -found[k])
    assert said["isolated-bins", "neurons"]["value"] == "neuron id " + ", ".join(
        f"{newton.id[k]}: {found[k]} bins" for k in order
    )


def test_drift_is_beyond_what_shuffled_trials_show(newton, said):
    rates = newton.rates.mean(axis=1)

    def ratios(rows):
        quarters = np.stack([part.mean(axis=0) for part in np.array_split(rates[rows], 4)])
        return quarters.max(axis=0) / quarters.min(axis=0)

    trials = np.arange(len(rates))
    drift = ratios(trials)
    random = np.random.default_rng(1)
    by_chance = np.max([ratios(random.permutation(trials)) for _ in range(300)], axis=0)
    named = sorted(np.flatnonzero((drift > 2) & (drift > by_chance)), key=lambda k: -drift[k])
    assert said["rate-drift", "neurons"]["value"] == (newton.named(named, lambda k: f"{drift[k]:.1f}x"))


def test_types(newton, said):
    found = said["types-interleaved", "neurons"]
    excitatory, inhibitory = np.flatnonzero(newton.types == 1), np.flatnonzero(newton.types == 2)
    assert found["value"] == f"{len(excitatory)} E and {len(inhibitory)} I mixed"
    units = 4 * len(inhibitory)
    misplaced = sum(k < units for k in inhibitory)
    assert f"{misplaced} of {len(inhibitory)} interneurons on excitatory units" in found["advice"]
