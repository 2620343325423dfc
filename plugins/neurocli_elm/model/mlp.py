"""The neuron's multilayer perceptron: branch traces and decayed memory in, memory update out."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from neurocli_elm.model.options import ElmOptions

TANH_HEIGHT, TANH_SLOPE = 1.7159, 2.0 / 3.0
"""Of the scaled hyperbolic tangent behind the last layer, LeCun et al. (1998), Efficient BackProp."""

SATURATED = 1.68
"""abs(update) above which the tangent is all but flat."""


class Mlp(nn.Module):
    """`layers` hidden layers and a linear one. In [..., branch + memory], out [..., memory], before the tangent."""

    def __init__(self, options: ElmOptions) -> None:
        super().__init__()
        sizes = [options.branches + options.num_memory] + [options.hidden] * options.mlp_num_layers
        activation = nn.ReLU if options.mlp_activation == "relu" else nn.SiLU
        modules: list[nn.Module] = []
        for size_in, size_out in pairwise(sizes):
            modules += [nn.Linear(size_in, size_out), activation()]
        self.network = nn.Sequential(*modules, nn.Linear(sizes[-1], options.num_memory))

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers, first to last."""
        return [layer for layer in self.network if isinstance(layer, nn.Linear)]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.network(inputs)
