"""What a trained network has learned, with controls; for simulated sessions held against the teacher that made them."""

from __future__ import annotations

from pathlib import Path

import torch

from neurocli.interpretation.shuffling import CHEAP_NULLS
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import TrainedModel
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.interpretation.ablation import ablation_exhibit
from neurocli_eirnn.interpretation.components import component_exhibit
from neurocli_eirnn.interpretation.recovery import rate_recovery, type_recovery, weight_recovery
from neurocli_eirnn.interpretation.selectivity import selectivity_exhibit
from neurocli_eirnn.interpretation.weights import weight_exhibits

TEACHER = ("weights", "unit_type", "recorded_unit")


def interpretation_exhibits(trained: TrainedModel, figures: Path) -> list[Exhibit]:
    """All exhibits; what needs known truth says so where there is none."""
    return [
        *weight_exhibits(trained, figures),
        selectivity_exhibit(trained, figures),
        ablation_exhibit(trained, figures),
        component_exhibit(trained, figures),
        *_against_truth(trained, figures),
    ]


def _against_truth(trained: TrainedModel, figures: Path) -> list[Exhibit]:
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    exhibits = []
    if dataset.session.true_rates is not None:
        exhibits.append(rate_recovery(trained, figures))
    if all(name in dataset.session.truth for name in TEACHER):
        exhibits += [type_recovery(trained), weight_recovery(trained, untrained_networks(trained), figures)]
    if not exhibits:
        title = "Recovery of rates, types and weights: not possible, since the true ones of these data are unknown"
        exhibits.append(Exhibit("recovery", title))
    return exhibits


def untrained_networks(trained: TrainedModel) -> list[torch.nn.Module]:
    """Networks before training, each of a seed of its own."""
    return [trained.untrained(seed) for seed in range(trained.seed, trained.seed + CHEAP_NULLS)]
