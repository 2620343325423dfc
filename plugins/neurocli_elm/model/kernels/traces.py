"""Compiled loops from input events to sums of traces, and the loss of a window: what every network here does once per batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_F = np.float32


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def traces_forward(step: Any, sample: Any, channel: Any, weight: Any, group: Any, keep: Any, out: Any) -> None:
    """out [time, sample, group], zeros before: each event adds its channel's weight to its group, and all decays by `keep`."""
    for n in range(len(step)):
        out[step[n], sample[n], group[channel[n]]] += weight[channel[n]]
    for t in range(1, len(out)):
        for b in range(out.shape[1]):
            before, here = out[t - 1, b], out[t, b]
            for g in range(out.shape[2]):
                here[g] += keep * before[g]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def traces_backward(step: Any, sample: Any, channel: Any, gradient: Any, group: Any, keep: Any, out: Any) -> None:
    """out [channel], zeros before: gradients of the weights; gradient [time, sample, group] is used up."""
    steps = len(gradient)
    for back in range(1, steps):
        t = steps - 1 - back
        for b in range(gradient.shape[1]):
            later, here = gradient[t + 1, b], gradient[t, b]
            for g in range(gradient.shape[2]):
                here[g] += keep * later[g]
    for n in range(len(step)):
        out[channel[n]] += gradient[step[n], sample[n], group[channel[n]]]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def loss_kernel(y: Any, spike: Any, soma: Any, of_spike: Any, of_soma: Any, gradient: Any) -> float:
    """Weighted mean of the spike's cross-entropy and the voltage's squared error; y, gradient [time, sample, 2], targets [sample, time]."""
    steps, samples, _ = y.shape
    total, share = 0.0, _F(1) / _F(steps * samples)
    for t in range(steps):
        for b in range(samples):
            z, error = y[t, b, 0], y[t, b, 1] - soma[b, t]
            e = np.exp(-abs(z))
            total += of_spike * (max(z, _F(0)) - z * spike[b, t] + np.log1p(e)) + of_soma * error * error
            gradient[t, b, 0] = of_spike * ((_F(1) if z >= 0 else e) / (_F(1) + e) - spike[b, t]) * share
            gradient[t, b, 1] = _F(2) * of_soma * error * share
    return float(total) / (steps * samples)
