"""Steps of the contract: whoever is given a batch, a dataset or a recording leaves it as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from neurocli.recordings import Batch
from neurocli.testing.contract import Shared, require
from neurocli.testing.steps.data import equal, few, same


def batch_unchanged(shared: Shared) -> str:
    """Neither a loss nor the network changes a batch: another epoch, or a second loss, would see other data."""
    family, config, data = shared.family, shared.config, shared.data
    part = "validation" if data.split.validation else "train"
    losses: list[tuple[str, str, Callable[..., Any]]] = [
        ("loss", "train", family.loss),
        ("validation_loss", part, family.validation_loss),
    ]
    looked = 0
    for who, part, call in losses:
        network = copy.deepcopy(shared.network).train(who == "loss")
        for batch in copy.deepcopy(few(data.batches(part, seed=shared.seed, epoch=0))):
            before, in_forward = copy.deepcopy(batch), _Forward(network, batch)
            with in_forward, torch.set_grad_enabled(who == "loss"):
                terms = call(network, batch, config)
                if who == "loss":
                    terms.total.backward()
            changed = differing(before, batch)
            blamed = "the network's forward" if in_forward.changed else who
            require(not changed, f"{blamed} changes the batch in place: {', '.join(in_forward.changed or changed)}")
            looked += 1
    return f"{looked} batches stay as they were"


def data_unchanged(shared: Shared) -> str:
    """Neither `predict` nor a baseline changes the dataset or the recordings, and both are dealt out as before."""
    data, named = shared.data, dict.fromkeys(f"{who} changes {what} in place" for who, what in shared.changed)
    require(not named, "; ".join(list(named)[:3]))
    again = few(data.batches("train", seed=shared.seed, epoch=0))
    require(same(again, shared.first_batches), "after predict and baselines the same epoch has other batches")
    for target, now in zip(shared.targets, shared.family.targets(data, shared.config), strict=True):
        kept = all(equal(torch.as_tensor(now.values[g]), torch.as_tensor(target.values[g])) for g in target.groups)
        require(kept, f"after predict and baselines the target {target.name} has other values")
    return "batches, targets and recordings stay as they were"


def differing(before: Batch, now: Batch) -> list[str]:
    """The keys of a batch that came, went, or hold other values."""
    return [
        key
        for key in sorted({*before, *now})
        if key not in before or key not in now or not equal(before[key], now[key])
    ]


class _Forward:
    """While it is open: what a network's own forward changes in a batch, `changed`."""

    def __init__(self, network: torch.nn.Module, batch: Batch) -> None:
        self.network, self.batch = network, batch
        self.changed: list[str] = []

    def __enter__(self) -> None:
        def enter(network: torch.nn.Module, given: Any) -> None:
            self._before = copy.deepcopy(self.batch)

        def leave(network: torch.nn.Module, given: Any, result: Any) -> None:
            self.changed.extend(differing(self._before, self.batch))

        self._hooks = [self.network.register_forward_pre_hook(enter), self.network.register_forward_hook(leave)]

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()
