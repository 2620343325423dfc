"""The options of an ELM neuron, checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from neurocli.errors import ConfigError

ROUTINGS = ("none", "random", "neuronio")
ACTIVATIONS = ("relu", "silu")

LARGEST_DECAY_STEPS = 1e6
"""Longest memory timescale in steps: beyond it exp(-delta_t / tau) is too near to 1 for single precision."""


@dataclass(frozen=True, kw_only=True)
class ElmOptions:
    """What defines an ELM neuron; times in ms.

    version: 1, traces per synapse and memory gain lambda (1 - k_m), or 2, traces per branch and gain 1 - k_m^lambda.
    mlp_hidden_size: None or 0 is twice num_memory. num_branch: None is num_input.
    tau_value: time constant of the traces, frozen; one number, or one per synapse (version 1) or branch (version 2).
    routing_seed: of random routing; None draws from torch's global generator, as published.
    Raises ConfigError for what cannot be.
    """

    num_input: int
    num_output: int
    version: int = 2
    num_memory: int = 100
    lambda_value: float = 5.0
    mlp_num_layers: int = 1
    mlp_hidden_size: int | None = None
    mlp_activation: str = "relu"
    tau_value: float | tuple[float, ...] = 5.0
    memory_tau_min: float = 1.0
    memory_tau_max: float = 1000.0
    learn_memory_tau: bool = False
    w_s_value: float = 0.5
    learn_w_s: bool = True
    num_branch: int | None = None
    num_synapse_per_branch: int = 1
    input_to_synapse_routing: str = "none"
    routing_seed: int | None = None
    delta_t: float = 1.0

    def __post_init__(self) -> None:
        counts = ("num_input", "num_output", "num_memory", "mlp_num_layers", "num_synapse_per_branch")
        for name in (*counts, *(["num_branch"] if self.num_branch is not None else [])):
            if getattr(self, name) < 1:
                raise _wrong(name, f"must be at least 1, not {getattr(self, name)}")
        if (self.mlp_hidden_size or 0) < 0:
            raise _wrong(
                "mlp_hidden_size", f"must be at least 1, or 0 for twice num_memory, not {self.mlp_hidden_size}"
            )
        for name in ("lambda_value", "memory_tau_min", "delta_t"):
            if not 0 < getattr(self, name) < math.inf:
                raise _wrong(name, f"must be above 0, not {getattr(self, name)}")
        _one_of("version", self.version, (1, 2))
        _one_of("mlp_activation", self.mlp_activation, ACTIVATIONS)
        _one_of("input_to_synapse_routing", self.input_to_synapse_routing, ROUTINGS)
        if not self.memory_tau_min < self.tau_max <= LARGEST_DECAY_STEPS * self.delta_t * min(1, self.lambda_value):
            wanted = f"above memory_tau_min = {self.memory_tau_min:g} and at most a million steps"
            raise _wrong("memory_tau_max", f"must be {wanted}, not {self.memory_tau_max:g}")
        self._check_tau()
        self._check_synapses()

    def _check_tau(self) -> None:
        several = isinstance(self.tau_value, tuple)
        values = self.tau_value if isinstance(self.tau_value, tuple) else (self.tau_value,)
        wanted = self.branches if self.version == 2 else self.synapses
        if several and len(values) != wanted:
            each = "branches" if self.version == 2 else "synapses"
            raise _wrong("tau_value", f"has {len(values)} values for {wanted} {each}")
        if not all(0 <= value < math.inf for value in values):
            raise _wrong("tau_value", "must be a time of at least 0 ms")

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


def _one_of(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise _wrong(name, f"must be {' or '.join(str(k) for k in known)}, not {value!r}")


def _wrong(name: str, message: str) -> ConfigError:
    return ConfigError(f"{name} {message}", where=name)
