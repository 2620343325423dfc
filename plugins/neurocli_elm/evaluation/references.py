"""What neurons predict of simulations: the one that is scored, and checkpoints that stand beside it."""

from __future__ import annotations

from pathlib import Path

import torch

from neurocli.errors import DataError
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import cut
from neurocli_elm.evaluation.targets import as_prediction
from neurocli_elm.model.checkpoint import read_checkpoint
from neurocli_elm.model.neuron import ElmNeuron


@torch.no_grad()
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
    device = next(neuron.parameters()).device
    predictions = {}
    for group in target.groups:
        recording = data.load(group)
        windows = cut([recording], [(0, 0)], recording.steps, labels=data.options.event)
        spike, soma = neuron.neuronio_output(windows.input_events().to(device))
        predictions[group] = spike[0].cpu().double().numpy(), soma[0].cpu().double().numpy()
    return as_prediction(target, predictions)


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
