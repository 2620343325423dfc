"""Classes that are rare or missing, and targets beyond those of the training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis import Finding
from neurocli.diagnosis.words import listed, span, unless_none
from neurocli_sequences.data.case_dataset import CaseData

LEAST_SHARE = 0.1
"""Of the cases that a class would have if all had the same number."""
FEWEST = 5
MOST_OUTSIDE = 0.05
"""Share of the test targets that may lie outside the range of the training targets."""


def label_findings(dataset: CaseData) -> list[Finding]:
    """Checks of classes, or of the numbers that are predicted."""
    return class_findings(dataset) if dataset.classes else target_findings(dataset)


def class_findings(dataset: CaseData) -> list[Finding]:
    """Classes that the training cases hardly have, and those that they do not have at all."""
    names, trained = dataset.classes, counts(dataset, "train")
    tested = counts(dataset, "test")
    fair = trained.sum() / len(names)
    least = max(LEAST_SHARE * fair, FEWEST)
    rare = [f"{names[k]} ({trained[k]:,})" for k in np.argsort(trained, kind="stable") if 0 < trained[k] < least]
    absent = [f"{names[k]} ({tested[k]:,} test cases)" for k in np.flatnonzero((trained == 0) & (tested > 0))]
    unused = [names[k] for k in np.flatnonzero((trained == 0) & (tested == 0))]
    commonest, rarest = int(trained.argmax()), int(trained.argmin())
    balance = f"{names[rarest]} {trained[rarest]:,} to {names[commonest]} {trained[commonest]:,} training cases"
    return [
        Finding.graded(
            "class-balance",
            f"{len(names)} classes",
            listed(rare) or balance,
            f"≥ {LEAST_SHARE:g} of an even share ({fair:,.0f}), and ≥ {FEWEST}",
            "rare classes are hardly learned, and accuracy hides it: bring more of them, and read the table of classes "
            "taken for one another",
            warn=rare,
        ),
        Finding.graded(
            "missing-classes",
            f"{len(names)} classes",
            listed(absent) or (f"no case: {listed(unused)}" if unused else "none"),
            "every class has training cases",
            "a class without training cases is never predicted: bring such cases, or leave the class out of the test set"
            if absent
            else "no case has these classes: bring the whole files",
            warn=unused,
            fail=absent,
        ),
    ]


def counts(dataset: CaseData, part: str) -> NDArray[np.int64]:
    """Cases [class] of a part."""
    numbers = dataset.numbers(part)
    return np.bincount(dataset.label[numbers].astype(np.int64), minlength=len(dataset.classes))


def target_findings(dataset: CaseData) -> list[Finding]:
    """Targets that do not vary, and test targets beyond the training targets."""
    trained, tested = (dataset.label[dataset.numbers(part)] for part in ("train", "test"))
    low, high = float(trained.min()), float(trained.max())
    findings = [
        Finding.graded(
            "targets",
            "training cases",
            span(low, high, ".4g"),
            "not all the same",
            "all training cases have the same target, so that there is nothing to learn: check the labels",
            fail=low == high,
        )
    ]
    if len(tested):
        outside = (tested < low) | (tested > high)
        findings.append(
            unless_none(
                "targets-beyond-training",
                "test cases",
                f"{outside.mean():.1%}, {span(float(tested.min()), float(tested.max()), '.4g')}"
                if outside.mean() > MOST_OUTSIDE
                else "",
                threshold=f"≤ {MOST_OUTSIDE:.0%} outside {low:.4g} to {high:.4g}",
                advice="the model has never seen such targets: bring training cases that have them",
                clean=f"{outside.mean():.1%}",
            )
        )
    return findings
