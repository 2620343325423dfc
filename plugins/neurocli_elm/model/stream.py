"""`ElmStream`: a neuron fed step by step for as long as one likes, with its state inside and all constants computed once."""

from __future__ import annotations

import torch
from torch.nn import functional

from neurocli_elm.model.cell import ElmParameters, ElmState
from neurocli_elm.model.mlp import TANH_HEIGHT, TANH_SLOPE


class ElmStream:
    """Inference only, in constant memory. The parameters are those at the time of construction.

    samples: streams side by side. `state` may be read, kept and set.
    """

    @torch.no_grad()
    def __init__(self, neuron: ElmParameters, samples: int = 1) -> None:
        self.options = neuron.options
        self.state = neuron.initial_state(samples)
        self._kind, self._k_trace = neuron.trace_decay()
        self._channels, self._weights = neuron.synapse_channels.clone(), neuron.synapse_weights
        self._k, gain = neuron.memory_decay()
        self._gain = TANH_HEIGHT * gain
        first, *inner, last = ((layer.weight.t().clone(), layer.bias.clone()) for layer in neuron.mlp.linears)
        self._first, self._inner = first, inner
        self._last = (last[0] * TANH_SLOPE, last[1] * TANH_SLOPE)
        self._readout = neuron.w_y.weight.t().clone(), neuron.w_y.bias.clone()
        self._activation = torch.relu if self.options.mlp_activation == "relu" else functional.silu

    @torch.no_grad()
    def step(self, x: torch.Tensor) -> torch.Tensor:
        """Output [sample, output] of the next step of input [sample, channel]."""
        memory, trace = self.state
        current = x.index_select(1, self._channels).mul_(self._weights)
        shape = len(x), self.options.branches, -1
        if self._kind == "synapse":
            trace = current.addcmul_(self._k_trace, trace)
            branch = trace.view(shape).sum(2)
        else:
            branch = trace = current.view(shape).sum(2).addcmul_(self._k_trace, trace)
        kept = self._k * memory
        hidden = self._activation(torch.addmm(self._first[1], torch.cat((branch, kept), 1), self._first[0]))
        for weight, bias in self._inner:
            hidden = self._activation(torch.addmm(bias, hidden, weight))
        update = torch.addmm(self._last[1], hidden, self._last[0]).tanh_()
        memory = kept.addcmul_(self._gain, update)
        self.state = ElmState(memory, trace)
        return torch.addmm(self._readout[1], memory, self._readout[0])
