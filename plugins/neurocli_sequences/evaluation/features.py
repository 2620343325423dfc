"""A fixed number of features of each case, for linear baselines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocli_sequences.data.case_dataset import CaseData

MOST_FLAT = 4096
"""Values of a case that are features as they are."""
STEPS = 16
"""Steps to which cases of other or of many lengths are brought."""


def features(dataset: CaseData, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """[case, feature]: log of how often each token comes; or the z-scores of a whole case, brought to 16 steps where lengths differ."""
    if dataset.form.tokens:
        return np.stack([_counts(dataset, int(n)) for n in numbers])
    same = not np.ptp(dataset.lengths)
    if same and int(dataset.lengths[0]) * dataset.form.inputs <= MOST_FLAT:
        chunks = np.array_split(numbers, max(1, len(numbers) // 2048))
        return np.concatenate([dataset.batch(chunk)["x"].numpy().reshape(len(chunk), -1) for chunk in chunks])
    return np.stack([_resampled(dataset, int(n)) for n in numbers])


def in_words(dataset: CaseData) -> str:
    """What `features` are."""
    if dataset.form.tokens:
        return "how often each token comes"
    same = not np.ptp(dataset.lengths)
    flat = same and int(dataset.lengths[0]) * dataset.form.inputs <= MOST_FLAT
    return "all values of the case" if flat else f"the case brought to {STEPS} steps"


def _counts(dataset: CaseData, number: int) -> NDArray[np.float32]:
    return np.log1p(np.bincount(dataset.sequence(number), minlength=dataset.form.inputs)).astype(np.float32)


def _resampled(dataset: CaseData, number: int) -> NDArray[np.float32]:
    x = dataset.batch(np.array([number]))["x"].numpy()[0]
    places = np.linspace(0, len(x) - 1, STEPS)
    return np.concatenate([np.interp(places, np.arange(len(x)), column) for column in x.T]).astype(np.float32)
