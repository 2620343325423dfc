"""`ElmNeuron`: an ELM neuron over whole sequences, many times faster than step by step, with the same numbers.

Everything before the memory is linear. So routing, validity and synapse weights (and, where all traces decay alike, the first
layer too) fold into one matrix, which the input meets in one product for all times, or event by event where it is sparse.
Only the memory goes step by step (`memory_scan`), and the readout is again one product.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional

from neurocli.training.compiled import can_compile
from neurocli_elm.data.events import DenseInput, Input, InputEvents
from neurocli_elm.model.cell import ElmParameters, ElmState
from neurocli_elm.model.layers.filters import leaky_filter, synapse_traces
from neurocli_elm.model.layers.memory_scan import Layer, memory_scan
from neurocli_elm.model.options import ElmOptions
from neurocli_elm.model.outputs import NeuronioOutput, in_units


class ElmStates(NamedTuple):
    """Records [sample, time, ...] of an evaluation."""

    output: torch.Tensor
    branch: torch.Tensor
    memory: torch.Tensor


class _Drive(NamedTuple):
    """What reaches the first layer [time, sample, hidden]; the branch traces and last traces where they were computed."""

    base: torch.Tensor
    branch: torch.Tensor | None = None
    last: torch.Tensor | None = None


class ElmNeuron(ElmParameters):
    """Input [sample, time, channel] to output [sample, time, output], from zero states.

    compiled: None takes compiled loops where they can run; False never does, True raises ValueError where they cannot.
    """

    def __init__(self, options: ElmOptions, *, compiled: bool | None = None) -> None:
        super().__init__(options)
        self.compiled = compiled

    @property
    def num_input(self) -> int:
        return self.options.num_input

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs [sample, time, output]."""
        return self._output(self._memory(self._dense(x))[0])

    def forward_events(self, events: InputEvents) -> torch.Tensor:
        """Outputs [sample, time, output] of sparse input; the same as `forward` of `events.dense`."""
        return self._output(self._memory(events)[0])

    def neuronio_output(self, x: torch.Tensor | InputEvents) -> NeuronioOutput:
        """The two outputs in the units of the published evaluation."""
        return in_units(self.forward_events(x) if isinstance(x, InputEvents) else self(x))

    def forward_states(self, x: torch.Tensor | InputEvents) -> ElmStates:
        """Outputs with branch traces and memory."""
        memory, drive = self._memory(self._input(x), want_branch=True)
        assert drive.branch is not None
        return ElmStates(self._output(memory), drive.branch.transpose(0, 1), memory.transpose(0, 1))

    def output_of(self, branch: torch.Tensor) -> torch.Tensor:
        """Outputs [time, sample, output] of branch traces [time, sample, branch]."""
        first = self.mlp.linears[0]
        return self.w_y(self._scan(functional.linear(branch, first.weight[:, : self.options.branches], first.bias)))

    def advance(
        self, x: torch.Tensor | InputEvents, state: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, ElmState]:
        """Outputs of a stretch of input that follows on `state`, and the state after it: a long input piece by piece."""
        memory, drive = self._memory(self._input(x), None if state is None else ElmState(*state), want_branch=True)
        assert drive.last is not None
        return self._output(memory), ElmState(memory[-1], drive.last)

    # -- parts ---------------------------------------------------------------------------------------------------

    def _input(self, x: torch.Tensor | InputEvents) -> Input:
        return x if isinstance(x, InputEvents) else self._dense(x)

    def _dense(self, x: torch.Tensor) -> DenseInput:
        if x.dim() != 3 or x.shape[2] != self.options.num_input:
            raise ValueError(f"input is [sample, time, {self.options.num_input}], not {list(x.shape)}")
        return DenseInput(x)

    def _output(self, memory: torch.Tensor) -> torch.Tensor:
        return self.w_y(memory).transpose(0, 1).contiguous()

    def _memory(
        self, given: Input, state: ElmState | None = None, *, want_branch: bool = False
    ) -> tuple[torch.Tensor, _Drive]:
        """Memory [time, sample, memory], and what drove it."""
        drive = self._drive(given, None if state is None else state.trace, want_branch)
        return self._scan(drive.base, None if state is None else state.memory), drive

    def _scan(self, base: torch.Tensor, start: torch.Tensor | None = None) -> torch.Tensor:
        """Memory [time, sample, memory] of what reaches the first layer."""
        first, *inner, last = (Layer(layer.weight, layer.bias) for layer in self.mlp.linears)
        k, gain = self.memory_decay()
        return memory_scan(
            base,
            first.weight[:, self.options.branches :],
            inner,
            last,
            k,
            gain,
            start,
            activation=self.options.mlp_activation,
            compiled=self.compiled,
        )

    def _drive(self, given: Input, start: torch.Tensor | None, want_branch: bool) -> _Drive:
        options = self.options
        first = self.mlp.linears[0]
        weight = first.weight[:, : options.branches]
        kind, k = self.trace_decay()
        if kind == "synapse":
            x = given.dense(options.num_input, weight.dtype)
            arguments = (self.synapse_channels, self.synapse_weights, k, options.branches, start)
            branch, last = synapse_traces(x, *arguments)
            return _Drive(functional.linear(branch, weight, first.bias), branch, last)
        use = can_compile(self.compiled, k)
        if kind == "uniform" and not want_branch and options.hidden <= options.branches:
            currents = given.project(self._into_hidden(weight), compiled=self.compiled)
            return _Drive(leaky_filter(currents, k, compiled=use) + first.bias)
        branch = leaky_filter(self._branch_currents(given), k, start, compiled=use)
        return _Drive(functional.linear(branch, weight, first.bias), branch, branch[-1])

    @property
    def _one_to_one(self) -> bool:
        """Whether each input has a branch of its own."""
        return self.options.input_to_synapse_routing == "none" and self.options.num_synapse_per_branch == 1

    def branch_weights(self) -> torch.Tensor:
        """Matrix [input, branch] of what one event of an input, but for its sign, adds to each branch trace."""
        options = self.options
        branch = torch.arange(options.synapses, device=self._proto_w_s.device) // options.num_synapse_per_branch
        weights = self.synapse_weights
        flat = weights.new_zeros(options.num_input * options.branches)
        flat = flat.index_add(0, self.synapse_channels * options.branches + branch, weights)
        return flat.view(options.num_input, options.branches)

    def _into_hidden(self, weight: torch.Tensor) -> torch.Tensor:
        """Matrix [channel, hidden] of what one input event adds to the first layer; weight [hidden, branch]."""
        if self._one_to_one:
            return self.w_s[:, None] * weight.t()
        return self.branch_weights() @ weight.t()

    def _branch_currents(self, given: Input) -> torch.Tensor:
        """[time, sample, branch]: folded into one matrix, or gathered where that matrix would be nearly empty and large."""
        options = self.options
        if isinstance(given, DenseInput) and self._one_to_one:
            return given.x.transpose(0, 1) * self.synapse_weights
        if options.num_input * options.branches <= 16 * options.synapses:
            return given.project(self.branch_weights(), compiled=self.compiled)
        x = given.dense(options.num_input, self._proto_w_s.dtype)
        routed = x[:, :, self.synapse_channels] * self.synapse_weights
        return routed.unflatten(2, (options.branches, -1)).sum(3)
