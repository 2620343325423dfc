"""Predictions of ELM neurons: of the model that is scored, and of checkpoints beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.training.devices import device_of
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import Windows, whole
from neurocli_elm.evaluation.targets import as_prediction
from neurocli_elm.model.checkpoint import read_checkpoint
from neurocli_elm.model.outputs import in_units


def predict(network: Any, dataset: SimulationData, target: Target) -> Prediction:
    """Spike probabilities and soma voltages of whole simulations, each from a state of zero.

    Raises DataError where the network has another number of inputs.
    """
    if network.num_input != dataset.channels:
        raise DataError(
            f"the model is for {network.num_input} inputs, but the data have {dataset.channels}",
            where=dataset.recordings.where(target.groups[0]),
            hint="use data of the cell that it was trained on",
        )
    predictions = {}
    for group in target.groups:
        spike, soma = predict_windows(network, whole(dataset.load(group), dataset.options.event))
        predictions[group] = spike[0], soma[0]
    return as_prediction(target, predictions)


@torch.no_grad()
def predict_windows(network: Any, windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(spike probability, soma voltage in mV above -67.7), each [sample, step], from a state of zero."""
    spike, soma = in_units(network.forward_events(windows.input_events().to(device_of(network))))
    return spike.cpu().double().numpy(), soma.cpu().double().numpy()


def references(dataset: SimulationData, config: NeuronioConfig) -> list[Predictor]:
    """The checkpoints of `evaluate.checkpoints`. Raises DataError for one that is damaged or for another cell."""
    return [_reference(dataset, path) for path in config.evaluate.checkpoints if path.exists()]


def missing_references(config: NeuronioConfig) -> list[str]:
    """A line for each checkpoint that is not there any more: a run can be scored without them."""
    return [f"checkpoint {path} not found: left out" for path in config.evaluate.checkpoints if not path.exists()]


def _reference(dataset: SimulationData, path: Path) -> Predictor:
    network = read_checkpoint(path, num_input=dataset.channels).neuron()
    name = path.parent.name or path.stem
    return Predictor(name, "control", lambda target: predict(network, dataset, target), f"weights of {path}")
