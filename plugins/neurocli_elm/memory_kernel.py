"""The compiled memory recurrence: see `memory_scan`. Arrays are float32, layers last to first in memory as they are used.

Loops run over contiguous rows of weights and four inputs at a time, which is what the vector units like for a few dozen units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_F = np.float32
_LOG2E = _F(1.4426950408889634)
# 2^f on [-1/2, 1/2] by its Taylor series in f ln 2.
_E0, _E1, _E2, _E3, _E4, _E5 = (
    _F(c) for c in (1.5403530e-4, 1.3333558e-3, 9.6181291e-3, 5.5504109e-2, 2.4022651e-1, 6.9314718e-1)
)


@njit(fastmath=True, inline="always", error_model="numpy")
def _exp_minus(x: Any, scale: Any, bits: Any, out: Any) -> None:
    """out = exp(-scale |x|), to single precision, without a library call that would keep the loop from vectorising."""
    size = len(x)
    for k in range(size):
        z = max(-abs(x[k]) * scale * _LOG2E, _F(-126.0))
        whole = np.int32(z - _F(0.5))
        f = z - _F(whole)
        p = _E0 * f + _E1
        p = p * f + _E2
        p = p * f + _E3
        p = p * f + _E4
        p = p * f + _E5
        out[k] = p * f + _F(1)
        bits[k] = (whole + np.int32(127)) << np.int32(23)
    power = bits.view(np.float32)
    for k in range(size):
        out[k] *= power[k]


@njit(fastmath=True, inline="always", error_model="numpy")
def _add_product(x: Any, weights: Any, out: Any) -> None:
    """out += x @ weights for one sample; weights [in, out]."""
    size_in, size_out = weights.shape
    whole = size_in - size_in % 4
    for i in range(0, whole, 4):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        w0, w1, w2, w3 = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for j in range(size_out):
            out[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]
    for i in range(whole, size_in):
        x0, w0 = x[i], weights[i]
        for j in range(size_out):
            out[j] += x0 * w0[j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def forward_kernel(
    base: Any,
    w_memory: Any,
    w_inner: Any,
    b_inner: Any,
    w_out: Any,
    b_out: Any,
    k: Any,
    start: Any,
    silu: bool,
    hidden: Any,
    slopes: Any,
    updates: Any,
    memory: Any,
) -> None:
    """Memory [time, sample, memory]; hidden, slopes [time, layer, sample, unit] and updates [time, sample, memory] when kept.

    Where they are not to be kept they are given with one step. Weights are [in, out]; slopes are written for silu alone.
    """
    steps, samples, units = base.shape
    layers, size = 1 + len(w_inner), memory.shape[2]
    kept = hidden.shape[0] == steps
    bits, e = np.empty(max(units, size), np.int32), np.empty(max(units, size), np.float32)
    for t in range(steps):
        at = t if kept else 0
        for b in range(samples):
            before = start[b] if t == 0 else memory[t - 1, b]
            for layer in range(layers):
                h = hidden[at, layer, b]
                if layer == 0:
                    given = base[t, b]
                    for j in range(units):
                        h[j] = given[j]
                    _add_product(before, w_memory, h)
                else:
                    bias = b_inner[layer - 1]
                    for j in range(units):
                        h[j] = bias[j]
                    _add_product(hidden[at, layer - 1, b], w_inner[layer - 1], h)
                if silu:
                    slope = slopes[at, layer, b]
                    _exp_minus(h, _F(1), bits[:units], e[:units])
                    for j in range(units):
                        s = (_F(1) if h[j] >= 0 else e[j]) / (_F(1) + e[j])
                        slope[j] = s * (_F(1) + h[j] * (_F(1) - s))
                        h[j] *= s
                else:
                    for j in range(units):
                        h[j] = max(h[j], _F(0))
            z, out = updates[at, b], memory[t, b]
            for j in range(size):
                z[j] = b_out[j]
            _add_product(hidden[at, layers - 1, b], w_out, z)
            _exp_minus(z, _F(2), bits[:size], e[:size])
            for j in range(size):
                u = (_F(1) - e[j]) / (_F(1) + e[j])
                u = u if z[j] >= 0 else -u
                z[j] = u
                out[j] = u + k[j] * before[j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def backward_kernel(
    gradient: Any,
    w_memory_t: Any,
    w_inner_t: Any,
    w_out_t: Any,
    k: Any,
    silu: bool,
    hidden: Any,
    slopes: Any,
    updates: Any,
    d_hidden: Any,
    d_updates: Any,
    d_memory: Any,
    d_start: Any,
) -> None:
    """Gradients before each activation, before the tangent, of the memory after each step and of the start; weights [out, in]."""
    steps, samples, size = gradient.shape
    layers, units = hidden.shape[1], hidden.shape[3]
    for b in range(samples):
        for i in range(size):
            d_memory[steps - 1, b, i] = gradient[steps - 1, b, i]
    for back in range(steps):
        t = steps - 1 - back
        for b in range(samples):
            g, dz, u = d_memory[t, b], d_updates[t, b], updates[t, b]
            for i in range(size):
                dz[i] = g[i] * (_F(1) - u[i] * u[i])
            for down in range(layers):
                layer = layers - 1 - down
                dh, h = d_hidden[t, layer, b], hidden[t, layer, b]
                for j in range(units):
                    dh[j] = _F(0)
                if down == 0:
                    _add_product(dz, w_out_t, dh)
                else:
                    _add_product(d_hidden[t, layer + 1, b], w_inner_t[layer], dh)
                if silu:
                    slope = slopes[t, layer, b]
                    for j in range(units):
                        dh[j] *= slope[j]
                else:
                    for j in range(units):
                        dh[j] = dh[j] if h[j] > 0 else _F(0)
            before = d_start[b] if t == 0 else d_memory[t - 1, b]
            if t == 0:
                for i in range(size):
                    before[i] = k[i] * g[i]
            else:
                given = gradient[t - 1, b]
                for i in range(size):
                    before[i] = given[i] + k[i] * g[i]
            _add_product(d_hidden[t, 0, b], w_memory_t, before)
