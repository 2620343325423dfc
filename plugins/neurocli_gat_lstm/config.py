"""The options of the gat-lstm models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from neurocli.config import EvaluateSection, FamilyConfig, Section, SplitSection, TrainConfig


class DataConfig(SplitSection):
    """Which worms and neurons are used, at which frame rate, and how worms are split."""

    sources: list[str] = Field([], description="laboratories whose worms are used; empty: all")
    dt: Literal["native"] | Annotated[float, Field(gt=0)] = Field(
        "native",
        description="native, or a frame step in ms: each frame holds the sample before it (under `whole` it is interpolated, which"
        " smooths, flatters and looks one sample ahead)",
    )
    neurons: Literal["identified", "all"] = Field(
        "identified", description="all: unidentified neurons too, as isolated nodes without an embedding of their own"
    )
    normalisation: Literal["causal", "start", "whole"] = Field(
        "causal",
        description="units of each neuron and worm. causal: running mean and sd, over all frames up to now; start: those of the"
        " burn-in; whole: those of the whole recording, as published, which leak: a forecast then knows the future's mean",
    )
    start_s: float = Field(
        120.0,
        gt=0,
        description="burn-in: how much of a recording goes by before the first forecast, a quarter at most; what `start` takes",
    )
    controls: Literal["leave-out", "use"] = Field(
        "leave-out", description="worms without a calcium indicator (GFP): never trained on unless asked for"
    )
    split: Literal["auto", "leave-one-out", "by-worm"] = Field(
        "auto", description="auto: leave one worm out where there are fewer than ten, else by worm"
    )


class GraphConfig(Section):
    """Which edges carry information between neurons."""

    graph: Literal["real", "none", "shuffled", "full"] = Field(
        "real", description="the connectome, or a control: no edges, a degree-preserving shuffle, all edges"
    )
    connectome: str = Field(
        "cook2019", description="cook2019, witvliet2021-7, witvliet2021-8, cect:READER, or an edge list (CSV, GraphML)"
    )
    synapses: Literal["both", "chemical", "gap"] = Field(
        "both", description="which edges: gap junctions go both ways, chemical synapses one way"
    )
    distance: bool = Field(False, description="distance between somata as a further feature of an edge")
    graph_seed: int = Field(0, ge=0, description="of the shuffle")


class EvaluateConfig(EvaluateSection):
    """What is scored."""

    horizons: list[Annotated[int, Field(ge=1)]] = Field([1, 5, 10, 25], min_length=1, description="steps ahead")
    context: int = Field(50, ge=12, description="frames that every predictor sees before its first forecast")
    stride: int = Field(5, ge=1, description="every so many frames a forecast starts")
    shuffles: int = Field(
        99, ge=0, le=9999, description="shuffled connectomes that `--controls` holds the linear path against; 0: none"
    )


class CorrectionConfig(GraphConfig):
    """Of networks that correct a linear path."""

    lags: int = Field(10, ge=2, description="own past of the linear path, in frames")
    heads: int = Field(2, ge=1, description="attention heads of each layer")
    members: int = Field(1, ge=1, description="networks per fold whose forecasts are averaged")


class V2Model(CorrectionConfig):
    """Widths of the network, and the linear path that it corrects."""

    linear: Literal["edges", "own", "none"] = Field(
        "edges",
        description="a ridge regression fitted on the training worms that the network corrects: along the graph's edges,"
        " on a neuron's own past alone, or none (persistence)",
    )
    hops: int = Field(
        2,
        ge=1,
        description="how many edges the linear path follows within a frame: graded synapses pass a signal on in less than the"
        " 0.3 s that a frame takes",
    )
    embedding: int = Field(8, ge=0, description="numbers that are learned for every identified neuron")
    attention: list[int] = Field([16], description="width of each graph-attention layer, heads together")
    hidden: int = Field(16, ge=1, description="units of the LSTM, shared by all neurons")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of hidden values left out in training")


class V2Loss(Section):
    """Squared errors in units of what persistence gets wrong at the same horizon."""

    burn_in: int = Field(10, ge=0, description="first frames of a chunk that are not scored")
    chunk: int = Field(60, ge=12, description="frames that the network sees before its rollout")
    rollout: int = Field(25, ge=0, description="steps of the rollout; 0: one step only")
    rollout_weight: float = Field(2.0, ge=0, description="of the rollout beside the one-step loss")
    neuron_dropout: float = Field(0.1, ge=0, lt=1, description="share of the neurons that are hidden in a chunk")
    name_dropout: float = Field(0.05, ge=0, lt=1, description="share of the neurons that lose their name in a chunk")


class V2Config(FamilyConfig):
    """Options of gat-lstm-v2."""

    data: DataConfig = DataConfig()
    model: V2Model = V2Model()
    loss: V2Loss = V2Loss()
    train: TrainConfig = TrainConfig(
        epochs=15,
        batch_size=8,
        optimizer="adamw",
        learning_rate=3e-3,
        weight_decay=1e-2,
        schedule="cosine",
        warmup=0.1,
        gradient_clip=1.0,
    )
    evaluate: EvaluateConfig = EvaluateConfig()
