"""Scores of forecasts of calcium, worm by worm: every worm counts the same."""

from __future__ import annotations

import numpy as np

from neurocli.evaluation.metrics import Mask, Metric, OfSums, Sums, Values, known_targets, ratio, summed


class ErrorReduction(OfSums):
    """S = 1 - squared error over that of "nothing changes", mean over worms; neurons count by how much they change.

    A worm in which nothing changes has no S, and counts nothing.
    """

    name = "S"
    unit = "1 - MSE/MSE of persistence"
    of_change = True
    link = "log1m"

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        known = known_targets(target, mask)
        change = np.where(known, target, 0.0).astype(np.float64)
        error = np.where(known, target - prediction, 0.0).astype(np.float64)
        columns = summed((error**2, change**2))
        total = columns[:, 1].sum()
        return columns / total if total > 0 else np.zeros_like(columns)

    def weights(self, groups: Sums) -> Sums:
        """[group]: every worm counts the same."""
        return np.ones(len(groups))

    def of_sums(self, sums: Sums) -> Sums:
        error, change = sums
        return 1 - ratio(error, change)


class NeuronMedianR2(Metric):
    """Median over neurons of R2, each around its own mean over all worms' targets."""

    name = "R2"
    unit = "median neuron"
    link = "log1m"
    pooled = False

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        known = known_targets(target, mask)
        y = np.where(known, target, 0.0).astype(np.float64)
        error = np.where(known, target - prediction, 0.0).astype(np.float64)
        return summed((known, y, y**2, error**2))

    def value(self, statistics: Sums) -> Sums:
        n, total, squares, error = np.moveaxis(statistics, -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = squares - total**2 / n
            r2 = np.where((n > 1) & (spread > 1e-12), 1 - error / spread, np.nan)
        known = np.isfinite(r2).any(-1)
        # Rows without any neuron are filled, so that the median does not warn of them.
        return np.where(known, np.nanmedian(np.where(np.expand_dims(known, -1), r2, 0.0), axis=-1), np.nan)


class Correlation(OfSums):
    """Pearson correlation of forecasts and targets, pooled over neurons and worms."""

    name = "r"
    unit = ""
    link = "fisher"

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        known = known_targets(target, mask)
        y = np.where(known, target, 0.0).astype(np.float64)
        p = np.where(known, prediction, 0.0).astype(np.float64)
        return summed((known, y, p, y * y, p * p, y * p))

    def of_sums(self, sums: Sums) -> Sums:
        n, y, p, yy, pp, yp = sums
        spread = (yy - y * y / n) * (pp - p * p / n)
        return np.where((n > 1) & (spread > 0), (yp - y * p / n) / np.sqrt(spread), np.nan)
