"""How a set is split: the sizes of its parts, what the epoch is chosen on, and owners that are in two parts or own most cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from neurocli.diagnosis import Finding
from neurocli.diagnosis.words import information, listed
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.data.case_split import PUBLISHED, Case

LEAST_EFFECTIVE = 0.5
"""Share of the owners that must remain once it is counted that some own more cases than others (Kish)."""


def partition_findings(dataset: CaseData) -> list[Finding]:
    """Checks of a set that can be split."""
    split = dataset.split
    sizes = [len(split.groups(part)) for part in ("train", "validation", "test")]
    published = split.protocol == PUBLISHED
    told = {dataset.cases[n].part for n in dataset.numbers("validation")}
    if not published:
        chosen_on = "cases dealt out at random, as the test cases are"
    elif told == {"validation"}:
        chosen_on = "the validation cases that the files name"
    else:
        chosen_on = "cases cut from the published training set; the test set is scored only"
    text = f"{sizes[0]:,} training, {sizes[1]:,} validation, {sizes[2]:,} test ({split.protocol})"
    return [
        Finding("usable", "data", "PASS", text, "can be split"),
        information("epoch-chosen-on", "split", chosen_on),
        *owner_findings(dataset),
    ]


def owner_findings(dataset: CaseData) -> list[Finding]:
    """Speakers, authors or originals whose cases are in two parts, or that own most of the cases."""
    owners = {part: owners_of(dataset, part) for part in ("train", "validation", "test")}
    known = sum(map(len, owners.values()))
    if not known:
        return [information("shared-owners", "split", "speakers, authors or originals are not named in the files")]
    fitted = owners["train"].keys() | owners["validation"].keys()
    shared = sorted(owners["test"].keys() & fitted)
    return [
        Finding.graded(
            "shared-owners",
            "split",
            f"{len(shared)} of {len(owners['test'])} in test: {listed(shared)}" if shared else "none",
            "no owner in training and test",
            "scores hold for new cases of these owners, and say less about new owners: bring a test set of others",
            warn=shared,
        ),
        uneven_finding(owners["train"]),
    ]


def owners_of(dataset: CaseData, part: str) -> Counter[str]:
    """Owner → how many of the cases of a part."""
    cases: Sequence[Case] = [dataset.cases[n] for n in dataset.numbers(part)]
    return Counter(case.owner for case in cases if case.owner is not None)


def uneven_finding(owners: Counter[str]) -> Finding:
    """WARN where a few owners have most of the training cases, so that a model may learn them rather than the task."""
    count = np.array(list(owners.values()), np.float64)
    effective = float(count.sum() ** 2 / (count**2).sum()) if len(count) else 0.0
    largest = owners.most_common(1)[0] if owners else ("none", 0)
    text = f"{len(count)} owners count as {effective:.1f}; {largest[0]} has {largest[1] / max(count.sum(), 1):.0%}"
    return Finding.graded(
        "uneven-owners",
        "training cases",
        text,
        f"count as ≥ {LEAST_EFFECTIVE:.0%} of them",
        "a few owners have most of the cases: use fewer of theirs, or bring more of others",
        warn=effective < LEAST_EFFECTIVE * len(count),
    )
