"""Findings about recordings that hold the same numbers, by the rule that refuses them before a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurocli.diagnosis.finding import FAIL, Finding
from neurocli.diagnosis.words import unless_none
from neurocli.recordings.copies import Copy


def copy_findings(shared: Sequence[Copy], part_of: Mapping[str, str], subject: str) -> list[Finding]:
    """`duplicates`: what comes twice; `split-overlap`: what of it is on two sides of the split. part_of: group → part."""
    pairs = sorted(shared, key=lambda copy: -copy.bits)
    sides = [
        f"{copy.group} ({part_of.get(copy.group, 'unused')}) and {copy.of} ({part_of.get(copy.of, 'unused')})"
        for copy in pairs
        if part_of.get(copy.group) != part_of.get(copy.of)
    ]
    return [
        unless_none(
            "duplicates",
            subject,
            [f"{copy.group} and {copy.of} ({copy.in_words})" for copy in pairs],
            threshold="no data twice",
            advice="the same data count more than once: leave one of each pair out",
        ),
        unless_none(
            "split-overlap",
            "training, validation and test",
            sides,
            verdict=FAIL,
            threshold="no data twice",
            advice="what is tested was trained on: leave one of each pair out before the split",
        ),
    ]
