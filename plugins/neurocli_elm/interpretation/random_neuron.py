"""The null of recovery, beside the untrained network: networks with the trained weights permuted."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.interpretation.random_weights import permuted_entries
from neurocli_elm.model.neuron import ElmNeuron


@torch.no_grad()
def random_neuron(network: ElmNeuron, exciting: NDArray[np.bool_], seed: int) -> ElmNeuron:
    """A network whose weights are those of `network`, permuted: what routing, number and scale of the weights give by themselves.

    Weights of synapses are permuted among the valid synapses of inputs of their type, those of a layer within it. Timescales are kept.
    exciting: [input] whether it excites.
    """
    generator = torch.Generator().manual_seed(seed)
    dealt = copy.deepcopy(network).eval()
    valid = network.valid_indices_mask.bool() if len(network.valid_indices_mask) else None
    excites = torch.from_numpy(exciting).to(network.synapse_channels.device)[network.synapse_channels]
    for kind in (excites, ~excites):
        chosen = torch.nonzero(kind if valid is None else kind & valid)[:, 0]
        dealt._proto_w_s[chosen] = permuted_entries(network._proto_w_s[chosen], generator)
    for layer in (*dealt.mlp.linears, dealt.w_y):
        for values in (layer.weight, layer.bias):
            values.copy_(permuted_entries(values, generator))
    return dealt
