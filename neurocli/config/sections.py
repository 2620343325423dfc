"""The typed sections that every model's configuration is made of. The fields are the options: `--set train.epochs=20`."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class Section(BaseModel):
    """A group of options. Unknown keys are refused, and values are checked whenever they are set."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic would read true as 1.
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and bool not in (kind, *get_args(kind)) and {int, float} & {kind, *get_args(kind)}:
            raise ValueError(f"input should be a number, not {str(value).lower()}")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _none_may_be_a_choice(cls, value: Any, info: ValidationInfo) -> Any:
        # On a command line `none` unsets an option, unless the option has a choice of that name.
        choices = get_args(cls.model_fields[info.field_name or ""].annotation)
        return "none" if value is None and "none" in choices else value

    @field_validator("*")
    @classmethod
    def _fits_into_64_bits(cls, value: Any) -> Any:
        # Larger ones are mistakes, and neither TOML nor HDF5 can keep them.
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError("input should fit into 64 bits")
        return value


class TrainConfig(Section):
    """How a model is trained; the same for every family."""

    seed: int = Field(0, ge=0, description="seed of weights, batch order and dropout")
    epochs: int = Field(
        20, ge=1, description="number of epochs: passes over the training data, or rounds of steps_per_epoch steps"
    )
    steps_per_epoch: int | None = Field(
        None, ge=1, description="steps per epoch; unset: one pass over the training data"
    )
    max_steps: int | None = Field(None, ge=1, description="stop after this many optimiser steps")
    batch_size: int = Field(
        32, ge=1, le=65_536, description="examples (windows, trials) per step; all of them where there are fewer"
    )
    optimizer: Literal["adam", "adamw", "adamax"] = Field("adam", description="optimiser")
    learning_rate: float = Field(1e-3, gt=0, description="highest learning rate of the schedule")
    beta2: float = Field(0.999, gt=0, lt=1, description="decay rate of Adam's running mean of squared gradients")
    weight_decay: float = Field(0.0, ge=0, description="weight decay of the optimiser")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "cosine", description="schedule of the learning rate; plateau: lowered when the validation loss stops falling"
    )
    warmup: float = Field(
        0.0, ge=0, description="warm-up of the learning rate: share of all steps (cosine) or number of epochs (plateau)"
    )
    warmup_start: float = Field(0.0, ge=0, description="learning rate at the first warm-up step")
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="factor by which a plateau lowers the learning rate")
    plateau_patience: int = Field(
        10, ge=0, description="epochs without a lower validation loss that count as a plateau"
    )
    minimum_rate: float = Field(0.0, ge=0, description="lowest learning rate of the schedule")
    gradient_clip: float | None = Field(
        1.0, gt=0, allow_inf_nan=True, description="largest gradient norm; unset or inf: no clipping"
    )
    gradient_shares: int | None = Field(
        None, ge=1, description="log each loss term's share of the gradient once in this many epochs; unset: never"
    )
    patience: int | None = Field(
        None, ge=1, description="stop after this many epochs without a lower validation loss; unset: train all epochs"
    )
    watch: tuple[Literal["states", "memory", "sequences"], ...] = Field(
        (),
        description="what to keep in the run's watch/ of a sequence model while it trains: its states, a figure of its memory,"
        " a figure of its predictions; the training is the same with and without",
    )
    watch_every: int = Field(1, ge=1, description="epochs between those that are watched; the last one always is")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    threads: int = Field(1, ge=1, le=256, description="number of CPU threads; one is fastest for small models")


class SplitSection(Section):
    """How independent groups (runs, worms, simulations) are dealt out; families add what else their data can be asked for."""

    split_seed: int = Field(
        0,
        ge=0,
        description="seed of the split; separate from train.seed, so that trainings with different seeds share their test groups",
    )
    validation: float = Field(
        0.15, gt=0, lt=1, description="share of the groups that are used to choose the best epoch"
    )
    test: float = Field(0.15, gt=0, lt=1, description="share of the groups that are scored")


class EvaluateSection(Section):
    """What a score is compared with, the same for every family; families add what they score."""

    rivals: Literal["quick", "full", "none"] = Field(
        "quick",
        description="strong baselines with an effort like the model's: quick (fewer steps and data), full, or none",
    )


class FamilyConfig(Section):
    """The configuration of a model: families subclass it and add `data`, `model` and `evaluate` sections."""

    train: TrainConfig = TrainConfig()
