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
    burn_in_ms: float = Field(800.0, ge=0, description="start of every run that is left out")
    noise_mv: float = Field(
        0.0, ge=0, le=1000, description="sd of noise added to inputs and targets (the published work: 0.2)"
    )
    noise_seed: int = Field(0, ge=0, description="of that noise")
    reset_flag: Literal["auto", "on", "off"] = Field(
        "auto", description="mark samples clamped at reset; auto: on for simulated data. Real recordings have no clamp"
    )


class EvaluateConfig(EvaluateSection):
    """What is scored."""

    horizons_ms: list[float] = Field(
        [1.0, 2.0, 5.0, 10.0, 20.0], min_length=1, description="how far ahead is forecast; the first counts"
    )
    context: int = Field(
        149, ge=149, description="samples of each run that only serve as context, the same for every model"
    )
    probe_stride: int = Field(200, ge=1, description="samples between the origins of horizons beyond the first")
    oracle_branches: int = Field(
        256, ge=2, description="Monte Carlo branches of the ceiling at the first horizon, where it has no exact form"
    )
    probe_branches: int = Field(512, ge=2, description="Monte Carlo branches of the ceiling at longer horizons")
    rollout_samples: int = Field(64, ge=2, description="sampled paths of the model at longer horizons")

    @field_validator("horizons_ms")
    @classmethod
    def _lie_ahead(cls, horizons: list[float]) -> list[float]:
        if min(horizons, default=1.0) <= 0:
            raise ValueError("a horizon lies ahead: above 0 ms")
        return horizons


class V1Model(Section):
    """Layout of the published CNN-LSTM."""

    window: int = Field(150, ge=8, description="samples that the model sees")
    lstm_hidden: int = Field(384, ge=1, description="units of the LSTM")
    cnn_dropout: float = Field(0.1, ge=0, lt=1, description="of whole time steps, after each convolution")
    lstm_dropout: float = Field(0.25, ge=0, lt=1, description="between the layers of the LSTM")


class V2Model(Section):
    """Sizes of the structured CNN-LSTM, and how its windows are cut."""

    window: int = Field(180, ge=2, description="samples of a training window that are scored")
    burn_in: int = Field(20, ge=1, description="samples before them that only fill the LSTM")
    arrival_channels: int = Field(2, ge=1, description="quantities that spikes deliver to a neuron")
    gate_hidden: int = Field(16, ge=1, description="hidden units that decide when a spike arrives")
    conv_channels: int = Field(8, ge=1, description="filters of the last three samples of a neuron")
    lstm_hidden: int = Field(16, ge=1, description="units of the LSTM, one for each neuron, of shared weights")
    head_hidden: int = Field(32, ge=1, description="hidden units of the output")
    synapses: Literal["pairs", "senders"] = Field(
        "pairs", description="a weight per pair of neurons, or per sender where every run has a network of its own"
    )
    start: Literal["ridge", "zero"] = Field(
        "ridge",
        description="synapses at the first step: of a ridge regression on resets (where there is a reset flag, up to 200 neurons), or 0",
    )
    squared_error_weight: float = Field(2.0, gt=0, description="share of the squared error beside the likelihoods")


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
