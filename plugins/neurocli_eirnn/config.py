"""The options of the eirnn models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neurocli.config import EvaluateSection, FamilyConfig, Section, TrainConfig


class DataConfig(Section):
    """Which trials are used, and how they are split."""

    trials: Literal["ordered", "plausible", "all"] = Field(
        "ordered",
        description="ordered: events in their order; plausible: also those whose target and go were placed at the reward;"
        " all: broken trials too",
    )
    split_seed: int = Field(
        42, ge=0, description="which trials are held out; apart from train.seed, so that seeds compare"
    )
    part: Literal["development", "confirmation", "all"] = Field(
        "development",
        description="development: without the trials kept for confirmation (every fourth by its number in the file);"
        " confirmation: trained on all others, scored on these; all: no cut, as for sessions of known rates",
    )
    test: float = Field(0.2, gt=0, lt=1, description="share of trials that are scored, within low and high reward")
    validation: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the training trials that choose the epoch; 0: all are trained on, and the last epoch stays",
    )
    reward_cue: bool = Field(
        False,
        description="a further input while a target is on: 0.2 where the trial's label promises a high reward, else -0.2",
    )


class EvaluateConfig(EvaluateSection):
    """What is scored."""

    smoothing_ms: list[float] = Field([0.0, 50.0, 100.0], min_length=1, description="sd of the Gaussian, one r each")
    before_ms: float = Field(200.0, gt=0, description="start of the window around target, go and reward")
    after_ms: float = Field(500.0, gt=0, description="end of that window, after the event")
    gru_hidden: int = Field(48, ge=1, description="units of the unconstrained GRU that serves as baseline")
    gru_epochs: int = Field(60, ge=0, description="its epochs, 600 steps at most; 0 leaves it out")
    gru_networks: int = Field(3, ge=1, description="GRUs of other seeds whose mean it is, in the quick form at most 2")


class V2Model(Section):
    """Units, and how their parameters start."""

    hidden_excitatory: int = Field(16, ge=0, description="units beside those of recorded excitatory neurons")
    hidden_inhibitory: int = Field(4, ge=0, description="units beside those of recorded interneurons")
    alpha_low: float = Field(0.1, gt=0, lt=1, description="bin over time constant: start, log-uniform between the two")
    alpha_high: float = Field(0.7, gt=0, lt=1, description="largest bin over time constant at the start")
    spectral_radius: float = Field(0.9, gt=0, description="of the recurrent weights at the start")
    input_scale: float = Field(0.3, gt=0, description="input weights start uniform between minus and plus this")
    start_sd: float = Field(0.1, ge=0, description="sd over units of the state before the first bin, at the start")
    linear_weight: float = Field(
        0.4,
        ge=0,
        lt=1,
        description="of a ridge regression on event and time, fitted before and fixed, in the mean of rates with it; 0: none",
    )
    bypass_dale: bool = Field(False, description="weights of any sign, to see what Dale's law costs")
    compiled: Literal["auto", "on", "off"] = Field("auto", description="compiled recurrence; auto: where it can run")


class V2Loss(Section):
    """Weights of the loss terms. PSTHs are smoothed, and their targets are those of all training trials."""

    smoothing_ms: float = Field(50.0, ge=0, description="sd of the Gaussian under which PSTHs are compared")
    correlation: float = Field(1.0, ge=0, description="1 - r of the PSTHs of whole trials")
    condition: float = Field(2.0, ge=0, description="the same within each target location")
    event: float = Field(1.0, ge=0, description="the same in windows around target, go and reward")
    rate: float = Field(4.0, ge=0, description="squared log ratio of mean rates")
    sd: float = Field(0.0, ge=0, description="squared log ratio of the PSTH's standard deviation, data's without noise")
    poisson: float = Field(300.0, ge=0, description="negative log likelihood per bin of the single trials")


class V2Config(FamilyConfig):
    """Options of eirnn-v2."""

    data: DataConfig = DataConfig(reward_cue=True, validation=0.0)
    model: V2Model = V2Model()
    loss: V2Loss = V2Loss()
    train: TrainConfig = TrainConfig(
        epochs=200,
        batch_size=32,
        optimizer="adamw",
        learning_rate=2e-2,
        weight_decay=1e-3,
        schedule="cosine",
        warmup=0.3,
        gradient_clip=1.0,
        gradient_shares=20,
    )
    evaluate: EvaluateConfig = EvaluateConfig()
