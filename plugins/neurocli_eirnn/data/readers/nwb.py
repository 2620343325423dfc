"""A session as an NWB file: spikes of the units table, binned around the events of the trials table.

The tables need these columns (times in seconds on the file's clock; other names for the same thing in brackets):

    units    spike_times; neuron_type: 1, E, classic, excitatory | 2, I, putative_interneuron, inhibitory
    trials   fixation_on_time [fix_on_time], target_on_time, go_time [fix_off_time], reward_time,
             location [target_location]: 1 to 4, reward [reward_level]: 1, high | 0, low

and may have brain_area [location] and obs_intervals of units, and of trials identity: 1 to 3, face, nonface, bullseye; salience:
1, high | 2, low | 0, none; probability: 1, high | 0, low. Other usual names are found too, and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note
from neurocli.recordings.files import memory
from neurocli.recordings.files.nwb import look_into_nwb, open_nwb
from neurocli.recordings.readers import Reader
from neurocli.recordings.recordingset import RecordingSet
from neurocli_eirnn.data.doubts import checked
from neurocli_eirnn.data.identity import unique_names
from neurocli_eirnn.data.readers.codes import LABEL_CODES, REQUIRED_LABELS, TYPE_CODES
from neurocli_eirnn.data.readers.matfile import EYE, only_one
from neurocli_eirnn.data.readers.nwb_doubts import (
    left_out,
    marked_trials,
    marked_units,
    outside_of_trials,
    rounded_events,
)
from neurocli_eirnn.data.readers.nwb_tables import Table, seconds
from neurocli_eirnn.data.readers.nwb_times import check_spikes, check_trials, observed, on_session_clock
from neurocli_eirnn.data.session import INPUT_NAMES, Session
from neurocli_eirnn.data.tasks import AFTER_MS, BEFORE_MS, BIN_MS, TrialEvents, bin_centres, task_inputs, valid_bins

_EVENTS = {
    "fixation": (
        "fixation_on_time",
        "fix_on_time",
        "fixation_onset_time",
        "fixation_onset",
        "fixation_on",
        "fix_on",
        "fixation_time",
    ),
    "target": ("target_on_time", "target_onset_time", "target_onset", "target_on", "target_time"),
    "go": (
        "go_time",
        "fix_off_time",
        "go_cue_time",
        "go_onset_time",
        "go_signal_time",
        "fixation_off_time",
        "fix_off",
        "go_cue",
    ),
    "reward": (
        "reward_time",
        "reward_on_time",
        "reward_onset_time",
        "reward_delivery_time",
        "reward_onset",
        "reward_on",
    ),
}
_LABELS = {
    "reward": ("reward", "reward_level", "trial_reward", "reward_size"),
    "probability": ("probability", "trial_probability"),
    "location": ("location", "target_location", "trial_location", "target_loc"),
    "identity": ("identity", "trial_identity", "target_identity", "stimulus_identity"),
    "salience": ("salience", "trial_salience", "target_salience"),
}
_NEURON_TYPE = ("neuron_type", "cell_type", "putative_cell_type", "unit_type", "neuron_class", "cell_class")
_AREA = ("brain_area", "location", "brain_region", "area")


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

    def lacks(self, path: Path) -> str | None:
        """NWB with trials, and without units."""
        with look_into_nwb(path) as file:
            if file is None or "intervals" not in file or not len(file["intervals"]):
                return None
            return f"the table units is missing; there are trials in intervals/{next(iter(file['intervals']))}"


def read_session(path: Path) -> Session:
    """The session of an NWB file, in bins of 25 ms from 200 ms before fixation to 500 ms after reward.

    Raises MissingDependency without pynwb; DataError that names the table and the column.
    """
    with open_nwb(path) as content:
        units = Table(f"{path}:units", content.units)
        trials = _trials_table(path, content)
        name = str(content.session_id or content.identifier or path.stem)
        return _session(name, path, units, trials)


def _trials_table(path: Path, content: Any) -> Table:
    """The table of trials; another one of intervals where there is none, or with the columns that it lacks."""
    tables = {name: table for name, table in (content.intervals or {}).items() if len(table)}
    main = content.trials
    if main is None or not len(main):
        named = [name for name, table in tables.items() if Table(name, table).find(_EVENTS["fixation"])]
        if len(named) != 1:
            where = f"{path}:trials"
            others = f"; the tables of intervals are: {', '.join(sorted(tables))}" if tables else ""
            raise DataError("the table is missing or empty", where=where, hint=f"export a table of trials{others}")
        found = Table(f"{path}:intervals/{named[0]}", tables[named[0]])
        found.notes.append(Note("columns", found.where, "this table is taken as that of the trials"))
        return found
    beside = [
        (f"{path}:intervals/{name}", table)
        for name, table in sorted(tables.items())
        if table is not main
        and len(table) == len(main)
        and np.array_equal(table["start_time"][:], main["start_time"][:])
    ]
    return Table(f"{path}:trials", main, beside)


@dataclass
class _Trials:
    """Event times in seconds and labels, of the trials that can be used."""

    fixation_s: NDArray[np.float64]
    events: list[TrialEvents]
    labels: dict[str, NDArray[np.int64]]
    left_out: int
    notes: list[Note]

    @property
    def valid_bins(self) -> NDArray[np.int64]:
        """[trial] number of bins of the trial's window."""
        return np.array([valid_bins(trial.reward_ms) for trial in self.events])


def _session(name: str, path: Path, units: Table, trials: Table) -> Session:
    types = _types(units)
    if units.find(("spike_times",)) is None:
        raise DataError(
            "the required column spike_times is missing", where=units.where, hint="export spikes with the units"
        )
    usable = _trials(trials)
    bins = int(usable.valid_bins.max())
    time_ms = bin_centres(bins)
    ids, notes = unique_names(units.ids(), f"{units.where}/id")
    areas = units.column(_AREA)
    missing = [f"input_{name}" for name in EYE] + [f"trial_{name}" for name in LABEL_CODES if name not in usable.labels]
    if areas is None:
        missing.append("brain_area")
    if usable.left_out:
        missing.append(f"fixation or reward time of {usable.left_out} trials, left out")
    rates, rate_notes = _rates(units, usable, bins)
    session = Session(
        name=name,
        rates=rates,
        inputs=np.array([task_inputs(time_ms, BIN_MS, trial) for trial in usable.events], np.float32).reshape(
            -1, bins, len(INPUT_NAMES)
        ),
        neuron_type=types,
        neuron_ids=ids,
        time_ms=time_ms,
        bin_ms=BIN_MS,
        duration_ms=np.array([trial.reward_ms for trial in usable.events]),
        labels=usable.labels,
        brain_area=[] if areas is None else [_area(area) for area in areas],
        missing=tuple(missing),
        source=str(path),
    )
    notes += [*units.notes, *trials.notes, *usable.notes, *rate_notes, *marked_units(units), *marked_trials(trials)]
    session.notes = (*notes, *checked(session, str(path)))
    return session


def _types(units: Table) -> NDArray[np.int64]:
    """[unit] of the column of types, under any of its names; else of the one column that holds nothing but names of types."""
    if units.find(_NEURON_TYPE) is None and (name := units.holding(TYPE_CODES)) is not None:
        units.notes.append(Note("columns", units.where, f"column {name} is taken as neuron_type"))
        return units.coded((name,), TYPE_CODES)
    return units.coded(_NEURON_TYPE, TYPE_CODES)


def _trials(table: Table) -> _Trials:
    """The trials with their times from fixation onset. Raises DataError where none can be aligned, or one is too long."""
    times = {event: seconds(table.need(names), table.place(names)) for event, names in _EVENTS.items()}
    needed = {name: columns for name, columns in _LABELS.items() if name in REQUIRED_LABELS or table.find(columns)}
    for name in needed:
        table.need(needed[name])
    start, stop = (
        None if (values := table.column((name,))) is None else seconds(values, table.where)
        for name in ("start_time", "stop_time")
    )
    times, notes = on_session_clock(times, start, stop, table.where)
    usable = np.isfinite(times["fixation"]) & (times["reward"] >= times["fixation"])
    if not usable.any():
        raise DataError(
            "no trial has a fixation time and a reward after it",
            where=table.where,
            hint="see the columns of event times",
        )
    notes += outside_of_trials(times, start, stop, table.where)
    times, more = check_trials(times, usable, table.where)
    more += [*rounded_events(times, table.where), *left_out(int((~usable).sum()), len(usable), table.where)]
    rows = np.flatnonzero(usable)
    labels = {name: table.coded(columns, LABEL_CODES[name], rows) for name, columns in needed.items()}
    # Rounded, so that a time on the edge of a bin does not depend on how long the file's clock has been running.
    ms = {event: np.round((at - times["fixation"]) * 1e3, 6) for event, at in times.items()}
    events = [
        TrialEvents(
            target_ms=float(ms["target"][row]),
            go_ms=float(ms["go"][row]),
            reward_ms=float(ms["reward"][row]),
            location=int(labels["location"][number]),
            identity=int(labels["identity"][number]) if "identity" in labels else 0,
            salience=int(labels["salience"][number]) if "salience" in labels else 0,
        )
        for number, row in enumerate(rows)
    ]
    return _Trials(times["fixation"][usable], events, labels, int((~usable).sum()), [*notes, *more])


def _rates(units: Table, trials: _Trials, bins: int) -> tuple[NDArray[np.float32], list[Note]]:
    """Rates [trial, time, unit] in sp/s, NaN after each trial's window and where a unit was not observed; what is doubtful."""
    memory.take(len(trials.events) * bins * units.rows * 4, units.where)
    edges_s = (-BEFORE_MS + np.arange(bins + 1) * BIN_MS) * 1e-3 + trials.fixation_s[:, None]
    spikes = [units.ragged("spike_times", row).ravel() for row in range(units.rows)]
    reward_s = np.array([trial.reward_ms for trial in trials.events]) * 1e-3
    end_s = trials.fixation_s + reward_s + AFTER_MS * 1e-3
    notes = check_spikes(spikes, edges_s[:, 0], end_s, f"{units.where}/spike_times")
    rates = np.empty((len(trials.events), bins, units.rows), np.float32)
    for unit, times in enumerate(spikes):
        rates[:, :, unit] = np.diff(np.searchsorted(np.sort(times), edges_s), axis=1) / (BIN_MS * 1e-3)
    rates[np.arange(bins) >= trials.valid_bins[:, None]] = np.nan
    return rates, notes + _unobserved(units, rates, edges_s)


def _unobserved(units: Table, rates: NDArray[np.float32], edges_s: NDArray[np.float64]) -> list[Note]:
    """NaN in place of the rates of bins in which a unit was not observed, by obs_intervals; how many these are."""
    if units.find(("obs_intervals",)) is None:
        return []
    before = np.isfinite(rates).sum(axis=(0, 1))
    where = f"{units.where}/obs_intervals"
    for unit in range(units.rows):
        intervals = units.ragged("obs_intervals", unit)
        if intervals.size:
            rates[~observed(intervals, edges_s, f"{where}, row {unit}"), unit] = np.nan
    lost = before - np.isfinite(rates).sum(axis=(0, 1))
    if not lost.any():
        return []
    if not np.isfinite(rates).any():
        hint = "times in NWB are in seconds, on one clock for the whole session"
        raise DataError("no unit was observed in any trial", where=where, hint=hint)
    found = f"{int((lost > 0).sum())} of {units.rows} units were not observed in up to {(lost / before).max():.0%} of the trials' bins: no data there"
    return [Note("observed", where, found, "leave out units, or trials, that were not observed throughout")]


def _area(value: Any) -> str:
    if isinstance(value, list):
        return "/".join(dict.fromkeys(str(part) for part in value))
    return "unknown" if value is None else str(value)
