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
from neurocli_eirnn.data.dataset import EYE, SessionData
from neurocli_eirnn.model.loss_v2 import loss_terms

RATE, WARMUP = 1e-2, 0.3
AVERAGED = 0.25
"""Share of the steps, at the end, over which weights are averaged. The best state on a dozen validation trials of a real session, in its
place, had r .28 where this one has .35."""


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
    """Weights after `epochs` over the training trials, averaged over the last of them."""

    def loss(network: nn.Module, batch: Batch) -> torch.Tensor:
        return torch.stack(list(loss_terms(network(batch["inputs"]), batch, V2Loss(), data.bin_ms).values())).sum()

    network = fit_network(
        lambda: GruRates(data.spec, hidden),
        loss,
        lambda epoch: data.batches("train", seed=0, epoch=epoch),
        steps=epochs * data.steps("train"),
        learning_rate=RATE,
        warmup=WARMUP,
        average=AVERAGED,
    )
    return to_arrays(network)


def gru_rates(
    data: SessionData, hidden: int, values: dict[str, NDArray[Any]], inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Rates [trial, time, neuron] in sp/s of what `fit_gru` gave."""
    network = from_arrays(GruRates(data.spec, hidden), values)
    with torch.no_grad():
        return np.concatenate([network(part).numpy() for part in torch.from_numpy(inputs).split(256)])
