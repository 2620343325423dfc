"""Each fault is planted in clean data, and found under its name."""

import numpy as np
import pytest

from neurocli.diagnosis import FAIL, PASS
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli_cnn_lstm.simulation.example import small_network


@pytest.fixture(scope="module")
def clean() -> RecordingSet:
    return small_network(0, runs=6, duration_ms=3000.0)


def verdicts(recordings: RecordingSet, *sets: str) -> dict[str, str]:
    from neurocli.config import resolve

    family = registry().family("cnn-lstm")
    return {f.check: f.verdict for f in family.diagnose_data(recordings, resolve(family.Config, sets=sets).config)}


def faulty(clean: RecordingSet, fault: str) -> RecordingSet:
    changed = []
    for k, group in enumerate(clean):
        recording = clean[group]
        signal = recording.signal.copy()
        if k == 1:
            if fault == "nan":
                signal[1000, 5] = np.nan
            elif fault == "constant":
                signal[:, 5] = -60
            elif fault == "clipped":
                signal[:, 5] = np.minimum(signal[:, 5], -55)
            elif fault == "silent" and recording.spikes is not None:
                from neurocli.recordings import Spikes

                keep = recording.spikes.channel != 5
                recording.spikes = Spikes(
                    recording.spikes.step[keep], recording.spikes.channel[keep], recording.spikes.dt_ms
                )
            elif fault == "shifted":
                signal = signal + 3
        if fault == "z-score":
            signal = (signal - signal.mean()) / signal.std()
        if fault == "repeated" and k == 1:
            signal = clean[clean.groups[0]].signal
        changed.append(type(recording)(**{**vars(recording), "signal": signal}))
    return RecordingSet.of(changed, meta=clean.meta, truth=clean.truth)


def test_clean_data_are_clean(clean: RecordingSet) -> None:
    assert set(verdicts(clean).values()) == {PASS}


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("nan", "finite-values"),
        ("constant", "constant-neurons"),
        ("clipped", "clipped-neurons"),
        ("silent", "silent-neurons"),
        ("z-score", "unit"),
        ("repeated", "repeated-runs"),
        ("shifted", "run-drift-mean-voltage"),
    ],
)
def test_a_fault_is_found(clean: RecordingSet, fault: str, check: str) -> None:
    assert verdicts(faulty(clean, fault))[check] != PASS


def test_the_published_split_fails_as_a_leak(clean: RecordingSet) -> None:
    assert verdicts(clean, "data.split=published")["leak"] == FAIL


def test_findings_say_what_passes_and_what_to_do(clean: RecordingSet) -> None:
    from neurocli.config import resolve

    family = registry().family("cnn-lstm")
    config = resolve(family.Config).config
    passed = {f.check: f for f in family.diagnose_data(clean, config)}
    for fault in ("nan", "constant", "clipped", "silent", "z-score", "repeated", "shifted"):
        for finding in family.diagnose_data(faulty(clean, fault), config):
            if finding.verdict != PASS:
                assert finding.advice
                assert finding.check == "usable" or finding.threshold == passed[finding.check].threshold, finding.check


@pytest.mark.parametrize("runs", [5, 6, 10, 50])
def test_honest_runs_seldom_stand_apart_and_a_shifted_one_does(runs: int) -> None:
    from neurocli_cnn_lstm.diagnosis.data import _drift

    rng = np.random.default_rng(runs)
    alarms, missed = 0, 0
    for _ in range(1000):
        made = [
            {"group": f"run-{k}", "unit": "mV", "rate": rng.normal(30, 0.5), "mean": rng.normal(-57.7, 0.05)}
            for k in range(runs)
        ]
        alarms += any(f.verdict != PASS for f in _drift(made))
        made[1]["mean"] += 3
        missed += all(f.verdict == PASS for f in _drift(made))
    assert alarms <= 8 and missed == 0


def test_spikes_of_another_run_are_found_by_the_voltages() -> None:
    from dataclasses import replace

    from neurocli_cnn_lstm.diagnosis.spikes import after_spikes, spike_findings
    from neurocli_cnn_lstm.simulation.example import small_network

    runs = small_network(0, runs=2, duration_ms=1500.0)
    own, other = (runs[group] for group in runs)
    [finding] = spike_findings([(group, after_spikes(runs[group])) for group in runs])
    assert finding.verdict == "PASS" and finding.value > 1
    exchanged = replace(own, spikes=other.spikes)
    [finding] = spike_findings([("own", after_spikes(own)), ("exchanged", after_spikes(exchanged))])
    assert finding.verdict == "WARN" and "exchanged" in finding.advice and "of one run" in finding.advice
    numbered = replace(own, spikes=replace(own.spikes, channel=own.spikes.channel + 1))
    [finding] = spike_findings([("numbered", after_spikes(numbered))])
    assert finding.verdict == "WARN" and "counted from 1" in finding.advice
