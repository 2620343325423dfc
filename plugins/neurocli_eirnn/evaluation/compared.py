"""Data, model and train PSTH side by side: what tables and figures of an evaluation are made of.

Every r is the scoreboard's own: the same metric, of the same trials, neuron by neuron.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.scoreboard import ALL
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli_eirnn.data.dataset import SessionData, psth
from neurocli_eirnn.evaluation.baselines import train_psth
from neurocli_eirnn.evaluation.ceiling import NOISE_CEILING, aligned_rates, ceiling, of_channels
from neurocli_eirnn.evaluation.metrics import PsthCorrelation, SdRatio
from neurocli_eirnn.evaluation.rates import NO_SIGNAL, SMOOTHING_MS, Array, ratio, stacked, used_rows

TRUE_RATES = "true rates"


@dataclass(frozen=True)
class Compared:
    """Data, model and train PSTH on one target.

    data, model: [trial, time, neuron] in sp/s; *_psth: [time, neuron] under 50 ms; se: the standard error of data_psth; all
    others [neuron]. `ceiling` is what `ceiling_name` says: r of the true rates of simulated sessions, else the noise ceiling,
    NaN for neurons that are silent in these trials; `data_sd` and `model_sd` are sds over time of the PSTHs, `signal_sd` that of
    the data without its noise; train_* are None and NaN where no trials were trained on.
    """

    data: Array
    model: Array
    data_psth: Array
    model_psth: Array
    train_psth: Array | None
    se: Array
    r_raw: Array
    r: Array
    r_train: Array
    ceiling: Array
    ceiling_name: str
    data_sd: Array
    model_sd: Array
    signal_sd: Array

    @property
    def has_signal(self) -> NDArray[np.bool_]:
        return np.nan_to_num(self.ceiling) >= NO_SIGNAL

    @property
    def share(self) -> Array:
        """r over the ceiling; NaN for neurons whose PSTH carries no signal."""
        return ratio(np.where(self.has_signal, self.r, np.nan), self.ceiling)

    @property
    def rate_data(self) -> Array:
        return np.nanmean(self.data, axis=(0, 1))

    @property
    def rate_model(self) -> Array:
        return np.nanmean(self.model, axis=(0, 1))

    @property
    def sd_ratio(self) -> Array:
        return ratio(self.model_sd, self.data_sd)

    @property
    def sd_ratio_corrected(self) -> Array:
        """Model's sd over the data's without noise; NaN for neurons whose PSTH carries no signal."""
        return ratio(self.model_sd, np.where(self.has_signal, self.signal_sd, 0.0))


def compared(dataset: SessionData, target: Target, prediction: Prediction) -> Compared:
    """Everything that the exhibits say about one target."""
    targets, model = stacked(target, prediction)
    metric = PsthCorrelation(SMOOTHING_MS, dataset.bin_ms)
    every = aligned_rates(dataset, target.name, used_rows(dataset))
    train = train_psth(dataset)(target) if dataset.split.train else None
    sd_data, sd_model = SdRatio(SMOOTHING_MS, dataset.bin_ms).of_neurons(_sums(metric, target, prediction))
    limit, limit_name = _ceiling(dataset, target, metric)
    return Compared(
        data=targets,
        model=model,
        data_psth=psth.smoothed_mean(targets, metric.sd_bins),
        model_psth=psth.smoothed_mean(model, metric.sd_bins),
        train_psth=None if train is None else np.asarray(train.values[target.groups[0]], np.float64),
        se=psth.standard_error(targets, metric.sd_bins),
        r_raw=_r(PsthCorrelation(0.0, dataset.bin_ms), target, prediction),
        r=_r(metric, target, prediction),
        r_train=np.full(targets.shape[2], np.nan) if train is None else _r(metric, target, train),
        ceiling=limit,
        ceiling_name=limit_name,
        data_sd=sd_data,
        model_sd=sd_model,
        signal_sd=np.sqrt(psth.signal_variance(every, metric.sd_bins)),
    )


def _sums(metric: PsthCorrelation, target: Target, prediction: Prediction) -> Array:
    """The metric's statistics [neuron, k] of all the target's trials."""
    total: Array = np.zeros(())
    for group, observed in target.values.items():
        total = total + metric.statistics(observed, prediction.values[group])
    return total


def _r(metric: PsthCorrelation, target: Target, prediction: Prediction) -> Array:
    """[neuron] the metric's correlation; NaN for neurons that are silent in the data."""
    return metric.of_neurons(_sums(metric, target, prediction))


def _ceiling(dataset: SessionData, target: Target, metric: PsthCorrelation) -> tuple[Array, str]:
    """([neuron] what could be reached, what it is called)."""
    limit = ceiling(dataset)
    prediction = limit.predict(target) if isinstance(limit, Predictor) else None
    if prediction is not None:
        return _r(metric, target, prediction), TRUE_RATES
    expectation = of_channels(dataset, target, ALL, metric.sd_bins)
    return np.full(dataset.session.neurons, np.nan) if expectation is None else expectation.value, NOISE_CEILING
