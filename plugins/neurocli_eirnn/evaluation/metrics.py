"""Scores of trial-averaged rates. Each trial gives sums per bin, so that any resampling of trials is a sum of them.

Bins count by their number of trials, as `psth` says, for whoever is scored.
"""

from __future__ import annotations

import numpy as np

from neurocli.evaluation.metrics import Link, Mask, Metric, Sums, Values, known_targets, ratio
from neurocli_eirnn.data.psth import centred, of_sums

_TINY = 1e-12


class _Psth(Metric):
    """Statistics [neuron, 3 x time]: per bin the number of valid trials, the sum of the data, the sum of the model."""

    pooled = False

    def __init__(self, sd_ms: float, bin_ms: float) -> None:
        self.sd_bins = sd_ms / bin_ms

    def statistics(self, target: Values, prediction: Values, mask: Mask = None) -> Sums:
        valid = known_targets(target, mask)
        columns = (valid.astype(np.float64), np.where(valid, target, 0.0), np.where(valid, prediction, 0.0))
        return np.concatenate([c.T for c in columns], axis=1).astype(np.float64)

    def weights(self, groups: Sums) -> Sums:
        """[group] number of targets."""
        return groups[..., : groups.shape[-1] // 3].sum((-1, -2))

    def psths(self, statistics: Sums) -> tuple[Sums, Sums, Sums]:
        """(number of trials, data, model), each [..., neuron, time]: smoothed trial means; NaN where there is no trial."""
        count, data, model = np.split(statistics, 3, axis=-1)
        number = count.swapaxes(-1, -2)
        data, model = (
            of_sums(total.swapaxes(-1, -2), number, self.sd_bins).swapaxes(-1, -2) for total in (data, model)
        )
        return count, data, model


class PsthCorrelation(_Psth):
    """Mean over neurons of the correlation over time of trial means; neurons that are silent in the data are left out."""

    name = "r"
    link: Link = "fisher"

    def __init__(self, sd_ms: float, bin_ms: float) -> None:
        super().__init__(sd_ms, bin_ms)
        self.unit = f"{sd_ms:g} ms" if sd_ms else "unsmoothed"
        self.sd_ms = sd_ms

    def of_neurons(self, statistics: Sums) -> Sums:
        """[..., neuron] correlation; NaN for neurons that are silent in the data, 0 where the model is constant."""
        count, data, model = self.psths(statistics)
        (a, share), (b, _) = (centred(values, count, axis=-1) for values in (data, model))
        va, vb, both = ((share * product).sum(-1) for product in (a * a, b * b, a * b))
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.where(vb > _TINY, both / np.sqrt(va * vb), 0.0)
        return np.where(va > _TINY, r, np.nan)

    def value(self, statistics: Sums) -> Sums:
        return _nanmean(self.of_neurons(statistics))


class RateRatio(_Psth):
    """Mean rate of the model over that of the data."""

    name = "rate ratio"
    unit = ""
    link: Link = "log"

    def __init__(self, bin_ms: float) -> None:
        super().__init__(0.0, bin_ms)

    def value(self, statistics: Sums) -> Sums:
        return _ratio(statistics.sum(-2))


class MedianRateRatio(RateRatio):
    """Median over neurons of the mean rate of the model over that of the data."""

    name = "neuron's rate ratio"

    def value(self, statistics: Sums) -> Sums:
        return _nanmedian(_ratio(statistics))


class SdRatio(_Psth):
    """Standard deviation over time of the smoothed trial mean, mean over neurons, model over data.

    The data's trial mean carries noise that the model's does not: with few trials even a perfect model stays below 1.
    """

    name = "PSTH sd ratio"
    link: Link = "log"

    def __init__(self, sd_ms: float, bin_ms: float) -> None:
        super().__init__(sd_ms, bin_ms)
        self.unit = f"{sd_ms:g} ms"

    def value(self, statistics: Sums) -> Sums:
        data, model = (sd.sum(-1) for sd in self.of_neurons(statistics))
        return ratio(model, data)

    def of_neurons(self, statistics: Sums) -> tuple[Sums, Sums]:
        """(data's, model's) standard deviation over time [..., neuron]."""
        count, *means = self.psths(statistics)
        centred_means = (centred(values, count, axis=-1) for values in means)
        data, model = (np.sqrt((share * a * a).sum(-1)) for a, share in centred_means)
        return data, model


def _ratio(statistics: Sums) -> Sums:
    _, data, model = (statistic.sum(-1) for statistic in np.split(statistics, 3, axis=-1))
    return ratio(model, data)


def _nanmean(values: Sums) -> Sums:
    known = np.isfinite(values)
    n = known.sum(-1)
    return np.where(n > 0, np.where(known, values, 0.0).sum(-1) / np.maximum(n, 1), np.nan)


def _nanmedian(values: Sums) -> Sums:
    known = np.isfinite(values).sum(-1) > 0
    filled = np.where(np.expand_dims(known, -1), values, 0.0)  # no warning for rows without any number
    return np.where(known, np.nanmedian(filled, axis=-1), np.nan)
