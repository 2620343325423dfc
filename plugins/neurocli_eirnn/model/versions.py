"""Either model of the family, by its options: how it is built, and what it is trained on."""

from __future__ import annotations

from typing import Any

import torch

from neurocli.plugin.family import LossTerms
from neurocli.recordings import Batch
from neurocli_eirnn.config_v1 import V1Config
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.model import loss_v1, loss_v2
from neurocli_eirnn.model.v1 import PublishedEiRnn, build_v1
from neurocli_eirnn.model.v2 import DaleRnn, build_v2

EirnnNetwork = PublishedEiRnn | DaleRnn


def build(config: EirnnConfig, spec: dict[str, Any]) -> EirnnNetwork:
    """An untrained network for a session of that `spec`."""
    return build_v1(config, spec) if isinstance(config, V1Config) else build_v2(config, spec)


def loss_of(
    network: torch.nn.Module, batch: Batch, config: EirnnConfig, states: torch.Tensor | None = None
) -> LossTerms:
    """The loss of a batch, or of `states` [trial, time, unit] in place of those that the network goes through."""
    assert isinstance(network, EirnnNetwork)
    states = network.states(batch["inputs"]) if states is None else states
    if isinstance(config, V1Config):
        assert isinstance(network, PublishedEiRnn)
        return LossTerms(loss_v1.loss_terms(network, batch, config.loss, states))
    return LossTerms(loss_v2.loss_terms(network.readout(states), batch, config.loss, network.bin_ms))
