"""The diagnosis of the real session, held against figures computed here from the file itself."""

from __future__ import annotations

import itertools
import re
import time

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import poisson

from neurocli.diagnosis import FAIL, PASS, WARN
from neurocli_eirnn.config import V2Config
from neurocli_eirnn.data.readers.matfile import read_session
from neurocli_eirnn.diagnosis.data import data_findings

pytestmark = pytest.mark.realdata
SD_BINS = 2.0  # 50 ms
BINS, TRIALS, NEURONS = 227, 670, 14


class File:
    """The file's arrays, trial first: rates [trial, time, neuron], signals [trial, time], labels [trial]."""

    def __init__(self, path) -> None:
        with h5py.File(path) as file:
            self.rates = file["firing_rates"][:]
            self.types = file["neuron_type"][:].ravel()
            self.id = [f"{name:g}" for name in file["neuron_ids"][:].ravel()]
            self.time = file["time_axis"][:].ravel()
            self.duration = file["trial_duration_ms"][:].ravel()
            self.location = file["trial_location"][:].ravel()
            self.reward = file["trial_reward"][:].ravel()
            self.salience = file["trial_salience"][:].ravel()
            self.target = file["input_target_loc"][:].max(axis=2)
            self.signal = {
                name.removeprefix("input_"): file[name][:]
                for name in file
                if name.startswith("input_") and name != "input_target_loc"
            }

    def onset(self, signal: np.ndarray) -> np.ndarray:
        return np.array([np.flatnonzero(row > 0)[0] if (row > 0).any() else -1 for row in signal])

    @property
    def onsets(self) -> dict[str, np.ndarray]:
        return {
            "fixation": self.onset(self.signal["fixation_on"]),
            "target": self.onset(self.target),
            "go": self.onset(self.signal["go_signal"]),
            "reward": self.onset(self.signal["reward_on"]),
        }

    @property
    def ordered(self) -> np.ndarray:
        on = self.onsets
        there = (on["fixation"] >= 0) & (on["target"] >= 0) & (on["go"] >= 0)
        return there & (self.duration > 500) & (on["target"] < on["go"]) & (on["go"] < on["reward"])


@pytest.fixture(scope="module")
def path(real):
    return real / "rnn_export_Newton_08_13_2025_SC.mat"


@pytest.fixture(scope="module")
def file(path) -> File:
    return File(path)


@pytest.fixture(scope="module")
def findings(path):
    started = time.process_time()
    found = data_findings(read_session(path).recordings(), V2Config())
    assert time.process_time() - started < 30
    return found


@pytest.fixture(scope="module")
def by_name(findings):
    return {(f.check, f.subject): f for f in findings}


def numbers(text: str) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+\.?\d*", text)]


def test_the_verdicts(findings):
    def checks(verdict: str) -> set[str]:
        return {f.check for f in findings if f.verdict == verdict and f.subject != "untrained model"}

    assert checks(FAIL) == {"event-order", "trial-duration", "missing-fixation", "missing-target", "missing-go"}
    assert checks(WARN) == {
        "constant-channels",
        "clip-loss",
        "isolated-bins",
        "rate-drift",
        "types-interleaved",
        "psth-reliability",
        "trials-per-condition",
        "overlapping-trials",
        "duplicate-trials",
    }
    assert checks(PASS) >= {
        "readable",
        "missing-reward",
        "finite-rates",
        "finite-inputs",
        "negative-rates",
        "one-hot",
        "label-vs-input",
        "window-coverage",
        "rates-are-counts",
    }


def test_event_order(file, by_name):
    on, duration = file.onsets, file.duration
    bad, short = ~file.ordered, duration < 200
    unfixated = (on["fixation"] < 0) & ~short
    not_after = bad & ~short & ~unfixated & (on["reward"] <= on["go"])
    one_after = bad & ~short & ~unfixated & (on["reward"] == on["go"] + 1)
    assert bad.sum() == short.sum() + unfixated.sum() + not_after.sum() + one_after.sum() == 464
    value = by_name["event-order", "trials"].value
    assert value == (
        f"464 of 670 trials ({bad.mean():.1%}): {short.sum()} shorter than 200 ms, {unfixated.sum()} without fixation signal, "
        f"{not_after.sum()} reward not after go, {one_after.sum()} reward one bin after go"
    )
    assert "data.trials=ordered (206 trials)" in by_name["event-order", "trials"].advice


def test_durations_and_signals(file, by_name):
    short = int((file.duration < 200).sum())
    assert by_name["trial-duration", "trials"].value.startswith(f"{short} of 670 trials (36.6%): {short} shorter")
    for event, onset in file.onsets.items():
        missing = int((onset < 0).sum())
        value = by_name[f"missing-{event}", "inputs"].value
        assert value == (f"{missing} of 670 trials ({missing / 670:.1%})" if missing else "none of 670 trials")
    r = np.corrcoef(file.duration, file.time[file.onsets["reward"]])[0, 1]
    assert by_name["duration-vs-reward", "trials"].value == pytest.approx(r, abs=1e-9)


def test_inputs(file, by_name):
    constant = [name for name, signal in file.signal.items() if np.ptp(signal) == 0]
    assert sorted(constant) == ["eye_x", "eye_y"]
    assert by_name["constant-channels", "inputs"].value == "eye_x = 0, eye_y = 0"
    shares = [file.signal[name].mean() for name in ("fixation_on", "go_signal", "reward_on")]
    assert numbers(by_name["input-on", "events"].value) == pytest.approx([100 * s for s in shares], abs=0.051)


def first_eight(words):
    """What a finding shows of a list."""
    return ", ".join(words[:8]) + (f" +{len(words) - 8} more" if len(words) > 8 else "")


def test_clip(file, by_name):
    limit = np.percentile(file.rates, 99.5)
    lost = np.maximum(file.rates - limit, 0).sum(axis=(0, 1)) / file.rates.sum(axis=(0, 1))
    worst = [k for k in np.argsort(-lost) if lost[k] > 0.01]
    words = first_eight([f"{file.id[k]}: {lost[k]:.1%}" for k in worst])
    assert by_name["clip-loss", "neurons"].value == f"above {limit:g} sp/s, neuron id {words}"
    assert worst[:2] == [13, 11]
    assert lost[13] == pytest.approx(0.28, abs=0.005)
    assert lost[11] == pytest.approx(0.10, abs=0.005)
    assert "this model does not clip rates" in by_name["clip-loss", "neurons"].advice


def test_types_and_conditions(file, by_name):
    assert file.types.tolist() == [1, 2, 2, 1, 1, 1, 1, 1, 2, 1, 2, 2, 2, 1]
    found = by_name["types-interleaved", "neurons"]
    assert (found.verdict, found.value) == (WARN, "8 E and 6 I mixed")
    assert "6 of 6 interneurons" in found.advice
    for which, rows in (("all", np.ones(TRIALS, bool)), ("ordered", file.ordered)):
        counts = [
            int((rows & (file.location == a) & (file.reward == b) & (file.salience == c)).sum())
            for a in (1, 2, 3, 4)
            for b in (0, 1)
            for c in (0, 1, 2)
        ]
        value = by_name["trials-per-condition", f"{which} trials"].value
        assert value == f"24 conditions of {min(counts)} to {max(counts)} trials"


def test_isolated_bins(file, by_name):
    counts = np.rint(file.rates * 0.025)
    mean = counts.mean(axis=(0, 1))
    around = gaussian_filter1d(counts.mean(axis=0), SD_BINS, axis=0, mode="nearest")
    found = np.zeros(NEURONS, int)
    for trial, bin_, k in np.argwhere(counts >= 4):
        neighbours = [counts[trial, b, k] for b in (bin_ - 1, bin_ + 1) if 0 <= b < BINS]
        expected = max(*neighbours, around[bin_, k], mean[k])
        found[k] += counts[trial, bin_, k] > max(neighbours) and (
            poisson.sf(counts[trial, bin_, k] - 1, expected) * counts.size < 0.01
        )
    order = [k for k in np.argsort(-found, kind="stable") if found[k]]
    assert by_name["isolated-bins", "neurons"].value == "neuron id " + ", ".join(
        f"{file.id[k]}: {found[k]} bins" for k in order
    )


def test_drift(file, by_name):
    edges = [0, 168, 336, 503, 670]
    means = np.array([file.rates[a:b].mean(axis=(0, 1)) for a, b in itertools.pairwise(edges)])
    ratio = means.max(axis=0) / means.min(axis=0)
    worst = [k for k in np.argsort(-ratio) if ratio[k] > 2]
    found = by_name["rate-drift", "neurons"].value
    assert found == "neuron id " + first_eight([f"{file.id[k]}: {ratio[k]:.1f}x" for k in worst])


def test_statistics(file, by_name):
    rates = file.rates
    assert numbers(by_name["rate-statistics", "rates"].value.replace("99% ", "")) == pytest.approx(
        [rates.mean(), rates.std(), np.percentile(rates, 99), rates.max()], abs=0.0051
    )
    high = (rates > 200).sum(axis=(0, 1))
    value = by_name["rates-above-200", "rates"].value
    words = f"neuron id {file.id[13]}: {high[13]}, {file.id[11]}: {high[11]}"
    assert value.startswith(f"{high.sum()} bins ({high.sum() / rates.size:.3%}), {words}")
    raw = gaussian_filter1d(rates.mean(axis=0), SD_BINS, axis=0, mode="nearest").std(axis=0).mean()
    assert numbers(by_name["psth-sd", "50 ms, mean of neurons"].value)[0] == pytest.approx(raw, abs=0.0051)


def halves(rates: np.ndarray, sd_bins: float, draws: int = 20) -> list[np.ndarray]:
    """Smoothed means [2, time, neuron] of random halves."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        order = rng.permutation(len(rates))
        parts = (order[: len(rates) // 2], order[len(rates) // 2 :])
        means = np.stack([rates[part].mean(axis=0) for part in parts])
        found.append(gaussian_filter1d(means, sd_bins, axis=1, mode="nearest") if sd_bins else means)
    return found


def test_reliability(file, by_name):
    for which, rows in (("all", np.ones(TRIALS, bool)), ("ordered", file.ordered)):
        r = np.mean(
            [
                [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(NEURONS)]
                for a, b in halves(file.rates[rows], SD_BINS)
            ],
            axis=0,
        )
        low = [k for k in np.argsort(r) if r[k] < 0.1]
        assert low
        value = by_name["psth-reliability", f"{which} trials"].value
        assert value == "no PSTH signal in neuron id " + ", ".join(f"{file.id[k]}: {r[k]:.2f}" for k in low)


def test_ceilings_lie_above_the_averages_of_training_trials(by_name):
    """Whole trials and windows around events; the figures themselves are recomputed elsewhere."""
    for name in ("unsmoothed", "50 ms", "events, 50 ms"):
        finding = by_name["noise-ceiling", f"ordered trials: {name}"]
        ceiling, average, _ = numbers(finding.value.replace("50 ms", ""))
        assert 0.3 < average < ceiling < 0.9
        assert finding.verdict == PASS


def test_the_simulated_sessions_have_no_failure(real):
    findings = data_findings(read_session(real / "rnn_export_Synth_A_SC.mat").recordings(), V2Config())
    assert {f.check for f in findings if f.verdict == FAIL} == set()
    assert {f.check for f in findings if f.verdict == WARN and f.subject != "untrained model"} == {
        "clip-loss",
        "types-interleaved",
        "psth-reliability",
        "trials-per-condition",
    }
