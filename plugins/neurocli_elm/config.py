"""The options of the elm models and of their tasks. Defaults of the neuron are those of the published NeuronIO models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from neurocli.config import EvaluateSection, FamilyConfig, Section, SplitSection, TrainConfig

Time = Annotated[float, Field(ge=0)]


class DataConfig(SplitSection):
    """Which windows are drawn, and how simulations are split."""

    window: int = Field(500, ge=2, description="steps (ms) of a training window")
    burn_in_ms: int = Field(500, ge=0, description="first steps of a simulation that are neither trained on nor scored")
    labels: Literal["published", "redetected"] = Field(
        "published",
        description="which steps count as output spikes; published: step int(t - .5) of a time t stored as float16, up to"
        " 2 ms off; redetected: found again in the voltage, where the file has more than 1 sample per ms",
    )
    per_simulation: int = Field(4, ge=1, description="windows drawn from each simulation in one pass")
    pool: int | None = Field(256, ge=1, description="simulations in memory at a time; unset: all")

    @property
    def event(self) -> str:
        """The event of a recording that holds the labels."""
        return "output_spikes" if self.labels == "published" else "output_spikes_redetected"


class DigitsConfig(SplitSection):
    """How spoken digits become sequences, and how utterances are split."""

    adding: ClassVar[bool] = False
    bin_ms: int = Field(10, ge=1, le=100, description="length of a step (ms)")
    masked: float = Field(0.5, ge=0, lt=1, description="share of the input spikes that training leaves out at random")


class AddedDigitsConfig(DigitsConfig):
    """Two spoken digits, one after the other, whose sum is predicted."""

    adding: ClassVar[bool] = True
    adding_batches: int = Field(500, ge=1, description="batches of pairs in one pass")


class NeuronConfig(Section):
    """The ELM neuron."""

    num_memory: int = Field(20, ge=1, le=10_000, description="memory units")
    lambda_value: float = Field(5.0, gt=0, description="factor by which an update moves the memory")
    mlp_num_layers: int = Field(1, ge=1, le=8, description="hidden layers of the perceptron")
    mlp_hidden_size: int | None = Field(None, ge=0, description="units of a hidden layer; unset or 0: twice num_memory")
    mlp_activation: Literal["relu", "silu"] = Field("relu", description="activation function of the hidden layers")
    tau_value: Time | tuple[Time, ...] = Field(
        5.0,
        description="time constant of the traces, ms; of several values, each branch takes the next one in turn",
    )
    memory_tau_min: float = Field(1.0, gt=0, description="shortest timescale of a memory unit, ms")
    memory_tau_max: float | None = Field(
        150.0, gt=0, description="longest timescale of a memory unit, ms; unset: the longest sequence of the training"
    )
    learn_memory_tau: bool = Field(False, description="learn the timescales of the memory, within their bounds")
    w_s_value: float = Field(0.5, description="initial weight of every synapse")
    learn_w_s: bool = Field(True, description="learn the weights of the synapses")
    num_branch: int | None = Field(45, ge=1, description="branches; unset: one for each input")
    num_synapse_per_branch: int | None = Field(
        None,
        ge=1,
        description="synapses on a branch; unset: 3.4 per input of the branch, as published, or 1 per input without routing",
    )
    input_to_synapse_routing: Literal["neuronio", "random", "none"] = Field(
        "neuronio",
        description="which inputs reach a branch; neuronio: neighbours; random: drawn at random; none: each input once, in order",
    )
    routing_seed: int | None = Field(None, ge=0, description="seed of random routing; unset: that of the run")
    compiled: Literal["auto", "on", "off"] = Field(
        "auto", description="use compiled loops; auto: wherever they can run"
    )

    @model_validator(mode="after")
    def _has_a_range(self) -> NeuronConfig:
        if self.memory_tau_max is not None and self.memory_tau_max <= self.memory_tau_min:
            raise ValueError(
                f"memory_tau_max must be above memory_tau_min = {self.memory_tau_min:g}, not {self.memory_tau_max:g}"
            )
        return self


class BranchNeuronConfig(NeuronConfig):
    """The ELM neuron of version 2, with the options that did best on simulated cells (docs/protocols.md)."""

    mlp_activation: Literal["relu", "silu"] = Field("silu", description="activation function of the hidden layers")
    tau_value: Time | tuple[Time, ...] = Field(
        (3.0, 10.0, 30.0),
        description="time constant of the traces, ms; of several values, each branch takes the next one in turn",
    )
    learn_memory_tau: bool = Field(True, description="learn the timescales of the memory, within their bounds")


class SequenceNeuronConfig(NeuronConfig):
    """The ELM neuron on any task: each input has a branch of its own, and times are in steps."""

    num_memory: int = Field(100, ge=1, le=10_000, description="memory units")
    tau_value: Time | tuple[Time, ...] = Field(
        0.0,
        description="time constant of the traces, steps; 0: none; of several values, each branch takes the next one in turn",
    )
    memory_tau_max: float | None = Field(
        None, gt=0, description="longest timescale of a memory unit; unset: the longest sequence of the training"
    )
    num_branch: int | None = Field(None, ge=1, description="branches; unset: one for each input")
    input_to_synapse_routing: Literal["neuronio", "random", "none"] = Field(
        "none",
        description="which inputs reach a branch; none: each input once, in order; random: drawn at random; neuronio: neighbours",
    )


class BranchSequenceNeuronConfig(SequenceNeuronConfig):
    """The ELM neuron of version 2 on any task."""

    mlp_activation: Literal["relu", "silu"] = Field("silu", description="activation function of the hidden layers")
    learn_memory_tau: bool = Field(True, description="learn the timescales of the memory, within their bounds")


class LossConfig(Section):
    """Weights of the loss terms."""

    spike: float = Field(0.5, ge=0, description="weight of the binary cross-entropy of the output spike")
    soma: float = Field(0.5, ge=0, description="weight of the squared error of the soma voltage, in units of 10 mV")
    burn_in: int = Field(
        0,
        ge=0,
        description="first steps of a training window that have no loss, while the state settles; at most half of the window",
    )

    def first(self, steps: int) -> int:
        """The first step with loss in a window of `steps` steps."""
        return min(self.burn_in, steps // 2)


class EvaluateConfig(EvaluateSection):
    """What the score is compared with."""

    published: bool = Field(
        True, description="also score by the published protocol, which rescales predictions to each test file's targets"
    )
    checkpoints: tuple[Path, ...] = Field(
        (), description="published checkpoints (.pt) to score beside the model, on the same simulations"
    )


class NeuronioConfig(FamilyConfig):
    """Options of the task neuronio, without those of a network."""

    data: DataConfig = DataConfig()
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


class ElmConfig(NeuronioConfig):
    """Options of elm-v1 on simulated cells."""

    model: NeuronConfig = NeuronConfig()


class ElmV2Config(ElmConfig):
    """Options of elm-v2 on simulated cells: few steps at a high rate with weight decay did best on simulated cells (docs/protocols.md)."""

    model: BranchNeuronConfig = BranchNeuronConfig()
    loss: LossConfig = LossConfig(burn_in=100)
    train: TrainConfig = ElmConfig().train.model_copy(
        update={"epochs": 10, "optimizer": "adamw", "learning_rate": 2e-2, "weight_decay": 0.03}
    )


_AS_PUBLISHED = TrainConfig(
    epochs=10,
    steps_per_epoch=814,  # one pass of the training utterances
    batch_size=8,
    optimizer="adamax",
    learning_rate=5e-3,
    gradient_clip=None,
)


class ShdConfig(FamilyConfig):
    """Options of the task shd, without those of a network: trained as published, in whose notebook the test accuracy was .86."""

    data: DigitsConfig = DigitsConfig(validation=0.2)
    train: TrainConfig = _AS_PUBLISHED
    evaluate: EvaluateSection = EvaluateSection()


class AddingConfig(ShdConfig):
    """Options of the task shd-adding, without those of a network."""

    data: AddedDigitsConfig = AddedDigitsConfig(validation=0.2)
