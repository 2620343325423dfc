"""Where the structured CNN-LSTM begins: with the synapses that a ridge regression finds, so that training is spent on their timing.

Ten thousand weights cost gradient descent most of its steps; normal equations give them in seconds (`onset_ridge`).
"""

from __future__ import annotations

import torch

from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.model.layers import WEIGHT_UNIT
from neurocli_cnn_lstm.model.onset_ridge import MOST_NEURONS, fit_onset_ridge
from neurocli_cnn_lstm.model.v2 import StructuredCnnLstm


def can_start_from_ridge(dataset: VoltageData) -> bool:
    """Whether resets can be seen, and there are not too many neurons for the regression."""
    return dataset.flag_on and dataset.spec["num_channels"] <= MOST_NEURONS


@torch.no_grad()
def start_from_ridge(network: StructuredCnnLstm, dataset: VoltageData) -> None:
    """Set synapses and the leak of the echo's integrator, in z, from the training runs."""
    ridge = fit_onset_ridge(dataset, dataset.usable("train"))
    mean, sd = dataset.normalisation.mean, dataset.normalisation.sd
    synapse = network.synapse
    if len(synapse.raw_weight) == 1:
        weight = (ridge.total / sd[:, None]).mean(0, keepdims=True)
    else:
        weight = ridge.strong / sd[:, None]
    synapse.raw_weight.copy_(torch.as_tensor(weight / WEIGHT_UNIT))
    synapse.leak.fill_(float(ridge.decay.mean()))
    synapse.rest.fill_(float(((ridge.offset - (1 - ridge.decay) * mean) / sd).mean()))
