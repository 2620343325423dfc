"""Where a session's trials end, if the bins after their end hold numbers: zeros, as in any array of integers, -1, the last value held.

NaN alone says that there are no data. Other padding is found as what it is: bins at the end of a trial in which no neuron
changes. How long neurons stay unchanged within trials says how long that may be by chance, so that a silent end of a trial
is not taken for padding; where durations or reward signals are known, the ends must go with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Note
from neurocli_eirnn.data.session import Session
from neurocli_eirnn.data.tasks import AFTER_MS
from neurocli_eirnn.data.trials import durations_ms

_EVIDENCE = 20.0
"""Minus the log of the probability, by the bins within trials, that nothing changes for so long."""
_FEWEST_BINS = 3
_MOST, _SOME = 0.9, 0.2
ADVICE = "export padding as NaN, and rates as double or single: integers cannot hold NaN"


@dataclass(frozen=True)
class Padding:
    """ends: int [trial], bins before the padding, all bins where a trial has none; kind: what the padding holds."""

    ends: NDArray[np.int64]
    kind: str

    def note(self, where: str, bins: int) -> Note:
        """What was found, for whoever uses the session."""
        padded = self.ends < bins
        share = float((bins - self.ends).sum()) / (bins * len(self.ends))
        return Note(
            "padding",
            where,
            f"{int(padded.sum())} of {len(self.ends)} trials are padded with {self.kind} after their end, {share:.0%} of bins:"
            " taken as no data",
            ADVICE,
        )


@dataclass(frozen=True)
class _Ends:
    """start: [trial] first bin of the unchanging end; held: whether it holds other than one value for all neurons."""

    start: NDArray[np.int64]
    held: NDArray[np.bool_]
    open: NDArray[np.bool_]
    value: NDArray[np.float64]
    interior: NDArray[np.int64]
    still: float

    @property
    def before_padding(self) -> NDArray[np.int64]:
        """[trial] the first bin that can be padding: of values that are held, the first is of the trial itself."""
        return self.start + self.held


def masked(session: Session, where: str) -> Note | None:
    """Put NaN in place of padding in a session's rates; what was done, None where there is no such padding."""
    found = find_padding(session)
    if found is None:
        return None
    session.rates[np.arange(session.bins) >= found.ends[:, None]] = np.nan
    return found.note(where, session.bins)


def find_padding(session: Session) -> Padding | None:
    """The padding of a session's rates that is not NaN; None where there is none."""
    if session.bins < 2 * _FEWEST_BINS:
        return None
    ends = _unchanging(session.rates)
    found = _sentinel(ends, session) or _by_duration(ends, session)
    # Where ends are known and do not go with the unchanging bins, these are no padding: they are doubted, not taken out.
    return found or (None if _known(session) else _by_length(ends, session))


def still_ends(session: Session) -> int:
    """How many trials end in bins in which nothing changes, for longer than anywhere within trials and not by their durations."""
    if session.bins < 2 * _FEWEST_BINS or not _known(session):
        return 0
    found = _by_length(_unchanging(session.rates), session)
    return 0 if found is None else int((found.ends < session.bins).sum())


def _known(session: Session) -> bool:
    return bool(np.isfinite(expected_ends(session)).mean() > _SOME)


def expected_ends(session: Session) -> NDArray[np.float64]:
    """[trial] number of bins to 500 ms after the reward, by durations or else by reward signals; NaN where neither is known."""
    start = float(session.time_ms[0]) - session.bin_ms / 2
    return np.floor((durations_ms(session) + AFTER_MS - start) / session.bin_ms + 1e-9)


def _unchanging(rates: NDArray[np.float32]) -> _Ends:
    trials, _, neurons = rates.shape
    start, interior = np.zeros(trials, np.int64), np.zeros(trials, np.int64)
    still = total = 0
    for number, trial in enumerate(rates):
        same = (trial[1:] == trial[:-1]) | (np.isnan(trial[1:]) & np.isnan(trial[:-1]))
        changes = np.flatnonzero(~same.all(axis=1))
        start[number] = changes[-1] + 1 if len(changes) else 0
        if len(changes):
            interior[number] = int(np.diff(changes, prepend=-1).max())
            still += int(changes[-1]) + 1 - len(changes)
            total += int(changes[-1]) + 1
    last = rates[:, -1].astype(np.float64)
    flat = (last == last[:, :1]).all(axis=1)
    return _Ends(
        start=start,
        held=~flat | ((last[:, 0] != 0) & (neurons == 1)),
        open=np.asarray(~np.isnan(last).any(axis=1)),
        value=np.where(flat, last[:, 0], np.nan),
        interior=interior,
        still=min(max(still, 1) / max(total, 1), 1.0),
    )


def _sentinel(ends: _Ends, session: Session) -> Padding | None:
    """One value other than 0 in all neurons to the end of trials: no rates are like that."""
    values = ends.value[ends.open & np.isfinite(session.rates).any(axis=(1, 2))]
    values = values[~np.isnan(values) & (values != 0)]
    if not len(values):
        return None
    found, counts = np.unique(values, return_counts=True)
    value = float(found[counts.argmax()])
    trials = ends.open & (ends.value == value)
    if value > 0 and (session.neurons < 3 or trials.sum() < 3 or np.median(session.bins - ends.start[trials]) < 2):
        return None
    return Padding(np.where(trials, ends.start, session.bins), f"{value:g}")


def _by_duration(ends: _Ends, session: Session) -> Padding | None:
    """Ends of trials that go with durations: nothing changes after them in nearly all trials that end before the axis does."""
    expected = expected_ends(session)
    usable = ends.open & np.isfinite(expected) & (ends.start > 0)
    if not usable.any():
        return None
    expected = np.where(np.isfinite(expected), np.clip(expected, 1, session.bins), session.bins).astype(np.int64)
    late = usable & (session.bins - expected >= _FEWEST_BINS)
    after = ends.before_padding - expected
    offset = 0
    if late.sum() and (after[late] <= 1).mean() >= _MOST:
        # Padding that begins before the window ends is told from silence by how improbable so much of it is.
        highest = int(np.quantile(after[late], 0.95, method="higher"))
        missing = -highest * int(late.sum())
        if highest <= -_FEWEST_BINS and _improbable(missing, ends) and -highest > _longest(ends):
            offset = highest
    else:
        # The window may end otherwise than 500 ms after reward, if it does so in every trial.
        offset = int(np.median(after[usable]))
        late = usable & (session.bins - expected - offset >= _FEWEST_BINS)
        varies = late.any() and np.ptp(expected[late]) > 2 * _FEWEST_BINS
        if not (varies and late.sum() >= _SOME * usable.sum() and (np.abs(after[late] - offset) <= 2).mean() >= _MOST):
            return None
        offset = int(np.quantile(after[late], 0.95, method="higher"))
    end = np.clip(expected + offset, 1, session.bins)
    if not np.isfinite(session.duration_ms).any():  # by the bin of the reward an end is known to one bin
        end = np.where(late, np.clip(ends.before_padding, end - 1, end), end)
    # Where more than the tail changes, a trial is not padded.
    padded = ends.open & (end < session.bins) & (ends.start <= end + 1)
    if not _improbable(int((session.bins - end)[padded].sum()), ends):
        return None
    return Padding(np.where(padded, end, session.bins), _kind(ends, padded))


def _by_length(ends: _Ends, session: Session) -> Padding | None:
    """Ends in which nothing changes for longer than anywhere within trials."""
    usable = ends.open & (ends.start > 0)
    length = session.bins - ends.before_padding
    padded = usable & (length > _longest(ends) + _FEWEST_BINS - 1)
    if not usable.any() or padded.sum() < _SOME * usable.sum() or not _improbable(int(length[padded].sum()), ends):
        return None
    return Padding(np.where(usable & (length > 0), ends.before_padding, session.bins), _kind(ends, padded))


def _longest(ends: _Ends) -> int:
    """How many bins in a row nothing changes within trials, but for the few oddest of them."""
    return int(np.quantile(ends.interior, 0.98, method="lower")) - 1


def _improbable(bins: int, ends: _Ends) -> bool:
    return -bins * math.log(min(ends.still, 1 - 1e-9)) >= _EVIDENCE


def _kind(ends: _Ends, padded: NDArray[np.bool_]) -> str:
    return "the last value held" if ends.held[padded].mean() > 0.5 else "zeros"
