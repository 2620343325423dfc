"""Scores of class probabilities: targets and predictions are [sample, class], targets with a 1 at the right class."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import Mask, OfSums, Sums, Values, ratio

LEAST_PROBABILITY = 1e-12
"""What the log loss takes a smaller one for: a single certain mistake must not make it infinite."""

Array = NDArray[np.float64]


class _OfClasses(OfSums):
    """Sums over the samples of a group: how many, and of what each gives; targets and predictions are [sample, class]."""

    unit = ""

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        """[1, 2]."""
        values = self._of_sample(np.asarray(target), np.asarray(prediction, np.float64))
        if mask is not None:
            values = values[np.broadcast_to(mask, target.shape)[:, 0]]
        return np.array([[len(values), values.sum()]], np.float64)

    def of_sums(self, sums: Sums) -> Sums:
        n, total = sums
        return ratio(total, n)

    @abstractmethod
    def _of_sample(self, target: NDArray[Any], prediction: Array) -> Array:
        """What each sample gives [sample], of targets and predictions [sample, class]."""


class Accuracy(_OfClasses):
    """Share of the samples whose most probable class is the right one."""

    name = "accuracy"
    limits = (0.0, 1.0)

    def _of_sample(self, target: NDArray[Any], prediction: Array) -> Array:
        return (target.argmax(1) == prediction.argmax(1)).astype(np.float64)


class LogLoss(_OfClasses):
    """Mean of -log of the probability that the right class is given."""

    name = "log loss"
    unit = "nats"
    higher = False

    def _of_sample(self, target: NDArray[Any], prediction: Array) -> Array:
        right = np.take_along_axis(prediction, target.argmax(1)[:, None], 1)[:, 0]
        return -np.log(np.maximum(right, LEAST_PROBABILITY))
