"""How cases are split: the test cases are those that the file says; what chooses the epoch is cut from the training cases.

Cases that belong together stay together: of one speaker, one author, one original, or of the same content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neurocli.errors import DataError, LeakError
from neurocli.recordings import Split, split_by_group
from neurocli_sequences.config import CaseSection

PUBLISHED, BY_CASE = "published test set", "by case"
TOGETHER = ("speaker", "author", "original")
"""Labels whose cases are not independent of each other."""
FEW_COPIES, MOST_COPIES = 3, 0.05
"""How many of the test cases, and which share, may be among the training cases: published sets have a few (two of the 61 of Covid3Month, which
hold little but zeros); beyond both, a file was copied."""


@dataclass(frozen=True)
class Case:
    """What is known of a case without its sequence. content: a sum of it, by which copies are known."""

    group: str
    part: str | None
    label: float
    owner: str | None
    content: bytes


def split_cases(cases: Sequence[Case], options: CaseSection, *, classes: bool) -> Split:
    """The split of a set. Raises DataError where there is too little of it, LeakError where test cases are training cases."""
    told = Counter(case.part for case in cases)
    owners = _owners(cases, classes=classes)
    if not told["test"]:
        if told["train"] and len(told) > 1:
            raise DataError(
                "some cases belong to a part and others to none", where="split", hint="name the files of one data set"
            )
        return _dealt(cases, owners, options)
    rest = [case for case in cases if case.part != "test"]
    if not rest:
        raise DataError(
            "there are test cases only",
            where="split",
            hint="name the training file as well with --data FILE --data FILE",
        )
    tested = tuple(case.group for case in cases if case.part == "test")
    held = [case for case in rest if case.part == "validation"]
    if held:
        training = [case for case in rest if case.part != "validation"]
    else:
        training, held = _cut(rest, owners, options)
    split = Split(tuple(c.group for c in _fewer(training, options)), tuple(c.group for c in held), tested, PUBLISHED)
    refuse_copied(cases, split)
    return split


def refuse_copied(cases: Sequence[Case], split: Split) -> None:
    """Raise LeakError where more of the test cases are among the others than published sets have."""
    copied = copied_cases(cases, split)
    if len(copied) > max(FEW_COPIES, MOST_COPIES * len(split.test)):
        test, other = next(iter(copied.items()))
        raise LeakError(
            f"{len(copied):,} of {len(split.test):,} test cases are training cases: {test} is {other}",
            where="split",
            hint="was a file copied? Name the published test set",
        )


def copied_cases(cases: Sequence[Case], split: Split) -> dict[str, str]:
    """Test case → a training or validation case with the same content and label."""
    known = {group: case for case in cases for group in [case.group]}
    fitted = {(known[g].content, known[g].label): g for g in (*split.train, *split.validation)}
    keys = {group: (known[group].content, known[group].label) for group in split.test}
    return {group: fitted[key] for group, key in keys.items() if key in fitted}


def _owners(cases: Sequence[Case], *, classes: bool) -> Mapping[str, str]:
    """Group → what it belongs to together with others. Owners that are the classes themselves cannot be held apart."""
    by_owner: dict[str, set[float]] = {}
    for case in cases:
        if case.owner is not None:
            by_owner.setdefault(case.owner, set()).add(case.label)
    labels = {case.label for case in cases}
    are_classes = classes and len(by_owner) <= len(labels) and all(len(of) == 1 for of in by_owner.values())
    return {case.group: case.content.hex() if case.owner is None or are_classes else f"{case.owner}" for case in cases}


def _dealt(cases: Sequence[Case], owners: Mapping[str, str], options: CaseSection) -> Split:
    """All three parts at random, owner by owner."""
    names = list(dict.fromkeys(owners[case.group] for case in cases))
    dealt = split_by_group(names, validation=options.validation, test=options.test, seed=options.split_seed)
    train, held, tested = (
        [case for case in cases if owners[case.group] in chosen]
        for chosen in (set(dealt.train), set(dealt.validation), set(dealt.test))
    )
    named = [tuple(case.group for case in part) for part in (_fewer(train, options), held, tested)]
    return Split(named[0], named[1], named[2], protocol=BY_CASE)


def _cut(cases: Sequence[Case], owners: Mapping[str, str], options: CaseSection) -> tuple[list[Case], list[Case]]:
    """(training cases, those that choose the epoch) of published training cases."""
    names = list(dict.fromkeys(owners[case.group] for case in cases))
    if len(names) < 2:
        raise DataError(
            "the training cases are of one owner, or all the same", where="split", hint="name more training cases"
        )
    order = np.random.default_rng(options.split_seed).permutation(len(names))
    count = min(max(1, round(options.validation * len(names))), len(names) - 1)
    held = {names[k] for k in order[:count]}
    parts: tuple[list[Case], list[Case]] = ([], [])
    for case in cases:
        parts[owners[case.group] in held].append(case)
    return parts


def _fewer(cases: list[Case], options: CaseSection) -> list[Case]:
    """As many training cases as the options allow, evenly chosen."""
    if options.most is None or len(cases) <= options.most:
        return cases
    return [cases[k] for k in np.linspace(0, len(cases) - 1, options.most).round().astype(int)]
