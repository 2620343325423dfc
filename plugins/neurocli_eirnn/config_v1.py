"""The options of eirnn-v1. The defaults are the published final stage, faults included; `published_faults` names those in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from neurocli.config import FamilyConfig, Section, TrainConfig
from neurocli_eirnn.config import DataConfig, EvaluateConfig
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY
from neurocli_eirnn.model.v1 import population, unit_map

if TYPE_CHECKING:
    from neurocli_eirnn.data.dataset import SessionData


class V1Model(Section):
    """Units, time constants, input and output of the published network."""

    ratio: float | None = Field(4.0, gt=0, description="excitatory to inhibitory units; unset: recorded neurons only")
    target_total: int | None = Field(None, ge=2, le=4096, description="units in all (published: 200 in one variant)")
    map_by_type: bool = Field(
        False,
        description="neurons on units of their own type; published: neuron k on unit k, interneurons on E units too",
    )
    bypass_dale: bool = Field(False, description="weights of any sign")
    rank: int | None = Field(None, ge=1, le=4096, description="rank of the recurrent weights; unset: full")
    spectral_radius: float = Field(0.9, gt=0, description="of the recurrent weights at the start")
    input_low: float = Field(0.0, description="input weights start uniform between the two")
    input_high: float = Field(1.0, description="largest input weight at the start")
    time_constant: Literal["fixed", "alpha", "alpha-population", "alpha-neuron", "tau-population", "tau-neuron"] = (
        Field(
            "fixed", description="what is learned: bin over tau (alpha) for all, per population or unit; or tau itself"
        )
    )
    tau_ms: float = Field(50.0, gt=0, description="time constant, or where it starts")
    noise: float = Field(0.1, ge=0, description="sd of the state's noise, times sqrt(bin over tau)")
    noise_at_evaluation: bool = Field(True, description="noise in validation and evaluation too, as published")
    output_scale: bool = Field(True, description="one learned scale and baseline for all neurons; off: rate = softplus")
    output_lag: bool = Field(True, description="rates from the state one bin before, as published")
    learned_start: bool = Field(True, description="state before the first bin; off: 0")
    start: float = Field(0.1, description="where the learned state before the first bin starts, all units alike")
    embedding: Literal["attention", "linear", "random", "mlp", "groups", "lags", "gru", "none"] = Field(
        "attention", description="what inputs pass through before the input weights"
    )
    embedding_size: int = Field(56, ge=3, le=4096, description="numbers that the embedding gives per bin")
    compiled: Literal["auto", "on", "off"] = Field("auto", description="compiled recurrence; auto: where it can run")


class V1Loss(Section):
    """The published loss. Steps are optimiser steps; one is an epoch where the batch holds all trials."""

    neuron: Literal["zscore", "correlation", "poisson"] = Field("correlation", description="loss of the PSTHs")
    scale: float = Field(0.1, ge=0, description="of the correlation loss: weight of the grand mean")
    variance: float = Field(0.05, ge=0, description="of the correlation loss: weight of the temporal variance")
    conditions: Literal["none", "published", "all"] = Field(
        "none", description="PSTHs per condition: 16 cells in which no salience counts as high, or all 24"
    )
    trial: float = Field(0.5, ge=0, description="weight of matched single trials; 0 leaves them out")
    matching: Literal["sinkhorn", "softmin"] = Field(
        "sinkhorn", description="how trials of data and model are matched; softmin: each one alone (first stage)"
    )
    distance: Literal["euclidean", "poisson"] = Field("euclidean", description="between population means of two trials")
    temperature: float = Field(0.1, gt=0, description="softness of the matching")
    sinkhorn_steps: int = Field(20, ge=1, le=10_000, description="iterations of the Sinkhorn matching")
    weights: float = Field(1e-4, ge=0, description="squared recurrent and input weights, means")
    eye: float = Field(0.0, ge=0, description="squared error of the eye position (published: 0)")
    normalise: Literal["all", "losses", "none"] = Field(
        "losses",
        description="terms over their own running mean: all (weights cancel; first and fixed stage), or PSTHs and trials only",
    )
    alone_steps: int = Field(0, ge=0, description="steps with PSTHs alone")
    ramp_steps: int = Field(0, ge=0, description="then steps in which matched trials come in (published: 300)")
    scale_alone: float = Field(0.3, ge=0, description="`scale` before the ramp")
    variance_alone: float = Field(0.1, ge=0, description="`variance` before the ramp")
    mask: Literal["published", "valid"] = Field(
        "published",
        description="bins: the duration counted from the first bin, 200 ms too early; or all that have data",
    )
    smoothing: Literal["published", "gaussian"] = Field(
        "published", description="kernel of int(ms / bin) bins, or sd in ms"
    )
    neuron_smoothing_ms: float = Field(8.0, ge=0, description="smoothing of the PSTHs in the loss")
    trial_smoothing_ms: float = Field(32.0, ge=0, description="smoothing of single trials in the loss")
    clip_percentile: float | None = Field(99.5, gt=0, le=100, description="of the training rates; unset: no clipping")
    choose: Literal["correlation", "neuron", "total"] = Field(
        "neuron", description="what chooses the epoch and lowers the learning rate: 1 - r, the PSTH loss, or the whole"
    )


class V1Config(FamilyConfig):
    """Options of eirnn-v1."""

    data: DataConfig = DataConfig(trials="all", part="all")
    model: V1Model = V1Model()
    loss: V1Loss = V1Loss()
    train: TrainConfig = TrainConfig(
        epochs=2000,
        batch_size=65_536,  # all trials at once
        optimizer="adam",
        learning_rate=1e-3,
        schedule="plateau",
        plateau_factor=0.5,
        plateau_patience=50,
        minimum_rate=1e-5,
        gradient_clip=1.0,
        patience=300,
    )
    evaluate: EvaluateConfig = EvaluateConfig()


def published_faults(data: SessionData, config: V1Config) -> list[str]:
    """The faults of the published recipe that are in force, a line each, with what they do to these data."""
    model, loss = config.model, config.loss
    types, bin_ms = data.session.neuron_type, data.bin_ms
    found = []
    n_e, _ = population(
        int((types == EXCITATORY).sum()), int((types == INHIBITORY).sum()), model.ratio, model.target_total
    )
    units = np.array(unit_map(types.tolist(), n_e, model.map_by_type))
    wrong_i, wrong_e = (
        int(((types == INHIBITORY) & (units < n_e)).sum()),
        int(((types == EXCITATORY) & (units >= n_e)).sum()),
    )
    if wrong_i or wrong_e:
        also = f" and {wrong_e} excitatory neurons on inhibitory ones" if wrong_e else ""
        found.append(
            f"as published, {wrong_i} of {int((types == INHIBITORY).sum())} interneurons sit on excitatory units{also}:"
            " nothing said about types holds (model.map_by_type puts them right)"
        )
    if loss.mask == "published":
        rows = data.fitted_rows() if data.split.train else np.where(data.kept)[0]
        bins, known = data.duration_bins[rows], np.isfinite(data.rates[rows]).any(2)
        share = float((np.arange(known.shape[1]) < bins[:, None])[known].mean())
        found.append(f"as published, durations are counted from the wrong bin: {share:.0%} of the bins enter the loss")
    if loss.smoothing == "published" and max(loss.neuron_smoothing_ms, loss.trial_smoothing_ms) < 2 * bin_ms:
        found.append(f"as published, the loss smooths over less than two bins of {bin_ms:g} ms: nothing is smoothed")
    if loss.clip_percentile is not None and data.clip is not None:
        rates = data.rates[data.fitted_rows()] if data.split.train else data.rates[data.kept]
        lost = np.nansum(np.maximum(rates - data.clip, 0), axis=(0, 1)) / np.maximum(np.nansum(rates, axis=(0, 1)), 1)
        found.append(
            f"as published, rates are clipped at {data.clip:g} sp/s in the loss: it removes up to {lost.max():.0%} of a neuron's spikes"
        )
    if loss.normalise == "all":
        found.append("as published, every loss term is divided by its own running mean: weights of terms cancel")
    if model.noise and model.noise_at_evaluation:
        found.append("as published, the states' noise stays on at evaluation")
    if model.output_lag:
        found.append("as published, rates lag the state by one bin")
    found.append(
        "published scores chose their epoch on the scored trials: here it is chosen on training trials held back"
    )
    return found
