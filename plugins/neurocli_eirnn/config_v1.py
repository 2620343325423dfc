"""The options of eirnn-v1. The defaults are the published final stage, faults included; `model/published_faults.py` names those in force."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neurocli.config import FamilyConfig, Section, TrainConfig
from neurocli_eirnn.config import DataConfig, EvaluateConfig


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
