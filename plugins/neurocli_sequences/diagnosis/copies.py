"""Cases with the same content: across the split, and with another label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from neurocli.diagnosis import FAIL, WARN, Finding
from neurocli.diagnosis.words import counted, information, listed, unless_none
from neurocli.recordings import Split
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.data.case_split import FEW_COPIES, MOST_COPIES, Case, copied_cases


def copy_findings(dataset: CaseData) -> list[Finding]:
    """Copies across the split, and within the training cases."""
    split = dataset.split
    copied = copied_cases(dataset.cases, split)
    many = len(copied) > max(FEW_COPIES, MOST_COPIES * len(split.test))
    pairs = [f"{test} is {other}" for test, other in copied.items()]
    training = set(split.train)
    contents = [case.content for case in dataset.cases if case.group in training]
    repeated = len(contents) - len(set(contents))
    return [
        unless_none(
            "split-overlap",
            "test cases",
            f"{counted(len(copied), 'test case')} among the others: {listed(pairs)}" if pairs else "",
            verdict=FAIL if many else WARN,
            threshold="no test case among the others",
            advice="what is tested was trained on: leave these test cases out, or name the published test set",
        ),
        information("repeated-cases", "training cases", f"{repeated:,} of {len(contents):,}"),
    ]


def contradictions(cases: Sequence[Case], split: Split | None) -> Finding:
    """Cases with the same content and another label: at least one of each two labels is wrong, or the content does not tell it."""
    by_content: dict[bytes, list[Case]] = defaultdict(list)
    for case in cases:
        by_content[case.content].append(case)
    held = [same for same in by_content.values() if len({case.label for case in same}) > 1]
    part_of = {} if split is None else {g: part for part in ("train", "validation", "test") for g in split.groups(part)}
    words = [
        " and ".join(
            f"{case.group} ({case.label:g}{', ' + part_of[case.group] if part_of else ''})" for case in same[:3]
        )
        for same in held
    ]
    count = sum(map(len, held))
    return unless_none(
        "contradicting-labels",
        counted(len(cases), "case"),
        f"{counted(count, 'case')}: {listed(words)}" if held else "",
        threshold="one label for one content",
        advice="the same content has two labels, so that no model can be right about both: correct the labels, or leave "
        "these cases out",
    )
