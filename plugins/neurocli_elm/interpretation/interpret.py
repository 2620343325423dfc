"""What a trained network has learned, beside the untrained one; for simulated cells compared with the known dendrite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.target import Cost
from neurocli.interpretation.shuffling import CHEAP_NULLS
from neurocli.plugin.exhibit import Exhibit
from neurocli.plugin.family import TrainedModel
from neurocli.training.devices import device_of
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.interpretation.ablation import ablation_exhibit
from neurocli_elm.interpretation.attribution import Attribution, attribution_exhibit, attribution_of, spike_places
from neurocli_elm.interpretation.impulse_responses import Kernels, kernel_exhibit, kernels_of
from neurocli_elm.interpretation.memory_spectrum import spectrum_exhibit
from neurocli_elm.interpretation.random_neuron import random_neuron
from neurocli_elm.interpretation.recovery import RESPONSE, SPIKES, recovery_exhibit
from neurocli_elm.interpretation.recovery_rivals import recovery_rivals
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.probe import Place

Array = NDArray[np.float64]
NULL_WINDOWS, NULL_SPIKES, NULL_POINTS = 8, 8, 4


def interpretation_exhibits(trained: TrainedModel, figures: Path) -> list[Exhibit]:
    """All exhibits, on test simulations; those that need output spikes or known truth say so where there is none."""
    dataset, network = trained.dataset, trained.network
    assert isinstance(dataset, SimulationData) and isinstance(network, ElmNeuron)
    device = device_of(network)
    blank = trained.untrained().to(device)
    assert isinstance(blank, ElmNeuron)
    part = next(part for part in ("test", "validation", "train") if dataset.split.groups(part))
    kernels = kernels_of(network, dataset, part), kernels_of(blank, dataset, part)
    exhibits = [
        kernel_exhibit(*kernels, network, dataset, figures),
        spectrum_exhibit(network, blank, dataset, part, figures),
    ]
    spikes, others = spike_places(dataset, part)
    at_spikes = None
    if spikes and others:
        at_spikes, before = (attribution_of(m, dataset, spikes) for m in (network, blank))
        elsewhere = [attribution_of(m, dataset, others) for m in (network, blank)]
        exhibits.append(attribution_exhibit(dataset, (at_spikes, elsewhere[0]), (before, elsewhere[1]), figures))
    else:
        exhibits.append(
            Exhibit(
                "attribution",
                f"Attribution of output spikes to the input: not possible, the {part} simulations have no output spike",
            )
        )
    nulls = random_scores(network, dataset, part, spikes)
    cost = Cost(trained.cpu_s, sum(p.numel() for p in network.parameters() if p.requires_grad))
    exhibits.append(
        recovery_exhibit(dataset, scores_of(kernels[0], at_spikes), nulls, figures, recovery_rivals(dataset), cost)
    )
    exhibits.append(ablation_exhibit(network, blank, dataset, part, figures))
    return exhibits


def scores_of(kernels: Kernels, spikes: Attribution | None) -> dict[str, Array]:
    """The effect of each input in the model, positive where excitatory inputs raise and inhibitory ones lower the voltage."""
    response = kernels.of_input.sum(0) * kernels.sign
    unknown = np.full(len(response), np.nan)
    return {RESPONSE: response, SPIKES: unknown if spikes is None else spikes.per_event * kernels.sign}


def random_scores(network: ElmNeuron, dataset: SimulationData, part: str, spikes: list[Place]) -> dict[str, Array]:
    """The same of networks with permuted weights, [network, input]; from fewer windows, spikes and points.

    Half of them respond with the opposite sign, which says nothing of how they rank their inputs: each is given the sign with
    which excitatory inputs raise and inhibitory ones lower the voltage on average.
    """
    few_spikes = spikes[:: max(1, len(spikes) // NULL_SPIKES)][:NULL_SPIKES]
    dealt_scores = []
    for seed in range(CHEAP_NULLS):
        dealt = random_neuron(network, dataset.exciting, seed)
        kernels = kernels_of(dealt, dataset, part, NULL_WINDOWS)
        scores = scores_of(kernels, attribution_of(dealt, dataset, few_spikes, NULL_POINTS) if few_spikes else None)
        dealt_scores.append({name: values * (-1.0 if _mean(values) < 0 else 1.0) for name, values in scores.items()})
    return {name: np.stack([scores[name] for scores in dealt_scores]) for name in (RESPONSE, SPIKES)}


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 0.0
