"""The compiled leaky scan: one matrix product per bin for all trials, and everything else in one pass of vector code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

_F = np.float32
_SMALL_PRODUCT = 200_000
"""Multiplications of one matrix product: larger ones make OpenBLAS wake threads, which costs more than it brings."""
# atanh's series for log1p, to single precision.
_L13, _L11, _L9, _L7, _L5, _L3 = (_F(1 / n) for n in (13, 11, 9, 7, 5, 3))


@functools.cache
def kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    """(forward, backward); the first call of each compiles for a second or two. All arrays are float32 [time, trial, unit].

    forward(drive, weights^T, alpha, start, states, rates, slopes) writes its last three: the state after each bin, and softplus
    and sigmoid of the state before it. backward(gradient, states, slopes, start, weights, alpha, d_drive, d_alpha, d_start)
    writes the gradients of drive, alpha [unit] and start [unit].
    """
    import numba

    from neurocli.training.fast_exp import exp_minus

    @numba.njit(fastmath=True, inline="always", error_model="numpy")
    def activate(x: Any, rate: Any, slope: Any, power: Any, mantissa: Any) -> None:
        exp_minus(x, _F(1), power, mantissa)
        scale = power.view(np.float32)
        for k in range(len(x)):
            e = mantissa[k] * scale[k]  # exp(-|x|)
            r = _F(1) / (_F(1) + e)
            z = e / (_F(2) + e)
            square = z * z
            s = _L13 * square + _L11
            s = s * square + _L9
            s = s * square + _L7
            s = s * square + _L5
            s = s * square + _L3
            rate[k] = max(x[k], _F(0)) + _F(2) * z * (s * square + _F(1))
            slope[k] = r if x[k] >= 0 else e * r

    @numba.njit(fastmath=True, error_model="numpy")
    def forward(drive: Any, weights_t: Any, alpha: Any, start: Any, states: Any, rates: Any, slopes: Any) -> None:
        steps, trials, units = drive.shape
        block = max(1, min(trials, _SMALL_PRODUCT // (units * units)))
        for low in range(0, trials, block):
            high = min(trials, low + block)
            size = (high - low) * units
            x, leak = np.empty(size, np.float32), np.empty(size, np.float32)
            power, mantissa = np.empty(size, np.int32), np.empty(size, np.float32)
            total = np.empty((high - low, units), np.float32)
            recurrent = total.reshape(size)
            for k in range(size):
                x[k], leak[k] = start[k % units], alpha[k % units]
            for t in range(steps):
                rate = rates[t, low:high]
                activate(x, rate.reshape(size), slopes[t, low:high].reshape(size), power, mantissa)
                np.dot(rate, weights_t, total)
                drive_now, out = drive[t, low:high].reshape(size), states[t, low:high].reshape(size)
                for k in range(size):
                    x[k] += leak[k] * (recurrent[k] + drive_now[k] - x[k])
                    out[k] = x[k]

    @numba.njit(fastmath=True, error_model="numpy")
    def backward(
        gradient: Any,
        states: Any,
        slopes: Any,
        start: Any,
        weights: Any,
        alpha: Any,
        d_drive: Any,
        d_alpha: Any,
        d_start: Any,
    ) -> None:
        steps, trials, units = gradient.shape
        block = max(1, min(trials, _SMALL_PRODUCT // (units * units)))
        for low in range(0, trials, block):
            high = min(trials, low + block)
            size = (high - low) * units
            g, moved = np.zeros(size, np.float32), np.zeros(size, np.float32)
            leak, first = np.empty(size, np.float32), np.empty(size, np.float32)
            total = np.empty((high - low, units), np.float32)
            recurrent = total.reshape(size)
            for k in range(size):
                leak[k], first[k] = alpha[k % units], start[k % units]
            for back in range(steps):
                t = steps - 1 - back
                gradient_now, drive_gradient = gradient[t, low:high].reshape(size), d_drive[t, low:high]
                out = drive_gradient.reshape(size)
                for k in range(size):
                    g[k] += gradient_now[k]
                    out[k] = leak[k] * g[k]
                np.dot(drive_gradient, weights, total)
                now, slope = states[t, low:high].reshape(size), slopes[t, low:high].reshape(size)
                before = states[t - 1, low:high].reshape(size) if t > 0 else first
                for k in range(size):
                    moved[k] += g[k] * (now[k] - before[k])
                    g[k] = (_F(1) - leak[k]) * g[k] + recurrent[k] * slope[k]
            for k in range(size):
                d_alpha[k % units] += moved[k] / leak[k]
                d_start[k % units] += g[k]

    return forward, backward
