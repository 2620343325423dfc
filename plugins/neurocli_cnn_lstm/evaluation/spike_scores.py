"""Scores of a predicted spike probability over all runs together, of which one is in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

Runs = Callable[[], Iterable[tuple[NDArray[np.bool_], NDArray[np.float32]]]]
"""Gives (whether a spike came [target], its probability [target]) of one run after the other, the same ones each time."""


def spike_scores(runs: Runs) -> dict[str, float]:
    """auroc, average_precision and brier of all targets; nothing where all of them spiked, or none.

    The first two depend on order alone. Targets without a spike whose probabilities lie between those of the same two spikes
    are therefore one row of scikit-learn's, with their number as its weight: the memory is that of the spikes.
    """
    values, spikes = np.unique(
        np.concatenate([probability[spiked] for spiked, probability in runs()]), return_counts=True
    )
    # Where targets without a spike lie: even numbers between two values, odd ones at a value.
    without = np.zeros(2 * len(values) + 1, np.int64)
    squares, targets = 0.0, 0
    for spiked, probability in runs():
        place = np.searchsorted(values, probability[~spiked])
        tied = values[np.minimum(place, len(values) - 1)] == probability[~spiked] if len(values) else False
        without += np.bincount(2 * place + tied, minlength=len(without))
        squares += brier_score_loss(spiked, probability, pos_label=True) * len(spiked)
        targets += len(spiked)
    if not len(values) or not without.any():
        return {}
    filled = np.flatnonzero(without)
    came = np.repeat([False, True], [len(filled), len(values)])
    order = np.concatenate([filled, 2 * np.arange(len(values)) + 1])
    weight = np.concatenate([without[filled], spikes]).astype(np.float64)
    return {
        "auroc": float(roc_auc_score(came, order, sample_weight=weight)),
        "average_precision": float(average_precision_score(came, order, sample_weight=weight)),
        "brier": squares / targets,
    }
