"""Checks of texts: their size, their tokens, what training and test share, and what an encoding has spoilt."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurocli.diagnosis import PASS, Finding
from neurocli.errors import DataError, LeakError
from neurocli.recordings import RecordingSet
from neurocli_sequences.data.passages import LENGTH, seen
from neurocli_sequences.data.text_dataset import TextData, bytes_of

FEWEST_CHARACTERS = 100_000
MOST_UNKNOWN = 0.05
MOST_SHARED = 0.01
MOST_TOKENS_PER_CHARACTER = 500
"""A vocabulary of more characters learns few of them."""
_SPOILT = ("\ufffd", "Ã©", "Ã¨", "Ã¼", "Ã¤", "Ã¶", "â€™", "â€œ", "â€“", "Â ")
"""What stands where a text was decoded as something that it was not."""


def text_findings(recordings: RecordingSet, config: Any) -> list[Finding]:
    """One finding where the texts cannot be split or read."""
    try:
        dataset = TextData(recordings, config)
    except (DataError, LeakError) as error:
        return [Finding.of_error("split", "data", error, "training, validation and test without copies")]
    texts = {
        group: dataset.text(group) for part in ("train", "validation", "test") for group in dataset.split.groups(part)
    }
    findings = [_length(dataset, texts), _vocabulary(dataset), *_unknown(dataset), _shared(dataset), _encoding(texts)]
    if dataset.left_out:
        advice = "leave them out of the folder, or take smaller tokens"
        what = "texts of fewer than two tokens"
        findings.append(Finding.graded(what.replace(" ", "-"), "data", len(dataset.left_out), "0", advice, warn=True))
    findings.append(_spread(dataset, texts))
    return findings


def _length(dataset: TextData, texts: dict[str, str]) -> Finding:
    count = sum(len(texts[group]) for group in dataset.split.train)
    advice = "name more text: a model of so little learns it by heart"
    return Finding.graded(
        "characters", "training", count, f"≥ {FEWEST_CHARACTERS:,}", advice, warn=count < FEWEST_CHARACTERS
    )


def _vocabulary(dataset: TextData) -> Finding:
    size = dataset.choices - 1
    limit = MOST_TOKENS_PER_CHARACTER if dataset.unit == "character" else None
    return Finding.graded(
        "vocabulary",
        "training",
        size,
        "–" if limit is None else f"≤ {limit}",
        "take bytes (task.tokens=byte), or leave rare ones out (task.least_count)",
        warn=limit is not None and size > limit,
    )


def _unknown(dataset: TextData) -> list[Finding]:
    advice = "take smaller tokens (task.tokens), or a larger vocabulary (task.largest, task.least_count)"
    findings = []
    for part in ("validation", "test"):
        share = dataset.unknown(part)
        limit = f"≤ {MOST_UNKNOWN:g}"
        findings.append(
            Finding.graded("unknown-tokens", part, round(share, 5), limit, advice, warn=share > MOST_UNKNOWN)
        )
    return findings


def _shared(dataset: TextData) -> Finding:
    """Share of the test passages that stand in the training texts."""
    count, there = 0, 0
    for group in dataset.split.test:
        others = (_bytes(dataset, other) for other in dataset.split.train)
        found = seen(_bytes(dataset, group), others)
        count, there = count + len(found), there + int(found.sum())
    share = there / max(count, 1)
    advice = (
        f"the test repeats training text ({LENGTH} bytes on end): cut out licences and headers, and leave copies out"
    )
    return Finding.graded(
        "shared-passages", "test", round(share, 5), f"≤ {MOST_SHARED:g}", advice, warn=share > MOST_SHARED
    )


def _bytes(dataset: TextData, group: str) -> np.ndarray:
    return bytes_of(dataset.recordings[group], dataset.recordings.where(group))


def _encoding(texts: dict[str, str]) -> Finding:
    """How often a text shows that it was read in another encoding than it was written in, or holds control characters."""
    worst, most = "", 0
    total = 0
    for group, text in texts.items():
        control = sum(text.count(chr(code)) for code in range(32) if chr(code) not in "\t\n\r\f")
        count = control + sum(text.count(sign) for sign in _SPOILT)
        total += count
        if count > most:
            worst, most = group, count
    advice = f"save it again in UTF-8 from the original: most are in {worst}"
    return Finding.graded("encoding", "data", total, "0", advice, warn=total > 0)


def _spread(dataset: TextData, texts: dict[str, str]) -> Finding:
    lengths = {group: len(text) for group, text in texts.items()}
    shortest, longest = (choose(lengths, key=lengths.__getitem__) for choose in (min, max))
    value = f"{lengths[shortest]:,} ({shortest}) to {lengths[longest]:,} ({longest})"
    return Finding(f"{dataset.group_name()}-lengths", "data", PASS, value, "–")
