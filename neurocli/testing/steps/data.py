"""Steps of the contract: what a family declares, and the data that it deals out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch

from neurocli.config.resolve import preset_names, read_preset, resolve
from neurocli.config.sections import FamilyConfig
from neurocli.plugin.family import ModelFamily
from neurocli.plugin.registry import load_implementation, registry
from neurocli.plugin.task import SequenceModel
from neurocli.recordings import Batch
from neurocli.recordings.adapting import adapted
from neurocli.testing.contract import Doubtful, Shared, require

FEW = 3
"""Batches that are looked at."""


def card(shared: Shared) -> str:
    """The card names a family, and a simulator that exists."""
    if isinstance(shared.given, ModelFamily):
        shared.family = shared.given
    else:
        kind = load_implementation(registry().model(shared.model))
        named = registry().model(shared.model)
        wanted = ModelFamily if named.task is None else SequenceModel
        require(
            isinstance(kind, type) and issubclass(kind, wanted),
            f"{named.implementation} is not a subclass of {wanted.__name__}",
        )
        shared.family = registry().family(shared.model)
    if shared.family.card.simulator is not None:
        registry().simulator(shared.family.card.simulator)
    return shared.family.card.implementation


def config(shared: Shared) -> str:
    """The options resolve, with every preset."""
    kind = shared.family.Config
    require(issubclass(kind, FamilyConfig), "Config is not a subclass of FamilyConfig")
    shared.config = resolve(kind, flags={"train.device": "cpu", "train.seed": shared.seed}).config
    names = preset_names(shared.family.presets)
    for name in names:
        resolve(kind, preset=read_preset(shared.family.presets, name))
    if "quick" not in names:
        raise Doubtful("there is no preset quick: users expect one that takes minutes on a laptop")
    return f"presets: {', '.join(names)}"


def example(shared: Shared) -> str:
    """The example is decided by its seed, and has groups enough for a split."""
    seeds = (shared.seed, shared.seed, shared.seed + 1)
    recordings, again, other = (shared.family.example(seed) for seed in seeds)
    shared.recordings = recordings
    require(len(recordings) >= 3, f"example gives {len(recordings)} groups; a split needs three")
    prints = [recordings[g].fingerprint() for g in recordings]
    require(prints == [again[g].fingerprint() for g in again], "example(seed) gives other data the second time")
    require(len(set(prints)) == len(prints), "two groups of the example hold the same data")
    require(prints != [other[g].fingerprint() for g in other], "example does not depend on its seed")
    return f"{len(recordings)} groups of {recordings[recordings.groups[0]].signal.shape}"


def adapt(shared: Shared) -> str:
    """The split is whole and not leaky, and nothing is fitted outside of its training groups."""
    data = adapted(shared.family, shared.recordings, shared.config)
    shared.data = data
    split = data.split
    require(not split.leaky, "the default split is leaky")
    require(split.train and split.test, "a part of the split is empty")
    require(data.steps("train") > 0, "there is no training batch")
    json.dumps(data.spec, allow_nan=False)
    fitted = set(data.normalisation.fitted_on) if data.normalisation is not None else set()
    require(fitted <= set(split.train), f"the normalisation was fitted on {sorted(fitted - set(split.train))}")
    again = shared.family.adapt(shared.recordings, shared.config, split)
    require(again.split.as_dict() == split.as_dict(), "adapt does not keep the split that it is given")
    # Without groups to choose by, the last epoch is kept: as folds do, and whoever wants all groups to train on.
    return f"{len(split.train)}/{len(split.validation)}/{len(split.test)} {data.group_name()}s"


def batches(shared: Shared) -> str:
    """Batches are a pure function of part, seed and epoch."""
    data = shared.data
    first, again, later = (few(data.batches("train", seed=shared.seed, epoch=epoch)) for epoch in (0, 0, 1))
    require(first, "batches gives nothing")
    require(same(first, again), "batches is not a pure function of (part, seed, epoch)")
    shared.first_batches = first
    if data.split.validation:
        require(few(data.batches("validation", seed=shared.seed, epoch=0)), "there is no validation batch")
    if same(first, later):
        raise Doubtful("the batches of two epochs are the same: is the order ever shuffled?")
    return ", ".join(f"{key} {tuple(value.shape)}" for key, value in first[0].items() if hasattr(value, "shape"))


def few(batches: Iterator[Batch]) -> list[Batch]:
    """The first batches."""
    return list(islice(batches, FEW))


def same(batches: list[Batch], others: list[Batch]) -> bool:
    """Whether two lists of batches hold the same bits."""
    return len(batches) == len(others) and all(
        batch.keys() == other.keys() and all(equal(batch[key], other[key]) for key in batch)
        for batch, other in zip(batches, others, strict=True)
    )


def equal(value: Any, other: Any) -> bool:
    """Whether two values of a batch are the same; what is not a number equals itself."""
    if not isinstance(value, torch.Tensor) or not isinstance(other, torch.Tensor):
        return bool(value == other)
    return value.shape == other.shape and bool(((value == other) | (value.isnan() & other.isnan())).all())
