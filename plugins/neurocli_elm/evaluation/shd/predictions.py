"""Predicted class probabilities of samples, at the last step or at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from neurocli.recordings import Batch
from neurocli.training.devices import device_of
from neurocli_elm.data.events import InputEvents
from neurocli_elm.data.shd_dataset import ShdData

_CHUNK = 64


def events_of(batch: Batch) -> InputEvents:
    """The input of a batch; counts are what each event adds."""
    places = batch["step"], batch["channel"], batch["sign"], batch["sample"]
    return InputEvents(*places, int(batch["num_steps"]), len(batch["label"]))


def class_loss(network: Any, batch: Batch) -> torch.Tensor:
    """Cross-entropy of the class at the last step, as published."""
    return functional.cross_entropy(network.forward_events(events_of(batch))[:, -1], batch["label"])


@torch.no_grad()
def probabilities(network: Any, dataset: ShdData, rows: NDArray[np.int64], *, every: int = 0) -> NDArray[np.float64]:
    """[sample, class] at the last step; with `every`, [sample, moment, class] at each so manieth step."""
    device = device_of(network)
    chunks = []
    for first in range(0, len(rows), _CHUNK):
        batch = dataset.batch(rows[first : first + _CHUNK])
        y = network.forward_events(events_of(batch).to(device)).cpu().double()
        y = y[:, every - 1 :: every] if every else y[:, -1]
        chunks.append(torch.softmax(y, -1).numpy())
    return np.concatenate(chunks)
