"""Which input channel each synapse reads.

Synapses are ordered branch by branch. `indices` [synapse] is the channel, `valid` [synapse] whether the synapse counts.
Routing "none" has neither: both are empty, and synapse i reads channel i.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from neurocli_elm.model.options import ElmOptions


class Routing(NamedTuple):
    """Types are those of the published state: none float32 and empty, random int64, neuronio int64 and bool."""

    indices: torch.Tensor
    valid: torch.Tensor


def routing(options: ElmOptions) -> Routing:
    """The routing that `options` ask for; random routing draws once."""
    if options.input_to_synapse_routing == "neuronio":
        return neuronio_routing(options.num_input, options.branches, options.num_synapse_per_branch)
    if options.input_to_synapse_routing == "random":
        return random_routing(options.num_input, options.synapses, options.routing_seed)
    return Routing(torch.empty(0), torch.empty(0))


def neuronio_routing(num_input: int, num_branch: int, per_branch: int) -> Routing:
    """Neighbours on the dendrite on one branch, excitation beside inhibition, with overlap between branches.

    Channels are first interleaved (first excitatory, first inhibitory, second excitatory, ...). Branch b takes `per_branch`
    positions from b * ceil(num_input / num_branch) on; positions past the end are not valid and repeat the last channel.
    With an odd number of channels the last position repeats a channel and channel num_input - 1 is never read, as published.
    """
    position = torch.arange(num_input)
    interleaved = (position % 2) * (num_input // 2) + position // 2
    stride = -(-num_input // num_branch)
    wanted = (stride * torch.arange(num_branch)[:, None] + torch.arange(per_branch)).flatten()
    return Routing(interleaved[wanted.clamp_max(num_input - 1)], wanted < num_input)


def random_routing(num_input: int, synapses: int, seed: int | None = None) -> Routing:
    """Channels drawn independently with replacement; `seed` None draws from torch's global generator."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    indices = torch.randint(num_input, (synapses,), generator=generator)
    return Routing(indices, torch.ones_like(indices))
