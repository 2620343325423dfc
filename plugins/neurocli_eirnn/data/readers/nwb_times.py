"""The clock of an NWB session: all times are to be in seconds from one zero. What is otherwise is named, not binned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note
from neurocli.recordings.plausible import TRIAL_MS
from neurocli_eirnn.data.readers.nwb_doubts import coarse_spikes

Array = NDArray[np.float64]

LONGEST_TRIAL_S = 60.0
_MOST = 0.9
_COVERED = 0.5
_SPIKES_PER_TRIAL = 5.0
_UNITS = {"ms": 1e3, "samples of 20 to 40 kHz": 3e4, "µs": 1e6}
_CLOCK = "times in NWB are in seconds, on one clock for the whole session"


def on_session_clock(
    events: dict[str, Array], start: Array | None, stop: Array | None, where: str
) -> tuple[dict[str, Array], list[Note]]:
    """Event times [trial] in seconds; those that count from the start of their trial have it added, with a doubt.

    Raises DataError where some events count from one zero and some from another.
    """
    if start is None or stop is None:
        return events, []
    relative = [name for name, times in events.items() if _is_relative(times, start, stop)]
    if not relative:
        return events, []
    if len(relative) < len(events):
        others = ", ".join(name for name in events if name not in relative)
        raise DataError(
            f"the times of {', '.join(relative)} count from the start of a trial, or from an event in it, those of {others} do not",
            where=where,
            hint=_CLOCK,
        )
    found = "all event times count from the start of their trial: start_time was added"
    return {name: times + start for name, times in events.items()}, [Note("event-times", where, found, _CLOCK)]


def _is_relative(times: Array, start: Array, stop: Array) -> bool:
    length = np.where(stop > start, stop - start, LONGEST_TRIAL_S)
    telling = np.isfinite(times) & np.isfinite(start) & (start > length + 1)  # later than any time within a trial
    if telling.sum() < 2:
        return False
    within = (times >= -1e-6) & (times <= length + 1)
    return bool(within[telling].mean() >= _MOST)


def check_trials(
    events: Mapping[str, Array], usable: NDArray[np.bool_], where: str
) -> tuple[dict[str, Array], list[Note]]:
    """Event times of trials that last as long as trials do; single ones far from their trial become NaN, with a doubt.

    Raises DataError where trials, or most times of an event, cannot be in seconds.
    """
    fixation = events["fixation"]
    lasted = (events["reward"] - fixation)[usable]
    if not TRIAL_MS.holds(float(np.quantile(lasted, _MOST)) * 1e3) and (
        fault := TRIAL_MS.fault(float(np.median(lasted)), stated="s")
    ):
        raise DataError(f"fixation to reward: {fault}", where=where, hint=_CLOCK)
    long = usable & (events["reward"] - fixation > LONGEST_TRIAL_S)
    if long.any():
        raise DataError(
            f"the reward comes more than {LONGEST_TRIAL_S:g} s after fixation",
            where=f"{where}, row {int(np.argmax(long))}",
            hint="times are in seconds; correct or remove the trial",
        )
    notes, kept = [], dict(events)
    for name in ("target", "go"):
        times = events[name]
        after = times - fixation
        far = usable & np.isfinite(times) & ((np.abs(after) > LONGEST_TRIAL_S) | ((times <= 0) & (after < -1)))
        if far.sum() > (1 - _MOST) * usable.sum():
            raise DataError(
                f"the {name} is at {np.median(times[far]):.4g} s and fixation at {np.median(fixation[far]):.4g} s in the median of"
                f" {int(far.sum())} of {int(usable.sum())} trials: in another unit, or from another zero?",
                where=where,
                hint=_CLOCK,
            )
        if far.any():
            found = f"the time of {name} lies far from its trial in {int(far.sum())} trials: taken as one that did not happen"
            notes.append(Note("event-times", where, found, "write NaN for what did not happen"))
            kept[name] = np.where(far, np.nan, times)
    return kept, notes


def check_spikes(spikes: list[Array], begin: Array, end: Array, where: str) -> list[Note]:
    """Whether the spikes [unit][n] are on the clock of the trials, which go from `begin` to `end`. Notes times that are not in order.

    Raises DataError that names the cause: another unit, times that start again in every trial, or another clock.
    """
    hint = _CLOCK
    total = sum(map(len, spikes))
    if not total:
        raise DataError("no unit has a spike", where=where, hint="export spike_times with the units")
    some = [times for times in spikes if len(times)]
    first, last = min(float(times.min()) for times in some), max(float(times.max()) for times in some)
    trials = float(begin.min()), float(end.max())
    span = (
        f"the spikes lie between {first:.4g} and {last:.4g} s, the trials between {trials[0]:.4g} and {trials[1]:.4g} s"
    )
    ratio = last / trials[1] if trials[1] > 0 else 0.0
    restarts = sum(int((np.diff(times) < 0).sum()) for times in spikes)
    covered = np.zeros(len(begin), bool)
    for times in spikes:
        ordered = np.sort(times)
        covered |= np.searchsorted(ordered, end) > np.searchsorted(ordered, begin)
    if covered.mean() < _COVERED and _starts_again(first, last, begin, end):
        again = f"; within units they go back {restarts} times" if restarts else ""
        cause = f"all spikes lie within {last - first:.3g} s of a session of {trials[1] - trials[0]:.4g} s{again}"
        raise DataError(
            f"{cause}: spike times seem to start again in every trial",
            where=where,
            hint=f"add the start of each trial; {hint}",
        )
    units = [unit for unit, factor in _UNITS.items() if 0.3 < ratio / factor < 3]
    if units and ratio > 100:
        raise DataError(f"{span}: are the spikes in {units[0]}?", where=where, hint=hint)
    if covered.mean() < _COVERED and total / len(begin) >= _SPIKES_PER_TRIAL:
        raise DataError(
            f"{int((~covered).sum())} of {len(begin)} trials have no spike of any unit: {span}; are they of one clock and unit?",
            where=where,
            hint=hint,
        )
    notes = coarse_spikes(spikes, where)
    if restarts:
        notes.append(Note("spike-times", where, f"spike times are not in ascending order at {restarts} places: sorted"))
    return notes


def _starts_again(first: float, last: float, begin: Array, end: Array) -> bool:
    """Whether spikes from `first` to `last` lie within one trial's length of zero, in a session that is much longer."""
    longest = float((end - begin).max())
    much_longer = float(end.max() - begin.min()) > 3 * longest
    return len(begin) > 2 and much_longer and first >= -longest and last - first <= 2 * longest + 1


def observed(intervals: Array, edges: Array, where: str) -> NDArray[np.bool_]:
    """[trial, bin] whether the bins between edges [trial, bin + 1] lie within a unit's observed intervals [n, 2]. Raises DataError."""
    if intervals.ndim != 2 or intervals.shape[1] != 2:
        raise DataError(
            "observed intervals are pairs of start and stop", where=where, hint="correct or remove obs_intervals"
        )
    starts, stops = _merged(intervals[np.argsort(intervals[:, 0], kind="stable")])
    number = np.searchsorted(starts, edges[:, :-1] + 1e-9, side="right") - 1
    return np.asarray((number >= 0) & (edges[:, 1:] <= stops[np.maximum(number, 0)] + 1e-9))


def _merged(intervals: Array) -> tuple[Array, Array]:
    """Starts and stops of ascending intervals, those that touch as one."""
    stops = np.maximum.accumulate(intervals[:, 1])
    new = np.ones(len(intervals), bool)
    new[1:] = intervals[1:, 0] > stops[:-1] + 1e-9
    ends = np.append(np.flatnonzero(new)[1:], len(intervals)) - 1
    return intervals[new, 0], stops[ends]
