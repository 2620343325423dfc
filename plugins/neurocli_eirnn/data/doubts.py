"""What speaks against a session that was read: times, labels and signals that do not go together. One doubt a kind.

Raises DataError where a number is in another unit, so that nothing is made of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note
from neurocli.recordings.plausible import TRIAL_MS
from neurocli_eirnn.data.contradictions import contradictions
from neurocli_eirnn.data.padding import expected_ends, masked, still_ends
from neurocli_eirnn.data.rate_unit import in_hertz
from neurocli_eirnn.data.session import Session
from neurocli_eirnn.data.signals import EYE, ONE_HOT, contradicted, odd_task_values
from neurocli_eirnn.data.tasks import AFTER_MS, BEFORE_MS
from neurocli_eirnn.data.trials import EVENTS, event_bins

_SHARE = 0.05
_DURATION = "durations go from fixation onset to reward: correct them, or leave them out"
_BINS = 2
_ENOUGH = 20.0
"""Spikes that would be expected: fewer may be missing by chance."""


def checked(session: Session, where: str) -> list[Note]:
    """Padding made NaN, rates brought to sp/s, inputs cleared where there are no data; what was done and what is doubtful.

    Raises DataError where a number is in another unit.
    """
    place = f"{where}:firing_rates"
    check_durations(session, where)
    padded = masked(session, place)
    notes = [] if padded is None else [padded]
    notes += in_hertz(session.rates, session.bin_ms, place)
    _clear_padding(session.inputs, session.rates)
    return notes + doubts_of(session, where) + contradictions(session, where)


def _clear_padding(inputs: NDArray[np.float32], rates: NDArray[np.float32]) -> None:
    """Zeros for what is no signal, NaN or another sign of padding, where a trial is padded; in its valid window it stays, to be found."""
    padded = np.asarray(np.all(np.isnan(rates), axis=2))
    inputs[padded[:, :, None] & np.isnan(inputs)] = 0
    task = np.ones(inputs.shape[2], bool)
    task[EYE] = False
    inputs[padded[:, :, None] & task & (inputs != 0) & (inputs != 1)] = 0


def doubts_of(session: Session, where: str) -> list[Note]:
    """All that is doubtful in a session, whose padding is NaN already."""
    found = [
        *_time_axis(session, where),
        _durations(session, where),
        _outlasting(session, where),
        _no_signal(session, where),
        _ends(session, where),
        _still(session, where),
        _holes(session, where),
        _task_values(session, where),
        _labels(session, where),
        _silent_neurons(session, where),
        _silent_trials(session, where),
    ]
    return [note for note in found if note is not None]


def check_durations(session: Session, where: str) -> None:
    """Raises DataError where the durations are in another unit than ms: by the reward signals, else by their size."""
    where = f"{where}:trial_duration_ms"
    known = session.duration_ms[np.isfinite(session.duration_ms)]
    if not len(known):
        return
    hint = "give trial_duration_ms in ms from fixation onset to reward, or leave it out"
    duration, reward = _both(session)
    if len(duration) and (median := float(np.median(reward))) > 0:
        ratio = float(np.median(duration)) / median
        units = {"s": 1e-3, "µs": 1e3, "minutes": 1 / 6e4, f"bins of {session.bin_ms:g} ms": 1 / session.bin_ms}
        likely = [unit for unit, factor in units.items() if 0.5 < ratio / factor < 2]
        if likely:
            raise DataError(
                f"the median duration is {np.median(duration):.4g} ms, and the reward signal comes {median:.4g} ms after fixation:"
                f" is it in {' or '.join(likely)}?",
                where=where,
                hint=hint,
            )
    elif not TRIAL_MS.holds(float(np.quantile(known, 0.9))):
        TRIAL_MS.check(float(np.median(known)), where, hint=hint)


def _both(session: Session) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Durations and times of the reward signals, of trials that have both."""
    reward = event_bins(session, "reward")
    both = np.isfinite(session.duration_ms) & (reward >= 0)
    return session.duration_ms[both], session.time_ms[reward[both]]


def _time_axis(session: Session, where: str) -> list[Note]:
    """Time 0 is fixation onset, and times are those of bin centres."""
    notes = []
    place = f"{where}:time_axis"
    first = event_bins(session, "fixation")
    if (first >= 0).any():
        onset = float(np.median(session.time_ms[first[first >= 0]]))
        if not -session.bin_ms <= onset <= 2 * session.bin_ms:
            found = f"the fixation signal begins at {onset:g} ms, and times count from fixation onset"
            advice = f"correct the axis; without one, the first bin begins {BEFORE_MS:g} ms before fixation"
            notes.append(Note("time-axis", place, found, advice))
    on_edge = abs(session.time_ms[0] / session.bin_ms - np.rint(session.time_ms[0] / session.bin_ms)) < 1e-3
    if on_edge and abs(BEFORE_MS % session.bin_ms) < 1e-6:
        found = (
            f"the times are multiples of the bin ({session.time_ms[0]:g}, {session.time_ms[1]:g}, ...), as bin edges are"
            if session.bins > 1
            else "the time is that of a bin edge"
        )
        notes.append(Note("time-axis", place, found, "give the times of bin centres"))
    return notes


def _durations(session: Session, where: str) -> Note | None:
    duration, reward = _both(session)
    off = np.abs(duration - reward) > _BINS * session.bin_ms
    if off.mean() <= _SHARE if len(off) else True:
        return None
    found = (
        f"in {int(off.sum())} of {len(off)} trials the duration is not the time of the reward signal: the median differs by"
        f" {np.median((duration - reward)[off]):.4g} ms"
    )
    return Note(
        "trial-duration",
        f"{where}:trial_duration_ms",
        found,
        _DURATION,
    )


def _outlasting(session: Session, where: str) -> Note | None:
    """Durations that no trial can have: beyond the axis, or below 0."""
    end = float(session.time_ms[-1]) + session.bin_ms / 2
    wrong = (session.duration_ms > end) | (session.duration_ms < 0)
    if wrong.mean() <= _SHARE:
        return None
    found = (
        f"{int(wrong.sum())} of {session.trials} durations are below 0, or beyond the axis, which ends at {end:g} ms"
    )
    return Note("trial-duration", f"{where}:trial_duration_ms", found, _DURATION)


def _no_signal(session: Session, where: str) -> Note | None:
    """Events that happen in no trial."""
    absent = [event for event in ("fixation", *EVENTS) if (event_bins(session, event) < 0).all()]
    if not absent:
        return None
    found = f"no trial has a signal of {', '.join(absent)}"
    return Note(
        "task-inputs",
        f"{where}:input_*",
        found,
        "look for these signals in the export: without them no trial is ordered",
    )


def _ends(session: Session, where: str) -> Note | None:
    """Data of padded trials begin with the axis, and end 500 ms after the reward."""
    valid: NDArray[np.bool_] = np.asarray(np.isfinite(session.rates).any(axis=2))
    last = np.where(valid.any(axis=1), session.bins - valid[:, ::-1].argmax(axis=1), 0)
    late = valid.any(axis=1) & ~valid[:, 0]
    if late.mean() > _SHARE:
        found = f"{int(late.sum())} of {session.trials} trials have no data in their first bins"
        return Note(
            "trial-ends", f"{where}:firing_rates", found, "trials begin together, and padding comes after their end"
        )
    after = last - expected_ends(session)
    padded = (last < session.bins) & np.isfinite(after)
    if padded.sum() < 2:
        return None
    usual = float(np.median(after[padded]))
    off = (np.abs(after - usual) > _BINS) & (padded | ((last == session.bins) & (after < 0)))
    if off.mean() > _SHARE:
        found = f"{int(off.sum())} of {session.trials} trials end otherwise than their durations or reward signals say"
        advice = "do rates, inputs and durations have their trials in one order?"
    elif abs(usual) > _BINS:
        found = f"data end {usual * session.bin_ms + AFTER_MS:g} ms after the reward, by durations or reward signals, and not {AFTER_MS:g}"
        advice = f"is the window cut otherwise, or are durations counted otherwise? {_DURATION}"
    else:
        return None
    return Note("trial-ends", f"{where}:firing_rates", found, advice)


def _still(session: Session, where: str) -> Note | None:
    """Ends of trials in which no neuron changes, though durations say that the trial goes on."""
    still = still_ends(session)
    if not still:
        return None
    found = f"in {still} of {session.trials} trials no rate changes for longer, at the end, than anywhere within trials"
    return Note(
        "trial-ends", f"{where}:firing_rates", found, "is this padding? export it as NaN; durations do not say so"
    )


def _holes(session: Session, where: str) -> Note | None:
    """Bins without data before or between those with data, and inputs that are no numbers there."""
    valid = np.isfinite(session.rates)
    some: NDArray[np.bool_] = np.asarray(valid.any(axis=2))
    later = np.maximum.accumulate(some[:, ::-1], axis=1)[:, ::-1]
    # Neurons that were never there in a trial are its own matter: those are said by whoever took them out.
    partly = some & ~(valid | ~valid.any(axis=1, keepdims=True)).all(axis=2)
    holes, blind = (later & ~some) | partly, some & ~np.isfinite(session.inputs).all(axis=2)
    if not (holes.any() or blind.any() or np.isinf(session.rates).any()):
        return None
    found = (
        f"within trials, {int(holes.sum())} bins have no rates, and {int(blind.sum())} have inputs that are not finite, in"
        f" {int((holes | blind).any(axis=1).sum())} of {session.trials} trials"
    )
    return Note("holes", where, found, "export these trials again, or leave them out; NaN belongs after a trial's end")


def _task_values(session: Session, where: str) -> Note | None:
    odd = odd_task_values(session)
    if not odd.any():
        return None
    found = f"task inputs hold values other than 0 and 1 in {int(odd.sum())} trials, up to {np.nanmax(np.abs(session.inputs)):g}"
    return Note("task-inputs", f"{where}:input_*", found, "export task signals as 0 and 1")


def _labels(session: Session, where: str) -> Note | None:
    found = {name: len(contradicted(session, name)) for name in ONE_HOT if name in session.labels}
    wrong = ", ".join(f"trial_{name} in {count} trials" for name, count in found.items() if count)
    if not wrong:
        return None
    return Note(
        "label-vs-input",
        where,
        f"the inputs show another value than {wrong}",
        "do labels and inputs have the same order and coding?",
    )


def _silent_neurons(session: Session, where: str) -> Note | None:
    silent = np.flatnonzero(~(np.nan_to_num(session.rates) != 0).any(axis=(0, 1)))
    if not len(silent):
        return None
    names = ", ".join(session.neuron_ids[k] for k in silent[:5]) + (", ..." if len(silent) > 5 else "")
    return Note(
        "silent-neurons",
        f"{where}:firing_rates",
        f"{len(silent)} of {session.neurons} neurons have no spike: {names}",
        "leave them out: there is nothing to fit",
    )


def _silent_trials(session: Session, where: str) -> Note | None:
    """Trials in which no neuron has a spike, though many would be expected."""
    counts = np.asarray(np.nansum(np.abs(session.rates), axis=(1, 2), dtype=np.float64)) * session.bin_ms / 1000
    has_data = np.isfinite(session.rates).any(axis=(1, 2))
    silent = has_data & (counts == 0)
    if not silent.any() or counts[has_data].mean() < _ENOUGH:
        return None
    found = f"{int(silent.sum())} of {session.trials} trials have no spike of any neuron, first trial {int(silent.argmax())}"
    return Note(
        "silent-trials", f"{where}:firing_rates", found, "leave these trials out, or export them with their spikes"
    )
