"""GRUs without any constraint, of the model's inputs and loss: how well the task inputs can predict the rates at all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
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
BATCH, MOST_STEPS = 32, 600
"""Trials per step, and steps of a long session. On 122 trials of a real one 240 such steps had r .373, 400 of all trials at once .363."""


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


class MeanOfGrus(nn.Module):
    """The mean of the rates of several networks, which differ in their start and in the order of the trials."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(inputs) for network in self.networks]).mean(0)


def fit_gru(dataset: SessionData, hidden: int, epochs: int, networks: int) -> dict[str, NDArray[Any]]:
    """Weights of all networks after `epochs`, or the most steps. Nothing is stopped early, so that they take the validation trials too."""

    def loss(network: nn.Module, batch: Batch) -> torch.Tensor:
        return torch.stack(list(loss_terms(network(batch["inputs"]), batch, V2Loss(), dataset.bin_ms).values())).sum()

    rows = dataset.fitted_rows()
    per_epoch = -(-len(rows) // BATCH)

    def batches(seed: int, epoch: int) -> Iterator[Batch]:
        shuffled = np.random.default_rng([seed, epoch]).permutation(rows)
        return map(dataset.batch, np.array_split(shuffled, per_epoch))

    fitted = [
        fit_network(
            lambda: GruRates(dataset.spec, hidden),
            loss,
            partial(batches, seed),
            steps=min(epochs * per_epoch, MOST_STEPS),
            learning_rate=RATE,
            seed=seed,
            warmup=WARMUP,
        )
        for seed in range(networks)
    ]
    return to_arrays(MeanOfGrus(fitted))


def gru_rates(
    dataset: SessionData, hidden: int, networks: int, values: dict[str, NDArray[Any]], inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Rates [trial, time, neuron] in sp/s of what `fit_gru` gave."""
    network = from_arrays(lambda: MeanOfGrus(GruRates(dataset.spec, hidden) for _ in range(networks)), values)
    with torch.no_grad():
        return np.concatenate([network(chunk).numpy() for chunk in torch.from_numpy(inputs).split(256)])
