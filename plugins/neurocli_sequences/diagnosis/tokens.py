"""Tokens that training has never seen, and tokens of the vocabulary that never come."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis import Finding
from neurocli.diagnosis.words import information, listed
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.data.forms import PairForm, TokenForm, text_of
from neurocli_sequences.data.tokens import CUTS, UNKNOWN

MOST_UNSEEN = 0.01
"""Share of the tokens of a part that may be unseen in training."""
_NAMED = 2_000
"""Texts that are read once more for the names of their unknown tokens."""


def token_findings(dataset: CaseData) -> list[Finding]:
    """Checks of the vocabulary; none where there are no tokens."""
    if not isinstance(dataset.form, TokenForm):
        return []
    vocabulary = dataset.form.vocabulary
    trained = token_counts(dataset, "train")
    unused = [vocabulary.tokens[k] for k in range(vocabulary.specials, len(vocabulary)) if not trained[k]]
    findings = [
        _unseen(dataset, part, trained)
        for part in ("validation", "test")
        if len(dataset.numbers(part)) and trained.any()
    ]
    known = len(vocabulary) - vocabulary.specials
    text = f"{len(unused):,} of {known:,}" + (f": {listed(map(repr, unused))}" if unused else "")
    return [information("vocabulary", "training cases", f"{known:,} tokens ({vocabulary.unit})"), *findings,
            information("unused-tokens", "training cases", text)]  # fmt: skip


def token_counts(dataset: CaseData, part: str) -> NDArray[np.int64]:
    """How often each token [token] comes in a part."""
    numbers = dataset.numbers(part)
    if not len(numbers):
        return np.zeros(dataset.form.inputs, np.int64)
    values = np.concatenate([dataset.sequence(int(n)) for n in numbers])
    return np.bincount(values, minlength=dataset.form.inputs)


def _unseen(dataset: CaseData, part: str, trained: NDArray[np.int64]) -> Finding:
    """Share of the tokens of a part that are unknown, or known and never seen in training."""
    counts = token_counts(dataset, part)
    share = float(counts[trained == 0].sum() + (counts[1] if trained[1] else 0)) / max(int(counts.sum()), 1)
    names = (
        [f"{name!r} ({count:,})" for name, count in unseen_names(dataset, part, trained).most_common()] if share else []
    )
    return Finding.graded(
        "unseen-tokens",
        f"{part} cases",
        f"{share:.2%}" + (f": {listed(names)}" if names else ""),
        f"≤ {MOST_UNSEEN:.0%} of the tokens",
        "the model knows nothing of these tokens: bring training texts that have them, or cut texts otherwise (task.tokens)",
        warn=share > MOST_UNSEEN,
    )


def unseen_names(dataset: CaseData, part: str, trained: NDArray[np.int64]) -> Counter[str]:
    """Token → how often it comes in a part, of those that no training text has; of the first 2,000 texts."""
    assert isinstance(dataset.form, TokenForm)
    vocabulary = dataset.form.vocabulary
    seen = {token for token, count in zip(vocabulary.tokens, trained, strict=True) if count and token != UNKNOWN}
    longest = None if isinstance(dataset.form, PairForm) else dataset.form.longest  # each of a pair is cut by itself
    names: Counter[str] = Counter()
    for group in dataset.split.groups(part)[:_NAMED]:
        text = CUTS[vocabulary.unit](text_of(dataset.recordings[group]))[:longest]
        names.update(token for token in text if token not in seen)
    return names
