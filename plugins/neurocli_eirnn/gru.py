"""A GRU without any constraint, of the model's inputs, loss and epochs: how well the task inputs can predict the rates at all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from neurocli.evaluation.small_network import fit_network, from_arrays, to_arrays
from neurocli.recordings import Batch
from neurocli_eirnn.config import V2Loss
from neurocli_eirnn.data import EYE, SessionData
from neurocli_eirnn.loss_v2 import loss_terms, poisson

RATE, WARMUP = 1e-2, 0.3
CHECKS = 40
"""How often the validation trials are asked for the best state."""


class GruRates(nn.Module):
    """Rates [trial, time, neuron] in sp/s of inputs [trial, time, input], their onsets, and the eye's movements of either sign."""

    scale: torch.Tensor

    def __init__(self, spec: dict[str, Any], hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(2 * spec["num_inputs"] + 2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(spec["mean_rate"]))
        self.register_buffer("scale", torch.tensor(spec["mean_rate"]).clamp_min(0.1) / math.log(2))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        change = inputs - functional.pad(inputs, (0, 0, 1, 0))[:, :-1]
        seen = torch.cat((inputs, functional.relu(change), functional.relu(-change[..., EYE])), -1)
        return functional.softplus(self.head(self.gru(seen)[0])) * self.scale


def fit_gru(data: SessionData, hidden: int, epochs: int) -> dict[str, NDArray[Any]]:
    """Weights of the state that is best on the validation trials, after `epochs` over the training trials."""

    def loss(network: nn.Module, batch: Batch) -> torch.Tensor:
        return torch.stack(list(loss_terms(network(batch["inputs"]), batch, V2Loss(), data.bin_ms).values())).sum()

    # Early stopping needs trials of its own; without any, the training trials choose.
    held = list(data.batches("validation" if data.split.validation else "train", seed=0, epoch=0))

    def validation(network: nn.Module) -> float:
        return sum(float(poisson(network(batch["inputs"]), batch, data.bin_ms)) for batch in held)

    steps = epochs * data.steps("train")
    network = fit_network(
        lambda: GruRates(data.spec, hidden),
        loss,
        lambda epoch: data.batches("train", seed=0, epoch=epoch),
        steps=steps,
        learning_rate=RATE,
        warmup=WARMUP,
        validation=validation,
        validate_every=max(1, steps // CHECKS),
    )
    return to_arrays(network)


def gru_rates(
    data: SessionData, hidden: int, values: dict[str, NDArray[Any]], inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Rates [trial, time, neuron] in sp/s of what `fit_gru` gave."""
    network = from_arrays(GruRates(data.spec, hidden), values)
    with torch.no_grad():
        return np.concatenate([network(part).numpy() for part in torch.from_numpy(inputs).split(256)])
