"""The same simulation twice, or a part of it, told from the input alone, whatever file or name it comes with.

A stretch of 20 ms of input spikes is as good as unique. A hash is made of every one; of these the ones that end in six zero
bits are kept, so that a stretch is kept wherever it stands, and a simulation takes a hundred numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import counted, listed
from neurocli.recordings import Recording

if TYPE_CHECKING:
    from neurocli_elm.diagnose_account import Account

_STRETCH, _FEWEST_EVENTS = 20, 8
_KEPT_BITS = np.uint64(63)
_FACTOR, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_SAME = 2
"""Stretches that two simulations must share: chance gives none."""


def fingerprints(recording: Recording) -> NDArray[np.uint64]:
    """Hashes [stretch] of a selection of the stretches of input spikes, each once."""
    spikes = recording.spikes
    assert spikes is not None
    inside = spikes.step < recording.steps
    step, channel = spikes.step[inside], spikes.channel[inside].astype(np.uint64)
    code = _mixed((channel + np.uint64(1)) * _FACTOR)
    of_step = np.zeros(recording.steps, np.uint64)
    np.add.at(of_step, step, code)  # unsigned: wraps around
    count = np.bincount(step, minlength=recording.steps)
    places = recording.steps - _STRETCH + 1
    if places < 1:
        return np.zeros(0, np.uint64)
    found, events = np.zeros(places, np.uint64), np.zeros(places, np.int64)
    for offset in range(_STRETCH):
        found = found * _FACTOR + of_step[offset : offset + places]
        events += count[offset : offset + places]
    found = _mixed(found)
    return np.unique(found[((found & _KEPT_BITS) == 0) & (events >= _FEWEST_EVENTS)])


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(31))) * _MIX
    return values ^ (values >> np.uint64(29))


@dataclass(frozen=True)
class Copy:
    """Two simulations that share a share of the input of the shorter one."""

    group: str
    of: str
    share: float


def copies(accounts: Iterable[Account]) -> list[Copy]:
    """Every pair of simulations with input in common."""
    holders: dict[int, list[str]] = {}
    sizes: dict[str, int] = {}
    for account in accounts:
        if account.pieces is not None:
            sizes[account.group] = len(account.pieces)
            for piece in account.pieces.tolist():
                holders.setdefault(piece, []).append(account.group)
    shared: Counter[tuple[str, str]] = Counter()
    for groups in holders.values():
        shared.update((one, other) for n, other in enumerate(groups) for one in groups[:n])
    return [
        Copy(other, one, number / min(sizes[one], sizes[other]))
        for (one, other), number in shared.items()
        if number >= min(_SAME, sizes[one], sizes[other])
    ]


def copy_findings(pairs: Iterable[Copy], part_of: Mapping[str, str], total: int) -> list[Finding]:
    """Input that comes twice, and what of it is on both sides of the split."""
    pairs = list(pairs)
    apart = [pair for pair in pairs if part_of.get(pair.group) != part_of.get(pair.of)]
    described = {
        pair: f"{pair.group} and {pair.of} share {pair.share:.0%}"
        for pair in sorted(pairs, key=lambda pair: -pair.share)
    }
    twice = Finding(
        "duplicates",
        counted(total, "simulation"),
        WARN if pairs else PASS,
        listed(described.values()) or "none",
        "no input twice",
        "the same input counts more than once: leave one of each pair out" if pairs else "",
    )
    sides = [
        f"{text} ({part_of.get(pair.of, 'unused')}, {part_of.get(pair.group, 'unused')})"
        for pair, text in described.items()
        if pair in apart
    ]
    leak = Finding(
        "split-overlap",
        "training, validation and test",
        FAIL if apart else PASS,
        listed(sides) or "none",
        "no input twice",
        "what is tested was trained on: leave one of each pair out before the split" if apart else "",
    )
    return [twice, leak]
