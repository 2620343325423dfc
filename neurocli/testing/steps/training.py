"""Step of the contract: a real training of few steps, in which every parameter moves."""

from __future__ import annotations

import copy
from typing import Any

import torch

from neurocli.config.resolve import resolve
from neurocli.errors import Interrupted
from neurocli.plugin.family import ModelFamily
from neurocli.recordings import Dataset
from neurocli.runs.folder import RunFolder
from neurocli.testing.contract import Shared, require

FEWEST, MOST = 8, 200
"""Steps of a training in which a parameter keeps still: one pass of the data, within these bounds."""
_NAMED = 5


class _Enough(Interrupted):
    """Every parameter has moved: the training is stopped as a user would stop it."""


class Watch:
    """The parameters of a network in training that have not moved yet, and which gradients they got."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.network, self.steps = network, 0
        self._start = {name: p.detach().clone() for name, p in _trained(network).items()}
        self._reached: set[str] = set()
        self._pulled: set[str] = set()

    def step(self) -> None:
        """Look at the network after a step of its optimiser."""
        self.steps += 1
        for name, parameter in _trained(self.network).items():
            if name not in self._start:
                continue
            if parameter.grad is not None:
                self._reached.add(name)
                if bool(parameter.grad.any()):
                    self._pulled.add(name)
            if not torch.equal(parameter, self._start[name]):
                del self._start[name]

    def still(self) -> dict[str, list[str]]:
        """Why parameters have not moved → their names."""
        reasons: dict[str, list[str]] = {}
        for name in self._start:
            if name not in self._reached:
                reason = "get no gradient"
            elif name not in self._pulled:
                reason = "have a gradient of exactly zero"
            else:
                reason = "have a gradient and stay (are they left out of parameter_groups?)"
            reasons.setdefault(reason, []).append(name)
        return reasons


def training(shared: Shared) -> str:
    """The family's own training on its example: every parameter with requires_grad moves, by its gradient and not by decay.

    What is fixed by design is a buffer, or has requires_grad=False.
    """
    from neurocli.training.fit import fit

    steps = min(max(FEWEST, shared.data.steps("train")), MOST)
    flags = {"train.device": "cpu", "train.seed": shared.seed, "train.max_steps": steps, "train.weight_decay": 0.0}
    config = resolve(shared.family.Config, flags=flags).config
    run = RunFolder.create(shared.work / "runs", shared.model, {}, config.model_dump(mode="json"), {})
    watched: list[Watch] = []

    def prepare(network: torch.nn.Module, data: Dataset, options: Any) -> None:
        shared.family.prepare(network, data, options)
        watched.append(Watch(network))

    def progress(event: dict[str, Any]) -> None:
        if event["event"] == "batch":
            watched[0].step()
            if not watched[0].still():
                raise _Enough("every parameter has moved")

    try:
        fit(_preparing(shared.family, prepare), config, shared.data, run, progress=progress)
    except _Enough:
        return f"all parameters move within {_count(watched[0].steps)}"
    still = watched[0].still()
    require(not still, f"in {_count(watched[0].steps)} {'; '.join(_listed(*each) for each in still.items())}")
    return f"no parameter to train in {_count(watched[0].steps)}"


def _preparing(family: ModelFamily, prepare: Any) -> ModelFamily:
    """The same family, which tells when a network is about to take its first step."""
    watched = copy.copy(family)
    watched.prepare = prepare  # type: ignore[method-assign]
    return watched


def _trained(network: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def _listed(reason: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more} {reason}"


def _count(steps: int) -> str:
    return f"{steps} step{'s' if steps != 1 else ''}"
