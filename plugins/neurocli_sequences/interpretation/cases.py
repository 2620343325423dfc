"""What a trained network of sequences has learned, beside the untrained one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import TrainedModel
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.interpretation.probe import probed
from neurocli_sequences.interpretation.reach import reach_exhibit
from neurocli_sequences.interpretation.saliency import saliency_exhibits
from neurocli_sequences.interpretation.seen import MOST_CASES, MOST_STEPS, seen_exhibit
from neurocli_sequences.interpretation.timescales import timescale_exhibit

if TYPE_CHECKING:
    from neurocli.plugin.task import Task


def case_exhibits(task: Task, trained: TrainedModel, figures: Path) -> list[Exhibit]:
    """Timescales, the reach of the gradient, accuracy against what was seen, and attributions, on test cases and on the CPU."""
    trained = trained.on_cpu()  # cuDNN differentiates a recurrent network in training mode alone
    dataset, network = trained.dataset, trained.network
    assert isinstance(dataset, CaseData)
    untrained = trained.untrained()
    cases = probed(dataset)
    tau, before = (task.model.timescales(task.inside(of)) for of in (network, untrained))
    exhibits = []
    if tau is not None and before is not None:
        lengths = dataset.lengths[dataset.numbers(cases.part)]
        exhibits.append(timescale_exhibit(np.asarray(tau), np.asarray(before), lengths, figures))
    return [
        *exhibits,
        reach_exhibit(network, untrained, cases, figures),
        seen_exhibit(network, untrained, probed(dataset, MOST_CASES, MOST_STEPS), figures),
        *saliency_exhibits(network, untrained, cases, figures),
    ]
