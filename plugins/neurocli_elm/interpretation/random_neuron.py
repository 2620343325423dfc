"""What a trained neuron is held against, beside the untrained one: neurons with random weights of the trained scale."""

from __future__ import annotations

import copy

import torch

from neurocli.interpretation.random_weights import dealt_anew
from neurocli_elm.model.neuron import ElmNeuron


@torch.no_grad()
def random_neuron(network: ElmNeuron, excitatory: int, seed: int) -> ElmNeuron:
    """A neuron whose weights are those of `network`, dealt out anew: what routing, number and scale of the weights give by themselves.

    Weights of synapses stay among the valid synapses of inputs of their kind, of which the first `excitatory` excite; those of
    a layer stay in it. Timescales are kept.
    """
    generator = torch.Generator().manual_seed(seed)
    dealt = copy.deepcopy(network).eval()
    valid = network.valid_indices_mask.bool() if len(network.valid_indices_mask) else None
    exciting = network.synapse_channels < excitatory
    for kind in (exciting, ~exciting):
        chosen = torch.nonzero(kind if valid is None else kind & valid)[:, 0]
        dealt._proto_w_s[chosen] = dealt_anew(network._proto_w_s[chosen], generator)
    for layer in (*dealt.mlp.linears, dealt.w_y):
        for values in (layer.weight, layer.bias):
            values.copy_(dealt_anew(values, generator))
    return dealt
