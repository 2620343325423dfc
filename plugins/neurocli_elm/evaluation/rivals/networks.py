"""Networks of the neuron's own budget: an LSTM, a GRU and a causal TCN, each with one learned weight per input.

All three begin as the neuron does: every event counts with the weight of its input, neighbouring inputs of one kind share a sum, and
the sums decay with 5 ms. What follows is the textbook's: LSTM (Hochreiter & Schmidhuber 1997, forget gates), GRU (Cho et al. 2014), residual
dilated convolutions (Bai, Kolter & Koltun 2018). Outputs [time, sample, 2]: logit of a spike, voltage in units of 10 mV.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurocli.evaluation.small_network import count
from neurocli.recordings import Batch
from neurocli_elm.evaluation.rivals.gated_scan import dilated_blocks, gru, lstm, weighted_traces

TRACE_MS, FIRST_WEIGHT = 5.0, 0.5
"""As in the neuron: time constant of a sum, and where the weights of the inputs start."""
FIRST_TAU_MS = 1.5, 50.0
"""Of the GRU: how long its units remember before they are trained, spread evenly in the logarithm (Tallec & Ollivier 2018)."""
TAPS, DILATIONS = 3, (1, 2, 4, 8, 16, 32, 64, 128)
"""Of the TCN: it sees 511 ms, and as much as the traces keep."""
TOLERANCE = 0.02
"""How far, as a share, the number of parameters may be from what was asked for."""


def groups_of(excitatory: int, channels: int, groups: int) -> NDArray[np.int64]:
    """[channel] which sum an input belongs to: at most `groups` of neighbours among excitatory ones, then among inhibitory ones."""
    inhibitory = channels - excitatory
    groups_of_kind = [np.arange(n) * min(groups, n) // max(n, 1) for n in (excitatory, inhibitory)]
    return np.concatenate([groups_of_kind[0], groups_of_kind[1] + min(groups, excitatory)]).astype(np.int64)


class PerInput(nn.Module):
    """What the three share. groups: sums of each kind of input; excitatory inputs come first."""

    def __init__(self, excitatory: int, channels: int, groups: int) -> None:
        super().__init__()
        self.group = groups_of(excitatory, channels, groups)
        self.sums = int(self.group.max()) + 1
        self.input_weight = nn.Parameter(torch.full((channels,), FIRST_WEIGHT))
        self.keep = math.exp(-1 / TRACE_MS)

    def traces(self, batch: Batch) -> torch.Tensor:
        """[time, sample, sum]."""
        return weighted_traces(self.input_weight, batch, self.group, self.keep)


class PerInputLstm(PerInput):
    def __init__(self, excitatory: int, channels: int, groups: int, units: int) -> None:
        super().__init__(excitatory, channels, groups)
        self.given = nn.Linear(self.sums, 4 * units)
        self.past = _uniform(units, 4 * units)
        self.readout = nn.Linear(units, 2)
        with torch.no_grad():
            self.given.bias[units : 2 * units] += 1.0  # it begins by remembering

    def forward(self, batch: Batch) -> torch.Tensor:
        out: torch.Tensor = self.readout(lstm(self.given(self.traces(batch)), self.past))
        return out


class PerInputGru(PerInput):
    def __init__(self, excitatory: int, channels: int, groups: int, units: int) -> None:
        super().__init__(excitatory, channels, groups)
        self.given = nn.Linear(self.sums, 3 * units)
        self.past = _uniform(units, 3 * units)
        self.past_bias = nn.Parameter(torch.zeros(3 * units))
        self.readout = nn.Linear(units, 2)
        with torch.no_grad():
            tau = torch.logspace(math.log10(FIRST_TAU_MS[0]), math.log10(FIRST_TAU_MS[1]), units)
            self.given.bias[units : 2 * units] = torch.log(tau - 1)  # an update gate of 1 - 1 / tau

    def forward(self, batch: Batch) -> torch.Tensor:
        out: torch.Tensor = self.readout(gru(self.given(self.traces(batch)), self.past, self.past_bias))
        return out


class PerInputTcn(PerInput):
    def __init__(self, excitatory: int, channels: int, groups: int, units: int) -> None:
        super().__init__(excitatory, channels, groups)
        self.given = nn.Linear(self.sums, units)
        bound = 1 / math.sqrt(TAPS * units)
        self.weights = nn.Parameter(torch.empty(len(DILATIONS), TAPS, units, units).uniform_(-bound, bound))
        self.biases = nn.Parameter(torch.zeros(len(DILATIONS), units))
        self.readout = nn.Linear(units, 2)

    def forward(self, batch: Batch) -> torch.Tensor:
        traces = self.traces(batch)
        steps, samples, _ = traces.shape
        x = torch.addmm(
            self.given.bias[:, None], self.given.weight, traces.flatten(0, 1).t()
        )  # [channel, time x sample]
        x = dilated_blocks(x, self.weights, self.biases, samples * np.array(DILATIONS))
        y = torch.addmm(self.readout.bias[:, None], self.readout.weight, torch.relu(x))
        return y.t().reshape(steps, samples, 2)


Layout = Callable[[int, int, int, int], PerInput]


def of_size(layout: Layout, excitatory: int, channels: int, parameters: int, sums_per_unit: float) -> tuple[int, int]:
    """(groups, units) of a network with `parameters` numbers to within 2 %, with about `sums_per_unit` sums for each unit.

    Of those that fit the one nearest to that ratio; where none does, the one nearest in size.
    """
    best, least = (1, 1), math.inf
    for groups, units, size in _sizes(layout, excitatory, channels, parameters):
        miss = abs(size / parameters - 1)
        sums = min(groups, excitatory) + min(groups, channels - excitatory)
        ratio = abs(math.log(sums / units / sums_per_unit))
        value = ratio if miss <= TOLERANCE else 1e3 + miss
        if value < least:
            best, least = (groups, units), value
    return best


def _sizes(layout: Layout, excitatory: int, channels: int, parameters: int) -> Iterator[tuple[int, int, int]]:
    """(groups, units, parameters): for every number of units the two networks whose sizes lie around what is asked for."""
    most = max(excitatory, channels - excitatory)

    def size(groups: int, units: int) -> int:
        with torch.device("meta"):  # draws no random numbers
            return count(layout(excitatory, channels, groups, units))

    for units in range(1, parameters):
        if size(1, units) > (1 + TOLERANCE) * parameters and units > 1:
            return
        above = 1 + bisect_left(range(1, most), parameters, key=lambda groups: size(groups, units))
        for groups in {max(above - 1, 1), above}:
            yield groups, units, size(groups, units)


def _uniform(rows: int, columns: int) -> nn.Parameter:
    bound = 1 / math.sqrt(rows)
    return nn.Parameter(torch.empty(rows, columns).uniform_(-bound, bound))
