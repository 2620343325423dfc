"""What a trained neuron is held against, beside the untrained one: neurons with random weights of the trained scale."""

from __future__ import annotations

import copy

import torch

from neurocli_elm.model.neuron import ElmNeuron


@torch.no_grad()
def random_neuron(network: ElmNeuron, excitatory: int, seed: int) -> ElmNeuron:
    """A neuron whose weights are those of `module`, dealt out anew: what routing, number and scale of the weights give by themselves.

    Weights of synapses stay among the valid synapses of inputs of their kind, of which the first `excitatory` excite; those of
    a layer stay in it. Timescales are kept.
    """
    generator = torch.Generator().manual_seed(seed)
    dealt = copy.deepcopy(network).eval()
    valid = network.valid_indices_mask.bool() if len(network.valid_indices_mask) else None
    exciting = network.synapse_channels < excitatory
    for kind in (exciting, ~exciting):
        chosen = torch.nonzero(kind if valid is None else kind & valid)[:, 0]
        order = torch.randperm(len(chosen), generator=generator).to(chosen.device)
        dealt._proto_w_s[chosen] = network._proto_w_s[chosen[order]]
    for layer in (*dealt.mlp.linears, dealt.w_y):
        for values in (layer.weight, layer.bias):
            order = torch.randperm(values.numel(), generator=generator).to(values.device)
            values.copy_(values.flatten()[order].view_as(values))
    return dealt
