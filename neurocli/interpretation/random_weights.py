"""Networks with random weights of the trained scale: what shape and size of a network give, whatever it has learned."""

from __future__ import annotations

import copy

import numpy as np
import torch

RandomState = np.random.Generator | torch.Generator


def permuted_entries(values: torch.Tensor, random: RandomState) -> torch.Tensor:
    """The same numbers in other places of a tensor of the same shape."""
    if isinstance(random, np.random.Generator):
        order = torch.from_numpy(random.permutation(values.numel()))
    else:
        order = torch.randperm(values.numel(), generator=random)
    return values.flatten()[order.to(values.device)].view_as(values)


@torch.no_grad()
def with_permuted_weights(network: torch.nn.Module, random: RandomState) -> torch.nn.Module:
    """A copy whose weights are permuted within each parameter; buffers stay."""
    other = copy.deepcopy(network)
    for parameter in other.parameters():
        parameter.copy_(permuted_entries(parameter, random))
    return other.eval()
