"""Scores of forecasts of calcium, worm by worm: every worm counts the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import Metric, known_targets


class SkillOverPersistence(Metric):
    """S = 1 - squared error over that of "nothing changes", mean over worms; neurons count by how much they change.

    A worm in which nothing changes has no S, and counts nothing.
    """

    name = "S"
    unit = "1 - MSE/MSE of persistence"
    of_change = True
    link = "log1m"

    def statistics(
        self,
        target: NDArray[Any],
        prediction: NDArray[Any],
        mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        known = known_targets(target, mask)
        change = np.where(known, target, 0.0).astype(np.float64)
        error = np.where(known, target - prediction, 0.0).astype(np.float64)
        columns = np.stack([(error**2).sum(0), (change**2).sum(0)], axis=-1)
        total = columns[:, 1].sum()
        return columns / total if total > 0 else np.zeros_like(columns)

    def weights(self, groups: NDArray[np.float64]) -> NDArray[np.float64]:
        """[group]: every worm counts the same."""
        return np.ones(len(groups))

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        error, change = np.moveaxis(statistics.sum(-2), -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(change > 0, 1 - error / change, np.nan)


class NeuronMedianR2(Metric):
    """Median over neurons of R2, each around its own mean over all worms' targets."""

    name = "R2"
    unit = "median neuron"
    link = "log1m"
    pooled = False

    def statistics(
        self,
        target: NDArray[Any],
        prediction: NDArray[Any],
        mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        known = known_targets(target, mask)
        y = np.where(known, target, 0.0).astype(np.float64)
        error = np.where(known, target - prediction, 0.0).astype(np.float64)
        return np.stack([known.sum(0), y.sum(0), (y**2).sum(0), (error**2).sum(0)], axis=-1).astype(np.float64)

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        n, total, squares, error = np.moveaxis(statistics, -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = squares - total**2 / n
            r2 = np.where((n > 1) & (spread > 1e-12), 1 - error / spread, np.nan)
        known = np.isfinite(r2).any(-1)
        # Rows without any neuron are filled, so that the median does not warn of them.
        return np.where(known, np.nanmedian(np.where(np.expand_dims(known, -1), r2, 0.0), axis=-1), np.nan)


class Correlation(Metric):
    """Pearson correlation of forecasts and targets, pooled over neurons and worms."""

    name = "r"
    unit = ""
    link = "fisher"

    def statistics(
        self,
        target: NDArray[Any],
        prediction: NDArray[Any],
        mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        known = known_targets(target, mask)
        y = np.where(known, target, 0.0).astype(np.float64)
        p = np.where(known, prediction, 0.0).astype(np.float64)
        columns = [known, y, p, y * y, p * p, y * p]
        return np.stack([c.sum(0) for c in columns], axis=-1).astype(np.float64)

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        n, y, p, yy, pp, yp = np.moveaxis(statistics.sum(-2), -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (yy - y * y / n) * (pp - p * p / n)
            return np.where((n > 1) & (spread > 0), (yp - y * p / n) / np.sqrt(spread), np.nan)
