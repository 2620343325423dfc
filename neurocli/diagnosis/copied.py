"""Findings about recordings that hold the same numbers, by the rule that refuses them before a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import listed
from neurocli.recordings.copies import Copy


def copy_findings(found: Sequence[Copy], part_of: Mapping[str, str], subject: str) -> list[Finding]:
    """`duplicates`: what comes twice; `split-overlap`: what of it is on two sides of the split. part_of: group → part."""
    pairs = sorted(found, key=lambda copy: -copy.bits)
    apart = [copy for copy in pairs if part_of.get(copy.group) != part_of.get(copy.of)]
    twice = Finding(
        "duplicates",
        subject,
        WARN if pairs else PASS,
        listed(f"{copy.group} and {copy.of} ({copy.in_words})" for copy in pairs) or "none",
        "no data twice",
        "the same data count more than once: leave one of each pair out" if pairs else "",
    )
    sides = [
        f"{copy.group} ({part_of.get(copy.group, 'unused')}) and {copy.of} ({part_of.get(copy.of, 'unused')})"
        for copy in apart
    ]
    leak = Finding(
        "split-overlap",
        "training, validation and test",
        FAIL if apart else PASS,
        listed(sides) or "none",
        "no data twice",
        "what is tested was trained on: leave one of each pair out before the split" if apart else "",
    )
    return [twice, leak]
