"""Bounded memory timescales and the decay of a step, in single precision throughout.

tau = (high - low) sigmoid(p) + low, with p started so that the timescales are spaced evenly in the logarithm.
"""

from __future__ import annotations

import math

import torch

_EDGE = 1e-6
"""ms by which timescales start inside their bounds, and the smallest time constant."""


def initial_proto_tau(low_ms: float, high_ms: float, count: int) -> torch.Tensor:
    """p [count] of log-spaced timescales, the same floats as published; one alone sits at the lower bound.

    Where the upper end rounds to the bound itself the published code starts at infinity; here p stays finite at the nearest
    value below, whose timescale is the bound to single precision.
    """
    ends = torch.tensor([low_ms, high_ms], dtype=torch.float32)
    above = torch.nextafter(ends[0], torch.tensor(math.inf))
    below = torch.nextafter(ends[1], torch.tensor(0.0))
    if above >= below:  # bounds with nothing between them
        return torch.zeros(count)
    low, high = low_ms + _EDGE, high_ms - _EDGE
    tau = torch.logspace(math.log10(low), math.log10(high), count, dtype=torch.float32).clamp(low, high)
    tau = tau.clamp(above, below)
    return torch.log((tau - low_ms) / (high_ms - tau))


def bounded_tau(proto: torch.Tensor, low_ms: float, high_ms: float) -> torch.Tensor:
    """Timescales in ms, within the bounds."""
    return (high_ms - low_ms) * torch.sigmoid(proto) + low_ms


def decay(tau: torch.Tensor, delta_t: float) -> torch.Tensor:
    """What is left of a leaky quantity after a step of delta_t ms."""
    return torch.exp(-delta_t / tau.clamp_min(_EDGE))
