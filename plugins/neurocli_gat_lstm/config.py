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
        description="native, or the length of a frame in ms: each frame holds the last sample before it (with normalisation=whole it is"
        " interpolated, which smooths and looks one sample ahead)",
    )
    neurons: Literal["identified", "all"] = Field(
        "identified", description="all: unidentified neurons too, as nodes without edges and without an embedding"
    )
    normalisation: Literal["causal", "start", "whole"] = Field(
        "causal",
        description="mean and sd by which each neuron is z-scored. causal: running, over all frames so far; start: of the burn-in; whole:"
        " of the whole recording, as published, which is a leak, since a forecast then knows the mean of its future",
    )
    start_s: float = Field(
        120.0,
        gt=0,
        description="burn-in in s: time before the first forecast, at most a quarter of a recording; normalisation=start uses it",
    )
    controls: Literal["leave-out", "use"] = Field(
        "leave-out",
        description="worms without a calcium indicator (GFP): leave-out: never trained on; use: treated like all others",
    )
    uncertain: Literal["keep", "exclude"] = Field(
        "keep",
        description="neurons whose label the file doubts (AVAL?, AVAL*, a low confidence): keep: identified like all others; exclude:"
        " unidentified",
    )
    series: str = Field(
        "",
        description="name of the series to be used of files that hold several for the same neurons, as signal and reference channel;"
        " empty: the signal",
    )
    split: Literal["auto", "leave-one-out", "by-worm"] = Field(
        "auto", description="auto: leave-one-out with fewer than ten worms, otherwise by-worm"
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
        "both", description="which connections are edges: gap junctions both ways, chemical synapses one way"
    )
    distance: bool = Field(False, description="distance between somata as a further feature of an edge")
    graph_seed: int = Field(0, ge=0, description="random seed of the shuffle")


class EvaluateConfig(EvaluateSection):
    """What is scored."""

    horizons: list[Annotated[int, Field(ge=1)]] = Field(
        [1, 5, 10, 25], min_length=1, description="horizons of the forecasts, in frames"
    )
    context: int = Field(50, ge=12, description="frames that every predictor sees before its first forecast")
    stride: int = Field(5, ge=1, description="frames from one origin to the next")
    shuffles: int = Field(
        99, ge=0, le=9999, description="number of shuffled connectomes in the wiring test of --controls; 0: no test"
    )


class CorrectionConfig(GraphConfig):
    """Options of networks that correct a linear path."""

    lags: int = Field(10, ge=2, description="frames of a neuron's own past in the linear path")
    heads: int = Field(2, ge=1, description="attention heads of each layer")
    members: int = Field(1, ge=1, description="networks per fold; their forecasts are averaged")


class V2Model(CorrectionConfig):
    """Widths of the network, and the linear path that it corrects."""

    linear: Literal["edges", "own", "none"] = Field(
        "edges",
        description="ridge regression, fitted on the training worms, that the network corrects: along the graph's edges, on a neuron's"
        " own past alone, or none (persistence)",
    )
    hops: int = Field(
        2,
        ge=1,
        description="number of edges that the linear path follows within a frame: graded synapses pass a signal on in less than the"
        " 0.3 s of a frame",
    )
    embedding: int = Field(8, ge=0, description="number of learned features of each identified neuron")
    attention: list[int] = Field([16], description="width of each graph-attention layer, all heads together")
    hidden: int = Field(16, ge=1, description="units of the LSTM, shared by all neurons")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of units that are dropped out in training")


class V2Loss(Section):
    """Squared errors, divided by those of persistence at the same horizon."""

    burn_in: int = Field(10, ge=0, description="first frames of a chunk that are not scored")
    chunk: int = Field(60, ge=12, description="length of a training chunk before the rollout, in frames")
    rollout: int = Field(25, ge=0, description="steps of the rollout in training; 0: forecasts one step ahead alone")
    rollout_weight: float = Field(2.0, ge=0, description="weight of the rollout's loss relative to that one step ahead")
    neuron_dropout: float = Field(0.1, ge=0, lt=1, description="share of neurons that are left out of a training chunk")
    name_dropout: float = Field(
        0.05, ge=0, lt=1, description="share of neurons that are treated as unidentified in a training chunk"
    )


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
