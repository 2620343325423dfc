"""The options of the cnn_lstm models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from neurocli.config import EvaluateSection, FamilyConfig, Section, SplitSection, TrainConfig


class DataConfig(SplitSection):
    """How recordings become training data."""

    split: Literal["by-run", "published"] = Field(
        "by-run",
        description="by-run: whole runs; published: shuffled overlapping windows over joined runs, which leaks",
    )
    burn_in_ms: float = Field(
        800.0, ge=0, description="burn-in at the start of every run, neither trained on nor scored (ms)"
    )
    noise_mv: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="sd of the normal noise added to all voltages, inputs and targets alike (mV); published: 0.2",
    )
    noise_seed: int = Field(0, ge=0, description="seed of the added noise")
    reset_flag: Literal["auto", "on", "off"] = Field(
        "auto",
        description="tell the model which samples are clamped at reset; auto: on for simulated data (recordings have no clamp)",
    )


class EvaluateConfig(EvaluateSection):
    """What is scored."""

    horizons_ms: list[float] = Field(
        [1.0, 2.0, 5.0, 10.0, 20.0],
        min_length=1,
        description="horizons of the forecast (ms); the shortest is the main one",
    )
    context: int = Field(
        149, ge=149, description="samples after the burn-in of each run that serve as context and are not scored"
    )
    probe_stride: int = Field(200, ge=1, description="samples between origins, at all horizons but the shortest")
    oracle_branches: int = Field(
        256, ge=2, description="simulated branches of the ceiling at the shortest horizon, where it has no exact form"
    )
    probe_branches: int = Field(512, ge=2, description="simulated branches of the ceiling at longer horizons")
    rollout_samples: int = Field(64, ge=2, description="free runs that are averaged at longer horizons")

    @field_validator("horizons_ms")
    @classmethod
    def _lie_ahead(cls, horizons: list[float]) -> list[float]:
        if min(horizons, default=1.0) <= 0:
            raise ValueError("a horizon lies ahead: above 0 ms")
        return horizons


class V1Model(Section):
    """Layout of the published CNN-LSTM."""

    window: int = Field(150, ge=8, description="samples that the model sees before the origin, the origin included")
    lstm_hidden: int = Field(384, ge=1, description="hidden units of each LSTM layer")
    cnn_dropout: float = Field(0.1, ge=0, lt=1, description="dropout of whole time steps after each convolution")
    lstm_dropout: float = Field(0.25, ge=0, lt=1, description="dropout between the layers of the LSTM")


class V2Model(Section):
    """Sizes of the structured CNN-LSTM, and how its windows are cut."""

    window: int = Field(180, ge=2, description="samples of a training window that enter the loss")
    burn_in: int = Field(
        20, ge=1, description="burn-in: earlier samples of the window, which only set the state of the LSTM"
    )
    arrival_channels: int = Field(
        2, ge=1, description="channels of synaptic input per neuron, each with its own time of arrival"
    )
    gate_hidden: int = Field(16, ge=1, description="hidden units of the gate that estimates when a spike arrives")
    conv_channels: int = Field(8, ge=1, description="number of filters on the last three samples of a neuron")
    lstm_hidden: int = Field(16, ge=1, description="hidden units of the LSTM, whose weights all neurons share")
    head_hidden: int = Field(32, ge=1, description="hidden units of the output layers")
    synapses: Literal["pairs", "senders"] = Field(
        "pairs",
        description="one weight per pair of neurons; or per sending neuron, where every run has its own network",
    )
    start: Literal["ridge", "zero"] = Field(
        "ridge",
        description="initial synaptic weights: from the ridge of resets (with a reset flag, up to 200 neurons), or 0",
    )
    squared_error_weight: float = Field(
        2.0, gt=0, description="weight of the squared error in the loss, relative to the likelihood terms"
    )


class V1Config(FamilyConfig):
    """Options of cnn-lstm-v1; the training defaults are the published ones."""

    data: DataConfig = DataConfig()
    model: V1Model = V1Model()
    train: TrainConfig = TrainConfig(
        epochs=200,
        batch_size=32,
        learning_rate=3e-3,
        weight_decay=1e-4,
        schedule="plateau",
        warmup=5,
        warmup_start=5e-6,
        plateau_factor=0.7,
        plateau_patience=3,
        minimum_rate=1e-5,
        gradient_clip=1.0,
        patience=20,
    )
    evaluate: EvaluateConfig = EvaluateConfig()
    stride: int = Field(15, ge=1, description="samples between the starts of windows")


class V2Config(FamilyConfig):
    """Options of cnn-lstm-v2."""

    data: DataConfig = DataConfig()
    model: V2Model = V2Model()
    train: TrainConfig = TrainConfig(
        # One window holds a sequence per neuron: small batches and many steps beat large ones (see docs/brunel.md).
        epochs=20,
        steps_per_epoch=150,
        batch_size=1,
        learning_rate=3e-2,
        beta2=0.99,
        schedule="cosine",
        warmup=0.02,
        gradient_clip=1.0,
    )
    evaluate: EvaluateConfig = EvaluateConfig()


CnnLstmConfig = V1Config | V2Config
