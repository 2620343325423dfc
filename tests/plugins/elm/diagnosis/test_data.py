"""What `diagnose` says of simulations, against counts made by hand and faults put in on purpose."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet, Spikes
from neurocli.recordings.copies import copies
from neurocli.runs.plain import plain
from neurocli_elm.config import ElmConfig
from neurocli_elm.diagnosis.files import MOST_CLIPPED, MOST_FILES
from neurocli_elm.simulation.example import small_cells

INPUTS, EXCITATORY = 40, 24


def simulation(seed: int, steps: int = 1200, output: int = 6, **changes: Any) -> Recording:
    rng = np.random.default_rng(seed)
    key = np.sort(rng.choice(steps * INPUTS, steps * INPUTS // 40, replace=False))
    times = np.sort(rng.choice(np.arange(600, steps), output, replace=False)) + 0.3
    signal = rng.normal(-65, 3, (steps, 1)).astype(np.float32)
    given: dict[str, Any] = {
        "group": f"s{seed}",
        "signal": signal,
        "dt_ms": 1.0,
        "unit": "mV",
        "spikes": Spikes((key // INPUTS).astype(np.int32), (key % INPUTS).astype(np.int32), 1.0),
        "events": {"output_spike_ms": times, "output_spikes": times.astype(np.int32)},
        "labels": {"num_inputs": INPUTS, "num_excitatory": EXCITATORY, "file": "a.p"},
    }
    return Recording(**{**given, **changes})


def found(recordings: list[Recording] | RecordingSet, **options: Any) -> dict[tuple[str, str], Any]:
    """(check, subject) → finding; (check, "") is the only or the last one of its check."""
    config = ElmConfig()
    for key, value in options.items():
        setattr(config.data, key, value)
    these = recordings if isinstance(recordings, RecordingSet) else RecordingSet.of(recordings)
    every = registry().family("elm-v2").diagnose_data(these, config)
    json.dumps(plain([finding.as_dict() for finding in every]), allow_nan=False)
    return {(f.check, subject): f for f in every for subject in (f.subject, "")}


@pytest.fixture(scope="module")
def cells() -> RecordingSet:
    return small_cells(0, simulations=6)


def test_simulated_cells_have_no_fault(cells):
    every = found(cells, split_seed=1)
    failed = {key for key, finding in every.items() if finding.verdict == "FAIL"}
    assert failed <= {("test-spikes", "steps with an output spike, test"), ("test-spikes", "")}
    assert every["split-overlap", ""].value == "none"
    assert "more precise than float16" in every["moved-labels", ""].value
    assert every["readable", ""].value == "64 excitatory and 64 inhibitory inputs"


def test_rates_and_ranges_are_those_of_a_plain_count():
    first, second = simulation(0), simulation(1, output=9)
    first.signal[:60] = -40
    every = found([first, second, simulation(2, labels={**first.labels, "file": "b.p"})])
    seconds = 1.2
    exciting = sum((r.spikes.channel < EXCITATORY).sum() for r in (first, second)) / (2 * seconds * EXCITATORY)
    inhibiting = sum((r.spikes.channel >= EXCITATORY).sum() for r in (first, second)) / (
        2 * seconds * (INPUTS - EXCITATORY)
    )
    rate = every["input-rate", "a.p"].value
    assert f"excitatory {exciting:.2f} Hz, inhibitory {inhibiting:.2f} Hz, density 2.50%" in rate
    assert every["output-rate", "a.p"].value == f"{15 / (2 * seconds):.2f} Hz, 15 output spikes, 6 to 9 in a simulation"
    signal = np.concatenate([first.signal, second.signal])
    assert every["soma-range", "a.p"].value.startswith(f"{signal.min():.1f} to {signal.max():.1f} mV")
    assert every["clipped", "a.p"].value == f"{(signal > -55).mean():.1%} of steps above -55 mV"
    assert every["simulations", "b.p"].value == "1 simulation of 1,200 ms"


def test_output_spikes_none_and_many():
    silent = [simulation(seed, output=0) for seed in range(3)]
    finding = found(silent)["output-spikes", ""]
    assert finding.verdict == "FAIL" and "AUC is undefined" in finding.advice
    assert found(silent)["test-spikes", ""].verdict == "FAIL"
    findings = found([*silent, simulation(3), simulation(4, output=25), simulation(5, output=24)])
    assert findings["output-spikes", ""].verdict == "PASS"
    assert findings["without-output-spikes", ""].value == "3 of 6: s0, s1, s2"
    assert (findings["many-spikes", ""].verdict, findings["many-spikes", ""].value) == ("WARN", "1 of 6: s4 (25)")


def test_labels_that_float16_has_moved():
    true = np.array([700.3, 1500.4, 2100.7, 2301.0, 4501.2, 4502.3])
    rounded = true.astype(np.float16).astype(np.float64)
    moved = int((np.abs(rounded - true) >= 0.5).sum())
    assert 0 < moved < len(true)
    events = {"output_spike_ms": rounded, "output_spikes": rounded.astype(np.int32)}
    again = {"output_spike_redetected_ms": true, "output_spikes_redetected": true.astype(np.int32)}
    known = [simulation(seed, 5000, events=events | again) for seed in range(3)]
    finding = found(known)["moved-labels", ""]
    assert finding.verdict == "WARN" and finding.value.startswith(f"{3 * moved} of 18 moved")
    assert "redetected" in finding.advice
    assert found(known, labels="redetected")["moved-labels", ""].verdict == "PASS"
    blind = [simulation(seed, 5000, events=events) for seed in range(3)]
    finding = found(blind)["moved-labels", ""]
    assert finding.verdict == "WARN" and "does not tell" in finding.value
    finding = found(blind, labels="redetected")["moved-labels", ""]
    assert finding.verdict == "FAIL" and "s0, s1, s2" in finding.value


def test_the_same_simulation_on_both_sides_of_the_split():
    simulations = [simulation(seed) for seed in range(6)]
    renamed = dataclasses.replace(simulations[0], group="again", signal=simulations[0].signal + np.float32(0.01))
    every = found([*simulations, renamed])
    twice = every["duplicates", ""]
    assert twice.verdict == "WARN" and twice.value.startswith("again and s0 (")
    apart = set()
    for seed in range(12):
        overlap = found([*simulations, renamed], split_seed=seed)["split-overlap", ""]
        apart.add(overlap.verdict)
        assert (overlap.verdict == "FAIL") == overlap.value.startswith("again (")
    assert apart == {"PASS", "FAIL"}


def test_a_part_of_a_simulation_is_found_wherever_it_is_cut():
    whole = simulation(0, 6000)
    inside = (whole.spikes.step >= 2345) & (whole.spikes.step < 4345)
    spikes = Spikes(whole.spikes.step[inside] - 2345, whole.spikes.channel[inside], 1.0)
    part = simulation(1, 2000, signal=whole.signal[2345:4345], spikes=spikes)
    for again in (part, dataclasses.replace(part, signal=simulation(3, 2000).signal)):  # the input alone too
        (pair,) = copies({"s0": whole, "s1": again, "s2": simulation(2, 6000)})
        assert (pair.of, pair.group, pair.shift_ms) == ("s0", "s1", 2345.0)


def test_lengths_steps_cells_and_inputs():
    mixed = found([simulation(0), simulation(1), simulation(2, 1300), simulation(3, 1300)])
    assert (mixed["lengths", ""].verdict, mixed["lengths", ""].value) == ("FAIL", "2 of 1,200 ms, 2 of 1,300 ms")
    short = found([simulation(seed) for seed in range(4)], window=701)
    assert (
        short["shorter-than-window", ""].verdict == "FAIL" and "s0 (1200 ms)" in short["shorter-than-window", ""].value
    )
    assert short["usable", ""].verdict == "FAIL" and "1200 ms" in short["usable", ""].value
    slow = found([simulation(seed, dt_ms=0.5) for seed in range(4)])
    assert slow["step", ""].verdict == "FAIL"
    labels = {"num_inputs": INPUTS, "num_excitatory": 20, "file": "a.p"}
    other = found([simulation(0), simulation(1), simulation(2), simulation(3, labels=labels)])
    assert other["same-cell", ""].verdict == "FAIL" and "20 + 20, 24 + 16" in other["same-cell", ""].value
    quiet = [simulation(seed) for seed in range(4)]
    for recording in quiet:
        heard = ~np.isin(recording.spikes.channel, [3, 30, 31])
        recording.spikes = Spikes(recording.spikes.step[heard], recording.spikes.channel[heard], 1.0)
    assert found(quiet)["silent-inputs", ""].value == "3 of 40: 1 excitatory, 2 inhibitory (3, 30, 31)"


def test_voltages_that_no_membrane_has():
    volts = [simulation(seed) for seed in range(3)]
    for recording in volts:
        recording.signal = recording.signal * np.float32(1e-3)
    assert found(volts)["soma-range", ""].verdict == "WARN"
    micro = [simulation(seed, signal=simulation(seed).signal * np.float32(1e3)) for seed in range(3)]
    assert found(micro)["soma-range", ""].verdict == "FAIL"
    blocked = [simulation(seed) for seed in range(3)]
    blocked[1].signal[: int(1200 * MOST_CLIPPED) + 20] = -30
    finding = found(blocked)["clipped", ""]
    assert finding.verdict == "WARN" and "s1" in finding.value


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spikes": None}, "no input spikes"),
        ({"labels": {"num_inputs": INPUTS}}, "no label num_excitatory"),
        ({"events": {}}, "no output_spikes"),
        ({"signal": np.full((1200, 1), np.nan, np.float32)}, "not a number"),
        ({"labels": {"num_inputs": 5, "num_excitatory": 3}}, "of 5"),
    ],
)
def test_what_is_no_simulation_is_said_and_the_others_are_looked_at(changes, words):
    every = found([simulation(0), simulation(1), simulation(2), simulation(3, **changes)])
    assert every["readable", ""].verdict == "FAIL" and words in every["readable", ""].value
    assert every["simulations", "a.p"].value == "3 simulations of 1,200 ms"
    alone = found([simulation(3, **changes)])
    assert {check for check, _ in alone} == {"readable"}


def test_a_hundred_files_do_not_make_a_hundred_lines():
    many = [simulation(seed, labels={**simulation(0).labels, "file": f"{seed}.p"}) for seed in range(MOST_FILES + 5)]
    many[-1].signal[:600] = -40
    every = found(many)
    files = {subject for check, subject in every if check == "simulations"}
    assert len(files) == MOST_FILES + 2 and "5 other files" in files
    assert every["clipped", f"{MOST_FILES + 4}.p"].verdict == "WARN"
