"""A linear model of sequences: leaky sums of every input with many time constants, and a linear readout at every step."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from neurocli_sequences.config import LinearOptions


class Linear(nn.Module):
    """Inputs [sample, time, input] to outputs [sample, time, output]; no bend anywhere. tau: time constants [trace] in steps, fixed."""

    tau: torch.Tensor

    def __init__(self, options: LinearOptions, num_inputs: int, num_outputs: int, steps: int | None) -> None:
        super().__init__()
        longest = max(options.longest or float(steps or 1000), options.shortest)
        ends = math.log(options.shortest), math.log(longest)
        self.register_buffer("tau", torch.linspace(*ends, options.traces).exp())
        self.readout = nn.Linear(num_inputs * options.traces, num_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs [sample, time, output]: each leaky sum is a mean of the past, weighted by exp(-lag / tau)."""
        return torch.stack([state.sum(-1) for state in self._leaky_sums(x)], 1) + self.readout.bias

    def traces(self, x: torch.Tensor) -> torch.Tensor:
        """What each leaky sum adds to each output [sample, time, output, trace]."""
        return torch.stack(list(self._leaky_sums(x)), 1)

    def _leaky_sums(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """[sample, output, trace] of each step."""
        keep = torch.exp(-1 / self.tau)
        samples, _, inputs = x.shape
        weight = self.readout.weight.view(-1, inputs, len(keep))
        # What the readout takes of each sum comes before the sums: they are linear, and fewer.
        driven = torch.einsum("bti,oik->tbok", x, weight) * (1 - keep)
        state = driven.new_zeros(samples, weight.shape[0], len(keep))
        for step in driven:
            state = keep * state + step
            yield state
