"""Compiled loops of the LSTM and the GRU that serve as baselines: float32, all samples of a step side by side, from zero states.

Weights are [in, out]. The products and the exponential are those of the neuron's own memory loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from neurocli_elm.model.kernels.memory import _add_products, _exp_minus

_F = np.float32


@njit(fastmath=True, inline="always", error_model="numpy")
def _sigmoid(x: Any, bits: Any, e: Any) -> None:
    """In place."""
    _exp_minus(x, _F(1), bits[: len(x)], e[: len(x)])
    for j in range(len(x)):
        x[j] = (_F(1) if x[j] >= 0 else e[j]) / (_F(1) + e[j])


@njit(fastmath=True, inline="always", error_model="numpy")
def _tanh(x: Any, bits: Any, e: Any) -> None:
    """In place."""
    _exp_minus(x, _F(2), bits[: len(x)], e[: len(x)])
    for j in range(len(x)):
        u = (_F(1) - e[j]) / (_F(1) + e[j])
        x[j] = u if x[j] >= 0 else -u


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def lstm_forward(gates: Any, weight: Any, cell: Any, squashed: Any, hidden: Any) -> None:
    """gates [time, sample, 4 units]: what the input gives; becomes the gates: input, forget, output, candidate.

    weight [unit, 4 units]; cell, squashed (its tanh), hidden [time, sample, unit] are filled.
    """
    steps, samples, wide = gates.shape
    units = wide // 4
    bits, e = np.empty(wide, np.int32), np.empty(wide, np.float32)
    for t in range(steps):
        if t > 0:
            _add_products(hidden[t - 1], weight, gates[t])
        for b in range(samples):
            z = gates[t, b]
            _sigmoid(z[: 3 * units], bits, e)
            _tanh(z[3 * units :], bits, e)
            c, s, h = cell[t, b], squashed[t, b], hidden[t, b]
            for j in range(units):
                c[j] = z[j] * z[3 * units + j]
            if t > 0:
                before = cell[t - 1, b]
                for j in range(units):
                    c[j] += z[units + j] * before[j]
            for j in range(units):
                s[j] = c[j]
            _tanh(s, bits, e)
            for j in range(units):
                h[j] = z[2 * units + j] * s[j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def lstm_backward(gradient: Any, weight_t: Any, gates: Any, cell: Any, squashed: Any, d_gates: Any) -> None:
    """d_gates: gradients before the gates' nonlinearities. gradient [time, sample, unit] is used up; weight_t [4 units, unit]."""
    steps, samples, units = gradient.shape
    d_cell = np.zeros((samples, units), np.float32)
    for back in range(steps):
        t = steps - 1 - back
        for b in range(samples):
            g, z, s, dz, dc = gradient[t, b], gates[t, b], squashed[t, b], d_gates[t, b], d_cell[b]
            for j in range(units):
                i, f, o, u = z[j], z[units + j], z[2 * units + j], z[3 * units + j]
                d = dc[j] + g[j] * o * (_F(1) - s[j] * s[j])
                dz[j] = d * u * i * (_F(1) - i)
                dz[units + j] = d * f * (_F(1) - f)
                dz[2 * units + j] = g[j] * s[j] * o * (_F(1) - o)
                dz[3 * units + j] = d * i * (_F(1) - u * u)
                dc[j] = d * f
            if t > 0:
                before = cell[t - 1, b]
                for j in range(units):
                    dz[units + j] *= before[j]
            else:
                for j in range(units):
                    dz[units + j] = _F(0)
        if t > 0:
            _add_products(d_gates[t], weight_t, gradient[t - 1])


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def gru_forward(gates: Any, weight: Any, bias: Any, recurrent: Any, hidden: Any) -> None:
    """gates [time, sample, 3 units]: what the input gives; becomes the gates: reset, update, candidate.

    weight [unit, 3 units], bias [3 units]; filled: recurrent [time, sample, 3 units], what the past gives (the candidate's is
    multiplied by the reset gate, as torch does), and hidden [time, sample, unit].
    """
    steps, samples, wide = gates.shape
    units = wide // 3
    bits, e = np.empty(wide, np.int32), np.empty(wide, np.float32)
    for t in range(steps):
        for b in range(samples):
            r = recurrent[t, b]
            for j in range(wide):
                r[j] = bias[j]
        if t > 0:
            _add_products(hidden[t - 1], weight, recurrent[t])
        for b in range(samples):
            z, r, h = gates[t, b], recurrent[t, b], hidden[t, b]
            for j in range(2 * units):
                z[j] += r[j]
            _sigmoid(z[: 2 * units], bits, e)
            for j in range(units):
                z[2 * units + j] += z[j] * r[2 * units + j]
            _tanh(z[2 * units :], bits, e)
            for j in range(units):
                h[j] = z[2 * units + j] * (_F(1) - z[units + j])
            if t > 0:
                before = hidden[t - 1, b]
                for j in range(units):
                    h[j] += z[units + j] * before[j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def gru_backward(
    gradient: Any, weight_t: Any, gates: Any, recurrent: Any, hidden: Any, d_gates: Any, d_recurrent: Any
) -> None:
    """d_gates, d_recurrent: gradients of what the input and the past give. gradient is used up; weight_t [3 units, unit]."""
    steps, samples, units = gradient.shape
    for back in range(steps):
        t = steps - 1 - back
        for b in range(samples):
            g, z, r, dz, dr = gradient[t, b], gates[t, b], recurrent[t, b], d_gates[t, b], d_recurrent[t, b]
            for j in range(units):
                reset, update, new = z[j], z[units + j], z[2 * units + j]
                d = g[j] * (_F(1) - update) * (_F(1) - new * new)
                dz[j] = d * r[2 * units + j] * reset * (_F(1) - reset)
                dz[units + j] = -g[j] * new * update * (_F(1) - update)
                dz[2 * units + j] = d
                dr[2 * units + j] = d * reset
            if t > 0:
                before, earlier = hidden[t - 1, b], gradient[t - 1, b]
                for j in range(units):
                    update = z[units + j]
                    dz[units + j] += g[j] * before[j] * update * (_F(1) - update)
                    earlier[j] += g[j] * update
            for j in range(2 * units):
                dr[j] = dz[j]
        if t > 0:
            _add_products(d_recurrent[t], weight_t, gradient[t - 1])


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def add_products(x: Any, weights: Any, out: Any) -> None:
    """out [row, out] += x [row, in] @ weights: for a dozen columns faster than a general matrix product."""
    _add_products(x, weights, out)
