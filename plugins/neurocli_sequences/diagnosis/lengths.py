"""Lengths of sequences by part, and against the timescales of the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis import Finding
from neurocli.diagnosis.words import information, unless_none
from neurocli_sequences.data.case_dataset import CaseData

SHORTEST, LONGEST = 0.5, 10.0
"""Longest timescale of a model, in lengths of the longest sequence."""


def length_findings(dataset: CaseData) -> list[Finding]:
    """Shortest, median and longest sequence of each part, and test sequences beyond those of the training."""
    lengths = {part: dataset.lengths[dataset.numbers(part)] for part in ("train", "validation", "test")}
    findings = [information("lengths", f"{part} cases", _in_words(of)) for part, of in lengths.items() if len(of)]
    if not len(lengths["test"]) or not len(lengths["train"]):
        return findings
    longest = int(lengths["train"].max())
    longer = int((lengths["test"] > longest).sum())
    findings.append(
        unless_none(
            "longer-than-training",
            "test cases",
            f"{longer:,} of {len(lengths['test']):,}, up to {int(lengths['test'].max()):,} steps" if longer else "",
            threshold=f"≤ {longest:,} steps",
            advice="the model has never seen sequences of such length: judge by the score of the others as well",
        )
    )
    return findings


def _in_words(lengths: NDArray[np.int64]) -> str:
    if not np.ptp(lengths):
        return f"{lengths[0]:,} steps"
    return f"{lengths.min():,} to {lengths.max():,} steps, median {np.median(lengths):,.0f}"


def timescale_finding(tau: NDArray[np.float64], dataset: CaseData, subject: str) -> Finding:
    """Whether the longest of the time constants [unit], in steps, fits the longest training sequence."""
    numbers = dataset.numbers("train")
    steps = int(dataset.lengths[numbers if len(numbers) else slice(None)].max())
    longest = float(tau.max())
    short = longest < SHORTEST * steps
    return Finding.graded(
        "timescales-against-length",
        subject,
        f"{tau.min():.3g} to {longest:.3g} steps; the longest sequence has {steps:,}",
        f"longest {SHORTEST * steps:,.3g} to {LONGEST * steps:,.3g} steps",
        "what comes early in a sequence is forgotten at its end: give the model longer timescales, or read it over all steps "
        "(task.pooling=mean)"
        if short
        else "no sequence is so long: give the model shorter timescales, or it only sums up its input",
        warn=short or longest > LONGEST * steps,
    )
