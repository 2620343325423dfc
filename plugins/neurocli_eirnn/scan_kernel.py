"""The compiled leaky scan, trial by trial, for a fixed number of units so that the inner loops become vector code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

_F = np.float32
_LOG2E = _F(1.4426950408889634)
# 2^f on [-1/2, 1/2] by its Taylor series in f ln 2, and atanh's series for log1p: both to single precision.
_E0, _E1, _E2, _E3, _E4, _E5 = (
    _F(c) for c in (1.5403530e-4, 1.3333558e-3, 9.6181291e-3, 5.5504109e-2, 2.4022651e-1, 6.9314718e-1)
)
_L13, _L11, _L9, _L7, _L5, _L3 = (_F(1 / n) for n in (13, 11, 9, 7, 5, 3))


@functools.cache
def available() -> bool:
    """Whether the compiler is there."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


@functools.cache
def kernels(units: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """(forward, backward) for so many units; the first call of each compiles for a second or two.

    forward(drive, weights^T, alpha, start, states, rates, slopes) writes its last three [trial, time, unit]: the state after each
    bin, and softplus and sigmoid of the state before it. backward(gradient, states, slopes, start, weights, alpha, d_drive,
    d_alpha, d_start) writes the gradients of drive, alpha and start. All float32.
    """
    import numba

    odd = units % 2

    @numba.njit(fastmath=True, inline="always", error_model="numpy")
    def activate(x: Any, rate: Any, slope: Any, bits: Any, mantissa: Any) -> None:
        for i in range(units):
            z = max(-abs(x[i]) * _LOG2E, _F(-126.0))
            k = np.int32(z - _F(0.5))
            f = z - _F(k)
            p = _E0 * f + _E1
            p = p * f + _E2
            p = p * f + _E3
            p = p * f + _E4
            p = p * f + _E5
            mantissa[i] = p * f + _F(1)
            bits[i] = (k + np.int32(127)) << np.int32(23)
        scale = bits.view(np.float32)
        for i in range(units):
            e = mantissa[i] * scale[i]  # exp(-|x|)
            r = _F(1) / (_F(1) + e)
            z = e / (_F(2) + e)
            square = z * z
            s = _L13 * square + _L11
            s = s * square + _L9
            s = s * square + _L7
            s = s * square + _L5
            s = s * square + _L3
            rate[i] = max(x[i], _F(0)) + _F(2) * z * (s * square + _F(1))
            slope[i] = r if x[i] >= 0 else e * r

    @numba.njit(fastmath=True, error_model="numpy")
    def forward(drive: Any, weights_t: Any, alpha: Any, start: Any, states: Any, rates: Any, slopes: Any) -> None:
        x, total = np.empty(units, np.float32), np.empty(units, np.float32)
        bits, mantissa = np.empty(units, np.int32), np.empty(units, np.float32)
        for b in range(drive.shape[0]):
            for i in range(units):
                x[i] = start[i]
            for t in range(drive.shape[1]):
                rate, here, out = rates[b, t], drive[b, t], states[b, t]
                activate(x, rate, slopes[b, t], bits, mantissa)
                for i in range(units):
                    total[i] = here[i]
                for j in range(0, units - odd, 2):
                    r0, r1, w0, w1 = rate[j], rate[j + 1], weights_t[j], weights_t[j + 1]
                    for i in range(units):
                        total[i] += w0[i] * r0 + w1[i] * r1
                if odd:
                    for i in range(units):
                        total[i] += weights_t[units - 1, i] * rate[units - 1]
                for i in range(units):
                    x[i] += alpha[i] * (total[i] - x[i])
                    out[i] = x[i]

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
        g, q, s = np.empty(units, np.float32), np.empty(units, np.float32), np.empty(units, np.float32)
        steps = gradient.shape[1]
        for b in range(gradient.shape[0]):
            for i in range(units):
                g[i] = 0
            for back in range(steps):
                t = steps - 1 - back
                here, out, now, slope = gradient[b, t], d_drive[b, t], states[b, t], slopes[b, t]
                for i in range(units):
                    g[i] += here[i]
                    q[i] = alpha[i] * g[i]
                    out[i] = q[i]
                    s[i] = 0
                for i in range(0, units - odd, 2):
                    q0, q1, w0, w1 = q[i], q[i + 1], weights[i], weights[i + 1]
                    for j in range(units):
                        s[j] += w0[j] * q0 + w1[j] * q1
                if odd:
                    for j in range(units):
                        s[j] += weights[units - 1, j] * q[units - 1]
                if t > 0:
                    before = states[b, t - 1]
                    for i in range(units):
                        d_alpha[i] += g[i] * (now[i] - before[i])
                else:
                    for i in range(units):
                        d_alpha[i] += g[i] * (now[i] - start[i])
                for i in range(units):
                    g[i] = (_F(1) - alpha[i]) * g[i] + s[i] * slope[i]
            for i in range(units):
                d_start[i] += g[i]
        for i in range(units):
            d_alpha[i] /= alpha[i]

    return forward, backward
