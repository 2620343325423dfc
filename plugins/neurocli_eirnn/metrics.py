"""Scores of trial-averaged rates. Each trial gives sums per bin, so that any resampling of trials is a sum of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from neurocli.evaluation.metrics import Link, Metric, known_targets
from neurocli_eirnn.psth import filled_forward


class _Psth(Metric):
    """Statistics [neuron, 3 x time]: per bin the number of valid trials, the sum of the data, the sum of the model."""

    pooled = False
    link: Link = "log"

    def __init__(self, sd_ms: float, bin_ms: float) -> None:
        self.sd_bins = sd_ms / bin_ms

    def statistics(
        self,
        target: NDArray[Any],
        prediction: NDArray[Any],
        mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        valid = known_targets(target, mask)
        columns = (valid.astype(np.float64), np.where(valid, target, 0.0), np.where(valid, prediction, 0.0))
        return np.concatenate([c.T for c in columns], axis=1).astype(np.float64)

    def psths(
        self, statistics: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
        """(valid, data, model), each [..., neuron, time]: smoothed trial means."""
        count, data, model = np.split(statistics, 3, axis=-1)
        valid = count > 0
        found = []
        for total in (data, model):
            mean = total / np.maximum(count, 1)
            if not valid.all():
                mean = filled_forward(mean, valid, axis=-1)
            found.append(gaussian_filter1d(mean, self.sd_bins, mode="nearest") if self.sd_bins > 0 else mean)
        return valid, found[0], found[1]


def _centred(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    mean = np.where(valid, values, 0.0).sum(-1, keepdims=True) / np.maximum(valid.sum(-1, keepdims=True), 1)
    return np.where(valid, values - mean, 0.0)


class PsthCorrelation(_Psth):
    """Mean over neurons of the correlation over time of trial means; neurons that are silent in the data are left out."""

    name = "r"
    link = "fisher"

    def __init__(self, sd_ms: float, bin_ms: float) -> None:
        super().__init__(sd_ms, bin_ms)
        self.unit = f"{sd_ms:g} ms" if sd_ms else "raw"
        self.sd_ms = sd_ms

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        valid, data, model = self.psths(statistics)
        a, b = _centred(data, valid), _centred(model, valid)
        va, vb = (a**2).sum(-1), (b**2).sum(-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.where(vb > 1e-12, (a * b).sum(-1) / np.sqrt(va * vb), 0.0)
        return _nanmean(np.where(va > 1e-12, r, np.nan))


class RateRatio(_Psth):
    """Mean rate of the model over that of the data."""

    name = "rate ratio"
    unit = ""

    def __init__(self, bin_ms: float) -> None:
        super().__init__(0.0, bin_ms)

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        return _ratio(statistics.sum(-2))


class MedianRateRatio(RateRatio):
    """Median over neurons of the mean rate of the model over that of the data."""

    name = "neuron's rate ratio"

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        return _nanmedian(_ratio(statistics))


class SdRatio(_Psth):
    """Standard deviation over time of the smoothed trial mean, mean over neurons, model over data.

    The data's trial mean carries noise that the model's does not: with few trials even a perfect model stays below 1.
    """

    name = "PSTH sd ratio"

    def __init__(self, sd_ms: float, bin_ms: float) -> None:
        super().__init__(sd_ms, bin_ms)
        self.unit = f"{sd_ms:g} ms"

    def value(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        valid, data, model = self.psths(statistics)
        n = np.maximum(valid.sum(-1), 1)
        sd = [np.sqrt((_centred(values, valid) ** 2).sum(-1) / n).sum(-1) for values in (data, model)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(sd[0] > 0, sd[1] / sd[0], np.nan)


def _ratio(statistics: NDArray[np.float64]) -> NDArray[np.float64]:
    _, data, model = (part.sum(-1) for part in np.split(statistics, 3, axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(data > 0, model / data, np.nan)


def _nanmean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    n = known.sum(-1)
    return np.where(n > 0, np.where(known, values, 0.0).sum(-1) / np.maximum(n, 1), np.nan)


def _nanmedian(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values).sum(-1) > 0
    filled = np.where(np.expand_dims(known, -1), values, 0.0)  # no warning for rows without any number
    return np.where(known, np.nanmedian(filled, axis=-1), np.nan)
