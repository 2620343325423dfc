"""How texts are split: by published parts where they are told, by file, or, of sections of one file, in blocks.

Sections are not dealt out one by one: every border between two parts cuts a sentence and a subject in two, and blocks have few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.config import SplitSection
from neurocli.errors import DataError, LeakError
from neurocli.recordings import Split, split_by_options
from neurocli_sequences.data.case_split import PUBLISHED
from neurocli_sequences.data.passages import LENGTH, seen

BY_FILE, IN_BLOCKS = "by file", "in blocks of sections"
MOST_SHARED = 0.5
"""Share of a test file's passages that may stand in training files: beyond, it is a copy with another beginning or end."""
_HINT = "was a file copied? Leave one of the two out"


@dataclass(frozen=True)
class Text:
    """What is known of a text without its words. section: its number in its file, None where it is one; content: a sum of it."""

    group: str
    part: str | None
    section: int | None
    content: bytes


def split_texts(texts: Sequence[Text], options: SplitSection) -> Split:
    """The split of texts. Raises DataError where there is too little of them, LeakError where one of them is in two parts."""
    told = {text.part for text in texts}
    sectioned = any(text.section is not None for text in texts)
    if "test" in told:
        split = _published(texts, options)
    elif sectioned:
        split = Split(*_blocks([text.group for text in texts], options), protocol=IN_BLOCKS)
    else:
        dealt = split_by_options([text.group for text in texts], options)
        split = Split(dealt.train, dealt.validation, dealt.test, BY_FILE)
    _refuse_copies(texts, split)
    return split


def refuse_shared(split: Split, text_of: Callable[[str], NDArray[np.uint8]]) -> None:
    """Raise LeakError where most of a test file stands in the training files. text_of: group → bytes."""
    for group in split.test:
        text = text_of(group)
        share = float(seen(text, (text_of(other) for other in split.train)).mean()) if len(text) >= LENGTH else 0.0
        if share > MOST_SHARED:
            raise LeakError(
                f"{share:.0%} of the passages of {group} (test) stand in the training files too, letter for letter",
                where=f"split, {group}",
                hint=_HINT,
            )


def _published(texts: Sequence[Text], options: SplitSection) -> Split:
    by_part = {part: [t.group for t in texts if t.part == part] for part in ("train", "validation", "test")}
    train, held = by_part["train"], by_part["validation"]
    rest = [text.group for text in texts if text.part is None]
    if rest or not train:
        what = f"{rest[0]} belongs to no part, and others do" if rest else "there is a test text and none to train on"
        raise DataError(what, where="split", hint="name the files of one data set")
    if not held:
        if len(train) < 2:
            raise DataError(
                "there is one training text, and none to choose the epoch by",
                where="split",
                hint="name a validation text as well",
            )
        count = min(max(1, round(options.validation * len(train))), len(train) - 1)
        order = np.random.default_rng(options.split_seed).permutation(len(train))
        sectioned = any(text.section is not None for text in texts if text.part == "train")
        chosen = set(range(len(train) - count, len(train)) if sectioned else order[:count].tolist())
        held = [group for k, group in enumerate(train) if k in chosen]
        train = [group for k, group in enumerate(train) if k not in chosen]
    return Split(tuple(train), tuple(held), tuple(by_part["test"]), PUBLISHED)


def _blocks(groups: Sequence[str], options: SplitSection) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(training, validation, test) of sections in their order: one block of validation and test, the last sections by seed 0.

    Other seeds move the block towards the beginning, by a section each.
    """
    sizes = split_by_options(groups, options)
    held, tested = len(sizes.validation), len(sizes.test)
    training = len(groups) - held - tested
    first = training - options.split_seed % (training + 1)
    cuts = [first, first + held, first + held + tested]
    before, validation, test, behind = (
        tuple(groups[a:b]) for a, b in zip([0, *cuts], [*cuts, len(groups)], strict=True)
    )
    return (*before, *behind), validation, test


def _refuse_copies(texts: Sequence[Text], split: Split) -> None:
    """Raise LeakError where two parts hold the same text."""
    content = {text.group: text.content for text in texts}
    owner: dict[bytes, tuple[str, str]] = {}
    for part in ("train", "validation", "test"):
        for group in split.groups(part):
            other, other_part = owner.setdefault(content[group], (group, part))
            if other_part != part:
                raise LeakError(
                    f"{group} ({part}) and {other} ({other_part}) are the same text",
                    where=f"split, {other} and {group}",
                    hint=_HINT,
                )
