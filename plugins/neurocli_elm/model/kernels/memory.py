"""The compiled memory recurrence: see `memory_scan`. Arrays are float32, layers last to first in memory as they are used.

Loops run over contiguous rows of weights and four inputs at a time, which is what the vector units like for a few dozen units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from neurocli.training.fast_exp import exp_minus

_F = np.float32


@njit(fastmath=True, inline="always", error_model="numpy")
def _exp_minus(x: Any, scale: Any, bits: Any, out: Any) -> None:
    """out = exp(-scale |x|), to single precision."""
    exp_minus(x, scale, bits, out)
    power = bits.view(np.float32)
    for k in range(len(x)):
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


@njit(fastmath=True, inline="always", error_model="numpy")
def _add_products(x: Any, weights: Any, out: Any) -> None:
    """out += x @ weights for all samples, two at a time: what is read of the weights serves both."""
    samples, size_in = x.shape
    size_out = weights.shape[1]
    whole, even = size_in - size_in % 4, samples - samples % 2
    for b in range(0, even, 2):
        x_a, x_b, out_a, out_b = x[b], x[b + 1], out[b], out[b + 1]
        for i in range(0, whole, 4):
            a0, a1, a2, a3 = x_a[i], x_a[i + 1], x_a[i + 2], x_a[i + 3]
            b0, b1, b2, b3 = x_b[i], x_b[i + 1], x_b[i + 2], x_b[i + 3]
            w0, w1, w2, w3 = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
            for j in range(size_out):
                v0, v1, v2, v3 = w0[j], w1[j], w2[j], w3[j]
                out_a[j] += a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3
                out_b[j] += b0 * v0 + b1 * v1 + b2 * v2 + b3 * v3
        for i in range(whole, size_in):
            a0, b0, w0 = x_a[i], x_b[i], weights[i]
            for j in range(size_out):
                out_a[j] += a0 * w0[j]
                out_b[j] += b0 * w0[j]
    if even < samples:
        _add_product(x[even], weights, out[even])


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
    keep_all = hidden.shape[0] == steps
    bits, e = np.empty(max(units, size), np.int32), np.empty(max(units, size), np.float32)
    for t in range(steps):
        at = t if keep_all else 0
        before = start if t == 0 else memory[t - 1]
        for layer in range(layers):
            here = hidden[at, layer]
            for b in range(samples):
                given = base[t, b] if layer == 0 else b_inner[layer - 1]
                h = here[b]
                for j in range(units):
                    h[j] = given[j]
            if layer == 0:
                _add_products(before, w_memory, here)
            else:
                _add_products(hidden[at, layer - 1], w_inner[layer - 1], here)
            for b in range(samples):
                h = here[b]
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
        for b in range(samples):
            z = updates[at, b]
            for j in range(size):
                z[j] = b_out[j]
        _add_products(hidden[at, layers - 1], w_out, updates[at])
        for b in range(samples):
            z, out, old = updates[at, b], memory[t, b], before[b]
            _exp_minus(z, _F(2), bits[:size], e[:size])
            for j in range(size):
                u = (_F(1) - e[j]) / (_F(1) + e[j])
                u = u if z[j] >= 0 else -u
                z[j] = u
                out[j] = u + k[j] * old[j]


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
            here = d_hidden[t, layer]
            for b in range(samples):
                dh = here[b]
                for j in range(units):
                    dh[j] = _F(0)
            if down == 0:
                _add_products(d_updates[t], w_out_t, here)
            else:
                _add_products(d_hidden[t, layer + 1], w_inner_t[layer], here)
            for b in range(samples):
                dh, h = here[b], hidden[t, layer, b]
                if silu:
                    slope = slopes[t, layer, b]
                    for j in range(units):
                        dh[j] *= slope[j]
                else:
                    for j in range(units):
                        dh[j] = dh[j] if h[j] > 0 else _F(0)
        earlier = d_start if t == 0 else d_memory[t - 1]
        for b in range(samples):
            before, g = earlier[b], d_memory[t, b]
            if t == 0:
                for i in range(size):
                    before[i] = k[i] * g[i]
            else:
                given = gradient[t - 1, b]
                for i in range(size):
                    before[i] = given[i] + k[i] * g[i]
        _add_products(d_hidden[t, 0], w_memory_t, earlier)
