"""The same numbers in two recordings, or in a part of them: no split may have them on both sides.

Two recordings of independent groups share no noise. Where short stretches of them are alike beyond chance, one is a copy:
shifted, cut, scaled, with a little noise, with its channels in another order, or in another file and format. A copy of a
single channel counts. Signals that are the same bits count whatever their length and gaps, unless they hold so little that
chance makes them equal. What was recorded is compared, signals and spikes; task inputs are not, because honest trials share
them by design.

Not recognised: a shared part of a few per cent of a recording; another sampling of the same traces; time that runs
backwards; traces without their common average, or channels mixed with each other; and, but for the same bits, a copy of
what is shorter than a few stretches, nearly constant, or interrupted by gaps so often that no stretch fits between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neurocli.errors import LeakError
from neurocli.recordings.alike import Alike, Stored, alike_intervals, alike_stretches
from neurocli.recordings.identical import Identical
from neurocli.recordings.recording import Recording
from neurocli.recordings.split import PARTS, Split
from neurocli.recordings.stretches import scale_for, signal_of, stretches_of
from neurocli.recordings.trains import intervals_of

FEWEST = 3
"""Stretches that must be alike at one lag."""
SURE_BITS = 50.0
"""Evidence beyond the number of comparisons: chance alone gives so much once in 10^15 sets."""
DENSE = 0.2
"""Share of the stretches of the shared part that must be alike: events of one shape are alike here and there only."""
_SAMPLED = 12


@dataclass(frozen=True)
class Copy:
    """group holds numbers of `of`, an earlier recording of the set.

    what: signal or spikes; channel, of_channel: those that share most; start_ms, stop_ms: where the shared part lies in
    `group`; shift_ms: how much later it lies in `of`; bits: the evidence.
    """

    group: str
    of: str
    what: str
    channel: str
    of_channel: str
    start_ms: float
    stop_ms: float
    shift_ms: float
    bits: float

    @property
    def in_words(self) -> str:
        """What is shared: channel, times, how much."""
        there = "" if self.channel == self.of_channel else f" (there {self.of_channel})"
        later = "later" if self.shift_ms > 0 else "earlier"
        shift = f", there {abs(self.shift_ms):.5g} ms {later}" if self.shift_ms else ""
        return f"{self.what} of channel {self.channel}{there} from {self.start_ms:.6g} to {self.stop_ms:.6g} ms{shift}"


def refuse_copies(recordings: Mapping[str, Recording], split: Split) -> None:
    """Raise LeakError where two parts of a split, or two sides of a fold, hold the same numbers.

    A protocol that is marked as leaky is not looked at: what it lets through is its name.
    """
    if split.leaky:
        return
    part = {group: part for part in reversed(PARTS) for group in split.groups(part)}
    pairs = copies(recordings, [group for group in part if group in recordings], apart=_apart(split))
    if not pairs:
        return
    worst = max(pairs, key=lambda copy: copy.bits)
    others = f"; so do {len(pairs) - 1} more pairs" if len(pairs) > 1 else ""
    raise LeakError(
        f"{worst.group} ({part[worst.group]}) and {worst.of} ({part[worst.of]}) hold the same data: "
        f"{worst.in_words}{others}",
        where=f"split, recordings {worst.of} and {worst.group}",
        hint="was a seed repeated, or a file copied? Leave one of each pair out",
    )


def _apart(split: Split) -> Callable[[str, str], bool]:
    """Whether two groups must not know each other."""
    # New recordings are in no fold: the whole split holds them apart. It holds nobody apart who is left out in turn.
    sides = [{g: part for part in PARTS for g in side.groups(part)} for side in (*split.folds, split)]
    return lambda group, other: any(group in side and other in side and side[group] != side[other] for side in sides)


def copies(
    recordings: Mapping[str, Recording],
    groups: Sequence[str] | None = None,
    apart: Callable[[str, str], bool] = lambda one, other: True,
) -> list[Copy]:
    """Each pair of `groups` that shares numbers and is kept `apart`, once.

    Recordings are read one at a time, twice at most, and what is compared of them is kept on disk: memory does not grow with their
    number. Time grows with the number of samples, not of pairs.
    """
    names = list(dict.fromkeys(recordings if groups is None else groups))
    if len(names) < 2:
        return []
    sampled = [names[k] for k in np.unique(np.linspace(0, len(names) - 1, _SAMPLED).astype(int))]
    scale = scale_for([signal_of(recordings[group]) for group in sampled])
    stretches, intervals = Stored(), Stored()
    clocks, channels = [], []
    best: dict[tuple[int, int], Copy] = {}
    identical, equal_by_chance = Identical(), SURE_BITS + 2 * float(np.log2(len(names)))
    for number, group in enumerate(names):
        recording = recordings[group]
        before, bits = identical.of(number, recording, equal_by_chance)
        best |= {(of, number): _whole(recording, group, names[of], bits) for of in before if apart(names[of], group)}
        stretches.add(stretches_of(signal_of(recording), scale))
        intervals.add(intervals_of(recording.spikes))
        clocks.append({"signal": recording.dt_ms, "spikes": recording.spikes.dt_ms if recording.spikes else 1.0})
        channels.append(list(recording.channels or map(str, range(recording.num_channels))))
    for alike, what in ((alike_stretches(stretches, scale), "signal"), (alike_intervals(intervals), "spikes")):
        span = scale.span if what == "signal" else 0
        needed = SURE_BITS + alike.comparison_bits
        for pairs in alike.by_lag(FEWEST, needed):
            pair = _recordings_of(pairs)
            sure = _beyond_chance(pairs, needed, scale.span)
            if sure is None or not apart(names[pair[0]], names[pair[1]]):
                continue
            copy = _copy(sure, [(names[k], clocks[k][what], channels[k]) for k in pair], what, span)
            if pair not in best or best[pair].bits < copy.bits:
                best[pair] = copy
    return [best[pair] for pair in sorted(best)]


def _whole(recording: Recording, group: str, of: str, bits: float) -> Copy:
    """A recording that is another from its first sample to its last."""
    names = list(recording.channels or map(str, range(recording.num_channels)))
    channel = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    return Copy(group, of, "signal", channel, channel, 0.0, recording.steps * recording.dt_ms, 0.0, bits)


def _beyond_chance(pairs: Alike, needed: float, margin: int) -> Alike | None:
    """Those of the pairs at one lag that cannot be by chance, nor by events of one shape: of all channels, or of two."""
    for some, one_channel in ((pairs, False), (pairs.of_best_channels(), True)):
        enough = len(some.bits) >= FEWEST and some.bits.sum() >= needed
        if enough and some.density(margin, one_channel=one_channel) >= DENSE:
            return some
    return None


def _recordings_of(pairs: Alike) -> tuple[int, int]:
    return int(pairs.first.recording[0]), int(pairs.second.recording[0])


def _copy(pairs: Alike, both: Sequence[tuple[str, float, list[str]]], what: str, span: int) -> Copy:
    """both: (name, step in ms, names of channels) of the earlier and of the later recording."""
    (of, _, of_channels), (group, dt_ms, channels) = both
    main, start = pairs.of_best_channels(), pairs.second.start
    shift = -int(pairs.lag[0])
    channel, of_channel = int(main.second.channel[0]), int(main.first.channel[0])
    named = what == "signal"
    return Copy(
        group,
        of,
        what,
        channels[channel] if named else str(channel),
        of_channels[of_channel] if named else str(of_channel),
        start_ms=float(start.min() * dt_ms),
        stop_ms=float((start.max() + span) * dt_ms),
        shift_ms=float(shift * dt_ms),
        bits=float(pairs.bits.sum()),
    )
