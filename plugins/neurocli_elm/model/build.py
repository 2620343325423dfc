"""From options and sizes to a neuron."""

from __future__ import annotations

import math

import numpy as np

from neurocli.errors import DataError
from neurocli_elm.config import BranchNeuronConfig, ElmConfig, ElmV2Config, NeuronConfig
from neurocli_elm.model.options import ElmOptions
from neurocli_elm.model.outputs import Output

PUBLISHED_SYNAPSES, PUBLISHED_INPUTS = 100, 29
"""Synapses of a branch, and inputs that it lies over, in the published models of 1,278 inputs and 45 branches."""


def options_of(
    model: NeuronConfig,
    num_input: int,
    version: int,
    *,
    num_output: int = len(Output),
    delta_t: float = 1.0,
    steps: int | None = None,
) -> ElmOptions:
    """The options of a neuron with `num_input` inputs and steps of `delta_t`, for sequences of `steps`. Raises ConfigError for what cannot be."""
    branches = num_input if model.num_branch is None else min(model.num_branch, num_input)
    branches = math.ceil(num_input / math.ceil(num_input / branches))  # none without an input
    synapses = model.num_synapse_per_branch
    if synapses is None:
        on_branch = math.ceil(num_input / branches)
        routed = model.input_to_synapse_routing != "none"
        synapses = max(on_branch, round(on_branch * PUBLISHED_SYNAPSES / PUBLISHED_INPUTS)) if routed else on_branch
    tau = model.tau_value
    if isinstance(tau, tuple):
        of_branch = [tau[branch % len(tau)] for branch in range(branches)]
        tau = tuple(of_branch if version == 2 else np.repeat(of_branch, synapses).tolist())
    sizes = {
        "num_input": num_input,
        "num_output": num_output,
        "num_branch": branches,
        "num_synapse_per_branch": synapses,
    }
    longest = model.memory_tau_max
    if longest is None:
        longest = max((steps or 1000) * delta_t, 2 * model.memory_tau_min)
    known = {name: getattr(model, name) for name in NeuronConfig.model_fields}
    times = {"tau_value": tau, "memory_tau_max": longest, "delta_t": delta_t}
    return ElmOptions(**{**known, **sizes, **times, "version": version})


def config_of(options: ElmOptions) -> ElmConfig:
    """The configuration that gives a neuron of these options. Raises DataError for what the configuration cannot say."""
    if isinstance(options.tau_value, tuple) or options.delta_t != 1.0:
        raise DataError(
            "the model has time constants of its own for each synapse, or a step other than 1 ms",
            where="tau_value, delta_t",
            hint="only models of simulations in steps of 1 ms can be evaluated here",
        )
    known = {name: getattr(options, name) for name in NeuronConfig.model_fields}
    if options.version == 2:
        return ElmV2Config(model=BranchNeuronConfig(**known))
    return ElmConfig(model=NeuronConfig(**known))
