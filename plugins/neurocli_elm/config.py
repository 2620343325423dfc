"""The options of the elm models. Defaults of the neuron are those of the published NeuronIO models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from neurocli.config import EvaluateSection, FamilyConfig, Section, SplitSection, TrainConfig

Time = Annotated[float, Field(ge=0)]


class DataConfig(SplitSection):
    """Which windows or spoken digits are drawn, and how simulations or utterances are split."""

    kind: Literal["any", "neuronio", "shd"] = Field("any", description="the data that these options are made for")
    window: int = Field(500, ge=2, description="steps (ms) of a training window")
    burn_in_ms: int = Field(500, ge=0, description="first steps of a simulation that are neither trained on nor scored")
    labels: Literal["published", "redetected"] = Field(
        "published",
        description="published: output spikes at int(t - .5) of times stored as float16, which moves many by 1 or 2 ms;"
        " redetected: from the voltage at 8 samples per ms",
    )
    per_simulation: int = Field(4, ge=1, description="windows of each simulation in one pass")
    pool: int | None = Field(256, ge=1, description="simulations in memory at a time; unset: all")
    bin_ms: int = Field(10, ge=1, le=100, description="spoken digits: length of a step")
    masked: float = Field(
        0.5, ge=0, lt=1, description="spoken digits: share of the input left out in training, drawn anew for each batch"
    )
    adding: bool = Field(False, description="spoken digits: the sum of two that follow on each other")
    adding_batches: int = Field(500, ge=1, description="with adding: batches of pairs in one pass")

    @property
    def event(self) -> str:
        """The event of a recording that holds the labels."""
        return "output_spikes" if self.labels == "published" else "output_spikes_redetected"


class NeuronConfig(Section):
    """The ELM neuron."""

    num_memory: int = Field(20, ge=1, le=10_000, description="memory units")
    lambda_value: float = Field(5.0, gt=0, description="how strongly an update moves the memory")
    mlp_num_layers: int = Field(1, ge=1, le=8, description="hidden layers")
    mlp_hidden_size: int | None = Field(None, ge=0, description="unset or 0: twice num_memory")
    mlp_activation: Literal["relu", "silu"] = Field("relu", description="of the hidden layers")
    tau_value: Time | tuple[Time, ...] = Field(
        5.0,
        description="time constant of the synapses (v1) or branches (v2), ms; of several, each branch in turn gets the next one",
    )
    memory_tau_min: float = Field(1.0, gt=0, description="shortest timescale of the memory, ms")
    memory_tau_max: float = Field(150.0, gt=0, description="longest timescale of the memory, ms")
    learn_memory_tau: bool = Field(False, description="timescales are learned, within their bounds")
    w_s_value: float = Field(0.5, description="where the weights of synapses start")
    learn_w_s: bool = Field(True, description="weights of synapses are learned")
    num_branch: int | None = Field(45, ge=1, description="unset: one for each input")
    num_synapse_per_branch: int | None = Field(
        None,
        ge=1,
        description="unset: 3.4 times as many as there are inputs on a branch, as published; 1 without routing",
    )
    input_to_synapse_routing: Literal["neuronio", "random", "none"] = Field(
        "neuronio", description="neuronio: neighbours share a branch; random: drawn; none: in the order of the inputs"
    )
    routing_seed: int | None = Field(None, ge=0, description="of random routing; unset: that of the run")
    compiled: Literal["auto", "on", "off"] = Field("auto", description="compiled loops; auto: where they can run")

    @model_validator(mode="after")
    def _has_a_range(self) -> NeuronConfig:
        if self.memory_tau_max <= self.memory_tau_min:
            raise ValueError(
                f"memory_tau_max must be above memory_tau_min = {self.memory_tau_min:g}, not {self.memory_tau_max:g}"
            )
        return self


class BranchNeuronConfig(NeuronConfig):
    """The ELM neuron of version 2: what did best on simulated cells (docs/protocols.md)."""

    mlp_activation: Literal["relu", "silu"] = Field("silu", description="of the hidden layers")
    tau_value: Time | tuple[Time, ...] = Field(
        (3.0, 10.0, 30.0),
        description="time constant of the branches, ms; of several, each branch in turn gets the next one",
    )
    learn_memory_tau: bool = Field(True, description="timescales are learned, within their bounds")


class LossConfig(Section):
    """Weights of the loss terms."""

    spike: float = Field(0.5, ge=0, description="binary cross-entropy of the spike, per ms")
    soma: float = Field(0.5, ge=0, description="squared error of the soma voltage, in units of 10 mV")
    burn_in: int = Field(
        0,
        ge=0,
        description="first steps of a window that are not trained on, as it begins from a state of zero; at most half of them",
    )

    def first(self, steps: int) -> int:
        """The first step that counts of a window of so many."""
        return min(self.burn_in, steps // 2)


class EvaluateConfig(EvaluateSection):
    """What the score is held against."""

    published: bool = Field(True, description="also the published protocol: windows, realignment on the test files")
    checkpoints: tuple[Path, ...] = Field(
        (), description="published checkpoints (.pt) that are scored beside the model, on the same simulations"
    )


class ElmConfig(FamilyConfig):
    """Options of elm-v1 and elm-v2."""

    data: DataConfig = DataConfig()
    model: NeuronConfig = NeuronConfig()
    loss: LossConfig = LossConfig()
    train: TrainConfig = TrainConfig(
        epochs=20,
        steps_per_epoch=200,
        batch_size=8,
        optimizer="adam",
        learning_rate=5e-3,
        schedule="cosine",
        warmup=0.02,
        gradient_clip=1.0,
    )
    evaluate: EvaluateConfig = EvaluateConfig()


class ElmV2Config(ElmConfig):
    """Options of elm-v2: few steps at a high rate, held back by weight decay, did best on simulated cells (docs/protocols.md)."""

    model: BranchNeuronConfig = BranchNeuronConfig()
    loss: LossConfig = LossConfig(burn_in=100)
    train: TrainConfig = ElmConfig().train.model_copy(
        update={"epochs": 10, "optimizer": "adamw", "learning_rate": 2e-2, "weight_decay": 0.03}
    )
