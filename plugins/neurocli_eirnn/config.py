"""The options of the eirnn models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neurocli.config import EvaluateSection, FamilyConfig, Section, TrainConfig


class DataConfig(Section):
    """Which trials are used, and how they are split."""

    trials: Literal["ordered", "plausible", "all"] = Field(
        "ordered",
        description="ordered: all events present and in order; plausible: also trials whose target and go were placed at the"
        " time of the reward; all: also broken trials",
    )
    split_seed: int = Field(
        42,
        ge=0,
        description="decides which trials are held out; separate from train.seed, so that runs of several seeds share test trials",
    )
    part: Literal["development", "confirmation", "all"] = Field(
        "development",
        description="development: without the trials kept for confirmation (every fourth, by its number in the file); confirmation:"
        " those are the test trials, and all others are trained on; all: none is kept, as for sessions of known true rates",
    )
    test: float = Field(0.2, gt=0, lt=1, description="share of trials that are scored, of low and of high reward alike")
    validation: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the training trials that choose the best epoch; 0: all are trained on and the last epoch is kept",
    )
    reward_cue: bool = Field(
        False,
        description="one more input while a target is on: 0.2 where the trial's label says high reward, else -0.2",
    )


class EvaluateConfig(EvaluateSection):
    """What is scored."""

    smoothing_ms: list[float] = Field(
        [0.0, 50.0, 100.0],
        min_length=1,
        description="smoothing of PSTHs (sd of a Gaussian), one r for each; 0: unsmoothed",
    )
    before_ms: float = Field(
        200.0, gt=0, description="start of the window around target, go and reward, before the event"
    )
    after_ms: float = Field(500.0, gt=0, description="end of that window, after the event")
    gru_hidden: int = Field(48, ge=1, description="hidden units of the baseline GRU")
    gru_epochs: int = Field(60, ge=0, description="epochs of that GRU, 600 steps at most; 0: no GRU")
    gru_networks: int = Field(
        3,
        ge=1,
        description="number of GRUs with different seeds whose predictions are averaged; at most 2 with quick rivals",
    )


class V2Model(Section):
    """Units, and how their parameters start."""

    hidden_excitatory: int = Field(
        16, ge=0, description="hidden excitatory units, beside those of the recorded neurons"
    )
    hidden_inhibitory: int = Field(
        4, ge=0, description="hidden inhibitory units, beside those of the recorded interneurons"
    )
    alpha_low: float = Field(
        0.1, gt=0, lt=1, description="lowest initial alpha (bin width over time constant), log-uniform up to alpha_high"
    )
    alpha_high: float = Field(0.7, gt=0, lt=1, description="highest initial alpha")
    spectral_radius: float = Field(0.9, gt=0, description="spectral radius of the initial recurrent weights")
    input_scale: float = Field(0.3, gt=0, description="initial input weights are uniform between minus and plus this")
    start_sd: float = Field(
        0.1,
        ge=0,
        description="the state before the first bin is learned; standard deviation over units of its initial value",
    )
    linear_weight: float = Field(
        0.4,
        ge=0,
        lt=1,
        description="weight of the linear path in the model's rates, a weighted mean of linear path and network; 0: no linear path",
    )
    bypass_dale: bool = Field(False, description="allow weights of either sign, to measure what Dale's law costs")
    compiled: Literal["auto", "on", "off"] = Field(
        "auto", description="run the recurrence compiled; auto: where that is possible"
    )


class V2Loss(Section):
    """Weights of the loss terms. PSTHs are smoothed, and their targets are those of all training trials."""

    smoothing_ms: float = Field(50.0, ge=0, description="smoothing of PSTHs in the loss (sd of a Gaussian)")
    correlation: float = Field(1.0, ge=0, description="weight of 1 - r, PSTHs of whole trials")
    condition: float = Field(2.0, ge=0, description="weight of 1 - r, PSTHs of each target location")
    event: float = Field(1.0, ge=0, description="weight of 1 - r, PSTHs in windows around target, go and reward")
    rate: float = Field(4.0, ge=0, description="weight of the squared log ratio of mean rates")
    sd: float = Field(
        0.0,
        ge=0,
        description="weight of the squared log ratio of the PSTHs' standard deviations, without the data's noise",
    )
    poisson: float = Field(
        300.0, ge=0, description="weight of the Poisson negative log likelihood of single trials, per bin"
    )


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
