"""Data, model and train PSTH side by side: what tables and figures of an evaluation are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.question import Prediction, Predictor, Question
from neurocli_eirnn import psth
from neurocli_eirnn.baselines import train_psth
from neurocli_eirnn.ceiling import NOISE_CEILING, aligned_rates, ceiling
from neurocli_eirnn.data import SessionData
from neurocli_eirnn.rates import NO_SIGNAL, SMOOTHING_MS, Array, ratio, stacked, used_rows

TRUE_RATES = "true rates"


@dataclass(frozen=True)
class Compared:
    """Data, model and train PSTH on the targets of one question.

    data, model: [trial, time, neuron] in sp/s; *_psth: [time, neuron] under 50 ms; se: the standard error of data_psth; all
    others [neuron]. `ceiling` is what `ceiling_name` says: r of the true rates of simulated sessions, else the noise ceiling;
    `signal_sd` is the sd over time of the PSTH without its noise; train_* are None and NaN where no trials were trained on.
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
    signal_sd: Array

    @property
    def has_signal(self) -> NDArray[np.bool_]:
        return self.ceiling >= NO_SIGNAL

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
        return ratio(psth.temporal_sd(self.model_psth), psth.temporal_sd(self.data_psth))

    @property
    def sd_ratio_corrected(self) -> Array:
        """Model's sd over the data's without noise; NaN for neurons whose PSTH carries no signal."""
        return ratio(psth.temporal_sd(self.model_psth), np.where(self.has_signal, self.signal_sd, 0.0))


def compared(data: SessionData, question: Question, prediction: Prediction) -> Compared:
    """Everything that the exhibits say about one question."""
    sd_bins = SMOOTHING_MS / data.bin_ms
    targets, model = stacked(question, prediction)
    raw_data, raw_model = psth.trial_mean(targets), psth.trial_mean(model)
    data_psth, model_psth = psth.smoothed(raw_data, sd_bins), psth.smoothed(raw_model, sd_bins)
    every = aligned_rates(data, question.name, used_rows(data))
    known = _of_true_rates(data, question, data_psth)
    train = None
    if data.split.train:
        train = np.asarray(train_psth(data)(question).values[question.groups[0]], np.float64)
    return Compared(
        data=targets,
        model=model,
        data_psth=data_psth,
        model_psth=model_psth,
        train_psth=train,
        se=psth.standard_error(targets, sd_bins),
        r_raw=psth.correlation(raw_data, raw_model),
        r=psth.correlation(data_psth, model_psth),
        r_train=np.full(len(data_psth.T), np.nan) if train is None else psth.correlation(data_psth, train),
        ceiling=psth.noise_ceiling(every, len(targets), sd_bins) if known is None else known,
        ceiling_name=NOISE_CEILING if known is None else TRUE_RATES,
        signal_sd=np.sqrt(psth.signal_variance(every, sd_bins)),
    )


def _of_true_rates(data: SessionData, question: Question, data_psth: Array) -> Array | None:
    """[neuron] r (50 ms) of the true rates with the data's PSTH, 0 for silent neurons; None where nobody knows them."""
    limit = ceiling(data)
    answer = limit.answer(question) if isinstance(limit, Predictor) else None
    if answer is None:
        return None
    true = psth.smoothed(psth.trial_mean(stacked(question, answer)[1]), SMOOTHING_MS / data.bin_ms)
    return np.nan_to_num(psth.correlation(data_psth, true))
