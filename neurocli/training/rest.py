"""A network that is looked at between two steps of its training, which must not notice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def at_rest(network: torch.nn.Module) -> Iterator[None]:
    """The network in eval mode, without gradients; the mode of each of its parts and the state of torch's generators are put back."""
    modes = [(part, part.training) for part in network.modules()]
    devices = {p.device for p in network.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)), torch.no_grad():
        network.eval()
        try:
            yield
        finally:
            for part, training in modes:
                part.training = training
