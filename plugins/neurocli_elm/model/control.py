"""What a trained neuron is held against, beside the untrained one: neurons with random weights of the trained scale."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli_elm.model.neuron import ElmNeuron


@torch.no_grad()
def random_neuron(network: ElmNeuron, exciting: NDArray[np.bool_], seed: int) -> ElmNeuron:
    """A neuron whose weights are those of `network`, dealt out anew: what routing, number and scale of the weights give by themselves.

    Weights of synapses stay among the valid synapses of inputs of their kind; those of a layer stay in it. Timescales are kept.
    exciting: [input] whether it excites.
    """
    generator = torch.Generator().manual_seed(seed)
    dealt = copy.deepcopy(network).eval()
    valid = network.valid_indices_mask.bool() if len(network.valid_indices_mask) else None
    excites = torch.from_numpy(exciting).to(network.synapse_channels.device)[network.synapse_channels]
    for kind in (excites, ~excites):
        chosen = torch.nonzero(kind if valid is None else kind & valid)[:, 0]
        order = torch.randperm(len(chosen), generator=generator).to(chosen.device)
        dealt._proto_w_s[chosen] = network._proto_w_s[chosen[order]]
    for layer in (*dealt.mlp.linears, dealt.w_y):
        for values in (layer.weight, layer.bias):
            order = torch.randperm(values.numel(), generator=generator).to(values.device)
            values.copy_(values.flatten()[order].view_as(values))
    return dealt
