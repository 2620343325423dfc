"""The parameters of an ELM neuron, one step of it, and `ELMCell`, which is called as torch's recurrent cells are.

Times in ms, states start at 0, x the input that `routing` brings to each synapse:

version 1   s = k_s s + w_s x per synapse;  b = sum of each branch's s
version 2   b = k_b b + sum of each branch's w_s x
both        d = 1.7159 tanh(2/3 MLP[b, k_m m]);  m = k_m m + gain d;  y = W_y m + c

After Spieler et al. (2023), arXiv:2306.16922. Names and shapes in the state are the published ones.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import nn

from neurocli_elm.model.mlp import Mlp, scaled_tanh
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

    def next_state(self, x: torch.Tensor, state: ElmState) -> ElmState:
        """The state one step later; x [sample, channel]."""
        options = self.options
        kind, k_trace = self.trace_decay()
        k, gain = self.memory_decay()
        current = x.index_select(1, self.synapse_channels) * self.synapse_weights
        if kind == "synapse":
            trace = k_trace * state.trace + current
            branch = trace.view(len(x), options.branches, -1).sum(2)
        else:
            branch = trace = k_trace * state.trace + current.view(len(x), options.branches, -1).sum(2)
        kept = k * state.memory
        update = scaled_tanh(self.mlp(torch.cat((branch, kept), 1)))
        return ElmState(kept + gain * update, trace)


class ELMCell(ElmParameters):
    """One step at a time, called as torch.nn.LSTMCell is: `state = cell(input, state)`, a pair whose first is the output.

    input: [sample, channel], or [channel] for one sample; state: `(memory, trace)` or None for zeros. `readout(memory)` gives
    what the neuron predicts. `ELMCell(ElmOptions(num_input=10, num_memory=20, ...))` is a new one, `ELMCell.of(neuron)` one that
    shares the parameters of a neuron. Raises ValueError for a shape that does not fit.
    """

    @classmethod
    def of(cls, neuron: ElmParameters) -> ELMCell:
        """A cell that shares the parameters of a neuron."""
        with torch.random.fork_rng(devices=[]):
            cell = cls(neuron.options)
        name = neuron.options.trace_name
        cell._proto_w_s, cell._proto_tau_m = neuron._proto_w_s, neuron._proto_tau_m
        cell.register_parameter(name, getattr(neuron, name))
        cell.mlp, cell.w_y = neuron.mlp, neuron.w_y
        cell.input_to_synapse_indices = neuron.input_to_synapse_indices
        cell.valid_indices_mask = neuron.valid_indices_mask
        return cell

    @property
    def input_size(self) -> int:
        return self.options.num_input

    @property
    def hidden_size(self) -> int:
        """Units of the first of the pair: the memory."""
        return self.options.num_memory

    def forward(self, input: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None = None) -> ElmState:
        if input.dim() not in (1, 2) or input.shape[-1] != self.input_size:
            raise ValueError(f"input is [sample, {self.input_size}] or [{self.input_size}], not {list(input.shape)}")
        single = input.dim() == 1
        x = input[None] if single else input
        if state is None:
            given = self.initial_state(len(x))
        else:
            given = ElmState(*(part[None] for part in state)) if single else ElmState(*state)
            traces = (self.options.branches, self.options.synapses)
            for name, part, units in (("memory", given.memory, (self.hidden_size,)), ("trace", given.trace, traces)):
                if part.dim() != 2 or len(part) != len(x) or part.shape[1] not in units:
                    raise ValueError(f"{name} is [{len(x)}, {units[0]}] for this input, not {list(part.shape)}")
        after = self.next_state(x, given)
        return ElmState(after.memory[0], after.trace[0]) if single else after

    def readout(self, memory: torch.Tensor) -> torch.Tensor:
        """Prediction [..., output] of memory [..., memory]."""
        return self.w_y(memory)
