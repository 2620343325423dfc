"""The same simulation twice, or a part of it, told from the input alone, whatever file or name it comes with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import counted, listed
from neurocli_elm.diagnose_account import Account

_SAME = 2
"""Stretches that two simulations must share: chance gives none."""


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
