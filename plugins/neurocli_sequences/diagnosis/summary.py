"""What is known of each case before it is split: label, part, owner, length, and what is wrong with its values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings import Recording, RecordingSet
from neurocli_sequences.data.case_dataset import case_of
from neurocli_sequences.data.case_split import Case


@dataclass(frozen=True)
class Summary:
    """case: by which it is split; missing: share of its values; constant: whether they are all the same; infinite: whether any is."""

    case: Case
    steps: int
    missing: float
    constant: bool
    infinite: bool
    mean: float
    low: float
    high: float


def summarised(recordings: RecordingSet) -> tuple[list[Summary], list[str]]:
    """(what is known of each case that can be read, what is wrong with each other)."""
    classes = [str(name) for name in recordings.meta.get("classes") or ()]
    summaries, wrong = [], []
    for group in recordings:
        try:
            recording = recordings[group]
            summaries.append(summary_of(recording, case_of(recording, recordings.where(group), classes)))
        except DataError as error:
            wrong.append(f"{group}: {error.message}")
    return summaries, wrong


def summary_of(recording: Recording, case: Case) -> Summary:
    """What is known of one case; missing is what its mask excludes, and NaN."""
    values = np.asarray(recording.signal)
    steps, size, infinite = len(values), values.size, False
    if recording.mask is not None:
        values = values[recording.mask]
    if values.dtype.kind == "f":
        infinite = bool(np.isinf(values).any())
        values = values[np.isfinite(values)]
    if not values.size:
        return Summary(case, steps, 1.0, True, infinite, np.nan, np.nan, np.nan)
    low, high = float(values.min()), float(values.max())
    return Summary(case, steps, 1 - values.size / size, low == high, infinite, float(values.mean()), low, high)
