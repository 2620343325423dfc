"""What interpretation and diagnosis need of a network: windows, branch traces, gradients through these.

Up to the branch traces a neuron is linear in its input. So what is said of them holds, through the weights of the synapses
and the decay of the traces, for every single input event.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from neurocli.training.devices import device_of
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.events import InputEvents
from neurocli_elm.data.windows import Windows, cut
from neurocli_elm.model.layers.filters import leaky_filter
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.outputs import Output

WINDOWS = 8

Place = tuple[str, int]
"""(simulation, step)."""


def some_windows(dataset: SimulationData, part: str, count: int = WINDOWS, length: int | None = None) -> Windows:
    """Windows evenly spread over the simulations of a part, and over their scored steps."""
    groups = list(dataset.split.groups(part))
    length = length or dataset.options.window
    picked = [groups[n] for n in np.linspace(0, len(groups) - 1, count).round().astype(int)]
    numbers = list(dict.fromkeys(picked))
    recordings = [dataset.load(group) for group in numbers]
    places = []
    for k, group in enumerate(picked):
        n = numbers.index(group)
        last = max(recordings[n].steps - length, 0)
        first = min(dataset.options.burn_in_ms, last)
        places.append((n, first + round((last - first) * (k + 0.5) / count)))
    return cut(recordings, places, length, labels=dataset.options.event)


def events_before(dataset: SimulationData, places: Sequence[Place], length: int) -> InputEvents:
    """The input of the `length` steps that end with each place; silence before a simulation begins."""
    columns = []
    for sample, (group, step) in enumerate(places):
        spikes = dataset.load(group).spikes
        assert spikes is not None
        start = step - length + 1
        inside = (spikes.step >= start) & (spikes.step <= step)
        channel = spikes.channel[inside]
        columns.append((spikes.step[inside] - start, channel, dataset.sign[channel], np.full(len(channel), sample)))
    at, which, signs, event_sample = (torch.from_numpy(np.concatenate(column)) for column in zip(*columns, strict=True))
    return InputEvents(at.long(), which.long(), signs.float(), event_sample, length, len(places))


@torch.no_grad()
def branch_traces(network: ElmNeuron, events: InputEvents) -> torch.Tensor:
    """[time, sample, branch]."""
    device = device_of(network)
    return network.forward_states(events.to(device)).branch.transpose(0, 1).contiguous()


def branch_gradients(network: ElmNeuron, branch: torch.Tensor, output: Output, points: int = 0) -> torch.Tensor:
    """[time, sample, branch] of the last step's output by what enters each branch at each step, its later decay included.

    points: 0 takes the gradient where the neuron is; with more, the mean over so many points on the straight line from
    silence to there, which integrated gradients are made of (Sundararajan et al. 2017).
    """
    total = torch.zeros_like(branch)
    for share in [(n + 0.5) / points for n in range(points)] or [1.0]:
        leaf = (share * branch).requires_grad_()
        with torch.enable_grad():
            last = network.output_of(leaf)[-1, :, output].sum()
            total += torch.autograd.grad(last, leaf)[0]
    kind, k = network.trace_decay()
    assert kind != "synapse"
    back = leaky_filter((total / max(points, 1)).flip(0), k.detach())
    return back.flip(0).detach()


def event_attribution(events: InputEvents, gradients: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """[event] weight and sign of each event, times the gradient [time, sample, branch] where it enters."""
    chunks = []
    for part in torch.arange(len(events.sign)).split(100_000):
        at = gradients[events.step[part], events.sample[part]]
        chunks.append((at * weights[events.channel[part]]).sum(1) * events.sign[part].to(at.dtype))
    return torch.cat(chunks) if chunks else gradients.new_zeros(0)
