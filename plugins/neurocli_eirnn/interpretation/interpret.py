"""What a trained network has learned, with controls; for simulated sessions held against the teacher that made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from neurocli.evaluation.nulls import CHEAP_NULLS
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import ModelFamily, Trained
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.interpretation.ablation import ablation_exhibit
from neurocli_eirnn.interpretation.components import component_exhibit
from neurocli_eirnn.interpretation.recovery import rate_recovery, type_recovery, weight_recovery
from neurocli_eirnn.interpretation.selectivity import selectivity_exhibit
from neurocli_eirnn.interpretation.weights import weight_exhibits

TEACHER = ("weights", "unit_type", "recorded_unit")


def interpretation_exhibits(trained: Trained, figures: Path) -> list[Exhibit]:
    """All exhibits; what needs known truth says so where there is none."""
    return [
        *weight_exhibits(trained, figures),
        selectivity_exhibit(trained, figures),
        ablation_exhibit(trained, figures),
        component_exhibit(trained, figures),
        *_against_truth(trained, figures),
    ]


def _against_truth(trained: Trained, figures: Path) -> list[Exhibit]:
    data = trained.data
    assert isinstance(data, SessionData)
    found = []
    if data.session.true_rates is not None:
        found.append(rate_recovery(trained, figures))
    if all(name in data.session.truth for name in TEACHER):
        found += [type_recovery(trained), weight_recovery(trained, _untrained(trained), figures)]
    if not found:
        title = "Recovery of rates, types and weights: not possible, what made these data is unknown"
        found.append(Exhibit("recovery", title))
    return found


def _untrained(trained: Trained) -> list[torch.nn.Module]:
    """Modules before training, each of a seed of its own; none where the family cannot be told from the configuration."""
    from neurocli.training.load import untrained

    family = _family_of(trained.config)
    if family is None:
        return []
    seeds = range(trained.seed, trained.seed + CHEAP_NULLS)
    return [untrained(family, trained.config, trained.data.spec, seed) for seed in seeds]


def _family_of(config: Any) -> ModelFamily | None:
    from neurocli_eirnn import family, neurocli_register_models

    for card in neurocli_register_models():
        kind = getattr(family, card.implementation.partition(":")[2], None)
        if kind is not None and type(config) is kind.Config:
            return kind(card)
    return None
