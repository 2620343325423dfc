"""A real session read with h5py alone, its published split, and what the command line says of it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from neurocli.cli.main import run
from neurocli.recordings.copies import copies
from neurocli_eirnn.data.overlaps import without_overlaps
from neurocli_eirnn.data.readers.matfile import read_session
from neurocli_eirnn.data.session import select
from neurocli_eirnn.data.writers.matfile import write_mat

Array = NDArray[Any]
CHANNELS = {
    "fixation_on": 0,
    "go_signal": 5,
    "reward_on": 6,
    "eye_x": 7,
    "eye_y": 8,
    "is_face": 9,
    "is_nonface": 10,
    "is_bullseye": 11,
    "high_salience": 12,
    "low_salience": 13,
}


class Plain:
    """The arrays of a v7.3 export, trial first, as h5py gives them: rates [trial, time, neuron] in sp/s, inputs [trial, time, 14],
    given [trial, time, 15] with a target's promise of a high reward, which eirnn-v2 has too."""

    before, after, sd_bins = 8, 20, 2.0
    """Bins of 25 ms: 200 ms before and 500 ms after an event, and 50 ms of smoothing."""

    def __init__(self, path: Path) -> None:
        with h5py.File(path) as file:
            self.rates: Array = file["firing_rates"][:]
            self.counts: Array = np.rint(self.rates * 0.025)
            self.inputs = np.zeros((*self.rates.shape[:2], 14))
            self.inputs[..., 1:5] = file["input_target_loc"][:]
            for name, channel in CHANNELS.items():
                self.inputs[..., channel] = file[f"input_{name}"][:]
            self.types: Array = file["neuron_type"][:].ravel()
            self.id = [f"{name:g}" for name in file["neuron_ids"][:].ravel()]
            self.time: Array = file["time_axis"][:].ravel()
            self.duration: Array = file["trial_duration_ms"][:].ravel()
            self.label: dict[str, Array] = {
                name: file[f"trial_{name}"][:].ravel() for name in ("location", "reward", "identity", "salience")
            }
        promised = self.inputs[..., 1:5].sum(axis=2) * np.where(self.label["reward"] == 1, 0.2, -0.2)[:, None]
        self.given: Array = np.concatenate((self.inputs, promised[..., None]), axis=2)
        signals = {
            "fixation": self.inputs[..., 0],
            "target": self.inputs[..., 1:5].sum(axis=2),
            "go": self.inputs[..., 5],
            "reward": self.inputs[..., 6],
        }
        self.onset = {
            name: np.array([next((t for t, on in enumerate(trial) if on), -1) for trial in signal])
            for name, signal in signals.items()
        }

    def chosen(self, which: str, *, development: bool = False) -> Array:
        """Rows of all trials, or of those with fixation on, over 500 ms, and target before go before reward.

        development: without every fourth trial of the file.
        """
        on = self.onset
        rows = np.arange(len(self.rates))
        if development:
            rows = self.chosen(which)
            return rows[rows % 4 != 3]
        if which == "all":
            return rows
        good = (on["fixation"] >= 0) & (on["target"] >= 0) & (self.duration > 500)
        return rows[good & (on["target"] < on["go"]) & (on["go"] < on["reward"])]

    def split(self, which: str, *, development: bool = False) -> tuple[Array, Array, Array]:
        """Rows (train, validation, test): seed 42, shuffled within reward, a fifth held out; a tenth of the rest chooses."""
        rows = self.chosen(which, development=development)
        random = np.random.RandomState(42)
        test, rest = [], []
        for value in (0, 1):
            members = rows[self.label["reward"][rows] == value]
            random.shuffle(members)
            test += list(members[: len(members) // 5])
            rest += list(members[len(members) // 5 :])
        rest_in_order = random.permutation(np.sort(rest))
        held = len(rest) // 10
        return np.sort(rest_in_order[held:]), np.sort(rest_in_order[:held]), np.sort(test)

    def around(self, values: Array, event: str) -> Array:
        """Windows [trial, 29, ...] of values [trial, time, ...] around an event, NaN beyond the axis."""
        out = np.full((len(values), self.before + self.after + 1, *values.shape[2:]), np.nan)
        for n, onset in enumerate(self.onset[event]):
            for k in range(out.shape[1]):
                if onset >= 0 and 0 <= onset - self.before + k < values.shape[1]:
                    out[n, k] = values[n, onset - self.before + k]
        return out

    def named(self, order: Sequence[int], words: Callable[[int], str]) -> str:
        """The first eight neurons of an order, each with its words, and how many more there are."""
        more = f" +{len(order) - 8} more" if len(order) > 8 else ""
        return "neuron id " + ", ".join(f"{self.id[k]}: {words(k)}" for k in order[:8]) + more

    @staticmethod
    def smooth(course: Array, sd_bins: float) -> Array:
        """Gaussian smoothing over time of [time, neuron]; bins without data are cut off, and come back as NaN."""
        if not sd_bins:
            return course
        known = np.flatnonzero(np.isfinite(course).all(axis=1))
        out = np.full(course.shape, np.nan)
        assert (np.diff(known) == 1).all()
        out[known] = gaussian_filter1d(course[known], sd_bins, axis=0, mode="nearest")
        return out


@pytest.fixture(scope="session")
def path(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real session without the trials that share spikes with others: what is left is used as it is."""
    session = read_session(real / "rnn_export_Newton_08_13_2025_SC.mat")
    kept, ended = without_overlaps(session.recordings())
    shared = {*ended, *(name for copy in copies(kept) for name in (copy.group, copy.of))}
    alone = np.array([group not in shared for group in session.groups])
    assert 300 < alone.sum() < len(alone)
    return write_mat(select(session, alone), tmp_path_factory.mktemp("session") / "rnn_export_Newton.mat")


@pytest.fixture(scope="session")
def newton(path: Path) -> Plain:
    return Plain(path)


@pytest.fixture(scope="session")
def diagnosis(
    path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[tuple[str, str], dict[str, Any]]]:
    """`diagnosis(model)`: what `neuro diagnose MODEL --data FILE --json` says, by check and subject."""
    known: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}

    def say(model: str) -> dict[tuple[str, str], dict[str, Any]]:
        if model not in known:
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.chdir(tmp_path_factory.mktemp("diagnosis")):
                assert run(["diagnose", model, "--data", str(path), "--json"]) == 0
            findings = json.loads(out.getvalue())["data"]["findings"]
            known[model] = {(f["check"], f["subject"]): f for f in findings}
            assert len(known[model]) == len(findings)
        return known[model]

    return say


@pytest.fixture(scope="session")
def said(diagnosis: Callable[[str], dict[tuple[str, str], dict[str, Any]]]) -> dict[tuple[str, str], dict[str, Any]]:
    """What is said without a choice of model."""
    return diagnosis("eirnn")
