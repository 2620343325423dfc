"""Small networks that serve as baselines: one training loop for all, and their weights as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

_LARGEST_GRADIENT = 1.0


def fit_network(
    build: Callable[[], nn.Module],
    loss: Callable[[Any, Any], Tensor],
    batches: Callable[[int], Iterable[Any]],
    *,
    steps: int,
    learning_rate: float,
    seed: int = 0,
    warmup: float = 0.05,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    average: float = 0.0,
) -> nn.Module:
    """Train a network with Adam: linear warm-up over a share of the steps, then a cosine down to zero, gradients clipped.

    build: makes the network, from torch's global generator; loss: (network, batch) → scalar; batches: epoch → its batches, asked
    again until `steps` are done; decoupled: weight decay as AdamW has it, apart from the gradients; average: share of the steps, at
    the end, over whose weights the network is averaged (0: the last weights). Nothing is stopped early. The global random state is left as it was. Returns the network in eval mode.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # networks as small as these lose by more than one
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build().train()
            fitted = [p for p in network.parameters() if p.requires_grad]
            adam = torch.optim.AdamW if decoupled else torch.optim.Adam
            optimizer = adam(fitted, learning_rate, weight_decay=weight_decay, fused=True)  # half the time of a step
            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps, warmup))
            from_step = steps - max(1, round(average * steps)) if average else steps
            mean = [torch.zeros_like(p) for p in fitted]
            for done, batch in enumerate(_forever(batches, steps), start=1):
                optimizer.zero_grad()
                loss(network, batch).backward()
                torch.nn.utils.clip_grad_norm_(fitted, _LARGEST_GRADIENT)
                optimizer.step()
                schedule.step()
                if done > from_step:
                    for average_p, p in zip(mean, fitted, strict=True):
                        average_p.lerp_(p.detach(), 1 / (done - from_step))
            if from_step < steps:
                with torch.no_grad():
                    for p, value in zip(fitted, mean, strict=True):
                        p.copy_(value)
    finally:
        torch.set_num_threads(before)
    return network.eval()


def _rate(step: int, steps: int, warmup: float) -> float:
    """Learning rate at a step over the highest one."""
    first = max(1, round(warmup * steps))
    if step < first:
        return (step + 1) / first
    return 0.5 * (1 + math.cos(math.pi * (step - first) / max(1, steps - first)))


def _forever(batches: Callable[[int], Iterable[Any]], steps: int) -> Iterable[Any]:
    done, epoch = 0, 0
    while done < steps:
        before = done
        for batch in batches(epoch):
            yield batch
            done += 1
            if done == steps:
                return
        if done == before:
            raise ValueError(f"epoch {epoch} has no batches")
        epoch += 1


def count(network: nn.Module) -> int:
    """How many numbers of a network are trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def to_arrays(network: nn.Module) -> dict[str, NDArray[Any]]:
    """State by name; buffers, which are not trained, get a name that begins with `_`."""
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    return {
        name if name in trained else f"_{name}": tensor.detach().cpu().numpy().copy()
        for name, tensor in network.state_dict().items()
    }


def from_arrays(build: Callable[[], nn.Module], arrays: Mapping[str, NDArray[Any]]) -> nn.Module:
    """The network that `build` makes, with the state that `to_arrays` gave, in eval mode; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        network = build()
    names = network.state_dict()
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    state = {name: torch.from_numpy(np.array(arrays[name if name in trained else f"_{name}"])) for name in names}
    network.load_state_dict(state)
    return network.eval()
