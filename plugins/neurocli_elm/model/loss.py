"""The published loss: cross-entropy of the spike and squared error of the soma voltage, at every ms of a window."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from neurocli.recordings import Batch
from neurocli_elm.config import LossConfig
from neurocli_elm.data.events import InputEvents
from neurocli_elm.data.windows import WINDOW_BURN_IN_MS
from neurocli_elm.model.outputs import Output


def events_of(batch: Batch) -> InputEvents:
    """The input of a batch."""
    samples, steps = batch["spike"].shape
    return InputEvents(batch["step"], batch["channel"], batch["sign"], batch["sample"], steps, samples)


def loss_terms(network: Any, batch: Batch, loss: LossConfig) -> dict[str, torch.Tensor]:
    """spike: binary cross-entropy of that output as a logit; soma: squared error of the other one."""
    y = network.forward_events(events_of(batch))
    first = loss.first(y.shape[1])
    outputs = y[:, first:].unbind(2)
    return {
        "spike": loss.spike
        * functional.binary_cross_entropy_with_logits(outputs[Output.SPIKE], batch["spike"][:, first:]),
        "soma": loss.soma * functional.mse_loss(outputs[Output.SOMA], batch["soma"][:, first:]),
    }


def validation(network: Any, batch: Batch) -> torch.Tensor:
    """Squared error of the soma voltage, by which published models were chosen, without the windows' first steps."""
    soma = network.forward_events(events_of(batch))[..., Output.SOMA]
    first = min(WINDOW_BURN_IN_MS, soma.shape[1] // 2)
    return functional.mse_loss(soma[:, first:], batch["soma"][:, first:])
