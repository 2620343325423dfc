"""What is wrong with the values of cases: constant, missing, infinite, far from the others, or on another scale in another part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis import FAIL, Finding
from neurocli.diagnosis.words import counted, listed, span, unless_none
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.diagnosis.summary import Summary

CHUNK = 2048
"""Cases at a time."""
MOST_MISSING = 0.1
FARTHEST = 50.0
"""Standard deviations of the training cases within which values are plausible."""
MOST_RESCALED = 3.0
"""How many times larger values may vary in the test cases than in the training cases, or smaller."""


def value_findings(summaries: Sequence[Summary]) -> list[Finding]:
    """Checks of each case by itself."""
    subject = counted(len(summaries), "case")
    constant = [s.case.group for s in summaries if s.constant]
    infinite = [s.case.group for s in summaries if s.infinite]
    missing = float(np.mean([s.missing for s in summaries]))
    worst = sorted((s for s in summaries if s.missing > 0), key=lambda s: -s.missing)
    return [
        unless_none(
            "constant-cases",
            subject,
            f"{len(constant):,}: {listed(constant)}" if constant else "",
            advice="all values of these cases are the same, or missing: they tell nothing of their label, leave them out",
        ),
        unless_none(
            "infinite-values",
            subject,
            f"{len(infinite):,}: {listed(infinite)}" if infinite else "",
            verdict=FAIL,
            advice="infinite values make scales and losses infinite: correct them, or mark them as missing",
        ),
        Finding.graded(
            "missing-values",
            subject,
            f"{missing:.1%}, most in {worst[0].case.group} ({worst[0].missing:.0%})" if worst else "none",
            f"≤ {MOST_MISSING:.0%}",
            "missing values count as the mean of the training cases: fill them in by what is known of them, or leave "
            "these cases out",
            warn=missing > MOST_MISSING,
        ),
    ]


def scale_findings(dataset: CaseData) -> list[Finding]:
    """Values against those of the training cases; none for tokens."""
    if dataset.form.tokens or dataset.normalisation is None or not np.isfinite(dataset.normalisation.mean).all():
        return []  # infinite values leave no scale, and are a finding of their own
    farthest = farthest_of(dataset)
    far = [f"{dataset.cases[n].group} ({farthest[n]:.0f} sd)" for n in np.argsort(-farthest) if farthest[n] > FARTHEST]
    findings = [
        unless_none(
            "outlying-values",
            counted(len(dataset.cases), "case"),
            listed(far),
            threshold=f"within {FARTHEST:g} sd of the training cases",
            advice="a few values are far from all others: check units and artefacts",
            clean=f"within {farthest.max(initial=0):.1f} sd",
        )
    ]
    for part in ("validation", "test"):
        if len(dataset.numbers(part)):
            findings.append(_rescaled(dataset, part))
    return findings


def farthest_of(dataset: CaseData) -> NDArray[np.float64]:
    """[case] its largest distance from the mean of the training cases, in their standard deviations."""
    assert dataset.normalisation is not None
    mean, sd = (values.astype(np.float32) for values in (dataset.normalisation.mean, dataset.normalisation.sd))
    farthest = []
    for cases in np.array_split(np.arange(len(dataset.cases)), -(-len(dataset.cases) // CHUNK)):
        first, last = dataset.first[cases[0]], dataset.first[cases[-1] + 1]
        z = np.abs((dataset.values[first:last] - mean) / sd).max(
            1, initial=0.0, where=np.isfinite(dataset.values[first:last])
        )
        farthest.append(np.maximum.reduceat(z, dataset.first[cases] - first))
    return np.concatenate(farthest).astype(np.float64)


def _rescaled(dataset: CaseData, part: str) -> Finding:
    """Spread of a part's values in units of that of the training cases: 1/255 where one file has 0 to 1 and another 0 to 255."""
    ratio = _spread(dataset, part) / max(_spread(dataset, "train"), 1e-12)
    return Finding.graded(
        f"scale-of-{part}",
        f"{part} cases",
        f"{ratio:.3g} times the sd of the training cases",
        span(1 / MOST_RESCALED, MOST_RESCALED, ".2g"),
        "the parts are on different scales: bring them to one unit",
        warn=not 1 / MOST_RESCALED <= ratio <= MOST_RESCALED,
    )


def _spread(dataset: CaseData, part: str) -> float:
    """Root mean square, over inputs, of the standard deviation of some cases, in z-scores."""
    assert dataset.normalisation is not None
    numbers = dataset.numbers(part)
    some = numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), 500)).astype(np.int64)]
    z = np.concatenate([dataset.sequence(int(n)) for n in some]) / dataset.normalisation.sd
    return float(np.sqrt(np.nanmean(np.nanvar(z, 0))))
