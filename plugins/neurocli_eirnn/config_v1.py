"""The options of eirnn-v1. The defaults are the published final stage, faults included; `model/published_faults.py` names those in force."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neurocli.config import FamilyConfig, Section, TrainConfig
from neurocli_eirnn.config import DataConfig, EvaluateConfig


class V1Model(Section):
    """Units, time constants, input and output of the published network."""

    ratio: float | None = Field(
        4.0, gt=0, description="excitatory units per inhibitory unit; unset: recorded neurons only"
    )
    target_total: int | None = Field(
        None, ge=2, le=4096, description="number of all units (published: 200 in one variant); unset: as `ratio` says"
    )
    map_by_type: bool = Field(
        False,
        description="neurons on units of their own type; off, as published: neuron k on unit k, interneurons on excitatory units too",
    )
    bypass_dale: bool = Field(False, description="allow weights of either sign")
    rank: int | None = Field(None, ge=1, le=4096, description="rank of the recurrent weights; unset: full rank")
    spectral_radius: float = Field(0.9, gt=0, description="spectral radius of the initial recurrent weights")
    input_low: float = Field(0.0, description="lowest initial input weight, uniform up to input_high")
    input_high: float = Field(1.0, description="highest initial input weight")
    time_constant: Literal["fixed", "alpha", "alpha-population", "alpha-neuron", "tau-population", "tau-neuron"] = (
        Field(
            "fixed",
            description="what is learned: nothing (fixed); alpha, one for all units, per population or per unit; or tau itself",
        )
    )
    tau_ms: float = Field(50.0, gt=0, description="time constant, or its initial value where it is learned")
    noise: float = Field(
        0.1, ge=0, description="standard deviation of the noise on the state, multiplied by sqrt(alpha)"
    )
    noise_at_evaluation: bool = Field(True, description="noise also in validation and evaluation, as published")
    output_scale: bool = Field(
        True, description="one learned scale and baseline for all neurons; off: the rate is softplus(state)"
    )
    output_lag: bool = Field(True, description="rates are read from the state one bin earlier, as published")
    learned_start: bool = Field(True, description="learn the state before the first bin; off: 0")
    start: float = Field(
        0.1, description="initial value of the learned state before the first bin, the same for all units"
    )
    embedding: Literal["attention", "linear", "random", "mlp", "groups", "lags", "gru", "none"] = Field(
        "attention", description="transformation of the inputs before the input weights"
    )
    embedding_size: int = Field(56, ge=3, le=4096, description="number of outputs of the embedding per bin")
    compiled: Literal["auto", "on", "off"] = Field(
        "auto", description="run the recurrence compiled; auto: where that is possible"
    )


class V1Loss(Section):
    """The published loss. Steps are optimiser steps; one is an epoch where the batch holds all trials."""

    neuron: Literal["zscore", "correlation", "poisson"] = Field("correlation", description="how PSTHs are compared")
    scale: float = Field(0.1, ge=0, description="weight of the grand mean in the correlation loss")
    variance: float = Field(0.05, ge=0, description="weight of the temporal variance in the correlation loss")
    conditions: Literal["none", "published", "all"] = Field(
        "none",
        description="PSTHs per condition; published: 16 conditions, no salience counted as high; all: 24 conditions",
    )
    trial: float = Field(0.5, ge=0, description="weight of the loss of matched single trials; 0: none")
    matching: Literal["sinkhorn", "softmin"] = Field(
        "sinkhorn", description="how trials of data and model are matched; softmin: each trial by itself (preset first)"
    )
    distance: Literal["euclidean", "poisson"] = Field(
        "euclidean", description="distance between the population means of two trials"
    )
    temperature: float = Field(0.1, gt=0, description="softness of the matching: the lower, the nearer to one-to-one")
    sinkhorn_steps: int = Field(20, ge=1, le=10_000, description="iterations of the Sinkhorn matching")
    weights: float = Field(1e-4, ge=0, description="weight of the mean squared recurrent and input weights")
    eye: float = Field(0.0, ge=0, description="weight of the squared error of the eye position (published: 0)")
    normalise: Literal["all", "losses", "none"] = Field(
        "losses",
        description="which terms are divided by their own running mean: all (weights then cancel; presets first and fixed), those of PSTHs and"
        " single trials (losses), or none",
    )
    alone_steps: int = Field(0, ge=0, description="steps with the loss of PSTHs alone")
    ramp_steps: int = Field(
        0, ge=0, description="then steps over which the loss of single trials rises to its full weight (published: 300)"
    )
    scale_alone: float = Field(0.3, ge=0, description="`scale` before the ramp")
    variance_alone: float = Field(0.1, ge=0, description="`variance` before the ramp")
    mask: Literal["published", "valid"] = Field(
        "published",
        description="which bins count; published: the duration counted from the first bin, 200 ms too early; valid: all that have data",
    )
    smoothing: Literal["published", "gaussian"] = Field(
        "published", description="published: a kernel of int(ms / bin) bins; gaussian: the sd of a Gaussian in ms"
    )
    neuron_smoothing_ms: float = Field(8.0, ge=0, description="smoothing of the PSTHs in the loss")
    trial_smoothing_ms: float = Field(32.0, ge=0, description="smoothing of single trials in the loss")
    clip_percentile: float | None = Field(
        99.5,
        gt=0,
        le=100,
        description="percentile of the training rates at which the loss clips rates; unset: no clipping",
    )
    choose: Literal["correlation", "neuron", "total"] = Field(
        "neuron",
        description="what chooses the best epoch and lowers the learning rate: 1 - r, the loss of PSTHs (neuron), or the whole loss",
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
