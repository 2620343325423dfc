"""Spike scores and explained variance as sums over simulations, so that intervals over simulations can be made.

A simulation gives two histograms of its probabilities, with and without an output spike. The bins are finer than what
a score can tell: within one, ranks count as tied.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import Mask, Metric, OfSums, Sums, Values, known_targets, summed

Array = NDArray[np.float64]

_LOGITS, _PER_UNIT = (-104, -16, 8, 17), (20, 100, 20)
"""Bins of one percent of the odds for probabilities from 1e-7 to .9997, of five percent as far as single precision goes: a model
that has learned few simulations by heart is that sure, and its order still counts."""
_STARTS = np.concatenate(([0], np.cumsum(np.diff(_LOGITS) * _PER_UNIT)))
BINS = int(_STARTS[-1]) + 2


FEWEST_POSITIVES, FEWEST_EACH = 30, 4
"""Steps with a spike (and steps without) below which no interval is given: so many in all, and so many times the number of
simulations. With fewer an interval of an AUC of .99 holds the true one in .89 of cases and not in .95: few spikes are ranked
wrong, often none in most simulations. tests/plugins/elm/evaluation/test_auc_coverage.py simulates it."""


def fewest_positives(simulations: int) -> int:
    """Steps with a spike that so many simulations must have for an interval."""
    return max(FEWEST_POSITIVES, FEWEST_EACH * simulations)


class _OfSpikes(Metric):
    """Targets are 0 or 1, predictions probabilities; one channel. NaN where there is no spike, or no step without one."""

    unit = ""
    link = "logit"

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        """[channel, 2 * BINS]: how many steps with, then without a spike fall into each bin, highest probability first."""
        valid = known_targets(target, mask)
        rows = []
        for channel in range(target.shape[1]):
            keep = valid[:, channel]
            bins, truth = _bin(prediction[keep, channel]), target[keep, channel] > 0.5
            rows.append(np.concatenate([np.bincount(bins[t], minlength=BINS) for t in (truth, ~truth)]))
        return np.array(rows, np.float64)

    def value(self, statistics: Array) -> Array:
        counts = statistics.sum(-2)
        spikes, others = counts[..., :BINS], counts[..., BINS:]
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._value(spikes, others)

    def weights(self, groups: Array) -> Array:
        """[group]: the number of spikes, the rarer of the two kinds of steps."""
        return groups[..., :BINS].sum((-2, -1))

    def fewest(self, groups: Array) -> str | None:
        needed = fewest_positives(len(groups))
        for what, counts in (("with", groups[..., :BINS]), ("without", groups[..., BINS:])):
            count = int(counts.sum())
            if count < needed:
                return f"only {count} steps {what} an output spike: an interval over {len(groups)} simulations needs {needed}"
        return None

    @abstractmethod
    def _value(self, spikes: Array, others: Array) -> Array:
        """Scores [...] of counts per bin [..., BINS] of the steps with and without a spike."""


class SpikeAUC(_OfSpikes):
    """Area under the ROC curve of all steps."""

    name = "AUC"

    def _value(self, spikes: Array, others: Array) -> Array:
        below = others.sum(-1, keepdims=True) - np.cumsum(others, -1)
        won = (spikes * (below + others / 2)).sum(-1)
        pairs = spikes.sum(-1) * others.sum(-1)
        return np.where(pairs > 0, won / pairs, np.nan)


class AveragePrecision(_OfSpikes):
    """Precision at each spike, averaged: what share of the steps rated as high or higher have a spike."""

    name = "AP"
    link = "logit"

    def _value(self, spikes: Array, others: Array) -> Array:
        hits, total = np.cumsum(spikes, -1), spikes.sum(-1)
        called = hits + np.cumsum(others, -1)
        precision = np.where(called > 0, hits / np.maximum(called, 1), 0)
        return np.where(total > 0, (spikes * precision).sum(-1) / total, np.nan)


class TruePositives(_OfSpikes):
    """True positive rate at a false positive rate, on the straight line between the two nearest points of the ROC curve."""

    def __init__(self, false_positives: float) -> None:
        self.rate = false_positives
        self.name = f"TP@{false_positives:g}"

    def _value(self, spikes: Array, others: Array) -> Array:
        n, allowed = spikes.sum(-1), self.rate * others.sum(-1)
        before = np.cumsum(others, -1) - others
        # The share of each bin that lies within the allowed number of false positives.
        room = allowed[..., None] - before
        share = np.where(others > 0, np.clip(room / np.maximum(others, 1e-300), 0, 1), room >= 0)
        return np.where((n > 0) & (others.sum(-1) > 0), (spikes * share).sum(-1) / n, np.nan)


class ExplainedVariance(OfSums):
    """1 - variance of the error / variance of the target, in percent: blind to a constant error."""

    name = "EV"
    unit = "%"
    link = "percent"

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        """[channel, 5]: number of steps, sums of target, its square, error and its square."""
        y = np.asarray(target, np.float64)
        error = np.asarray(prediction, np.float64) - y
        valid = known_targets(y, mask)
        y, error = np.where(valid, y, 0.0), np.where(valid, error, 0.0)
        return summed((valid, y, y**2, error, error**2))

    def of_sums(self, sums: Sums) -> Sums:
        n, y, y2, e, e2 = sums
        spread = y2 - y**2 / n
        return np.where((n > 1) & (spread > 0), 100 * (1 - (e2 - e**2 / n) / spread), np.nan)


def _bin(probability: NDArray[Any]) -> NDArray[np.int64]:
    """Bin of each probability, 0 for the highest."""
    p = np.asarray(probability, np.float64)
    with np.errstate(divide="ignore"):
        logit = np.log(p) - np.log1p(-p)
    place = np.floor(np.interp(logit, _LOGITS, _STARTS)).astype(np.int64)
    return BINS - 2 - np.where(logit < _LOGITS[0], -1, place)
