"""The options of gat-lstm-v1. Its widths are fixed, as published."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from neurocli.config import FamilyConfig, Section, TrainConfig
from neurocli_gat_lstm.config import DataConfig, EvaluateConfig, GraphConfig


class V1Model(GraphConfig):
    """The graph; layers of 64, 128 and 256 with 4, 4 and 2 heads, an LSTM of 256 x 2."""

    learned_skips: bool = Field(
        False, description="add a learned linear map of its input to the output of each attention layer"
    )

    # One network a fold, and no linear path that it corrects: no options, as they are for the other models.
    linear: ClassVar[Literal["none"]] = "none"
    hops: ClassVar[int] = 0
    lags: ClassVar[int] = 2
    members: ClassVar[int] = 1


class V1Loss(Section):
    """Mean squared error of the next frame, in z-scores."""

    chunk: int = Field(50, ge=2, description="length of a training chunk in frames, 50 as published")
    scored: Literal["every", "last"] = Field(
        "every",
        description="every: forecasts from every frame of a chunk, at no extra cost; last: from the last frame alone, as published",
    )
    burn_in: int = Field(10, ge=0, description="first frames of a chunk that are not scored (scored=every)")
    rollout: ClassVar[int] = 0
    neuron_dropout: ClassVar[float] = 0.0
    name_dropout: ClassVar[float] = 0.0


class V1Config(FamilyConfig):
    """Options of gat-lstm-v1."""

    data: DataConfig = DataConfig()
    model: V1Model = V1Model()
    loss: V1Loss = V1Loss()
    train: TrainConfig = TrainConfig(
        epochs=100,
        batch_size=16,
        optimizer="adam",
        learning_rate=1e-3,
        weight_decay=1e-4,
        schedule="constant",
        patience=None,
    )
    evaluate: EvaluateConfig = EvaluateConfig(stride=25)
