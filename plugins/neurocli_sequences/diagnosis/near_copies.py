"""Test cases that are nearly a training case: with noise, shifted by a pixel, brighter, or with a few tokens changed.

What is nearly a copy is told from what is merely alike by how near training cases come to one another: the logarithm of the
distance to the nearest other training case, by class, where a copy lies five standard deviations below the median. The standard
deviation is that of the lower half, from the 16th percentile, which a few copies among the training cases do not move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis import Finding
from neurocli.diagnosis.words import counted, information, listed, unless_none
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.data.case_split import copied_cases
from neurocli_sequences.diagnosis.likeness import nearest
from neurocli_sequences.diagnosis.shingles import nearest_texts

MOST_TESTED, MOST_FITTED, MOST_NULLS = 10_000, 60_000, 2_000
FEWEST, FEWEST_OF_CLASS = 30, 100
"""Training cases that a null needs, of all classes together and of one."""
BELOW = 5.0
LEAST = {True: 0.5, False: 0.9}
"""Similarity that a copy has at least, of tokens or of numbers: where all cases are far apart, a null has no say."""


@dataclass(frozen=True)
class Null:
    """Similarity from which on a case is nearly a copy: of each class [class], or of all together [1]."""

    threshold: NDArray[np.float64]

    def of(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """[case]."""
        return (
            self.threshold[labels.astype(np.int64)] if len(self.threshold) > 1 else np.tile(self.threshold, len(labels))
        )


def near_copy_findings(dataset: CaseData) -> list[Finding]:
    """Test cases that are nearly training or validation cases; none without either."""
    tested, fitted, nulls = _chosen(dataset)
    if len(nulls) < FEWEST or not len(tested):
        return []
    find = nearest_texts if dataset.form.tokens else nearest
    _, among = find(dataset, nulls, fitted)
    null = null_of(dataset, nulls, among)
    near, similarity = find(dataset, tested, fitted)
    limit = null.of(dataset.label[tested])
    exact = set(copied_cases(dataset.cases, dataset.split))
    close = np.flatnonzero((similarity >= limit) & (near >= 0))
    close = close[np.argsort(-similarity[close], kind="stable")]
    pairs = [
        f"{dataset.cases[tested[k]].group} is nearly {dataset.cases[near[k]].group} ({similarity[k]:.6g}{_labels(dataset, tested[k], near[k])})"
        for k in close
        if dataset.cases[tested[k]].group not in exact
    ]
    span = f"{null.threshold.min():.4f}" + (
        f" to {null.threshold.max():.4f}, by class" if np.ptp(null.threshold) else ""
    )
    repeated = float((among >= null.of(dataset.label[nulls])).mean())
    return [
        unless_none(
            "near-copies",
            f"{counted(len(tested), 'test case')} against {counted(len(fitted), 'other')}",
            f"{counted(len(pairs), 'test case')}: {listed(pairs)}" if pairs else "",
            threshold=f"{_measure(dataset)} < {span}: {BELOW:g} sd beyond what training cases have to their nearest",
            advice="look at these pairs: where one was made from the other, the score does not hold for new cases, so leave "
            "one out",
        ),
        information("near-repeats", "training cases", f"{repeated:.1%} are nearly another training case"),
    ]


def null_of(dataset: CaseData, numbers: NDArray[np.int64], similarity: NDArray[np.float64]) -> Null:
    """From the similarity [case] of training cases to their nearest other training case."""
    least = LEAST[dataset.form.tokens]
    overall = _threshold(similarity, least)
    if not dataset.classes:
        return Null(np.array([overall]))
    thresholds = np.full(len(dataset.classes), overall)
    for k in range(len(dataset.classes)):
        of_class = similarity[dataset.label[numbers] == k]
        if len(of_class) >= FEWEST_OF_CLASS:
            thresholds[k] = _threshold(of_class, least)
    return Null(thresholds)


def _threshold(similarity: NDArray[np.float64], least: float) -> float:
    distance = np.log(np.maximum(1 - similarity, 1e-7))
    middle, low = np.quantile(distance, [0.5, 0.16])
    return float(max(1 - np.exp(middle - BELOW * (middle - low)), least))


def _chosen(dataset: CaseData) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(test cases, cases that they are held against, training cases for the null), at most so many, and none that is constant."""
    random = np.random.default_rng(0)

    def some(numbers: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        varied = np.array([n for n in numbers if _varies(dataset.sequence(int(n)))], np.int64)
        return varied if len(varied) <= most else np.sort(random.choice(varied, most, replace=False))

    tested = some(dataset.numbers("test"), MOST_TESTED)
    fitted = some(np.concatenate([dataset.numbers("train"), dataset.numbers("validation")]), MOST_FITTED)
    return tested, fitted, some(fitted, MOST_NULLS)


def _varies(sequence: NDArray[np.generic]) -> bool:
    return bool((sequence != sequence[0]).any()) if sequence.ndim == 1 else bool(np.ptp(np.nan_to_num(sequence)) > 0)


def _measure(dataset: CaseData) -> str:
    return "share of common runs of tokens" if dataset.form.tokens else "correlation"


def _labels(dataset: CaseData, first: int, second: int) -> str:
    """What the labels of two cases are, where they differ."""
    one, other = dataset.label[first], dataset.label[second]
    if one == other:
        return ""
    return (
        f", {dataset.classes[int(one)]} and {dataset.classes[int(other)]}"
        if dataset.classes
        else f", {one:g} and {other:g}"
    )
