"""No false alarm: many honest sets of every simulator, and the real recordings that we have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurocli.recordings import Recording, RecordingSet
from neurocli.recordings.copies import copies, refuse_copies

REAL = Path(os.environ.get("NEUROCLI_REAL_DATA", "/nowhere"))
real = pytest.mark.skipif(not REAL.is_dir(), reason="NEUROCLI_REAL_DATA is not set")


def brunel(seed: int) -> RecordingSet:
    from neurocli_cnn_lstm.simulation.example import small_network

    return small_network(seed, runs=3, duration_ms=300.0, network="redraw" if seed % 2 else "fixed")


def session(seed: int) -> RecordingSet:
    from neurocli_eirnn.simulation.example import small_session

    return small_session(seed)


def dendrite(seed: int) -> RecordingSet:
    from neurocli_elm.simulation.example import small_cells

    return small_cells(seed, simulations=3, duration_ms=1200)


def worms(seed: int) -> RecordingSet:
    from neurocli_gat_lstm.simulation.example import small_worms

    return small_worms(seed)


def digits(seed: int) -> RecordingSet:
    """Utterances of ten digits: the same course of the rate for each digit, spikes of their own."""
    from neurocli_elm.data.readers.shd import population_counts

    made = []
    for number in range(40):
        rng = np.random.default_rng((seed, number))
        centre = 0.1 + 0.05 * (number % 10)
        seconds = np.sort(rng.normal(centre, 0.08, 4000).clip(0, 0.99)).astype(np.float32)
        made.append(Recording(f"u{number}", population_counts(seconds), 1.0, "spikes/ms"))
    return RecordingSet.of(made)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("simulate", "sets"), [(session, 200), (digits, 200), (worms, 200), (dendrite, 200), (brunel, 200)]
)
def test_honest_sets_raise_no_alarm(simulate: Callable[[int], RecordingSet], sets: int) -> None:
    alarms = {seed: found for seed in range(sets) if (found := copies(dict(simulate(seed))))}
    assert alarms == {}


def opened(*names: str) -> RecordingSet:
    from neurocli import open_recordings

    return open_recordings([path for name in names for path in sorted(REAL.glob(name))])


@real
@pytest.mark.parametrize("kind", ["ordered", "plausible"])
def test_trials_of_a_real_session_share_nothing_once_they_end_where_the_next_begins(kind: str) -> None:
    """Every window of that export is 5.7 s long: the end of many is the start of the next trial."""
    from neurocli.config.resolve import resolve
    from neurocli_eirnn.config import V2Config
    from neurocli_eirnn.data.dataset import SessionData

    trials = opened("eirnn/*Newton*SC.mat")
    overlapping = copies(trials)
    number = {group: place for place, group in enumerate(trials)}
    assert len(overlapping) > 200
    assert all(1 <= number[copy.group] - number[copy.of] <= 5 for copy in overlapping)
    data = SessionData(trials, resolve(V2Config, sets=[f"data.trials={kind}"]).config)
    refuse_copies(data.recordings, data.split)
    assert len(data.overlapping) > 100


@real
def test_simulated_sessions_of_the_real_format_share_nothing() -> None:
    assert copies(opened("eirnn/*Synth_A_SC.mat")) == []


@real
def test_real_worms_are_copies_only_of_themselves_in_other_formats() -> None:
    recordings = opened("worm")

    def worm(group: str) -> str:
        return next(name for name in ("Atanas", "worm0", "worm1", "worm2", "worm4", "0223", "0330") if name in group)

    same = {"Scholz2018-worm0": "0223", "Scholz2018-worm2": "0330"}
    found = {(copy.of, copy.group) for copy in copies(recordings)}
    names = {group: same.get(group) or worm(group) for group in recordings}
    expected = {
        (one, other)
        for n, one in enumerate(names)
        for other in list(names)[n + 1 :]
        if names[one] == names[other] and ("Kato" in one) == ("Kato" in other)
    }
    assert found == expected and len(found) == 9


@real
def test_real_simulations_share_nothing_and_a_rounded_part_of_one_is_known() -> None:
    import dataclasses

    recordings = opened("elm/*.p")
    several = {group: recordings[group] for group in recordings}
    assert copies(several) == []
    first = several[recordings.groups[0]]
    part = dataclasses.replace(
        first, group="part", signal=first.signal[1000:4000].astype(np.float16), spikes=None, events={}
    )
    (copy,) = copies({**several, "part": part})
    assert (copy.of, copy.group, copy.shift_ms) == (first.group, "part", 1000.0)
