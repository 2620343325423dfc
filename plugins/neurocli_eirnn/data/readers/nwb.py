"""A session as an NWB file: spikes of the units table, binned around the events of the trials table.

The tables need these columns (times in seconds on the file's clock; other names for the same thing in brackets):

    units    spike_times; neuron_type: 1, E, classic, excitatory | 2, I, putative_interneuron, inhibitory
    trials   fixation_on_time [fix_on_time], target_on_time, go_time [fix_off_time], reward_time,
             location [target_location]: 1 to 4, reward [reward_level]: 1, high | 0, low

and may have brain_area [location] of units, and of trials identity: 1 to 3, face, nonface, bullseye; salience: 1, high |
2, low | 0, none; probability: 1, high | 0, low.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.nwb import look_into_nwb, open_nwb
from neurocli.recordings.readers import Reader
from neurocli.recordings.recordingset import RecordingSet
from neurocli_eirnn.data.readers.matfile import EYE, only_one
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY, INPUT_NAMES, Session
from neurocli_eirnn.data.tasks import BEFORE_MS, BIN_MS, TrialEvents, bin_centres, task_inputs, valid_bins

_EVENTS = {
    "fixation": ("fixation_on_time", "fix_on_time"),
    "target": ("target_on_time",),
    "go": ("go_time", "fix_off_time"),
    "reward": ("reward_time",),
}
_HIGH_LOW: dict[Any, int] = {"high": 1, "low": 0, 1: 1, 0: 0}
_LABELS: dict[str, tuple[tuple[str, ...], dict[Any, int]]] = {
    "reward": (("reward", "reward_level"), _HIGH_LOW),
    "probability": (("probability",), _HIGH_LOW),
    "location": (("location", "target_location"), {n: n for n in (1, 2, 3, 4)}),
    "identity": (("identity",), {"face": 1, "nonface": 2, "bullseye": 3, 1: 1, 2: 2, 3: 3}),
    "salience": (("salience",), {"high": 1, "low": 2, "none": 0, "n/a": 0, "": 0, 0: 0, 1: 1, 2: 2}),
}
_REQUIRED = ("reward", "location")
_TYPES: dict[Any, int] = dict.fromkeys((1, "e", "classic", "excitatory"), EXCITATORY)
_TYPES |= dict.fromkeys((2, "i", "putative_interneuron", "inhibitory"), INHIBITORY)
_LONGEST_TRIAL_MS = 60_000.0


class SessionNwbReader(Reader):
    """Reads one NWB session with pynwb (extra `nwb`). Trials that cannot be aligned or end are left out, and said so."""

    def can_read(self, path: Path) -> bool:
        """NWB with a table of units: without spikes it is another kind of recording."""
        try:
            with look_into_nwb(path) as file:
                return file is not None and "units" in file
        except (OSError, RuntimeError):
            return False

    def read(self, paths: list[Path]) -> RecordingSet:
        return read_session(only_one(paths)).recordings()


def read_session(path: Path) -> Session:
    """The session of an NWB file, in bins of 25 ms from 200 ms before fixation to 500 ms after reward.

    Raises MissingDependency without pynwb; DataError that names the table and the column.
    """
    with open_nwb(path) as content:
        units = _Table(f"{path}:units", content.units)
        trials = _Table(f"{path}:trials", content.trials)
        name = str(content.session_id or content.identifier or path.stem)
        return _session(name, path, units, trials)


class _Table:
    """Columns of an NWB table as plain Python and numpy values."""

    def __init__(self, where: str, table: Any) -> None:
        if table is None or not len(table):
            raise DataError("the table is missing or empty", where=where)
        self.where, self._table = where, table
        self.rows = len(table)

    def column(self, names: tuple[str, ...]) -> list[Any] | None:
        """The first of these columns that there is; bytes and numpy scalars as str, int, float."""
        name = self.name_of(names)
        return None if name is None else [_plain(value) for value in self._table[name][:]]

    def name_of(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if name in self._table.colnames), None)

    def need(self, names: tuple[str, ...]) -> list[Any]:
        values = self.column(names)
        if values is None:
            columns = ", ".join(self._table.colnames)
            raise DataError(
                f"the required column {' or '.join(names)} is missing",
                where=self.where,
                hint=f"the columns are: {columns}",
            )
        return values

    def ids(self) -> list[str]:
        return [str(_plain(value)) for value in self._table.id[:]]

    def spike_times(self, row: int) -> NDArray[np.float64]:
        """Spike times [n] of a unit in seconds, ascending."""
        times = np.asarray(self._table["spike_times"][row], np.float64).ravel()
        if not np.isfinite(times).all():
            raise DataError("a spike time is not finite", where=f"{self.where}/spike_times, row {row}")
        return np.sort(times)


@dataclass
class _Trials:
    """Event times in seconds and labels, of the trials that can be used."""

    fixation_s: NDArray[np.float64]
    events: list[TrialEvents]
    labels: dict[str, NDArray[np.int64]]
    left_out: int

    @property
    def valid_bins(self) -> NDArray[np.int64]:
        """[trial] number of bins of the trial's window."""
        return np.array([valid_bins(trial.reward_ms) for trial in self.events])


def _session(name: str, path: Path, units: _Table, trials: _Table) -> Session:
    types = _coded(units, ("neuron_type",), _TYPES)
    assert types is not None
    if units.name_of(("spike_times",)) is None:
        raise DataError("the required column spike_times is missing", where=units.where)
    usable = _trials(trials)
    bins = int(usable.valid_bins.max())
    time_ms = bin_centres(bins)
    areas = units.column(("brain_area", "location"))
    missing = [f"input_{name}" for name in EYE] + [f"trial_{name}" for name in _LABELS if name not in usable.labels]
    if areas is None:
        missing.append("brain_area")
    if usable.left_out:
        missing.append(f"fixation or reward time of {usable.left_out} trials, left out")
    return Session(
        name=name,
        rates=_rates(units, usable, bins),
        inputs=np.array([task_inputs(time_ms, BIN_MS, trial) for trial in usable.events], np.float32).reshape(
            -1, bins, len(INPUT_NAMES)
        ),
        neuron_type=types,
        neuron_ids=units.ids(),
        time_ms=time_ms,
        bin_ms=BIN_MS,
        duration_ms=np.array([trial.reward_ms for trial in usable.events]),
        labels=usable.labels,
        brain_area=[] if areas is None else [str(area) for area in areas],
        missing=tuple(missing),
        source=str(path),
    )


def _trials(table: _Table) -> _Trials:
    """The trials with their times from fixation onset. Raises DataError where none can be aligned, or one is too long."""
    seconds = {event: np.array([_number(v) for v in table.need(names)]) for event, names in _EVENTS.items()}
    labels: dict[str, NDArray[np.int64]] = {}
    for name, (columns, codes) in _LABELS.items():
        values = _coded(table, columns, codes, optional=name not in _REQUIRED)
        if values is not None:
            labels[name] = values
    usable = np.isfinite(seconds["fixation"]) & (seconds["reward"] >= seconds["fixation"])
    if not usable.any():
        raise DataError("no trial has a fixation time and a reward after it", where=table.where)
    # Rounded, so that a time on the edge of a bin does not depend on how long the file's clock has been running.
    ms = {event: np.round((times - seconds["fixation"]) * 1e3, 6) for event, times in seconds.items()}
    long = usable & (ms["reward"] > _LONGEST_TRIAL_MS)
    if long.any():
        raise DataError(
            f"the reward comes more than {_LONGEST_TRIAL_MS / 1e3:g} s after fixation",
            where=f"{table.where}, row {int(np.argmax(long))}",
            hint="times are in seconds; correct or remove the trial",
        )
    events = [
        TrialEvents(
            target_ms=float(ms["target"][row]),
            go_ms=float(ms["go"][row]),
            reward_ms=float(ms["reward"][row]),
            location=int(labels["location"][row]),
            identity=int(labels["identity"][row]) if "identity" in labels else 0,
            salience=int(labels["salience"][row]) if "salience" in labels else 0,
        )
        for row in np.flatnonzero(usable)
    ]
    usable_labels = {name: values[usable] for name, values in labels.items()}
    return _Trials(seconds["fixation"][usable], events, usable_labels, int((~usable).sum()))


def _rates(units: _Table, trials: _Trials, bins: int) -> NDArray[np.float32]:
    """Rates [trial, time, unit] in sp/s, NaN after each trial's window."""
    edges_s = (-BEFORE_MS + np.arange(bins + 1) * BIN_MS) * 1e-3 + trials.fixation_s[:, None]
    rates = np.empty((len(trials.events), bins, units.rows), np.float32)
    for unit in range(units.rows):
        rates[:, :, unit] = np.diff(np.searchsorted(units.spike_times(unit), edges_s), axis=1) / (BIN_MS * 1e-3)
    rates[np.arange(bins) >= trials.valid_bins[:, None]] = np.nan
    return rates


def _coded(
    table: _Table, columns: tuple[str, ...], codes: Mapping[Any, int], *, optional: bool = False
) -> NDArray[np.int64] | None:
    """A column of names or numbers as our codes. Raises DataError that names the row of an unknown one."""
    values = table.column(columns) if optional else table.need(columns)
    if values is None:
        return None
    coded = []
    for row, value in enumerate(values):
        key = value.strip().lower() if isinstance(value, str) else value
        if isinstance(key, str) and key.isdecimal():
            key = int(key)
        if key not in codes:  # NaN is in no dictionary, and 1.0 is the key 1
            raise DataError(
                f"the value {value!r} is not known",
                where=f"{table.where}/{table.name_of(columns)}, row {row}",
                hint="known are: " + ", ".join(str(code) for code in codes if code != ""),
            )
        coded.append(codes[key])
    return np.array(coded, np.int64)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.item() if isinstance(value, np.generic) else value


def _number(value: Any) -> float:
    """A time as float; what is none counts as an event that did not happen."""
    return float(value) if isinstance(value, (int, float)) else math.nan
