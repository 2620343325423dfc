"""The strong baselines: an LSTM, a GRU and a TCN with as many parameters as the neuron, trained on the same windows by the same loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.small_network import fit_network, from_arrays, to_arrays
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.recordings import Batch
from neurocli.training.batches import total_steps
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.dataset import SimulationData, as_batch
from neurocli_elm.data.windows import Sampling, draw, whole
from neurocli_elm.evaluation.rivals.gated_scan import window_loss
from neurocli_elm.evaluation.rivals.networks import Layout, PerInput, PerInputGru, PerInputLstm, PerInputTcn, of_size
from neurocli_elm.evaluation.targets import as_prediction
from neurocli_elm.model.outputs import in_units

FULL, QUICK, QUICK_STEPS = 2.0, 1.5, 3000
"""Optimiser steps for each of the neuron's, in the full and in the quick form: theirs are cheaper and they need more of them. The quick
form has no more than the last of the three, however long the neuron trains."""
SEED, BATCH, WARMUP = 0, 8, 0.02


@dataclass(frozen=True)
class Rival:
    """sums_per_unit: how the parameters are shared between input and recurrence; decay: of the weights, as AdamW has it."""

    name: str
    layout: Layout
    learning_rate: float
    sums_per_unit: float
    decay: float


RIVALS = (
    Rival("LSTM per input", PerInputLstm, 1e-2, 2.9, 0.03),
    Rival("GRU per input", PerInputGru, 2e-2, 2.2, 0.03),
    Rival("causal TCN", PerInputTcn, 1e-2, 3.3, 0.0),
)


def rivals(dataset: SimulationData, config: NeuronioConfig, parameters: int) -> list[Predictor]:
    """As `evaluate.rivals` asks for; none without training simulations. parameters: numbers that the model has to learn."""
    if config.evaluate.rivals == "none" or not dataset.split.train:
        return []
    steps = steps_of(dataset, config)
    return [_predictor(rival, dataset, config, parameters, steps) for rival in RIVALS]


def steps_of(dataset: SimulationData, config: NeuronioConfig) -> int:
    """Optimiser steps of a rival in the form that is asked for."""
    neuron_steps = total_steps(dataset, config.train)
    return (
        round(FULL * neuron_steps)
        if config.evaluate.rivals == "full"
        else min(round(QUICK * neuron_steps), QUICK_STEPS)
    )


def _predictor(rival: Rival, dataset: SimulationData, config: NeuronioConfig, parameters: int, steps: int) -> Predictor:
    groups, units = of_size(rival.layout, dataset.excitatory, dataset.channels, parameters, rival.sums_per_unit)
    sampling = replace(dataset.sampling, batch=BATCH)

    def build() -> PerInput:
        return rival.layout(dataset.excitatory, dataset.channels, groups, units)

    loss = config.loss.model_copy(update={"burn_in": 0})  # a GRU does better with the whole window

    def fit() -> dict[str, NDArray[Any]]:
        network = fit_network(
            build,
            lambda network, batch: window_loss(network(batch), batch, loss),
            lambda epoch: windows_of(dataset, sampling, epoch),
            steps=steps,
            learning_rate=rival.learning_rate,
            seed=SEED,
            warmup=WARMUP,
            weight_decay=rival.decay,
            decoupled=True,
        )
        return to_arrays(network)

    settings = {
        "groups": groups,
        "units": units,
        "steps": steps,
        "rate": rival.learning_rate,
        "decay": rival.decay,
        "sampling": asdict(sampling),
        "labels": dataset.options.event,
        "loss": loss.model_dump(),
        "seed": SEED,
    }
    fitted = Fitted(rival.name, dataset, settings, fit)

    def predict(target: Target) -> Prediction:
        network = from_arrays(build, fitted.values)
        return as_prediction(target, {group: _whole(network, dataset, group) for group in target.groups})

    full = round(FULL * total_steps(dataset, config.train))
    form = "" if steps == full else f", {full:,} in the full form (--set evaluate.rivals=full)"
    note = (
        f"one weight per input, {2 * groups} leaky sums (5 ms), {units} units: as many parameters as the model; {steps:,} steps "
        f"on windows drawn like the model's{form}"
    )
    return Predictor(rival.name, "baseline", predict, note, lambda: fitted.cost)


def windows_of(dataset: SimulationData, sampling: Sampling, epoch: int) -> Iterator[Batch]:
    """Batches of an epoch of the training simulations."""
    groups = list(dataset.split.train)
    lengths = [dataset.lengths[group] for group in groups]
    for windows in draw(
        lambda n: dataset.load(groups[n]), lengths, sampling, seed=SEED, epoch=epoch, labels=dataset.options.event
    ):
        yield as_batch(windows)


@torch.no_grad()
def _whole(
    network: torch.nn.Module, dataset: SimulationData, group: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(spike probability, soma in mV above -67.7) [time] of a whole simulation, from a state of zero."""
    batch = as_batch(whole(dataset.load(group), dataset.options.event))
    spike, soma = in_units(network(batch)[:, 0].double())
    return spike.numpy(), soma.numpy()
