"""Step of the contract: a real training of few steps, in which every parameter moves."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch

from neurocli.config.resolve import resolve
from neurocli.errors import Interrupted
from neurocli.plugin.family import ModelFamily
from neurocli.recordings import Dataset
from neurocli.runs.folder import RunFolder
from neurocli.testing.contract import Shared, require

FEWEST, MOST = 4, 200
"""Steps of a training: the fewest, and the most that one pass of the data may take while a parameter keeps still."""
_NAMED = 5


class _Enough(Interrupted):
    """Every parameter has moved: the training is stopped as a user would stop it."""


class Watch:
    """The parameters of a network in training that have not moved yet, and which gradients they got.

    unused: name → why a parameter may keep still.
    """

    def __init__(self, network: torch.nn.Module, unused: Mapping[str, str]) -> None:
        self.network, self.unused, self.steps = network, unused, 0
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
        """Why parameters have not moved, that should have → their names."""
        reasons: dict[str, list[str]] = {}
        for name in self._start:
            if name in self.unused:
                continue
            if name not in self._reached:
                reason = "get no gradient"
            elif name not in self._pulled:
                reason = "have a gradient of exactly zero"
            else:
                reason = "have a gradient and stay (are they left out of parameter_groups?)"
            reasons.setdefault(reason, []).append(name)
        return reasons

    def wrongly_unused(self) -> list[str]:
        """What is called unused, and moves or is no parameter of the network."""
        return [name for name in self.unused if name not in self._start]


def training(shared: Shared) -> str:
    """The family's own training on its example: every parameter with requires_grad moves, by its gradient and not by decay.

    What is fixed by design is a buffer, or has requires_grad=False; what these options leave out is named by `unused_parameters`.
    """
    from neurocli.training.fit import fit

    family, data = shared.family, shared.data
    steps = min(max(FEWEST, data.steps("train")), MOST)
    flags = {"train.device": "cpu", "train.seed": shared.seed, "train.max_steps": steps, "train.weight_decay": 0.0}
    config = resolve(family.Config, flags=flags).config
    run = RunFolder.create(shared.work / "runs", shared.model, {}, config.model_dump(mode="json"), {})
    watched: list[Watch] = []

    def prepare(network: torch.nn.Module, data: Dataset, options: Any) -> None:
        family.prepare(network, data, options)
        watched.append(Watch(network, family.unused_parameters(config, data.spec)))

    def progress(event: dict[str, Any]) -> None:
        if event["event"] == "batch":
            watched[0].step()
            if watched[0].steps >= FEWEST and not watched[0].still():
                raise _Enough("every parameter has moved")

    with suppress(_Enough):
        fit(_preparing(family, prepare), config, data, run, progress=progress)
    watch = watched[0]
    still, taken = watch.still(), f"{watch.steps} steps"
    listed = [f"{_listed(names)} {reason}" for reason, names in still.items()]
    require(not still, f"in {taken} of training {'; '.join(listed)}")
    wrong = watch.wrongly_unused()
    require(not wrong, f"unused_parameters names {_listed(wrong)}, which is trained or no parameter at all")
    unused = f"; unused: {_listed(list(watch.unused))}" if watch.unused else ""
    return f"all parameters move within {taken}{unused}"


def _preparing(family: ModelFamily, prepare: Any) -> ModelFamily:
    """The same family, which tells when a network is about to take its first step."""
    watched = copy.copy(family)
    watched.prepare = prepare  # type: ignore[method-assign]
    return watched


def _trained(network: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
