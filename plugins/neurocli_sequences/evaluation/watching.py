"""What a training shows of a few validation cases: states, and what would be read at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.report.watched import CASES, STEPS, Panel, Watched
from neurocli.training.devices import device_of
from neurocli.training.readout import SequenceNetwork, pooled_over_steps
from neurocli_sequences.data.case_dataset import CaseData

States = Callable[[torch.nn.Module, torch.Tensor], dict[str, torch.Tensor]]


def watched(network: SequenceNetwork, data: CaseData, states: States, timescales: Any) -> Watched:
    """Cases of several classes; states: of the inner network for its input; timescales: of its memory in steps."""
    numbers = _cases(data)
    batch = data.batch(numbers)
    x = network.inner_input(batch["x"][:, :STEPS].to(device_of(network)))
    outputs = pooled_over_steps(network.network(x), network.pooling).cpu().double()
    groups, panels, names = list(data.number), [], []
    for case, number in enumerate(numbers):
        label = data.label[number]
        panel, about = (
            _of_class(data, outputs[case], int(label)) if data.classes else _of_number(data, outputs[case], label)
        )
        panels.append([panel])
        names.append(f"{groups[number]}: {about}")
    kept = {name: values.cpu().numpy() for name, values in states(network.network, x).items()}
    lengths = [min(int(n), STEPS) for n in batch["length"]]
    return Watched(names, lengths, kept, panels, timescales)


def _part(data: CaseData) -> str:
    return "validation" if data.split.validation else "train"


def _cases(data: CaseData) -> NDArray[np.int64]:
    """The same few cases in every epoch, of as many classes as there are."""
    numbers = data.numbers(_part(data))
    if data.classes:
        firsts = np.unique(data.label[numbers], return_index=True)[1]
        numbers = numbers[firsts] if len(firsts) >= CASES else numbers
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, min(CASES, len(numbers))).round().astype(int))]


def _of_class(data: CaseData, outputs: torch.Tensor, label: int) -> tuple[Panel, str]:
    share = torch.softmax(outputs, 1).numpy()
    others = np.delete(share, label, 1)
    runner_up = {"runner-up": others.max(1)} if others.shape[1] else {}
    model = {f"true class: {data.classes[label]}": share[:, label]}
    return Panel("probability", model, other=runner_up, limits=(-0.03, 1.03)), data.classes[label]


def _of_number(data: CaseData, outputs: torch.Tensor, label: float) -> tuple[Panel, str]:
    mean, sd = data.scale
    predicted = outputs[:, 0].numpy() * sd + mean
    return Panel("value", {"prediction": predicted}, {"target": np.full(len(predicted), label)}), f"target {label:.4g}"
