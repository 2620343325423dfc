"""The parameters of an ELM neuron, and `ELMCell`: one step of it, called as torch's recurrent cells are.

Times in ms, states start at 0, x the input that `routing` brings to each synapse:

version 1   s = k_s s + w_s x per synapse;  b = sum of each branch's s
version 2   b = k_b b + sum of each branch's w_s x
both        d = 1.7159 tanh(2/3 MLP[b, k_m m]);  m = k_m m + gain d;  y = W_y m + c

After Spieler et al. (2023), arXiv:2306.16922. Names and shapes in the state are the published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from neurocli_elm.model.mlp import TANH_HEIGHT, TANH_SLOPE, Mlp
from neurocli_elm.model.options import ElmOptions
from neurocli_elm.model.routing import routing
from neurocli_elm.model.timescales import bounded_tau, decay, initial_proto_tau

Kind = Literal["uniform", "branch", "synapse"]


class ElmState(NamedTuple):
    """Memory [sample, memory] and traces, [sample, branch] or, where synapses of a branch differ, [sample, synapse]."""

    memory: torch.Tensor
    trace: torch.Tensor


class ElmParameters(nn.Module):
    """Everything that is learned or fixed, in the published order and types.

    Random numbers are drawn in the published order: the layers of the MLP, the readout, the routing.
    """

    input_to_synapse_indices: torch.Tensor
    valid_indices_mask: torch.Tensor

    def __init__(self, options: ElmOptions) -> None:
        super().__init__()
        self.options = options
        start = torch.full((options.synapses,), options.w_s_value)
        self._proto_w_s = nn.Parameter(start, requires_grad=options.learn_w_s)
        traces = options.branches if options.version == 2 else options.synapses
        tau = torch.tensor(options.tau_value, dtype=torch.float32).expand(traces).clone()
        self.register_parameter(options.trace_name, nn.Parameter(tau, requires_grad=False))
        proto = initial_proto_tau(options.memory_tau_min, options.tau_max, options.num_memory)
        self._proto_tau_m = nn.Parameter(proto, requires_grad=options.learn_memory_tau)
        self.mlp = Mlp(options)
        self.w_y = nn.Linear(options.num_memory, options.num_output)
        indices, valid = routing(options)
        self.register_buffer("input_to_synapse_indices", indices)
        self.register_buffer("valid_indices_mask", valid)

    @property
    def w_s(self) -> torch.Tensor:
        """Weights [synapse], never negative."""
        return torch.relu(self._proto_w_s)

    @property
    def synapse_weights(self) -> torch.Tensor:
        """Weights [synapse], zero where a synapse is not valid."""
        valid = self.valid_indices_mask
        return self.w_s * valid if len(valid) else self.w_s

    @property
    def synapse_channels(self) -> torch.Tensor:
        """Input channel [synapse] that each synapse reads."""
        indices = self.input_to_synapse_indices
        return indices if len(indices) else torch.arange(self.options.synapses, device=self._proto_w_s.device)

    @property
    def tau_m(self) -> torch.Tensor:
        """Memory timescales [memory] in ms."""
        return bounded_tau(self._proto_tau_m, self.options.memory_tau_min, self.options.tau_max)

    def memory_decay(self) -> tuple[torch.Tensor, torch.Tensor]:
        """k_m and gain, both [memory]."""
        options, tau = self.options, self.tau_m
        k = decay(tau, options.delta_t)
        if options.version == 2:
            return k, 1 - decay(tau, options.delta_t * options.lambda_value)
        return k, options.lambda_value * (1 - k)

    def trace_decay(self) -> tuple[Kind, torch.Tensor]:
        """Decays of the traces, and what they are the same for.

        uniform: one for all []; branch: [branch]; synapse: [synapse], the synapses of some branch differ.
        """
        tau: torch.Tensor = getattr(self, self.options.trace_name)
        if tau.requires_grad:
            raise ValueError(f"{self.options.trace_name} is frozen: no gradient is computed for it")
        k = decay(tau, self.options.delta_t)
        if bool((k == k[0]).all()):
            return "uniform", k[0]
        if self.options.version == 2:
            return "branch", k
        by_branch = k.view(self.options.branches, -1)
        if bool((by_branch == by_branch[:, :1]).all()):
            return "branch", by_branch[:, 0]
        return "synapse", k

    def initial_state(self, samples: int) -> ElmState:
        """Zeros, on the device of the parameters."""
        like, options = self._proto_w_s, self.options
        traces = options.synapses if self.trace_decay()[0] == "synapse" else options.branches
        return ElmState(like.new_zeros(samples, options.num_memory), like.new_zeros(samples, traces))


class _Constants(NamedTuple):
    """What a step takes that depends on neither input nor state; the perceptron's layers as (weight [in, out], bias)."""

    kind: Kind
    k_trace: torch.Tensor
    channels: torch.Tensor
    weights: torch.Tensor
    k: torch.Tensor
    gain: torch.Tensor
    hidden: Sequence[tuple[torch.Tensor, torch.Tensor]]
    last: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(cls, network: ElmParameters) -> _Constants:
        kind, k_trace = network.trace_decay()
        k, gain = network.memory_decay()
        *hidden, last = ((layer.weight.t(), layer.bias) for layer in network.mlp.linears)
        scaled = TANH_SLOPE * last[0], TANH_SLOPE * last[1]
        return cls(
            *(kind, k_trace, network.synapse_channels, network.synapse_weights, k, TANH_HEIGHT * gain), hidden, scaled
        )


class _ConstantsCache:
    """Constants of a cell, and all that tells whether they still hold: its modules and tensors, and where and how old these are."""

    def __init__(self, cell: ELMCell) -> None:
        self.constants = _Constants.of(cell)
        holders = [held for m in cell.modules() for held in (m._modules, m._parameters, m._buffers)]
        self.held = [(holder, name, value) for holder in holders for name, value in holder.items()]
        self.tensors = [value for _, _, value in self.held if isinstance(value, torch.Tensor)]
        self.storage = [t.detach() for t in self.tensors]  # none other can come to stand at their address
        self.stamp = self._stamp()

    def _stamp(self) -> list[tuple[int, int]]:
        return [(t._version, t.data_ptr()) for t in self.tensors]

    def is_stale(self) -> bool:
        for holder, name, value in self.held:
            if holder[name] is not value:
                return True
        return self._stamp() != self.stamp


class ELMCell(ElmParameters):
    """One step at a time, called as torch.nn.LSTMCell is: `state = cell(input, state)`, a pair whose first is the output.

    input: [sample, channel], or [channel] for one sample; state: `(memory, trace)` or None for zeros. `readout(memory)` gives
    what the neuron predicts. `ELMCell(ElmOptions(num_input=10, num_memory=20, ...))` is a new one, `ELMCell.of(neuron)` one that
    shares the parameters of a neuron. Under `torch.no_grad()` what depends on the parameters alone is computed once, and anew
    when one of them has changed: a step then takes a third of the time. Raises ValueError for a shape that does not fit.
    """

    _cache: _ConstantsCache | None = None

    @classmethod
    def of(cls, network: ElmParameters) -> ELMCell:
        """A cell that shares the parameters of a neuron."""
        with torch.random.fork_rng(devices=[]):
            cell = cls(network.options)
        name = network.options.trace_name
        cell._proto_w_s, cell._proto_tau_m = network._proto_w_s, network._proto_tau_m
        cell.register_parameter(name, getattr(network, name))
        cell.mlp, cell.w_y = network.mlp, network.w_y
        cell.input_to_synapse_indices = network.input_to_synapse_indices
        cell.valid_indices_mask = network.valid_indices_mask
        return cell

    @property
    def input_size(self) -> int:
        return self.options.num_input

    @property
    def hidden_size(self) -> int:
        """Units of the first of the pair: the memory."""
        return self.options.num_memory

    def forward(self, input: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None = None) -> ElmState:
        options = self.options
        if input.dim() not in (1, 2) or input.shape[-1] != options.num_input:
            raise ValueError(f"input is [sample, {self.input_size}] or [{self.input_size}], not {list(input.shape)}")
        if input.dim() == 1:
            after = self(input[None], None if state is None else tuple(part[None] for part in state))
            return ElmState(after.memory[0], after.trace[0])
        kind, k_trace, channels, weights, k, gain, hidden, last = self._constants()
        memory, trace = self.initial_state(len(input)) if state is None else state
        traces = options.synapses if kind == "synapse" else options.branches
        for name, part, units in (("memory", memory, options.num_memory), ("trace", trace, traces)):
            if part.shape != (len(input), units):
                raise ValueError(f"{name} is [{len(input)}, {units}] for this input, not {list(part.shape)}")
        current = input.index_select(1, channels) * weights
        shape = len(input), options.branches, -1
        if kind == "synapse":
            trace = torch.addcmul(current, k_trace, trace)
            branch = trace.view(shape).sum(2)
        else:
            branch = trace = torch.addcmul(current.view(shape).sum(2), k_trace, trace)
        decayed = k * memory
        z = torch.cat((branch, decayed), 1)
        activation = torch.relu if options.mlp_activation == "relu" else functional.silu
        for weight, bias in hidden:
            z = activation(torch.addmm(bias, z, weight))
        update = torch.tanh(torch.addmm(last[1], z, last[0]))
        return ElmState(torch.addcmul(decayed, gain, update), trace)

    def readout(self, memory: torch.Tensor) -> torch.Tensor:
        """Prediction [..., output] of memory [..., memory]."""
        return self.w_y(memory)

    def _constants(self) -> _Constants:
        """Part of the graph where gradients are asked for; else those of the step before, if no tensor has changed since."""
        if torch.is_grad_enabled():
            return _Constants.of(self)
        if self._cache is None or self._cache.is_stale():
            self._cache = _ConstantsCache(self)
        return self._cache.constants
