"""The ELM neuron written out for tests: one step, one synapse, one weight at a time, in double precision.

Numbers are Python floats or, for gradients, double-precision tensors [sample]; nothing here comes from the package.
"""

from __future__ import annotations

import math
from typing import Any

import torch


def routing_of(options: Any, stored: list[int]) -> list[tuple[int, bool]]:
    """(channel, valid) of each synapse."""
    if options.input_to_synapse_routing == "none":
        return [(i, True) for i in range(options.num_input)]
    if options.input_to_synapse_routing == "random":
        return [(channel, True) for channel in stored]
    inputs, branches, per_branch = options.num_input, options.num_branch, options.num_synapse_per_branch
    order = []
    for i in range(inputs):
        order.append(i // 2 if i % 2 == 0 else inputs // 2 + i // 2)
    stride = math.ceil(inputs / branches)
    synapses = []
    for branch in range(branches):
        for j in range(per_branch):
            position = branch * stride + j
            synapses.append((order[min(position, inputs - 1)], position < inputs))
    return synapses


def entries(tensor: torch.Tensor, as_float: bool) -> list[Any]:
    """The entries of a vector or a matrix as nested lists, floats or tensors that carry gradients."""
    if as_float:
        return tensor.tolist()
    return [entries(row, False) if row.dim() else row for row in tensor.unbind()]


def plain_outputs(
    options: Any, state: dict[str, torch.Tensor], x: list[list[Any]], *, as_float: bool
) -> list[list[Any]]:
    """Outputs [time][output] of input [time][channel]; state in double precision, by the published names."""
    exp = math.exp if as_float else torch.exp
    tanh = math.tanh if as_float else torch.tanh
    zero = 0.0 if as_float else torch.zeros_like(x[0][0])

    def sigmoid(z):
        return 1 / (1 + exp(-z))

    def relu(z):
        return (z if z > 0 else 0.0) if as_float else torch.where(z > 0, z, torch.zeros_like(z))

    def activation(z):
        return relu(z) if options.mlp_activation == "relu" else z * sigmoid(z)

    dt, version = options.delta_t, options.version
    proto_w = entries(state["_proto_w_s"], as_float)
    w = [relu(value) for value in proto_w]
    taus = state["tau_s" if version == 1 else "tau_b"].tolist()
    k_trace = [math.exp(-dt / max(tau, 1e-6)) for tau in taus]
    low, high = options.memory_tau_min, options.memory_tau_max
    tau_m = [(high - low) * sigmoid(p) + low for p in entries(state["_proto_tau_m"], as_float)]
    k_m = [exp(-dt / tau) for tau in tau_m]
    if version == 1:
        gain = [options.lambda_value * (1 - k) for k in k_m]
    else:
        gain = [1 - exp(-dt * options.lambda_value / tau) for tau in tau_m]
    depth = options.mlp_num_layers
    layers = [
        (entries(state[f"mlp.network.{2 * n}.weight"], as_float), entries(state[f"mlp.network.{2 * n}.bias"], as_float))
        for n in range(depth + 1)
    ]
    readout = entries(state["w_y.weight"], as_float), entries(state["w_y.bias"], as_float)
    branches = options.num_branch if options.num_branch is not None else options.num_input
    per_branch = options.num_synapse_per_branch
    synapses = routing_of(options, [int(i) for i in state["input_to_synapse_indices"].tolist()])

    def linear(layer, values):
        out = []
        for row, bias in zip(*layer, strict=True):
            total = bias + zero
            for weight, value in zip(row, values, strict=True):
                total = total + weight * value
            out.append(total)
        return out

    s = [zero] * len(synapses)
    b = [zero] * branches
    m = [zero] * options.num_memory
    outputs = []
    for now in x:
        for branch in range(branches):
            total = zero
            for i in range(branch * per_branch, (branch + 1) * per_branch):
                channel, valid = synapses[i]
                arriving = w[i] * now[channel] if valid else zero
                if version == 1:
                    s[i] = k_trace[i] * s[i] + arriving
                    total = total + s[i]
                else:
                    total = total + arriving
            b[branch] = total if version == 1 else k_trace[branch] * b[branch] + total
        values = [*b, *(k * old for k, old in zip(k_m, m, strict=True))]
        for layer in layers[:-1]:
            values = [activation(z) for z in linear(layer, values)]
        update = [1.7159 * tanh(z * 2 / 3) for z in linear(layers[-1], values)]
        m = [k * old + g * new for k, old, g, new in zip(k_m, m, gain, update, strict=True)]
        outputs.append(linear(readout, m))
    return outputs


def plain_tensor(options: Any, state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Outputs [sample, time, output] of x [sample, time, channel], with gradients to the tensors of `state`."""
    rows = [list(step.unbind(1)) for step in x.double().unbind(1)]
    outputs = plain_outputs(options, state, rows, as_float=False)
    return torch.stack([torch.stack(step, 1) for step in outputs], 1)
