"""Sessions whose numbers are possible one by one and do not go together: each is read with a doubt, and valid unusual ones without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from neurocli_eirnn.data.readers.matfile import read_session
from tests.plugins.eirnn.data.small import NEURONS, TRIALS, variables

Fields = dict[str, Any]


def checks_of(tmp_path: Path, change: Callable[[Fields], object]) -> dict[str, str]:
    """Check → what is doubted, of the small session after a change."""
    fields = variables()
    change(fields)
    path = tmp_path / "session.mat"
    scipy.io.savemat(str(path), fields)
    return {note.check: note.found for note in read_session(path).notes if note.is_doubt}


def _in_front(fields: Fields) -> None:
    rates = fields["firing_rates"]
    turned = [np.roll(rates[:, :, k], int(np.isnan(rates[0, :, k]).sum()), axis=1) for k in range(TRIALS)]
    fields["firing_rates"] = np.nan_to_num(np.stack(turned, 2))


def _eye(value: float, at: slice) -> Callable[[Fields], None]:
    def change(fields: Fields) -> None:
        fields["input_eye_x"] = fields["input_eye_x"] + (0.0 if value else 960.0)
        fields["input_eye_x"][at, 3] = value

    return change


def _duration(value: float) -> Callable[[Fields], None]:
    def change(fields: Fields) -> None:
        fields["trial_duration_ms"] = np.where(np.arange(TRIALS)[:, None] == 3, value, fields["trial_duration_ms"])

    return change


def _neuron(change: Callable[[Any], Any], neuron: int = 2) -> Callable[[Fields], None]:
    def changed(fields: Fields) -> None:
        fields["firing_rates"] = fields["firing_rates"].copy()
        fields["firing_rates"][neuron] = change(fields["firing_rates"])

    return changed


def _pulses(fields: Fields) -> None:
    for name in ("input_fixation_on", "input_go_signal"):
        pulse = np.zeros_like(fields[name])
        pulse[1:] = np.diff(fields[name], axis=0) > 0
        fields[name] = pulse


def _swapped(first: str, second: str) -> Callable[[Fields], None]:
    return lambda fields: fields.update({first: fields[second], second: fields[first]})


@pytest.mark.parametrize(
    ("change", "check", "found"),
    [
        (_in_front, "trial-ends", "begin with"),
        (_eye(-32768.0, slice(10, 20)), "eye", "-32768"),
        (_eye(1e8, slice(10, 11)), "eye", "1e\\+08"),
        (_eye(0.0, slice(10, 20)), "eye", "as far as 0"),
        (_duration(0.0), "no-duration", "first trial 3"),
        (_duration(-1.0), "no-duration", "1 of 24"),
        (_neuron(lambda rates: rates[1]), "same-neurons", "5 and 6"),
        (_neuron(lambda rates: rates[4] * (np.arange(TRIALS) < 12), 4), "lost-neurons", "12 in 12"),
        (_pulses, "task-inputs", "fixation_on for 1 bins, input_go_signal for 1 bins"),
        (_swapped("input_go_signal", "input_reward_on"), "event-order", "reward comes before go in 24 of 24"),
        (lambda f: f.update(neuron_type=3 - f["neuron_type"]), "neuron-types", "5 of 7 neurons are inhibitory"),
        (lambda f: f.update(trial_salience=(f["trial_salience"] == 1) * 1.0), "labels", "a bullseye has no salience"),
    ],
)
def test_a_contradiction_is_a_doubt(change, check, found, tmp_path):
    import re

    doubts = checks_of(tmp_path, change)
    assert re.search(found, doubts[check])


def _only(neurons: list[int] | slice, trials: list[int] | slice) -> Callable[[Fields], None]:
    def change(fields: Fields) -> None:
        for name, value in list(fields.items()):
            if name == "firing_rates" or name.startswith("input_"):
                fields[name] = value[..., trials]
            elif name.startswith("trial_"):
                fields[name] = value[trials]
        fields["firing_rates"] = fields["firing_rates"][neurons]
        for name in ("neuron_type", "neuron_ids"):
            fields[name] = fields[name][neurons]
        fields["n_neurons"], fields["n_trials"] = ([[float(fields["firing_rates"].shape[axis])]] for axis in (0, 2))

    return change


def _no_spikes_before_the_target(fields: Fields) -> None:
    rates = fields["firing_rates"].copy()
    rates[:, :16][~np.isnan(rates[:, :16])] = 0
    fields["firing_rates"] = rates


@pytest.mark.parametrize(
    "change",
    [
        _only([2], slice(None)),
        _only([4], slice(None)),
        _only(slice(NEURONS), [2]),
        _only([1], [2]),
        _only(slice(NEURONS), [2, 3]),
        _no_spikes_before_the_target,
        lambda fields: fields.update(
            firing_rates=np.where(np.indices(fields["firing_rates"].shape)[1] % 7 == 3, 1, 0) * fields["firing_rates"]
        ),
    ],
)
def test_an_unusual_session_has_no_doubt(change, tmp_path):
    assert not checks_of(tmp_path, change)


def test_neurons_without_any_spike_are_no_padding(tmp_path):
    assert set(checks_of(tmp_path, lambda fields: fields.update(firing_rates=fields["firing_rates"] * 0))) == {
        "silent-neurons"
    }
