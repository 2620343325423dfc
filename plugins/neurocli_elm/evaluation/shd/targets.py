"""What is scored: which digit, or which sum, a model predicts at the end of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.target import Prediction, Target
from neurocli.recordings.split import PARTS
from neurocli_elm.data.readers.shd import SHOWN_MS
from neurocli_elm.data.shd_dataset import ShdData

Array = NDArray[np.float64]

HEARD, NEW = "speakers of the training", "new speakers"


def targets(dataset: ShdData, part: str) -> list[Target]:
    """One target: the class of each sample, one-hot [sample, class], group by group; all of an utterance's first second is seen."""
    rows = dataset.scored_rows(part)
    targets = {group: np.eye(dataset.num_classes)[dataset.classes(samples)] for group, samples in rows.items()}
    origins = {group: np.full(len(samples), SHOWN_MS - 1) for group, samples in rows.items()}
    name = "sum of two digits" if dataset.adding else "spoken digit"
    return [Target(name, 0, None, "", targets, origins, subsets=_by_speaker(dataset, targets))]


def _by_speaker(dataset: ShdData, targets: dict[str, Array]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Speakers that the training has heard, and others; nothing where all are of one kind."""
    if not dataset.speakers_known or not dataset.split.train:
        return {}
    heard = {f"speaker {dataset.about[group].speaker}" for group in dataset.split.train}
    if len(heard & set(targets)) in (0, len(targets)):
        return {}
    return {
        name: {group: np.full((len(target), 1), (group in heard) == is_heard) for group, target in targets.items()}
        for name, is_heard in ((HEARD, True), (NEW, False))
    }


def from_rows(dataset: ShdData, target: Target, of_rows: Callable[[NDArray[np.int64]], NDArray[Any]]) -> Prediction:
    """The prediction of what gives probabilities [sample, class] for samples [sample, utterance]."""
    rows = next(rows for rows in map(dataset.scored_rows, reversed(PARTS)) if _asks_for(dataset, target, rows))
    return Prediction({group: of_rows(rows[group]) for group in target.groups})


def _asks_for(dataset: ShdData, target: Target, rows: dict[str, NDArray[np.int64]]) -> bool:
    """Whether a target is about these samples: parts may share speakers."""
    return rows.keys() == target.values.keys() and all(
        np.array_equal(dataset.classes(rows[group]), observed.argmax(1)) for group, observed in target.values.items()
    )
