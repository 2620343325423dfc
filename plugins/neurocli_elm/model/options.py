"""The options of an ELM neuron: those of its configuration with all sizes in place, checked once."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from neurocli.errors import ConfigError
from neurocli_elm.config import NeuronConfig

LARGEST_DECAY_STEPS = 1e6
"""Longest memory timescale in steps: beyond it exp(-delta_t / tau) is too near to 1 for single precision."""

PUBLISHED = {
    "num_memory": 100,
    "memory_tau_max": 1000.0,
    "num_branch": None,
    "num_synapse_per_branch": 1,
    "input_to_synapse_routing": "none",
}
"""Defaults of the published code where they are not those of the NeuronIO models."""


class ElmOptions(NeuronConfig):
    """What defines an ELM neuron; times in ms. What `NeuronConfig` has is as there, with the defaults of the published code.

    version: 1, traces per synapse and memory gain lambda (1 - k_m), or 2, traces per branch and gain 1 - k_m^lambda.
    mlp_hidden_size: None or 0 is twice num_memory. num_branch: None is num_input.
    tau_value: time constant of the traces, frozen; one number, or one per synapse (version 1) or branch (version 2).
    routing_seed: of random routing; None draws from torch's global generator, as published.
    Raises ConfigError for what cannot be.
    """

    model_config = ConfigDict(frozen=True)

    num_input: int = Field(ge=1)
    num_output: int = Field(ge=1)
    version: int = Field(2, ge=1, le=2)
    delta_t: float = Field(1.0, gt=0)
    num_synapse_per_branch: int = Field(ge=1)
    memory_tau_max: float = Field(gt=0)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**{**PUBLISHED, **values})
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            raise _wrong(name, f"is {first['input']!r}: {first['msg']}") from None

    @model_validator(mode="after")
    def _has_a_range(self) -> ElmOptions:
        if not self.memory_tau_min < self.tau_max <= LARGEST_DECAY_STEPS * self.delta_t * min(1, self.lambda_value):
            wanted = f"above memory_tau_min = {self.memory_tau_min:g} and at most a million steps"
            raise _wrong("memory_tau_max", f"must be {wanted}, not {self.memory_tau_max:g}")
        self._check_tau()
        self._check_synapses()
        return self

    def _check_tau(self) -> None:
        count, kind = (self.branches, "branches") if self.version == 2 else (self.synapses, "synapses")
        if isinstance(self.tau_value, tuple) and len(self.tau_value) != count:
            raise _wrong("tau_value", f"has {len(self.tau_value)} values for {count} {kind}")

    def _check_synapses(self) -> None:
        if self.input_to_synapse_routing == "none" and self.synapses != self.num_input:
            raise _wrong(
                "input_to_synapse_routing",
                f"none needs one synapse per input, and {self.branches} x {self.num_synapse_per_branch} synapses "
                f"are not {self.num_input} inputs",
            )
        stride = math.ceil(self.num_input / self.branches)
        if self.input_to_synapse_routing == "neuronio" and stride > self.num_synapse_per_branch:
            raise _wrong(
                "num_synapse_per_branch",
                f"{self.num_synapse_per_branch} leaves inputs without a synapse: {self.num_input} inputs on "
                f"{self.branches} branches need {stride}",
            )

    @property
    def branches(self) -> int:
        return self.num_input if self.num_branch is None else self.num_branch

    @property
    def synapses(self) -> int:
        return self.branches * self.num_synapse_per_branch

    @property
    def hidden(self) -> int:
        """Units of each hidden layer."""
        return self.mlp_hidden_size or 2 * self.num_memory

    @property
    def tau_max(self) -> float:
        """Upper end of the memory timescales; version 2 keeps it off the lower end."""
        return max(self.memory_tau_min + 3e-6, self.memory_tau_max) if self.version == 2 else self.memory_tau_max

    @property
    def trace_name(self) -> Literal["tau_s", "tau_b"]:
        """What the published state calls the time constants of the traces."""
        return "tau_b" if self.version == 2 else "tau_s"


def _wrong(name: str, message: str) -> ConfigError:
    return ConfigError(f"{name} {message}", where=name)
