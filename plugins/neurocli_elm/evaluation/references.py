"""What neurons predict of simulations: the one that is scored, and checkpoints that stand beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.training.devices import device_of
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import Windows, whole
from neurocli_elm.evaluation.targets import as_prediction
from neurocli_elm.model.checkpoint import read_checkpoint
from neurocli_elm.model.neuron import ElmNeuron


def predict(neuron: ElmNeuron, data: SimulationData, target: Target) -> Prediction:
    """Spike probabilities and soma voltages of whole simulations, each from a state of zero.

    Raises DataError where the neuron is one for other inputs.
    """
    if neuron.options.num_input != data.channels:
        raise DataError(
            f"another size: the neuron is for {neuron.options.num_input} inputs, and the data have {data.channels}",
            where=data.recordings.where(target.groups[0]),
            hint="give data of the cell that it was trained for",
        )
    predictions = {}
    for group in target.groups:
        spike, soma = predict_windows(neuron, whole(data.load(group), data.options.event))
        predictions[group] = spike[0], soma[0]
    return as_prediction(target, predictions)


@torch.no_grad()
def predict_windows(neuron: ElmNeuron, windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(spike probability, soma voltage in mV above -67.7), each [sample, step], from a state of zero."""
    spike, soma = neuron.neuronio_output(windows.input_events().to(device_of(neuron)))
    return spike.cpu().double().numpy(), soma.cpu().double().numpy()


def references(data: SimulationData, config: ElmConfig) -> list[Predictor]:
    """The checkpoints of `evaluate.checkpoints`. Raises DataError for one that is damaged or for another cell."""
    return [_reference(data, path) for path in config.evaluate.checkpoints if path.exists()]


def missing_references(config: ElmConfig) -> list[str]:
    """A line for each checkpoint that is not there any more: a run can be scored without them."""
    return [f"{path} is not there: left out" for path in config.evaluate.checkpoints if not path.exists()]


def _reference(data: SimulationData, path: Path) -> Predictor:
    neuron = read_checkpoint(path, num_input=data.channels).neuron()
    name = path.parent.name or path.stem
    return Predictor(name, "control", lambda target: predict(neuron, data, target), f"weights of {path}")
