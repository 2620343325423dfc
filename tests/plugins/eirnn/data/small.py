"""A small session in which every size is its own, as numbers and as spike times."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from neurocli.recordings import RecordingSet
from neurocli_eirnn.data.session import INPUT_NAMES, LOCATIONS
from neurocli_eirnn.data.tasks import TrialEvents, bin_centres, task_inputs, valid_bins
from tests.variants import SAME, SILENT, outcome

TRIALS, NEURONS = 24, 7
AREAS = ["SC", "SC", "MRF", "SC", "MRF", "SC", "SC"]


@cache
def events() -> tuple[TrialEvents, ...]:
    random = np.random.default_rng(5)
    made = []
    for number in range(TRIALS):
        target = random.uniform(200, 400)
        go = target + random.uniform(200, 400)
        reward = go + random.uniform(150, 500)
        identity = 1 + number % 3
        salience = 1 + number // 3 % 2 if identity == 3 else 0
        made.append(TrialEvents(target, go, reward, 1 + number % 4, identity, salience))
    return tuple(made)


@cache
def spike_times() -> tuple[np.ndarray, ...]:
    """Spike times [neuron][n] in s on a clock on which trial k has its fixation at 3 + 4 k."""
    random = np.random.default_rng(6)
    rates = np.array([6.0, 14.0, 25.0, 9.0, 40.0, 18.0, 11.0])
    length = 4.0 * (TRIALS + 1)
    return tuple(np.sort(random.uniform(0, length, random.poisson(rate * length))) for rate in rates)


FIXATION_S = 3 + 4.0 * np.arange(TRIALS)


def variables() -> dict[str, Any]:
    """The variables of an export, in MATLAB's shapes, to be changed; rates padded with NaN."""
    return dict(_variables())


@cache
def _variables() -> dict[str, Any]:
    ends = np.array([valid_bins(trial.reward_ms) for trial in events()])
    bins = int(ends.max())
    time_ms = bin_centres(bins)
    edges = FIXATION_S[:, None] - 0.2 + 0.025 * np.arange(bins + 1)
    counts = np.array([np.diff(np.searchsorted(times, edges), axis=1) for times in spike_times()])  # neuron, trial, bin
    rates = counts.transpose(0, 2, 1) / 0.025
    rates[:, np.arange(bins)[:, None] >= ends] = np.nan
    inputs = np.array([task_inputs(time_ms, 25.0, trial) for trial in events()], np.float64)
    eye = np.cumsum(np.random.default_rng(7).normal(0, 0.2, (2, bins, TRIALS)), axis=1)
    fields: dict[str, Any] = {
        "firing_rates": rates,
        "neuron_type": np.array([1.0, 1, 2, 1, 2, 1, 1])[:, None],
        "neuron_ids": np.array([3.0, 5, 6, 9, 12, 13, 20])[:, None],
        "n_trials": np.array([[float(TRIALS)]]),
        "n_neurons": np.array([[float(NEURONS)]]),
        "n_time_bins": np.array([[float(bins)]]),
        "bin_size_ms": np.array([[25.0]]),
        "time_axis": time_ms[None, :],
        "trial_duration_ms": np.array([trial.reward_ms for trial in events()])[:, None],
        "input_target_loc": inputs[:, :, LOCATIONS].transpose(2, 1, 0),
        "trial_reward": np.array([float(k % 5 > 1) for k in range(TRIALS)])[:, None],
        "trial_probability": np.array([float(k % 2) for k in range(TRIALS)])[:, None],
        "session_name": "Small_01",
    }
    for channel, name in enumerate(INPUT_NAMES):
        if not name.startswith("target_loc"):
            fields[f"input_{name}"] = inputs[:, :, channel].T
    fields["input_eye_x"], fields["input_eye_y"] = eye
    for name in ("location", "identity", "salience"):
        fields[f"trial_{name}"] = np.array([float(getattr(trial, name)) for trial in events()])[:, None]
    return fields


def became(base: RecordingSet, read: Callable[[], RecordingSet]) -> str:
    """`outcome` by the doubts of the reader alone, since whoever trains sees no others; types and times count as well."""
    opened: list[RecordingSet] = []

    def once() -> RecordingSet:
        opened.append(read())
        return opened[-1]

    result = outcome(base, once, lambda _: [])
    if result != SAME or any(note.is_doubt for note in opened[0].notes):
        return result
    shared = opened[0].truth
    alike = all(np.allclose(shared[name], values) for name, values in base.truth.items())
    return SAME if alike else SILENT
