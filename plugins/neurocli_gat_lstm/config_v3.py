"""The options of gat-lstm-v3."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from neurocli.config import FamilyConfig, Section, TrainConfig
from neurocli_gat_lstm.config import CorrectionConfig, DataConfig, EvaluateConfig, V2Config


class V3Model(CorrectionConfig):
    """Widths of the network, what it sees, and the linear paths that it corrects."""

    linear: Literal["all", "edges", "own"] = Field(
        "all",
        description="ridge regressions, fitted on the training worms, that the network corrects: over all pairs of neurons, along the"
        " graph's edges, or on a neuron's own past alone",
    )
    hops: int = Field(2, ge=1, description="number of edges that the linear path follows within a frame (linear=edges)")
    look_back: list[Annotated[int, Field(ge=1)]] = Field(
        [1, 2, 4, 8, 16, 32],
        min_length=1,
        description="frames over which the network sees how much each neuron has changed, one input for each number",
    )
    attention: list[int] = Field(
        [16], description="width of each graph-attention layer, all heads together; empty: no layer"
    )
    hidden: int = Field(24, ge=1, description="units of the LSTM, shared by all neurons")
    head: int = Field(32, ge=1, description="units of each of the two layers after the LSTM")
    dropout: float = Field(
        0.1, ge=0, lt=1, description="share of the first layer's units after the LSTM that are dropped out in training"
    )
    members: int = Field(2, ge=1, description="networks per fold; their forecasts are averaged")


class V3Loss(Section):
    """Squared errors at every horizon, divided by those of persistence at it."""

    burn_in: int = Field(16, ge=0, description="frames that the LSTM sees before its first forecast")
    chunk: int = Field(24, ge=1, description="frames of a training chunk from which forecasts are made")
    rollout: ClassVar[int] = 0
    neuron_dropout: ClassVar[float] = 0.0
    name_dropout: ClassVar[float] = 0.0


class V3Config(FamilyConfig):
    """Options of gat-lstm-v3."""

    data: DataConfig = DataConfig()
    model: V3Model = V3Model()
    loss: V3Loss = V3Loss()
    train: TrainConfig = V2Config().train.model_copy(update={"epochs": 8})
    evaluate: EvaluateConfig = EvaluateConfig()
