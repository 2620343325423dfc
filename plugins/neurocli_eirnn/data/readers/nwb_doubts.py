"""What is doubtful in the tables of an NWB session: times twice or rounded, events outside of their trial, rows that are marked as bad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Note
from neurocli_eirnn.data.readers.nwb_tables import Table, plain

Array = NDArray[np.float64]

_TWICE = 0.05
_COARSE_S, _TENTH_S = 0.0045, 0.1
_FEWEST = 100
_OUTSIDE, _MARGIN_S = 0.1, 1.0
_QUALITY = ("quality", "kslabel", "ks_label", "unit_quality", "sorting_quality", "cluster_group", "group_label")
_NO_NEURON = (
    "noise",
    "mua",
    "multi",
    "multiunit",
    "multi-unit",
    "multi_unit",
    "bad",
    "artifact",
    "artefact",
    "unsorted",
    "nonsomatic",
)
_BAD_TRIAL = (
    "aborted",
    "abort",
    "is_aborted",
    "discard",
    "discarded",
    "discard_trial",
    "exclude",
    "excluded",
    "invalid",
    "bad",
    "bad_trial",
    "artifact",
)
_GOOD_TRIAL = (
    "include",
    "included",
    "valid",
    "is_valid",
    "good",
    "is_good",
    "good_trial",
    "keep",
    "completed",
    "complete",
)
_YES, _NO = ("true", "1", "1.0", "yes", "y"), ("false", "0", "0.0", "no", "n")


def coarse_spikes(spikes: list[Array], where: str) -> list[Note]:
    """Units [n] in s that have spikes twice, and a clock that is coarser than bins can do with."""
    notes = []
    same = [int((np.diff(np.sort(times)) == 0).sum()) for times in spikes]
    twice = [
        unit
        for unit, (count, times) in enumerate(zip(same, spikes, strict=True))
        if count > max(1, _TWICE * len(times))
    ]
    if twice:
        worst = max(twice, key=lambda unit: same[unit] / len(spikes[unit]))
        found = f"{len(twice)} of {len(spikes)} units have several spikes at the same time, unit {worst} {same[worst]} of {len(spikes[worst])}"
        notes.append(
            Note(
                "spike-times",
                where,
                found,
                "is each spike there twice, or were the times rounded? float16 and float32 round late times",
            )
        )
    every = np.unique(np.concatenate(spikes))
    step = float(np.diff(every).min()) if len(every) > _FEWEST else 0.0
    if step > _COARSE_S:
        found = f"no two spike times of any units are closer than {step:.3g} s"
        notes.append(
            Note(
                "spike-clock",
                where,
                found,
                "were the times rounded, or are these bins? give the times as they were sorted",
            )
        )
    return notes


def rounded_events(events: Mapping[str, Array], where: str) -> list[Note]:
    """Times [trial] in s of target, go and reward that all have one decimal at most."""
    times = np.concatenate([events[name] for name in ("target", "go", "reward")])
    times = times[np.isfinite(times)]
    tenths = times / _TENTH_S
    if len(times) < 10 or (np.abs(tenths - np.rint(tenths)) > 1e-4).any():
        return []
    step = "1 s" if (np.abs(times - np.rint(times)) < 1e-5).all() else "0.1 s"
    return [
        Note(
            "event-times",
            where,
            f"all times of target, go and reward are in whole steps of {step}",
            "were they rounded? bins are of 25 ms",
        )
    ]


def outside_of_trials(events: Mapping[str, Array], start: Array | None, stop: Array | None, where: str) -> list[Note]:
    """Events [trial] in s that lie in another trial than their row says."""
    if start is None or stop is None:
        return []
    known = np.isfinite(start) & np.isfinite(stop) & (stop > start)
    counts = {}
    for name, times in events.items():
        told = known & np.isfinite(times)
        out = told & ((times < start - _MARGIN_S) | (times > stop + _MARGIN_S))
        if told.any() and out.sum() > _OUTSIDE * told.sum():
            counts[name] = f"{name} in {int(out.sum())} of {int(told.sum())}"
    if not counts:
        return []
    found = f"events lie outside of their trial, which goes from start_time to stop_time: {', '.join(counts.values())} trials"
    return [Note("event-times", where, found, "do the columns have their rows in one order?")]


def left_out(count: int, rows: int, where: str) -> list[Note]:
    """Trials without what they are aligned and ended by."""
    if not count:
        return []
    found = f"{count} of {rows} trials are left out: they have no time of fixation, or none of a reward after it"
    return [Note("left-out", where, found, "give a time of the reward, or of when it would have been, to keep them")]


def marked_units(units: Table) -> list[Note]:
    """Units that a column calls no single neurons; they are read all the same."""
    return _marked(
        units,
        _QUALITY,
        lambda text: text in _NO_NEURON,
        "units",
        "leave out what is no single neuron, if that is meant",
    )


def marked_trials(trials: Table) -> list[Note]:
    """Trials that a column tells to leave out; they are read all the same."""
    advice = "leave these trials out of the file, if that is meant"
    return [
        *_marked(trials, _BAD_TRIAL, lambda text: text in _YES, "trials", advice),
        *_marked(trials, _GOOD_TRIAL, lambda text: text in _NO, "trials", advice),
    ]


def _marked(
    table: Table, names: tuple[str, ...], is_marked: Callable[[str], bool], what: str, advice: str
) -> list[Note]:
    notes = []
    for place, column in table.named(names):
        values = [_text(plain(value)) for value in column[:]]
        marked = [value for value in values if is_marked(value)]
        if marked:
            kinds = ", ".join(dict.fromkeys(marked))
            found = f"{len(marked)} of {table.rows} {what} are marked as {kinds}, and are read all the same"
            notes.append(Note("marked", place, found, advice))
    return notes


def _text(value: Any) -> str:
    return str(value).strip().lower()
