"""What a training shows of the beginning of a few validation simulations: states, soma voltage and spike probability."""

from __future__ import annotations

import numpy as np
import torch

from neurocli.plugin.task import SequenceModel
from neurocli.report.watched import CASES, Panel, Watched
from neurocli.training.devices import device_of
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import SOMA_BIAS_MV, cut
from neurocli_elm.model.outputs import in_units

SHOWN_MS = 1500


def watched_simulations(network: torch.nn.Module, data: SimulationData, model: SequenceModel) -> Watched:
    """network: of inputs [sample, time, input] to the two outputs of a cell."""
    part = "validation" if data.split.validation else "train"
    recordings = data.some(part, CASES)
    steps = min(SHOWN_MS, *(recording.steps for recording in recordings))
    windows = cut(recordings, [(n, 0) for n in range(len(recordings))], steps, labels=data.options.event)
    x = torch.from_numpy(windows.dense()).to(device_of(network))
    spike, soma = (values.cpu().numpy() for values in in_units(network(x)))
    panels = []
    for case in range(len(recordings)):
        voltage = Panel(
            "soma (mV)",
            {"model": soma[case] + SOMA_BIAS_MV},
            {"cell, clipped at -55 mV": windows.soma_mv[case] + SOMA_BIAS_MV},
        )
        fired = np.flatnonzero(windows.spike[case])
        marks = {"output spike of the cell": fired} if len(fired) else {}
        spikes = Panel("spike probability", {"model": spike[case]}, marks=marks, limits=(-0.05, 1.05))
        panels.append([voltage, spikes])
    states = {name: values.cpu().numpy() for name, values in model.states(network, x).items()}
    names = [recording.group for recording in recordings]
    return Watched(names, [steps] * len(names), states, panels, model.timescales(network), 1.0, "ms")
