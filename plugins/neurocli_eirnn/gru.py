"""A GRU without any constraint, under the loss of eirnn-v2: how well the task inputs can predict the rates at all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from neurocli_eirnn.config import V2Loss
from neurocli_eirnn.data import SessionData
from neurocli_eirnn.loss_v2 import loss_terms, poisson

_RATE = 1e-2


def gru_rates(data: SessionData, hidden: int, epochs: int) -> dict[str, NDArray[Any]]:
    """Group → rates [time, neuron] of the epoch that is best on the validation trials."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.GRU(2 * data.inputs.shape[2], hidden, batch_first=True)
        head = nn.Linear(hidden, data.session.neurons)
    weights = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=epochs * data.steps("train") + 1)
    scale = torch.tensor(data.spec["mean_rate"]).clamp_min(0.1) / math.log(2)
    # Early stopping needs trials of its own; without any, the last epoch is taken.
    held = "validation" if data.split.validation else "train"

    def rates(inputs: torch.Tensor) -> torch.Tensor:
        onsets = functional.relu(inputs - functional.pad(inputs, (0, 0, 1, 0))[:, :-1])
        return functional.softplus(head(network(torch.cat((inputs, onsets), -1))[0])) * scale

    best, chosen = float("inf"), None
    for epoch in range(epochs):
        for batch in data.batches("train", seed=0, epoch=epoch):
            loss = torch.stack(list(loss_terms(rates(batch["inputs"]), batch, V2Loss(), data.bin_ms).values())).sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            score = sum(float(poisson(rates(b["inputs"]), b, data.bin_ms)) for b in data.batches(held, seed=0, epoch=0))
        if score < best:
            best, chosen = score, [{k: v.clone() for k, v in m.state_dict().items()} for m in (network, head)]
    if chosen is not None:
        network.load_state_dict(chosen[0])
        head.load_state_dict(chosen[1])
    with torch.no_grad():
        answers = np.concatenate([rates(part).numpy() for part in torch.from_numpy(data.inputs).split(256)])
    return {group: answers[row] for group, row in data.row.items()}
