"""Compiled loops of the LSTM and the GRU that serve as baselines: float32, all samples of a step side by side, from zero states.

Weights are [in, out]. Gates are kept as [time, gate, sample, unit]: loops over all samples and units of a gate are long, and each
writes one array, which is what lets the compiler use the vector units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from neurocli_elm.model.kernels.memory import _add_products

_F = np.float32
_ONE, _TWO, _HALF = _F(1), _F(2), _F(0.5)
# tanh as x P(x^2) / Q(x^2), to single precision on [-7.9, 7.9] where it reaches 1 (the coefficients are those of Eigen's ptanh).
_EDGE = _F(7.90531110763549805)
_P13, _P11, _P9, _P7 = (
    _F(-2.76076847742355e-16),
    _F(2.00018790482477e-13),
    _F(-8.60467152213735e-11),
    _F(5.12229709037114e-08),
)
_P5, _P3, _P1 = _F(1.48572235717979e-05), _F(6.37261928875436e-04), _F(4.89352455891786e-03)
_Q6, _Q4, _Q2, _Q0 = (
    _F(1.19825839466702e-06),
    _F(1.18534705686654e-04),
    _F(2.26843463243900e-03),
    _F(4.89352518554385e-03),
)


@njit(fastmath=True, inline="always", error_model="numpy")
def _tanh(x: Any) -> Any:
    """Of one number, without a library call that would keep a loop from vectorising."""
    x = min(max(x, -_EDGE), _EDGE)
    s = x * x
    p = _P13 * s + _P11
    p = p * s + _P9
    p = p * s + _P7
    p = p * s + _P5
    p = p * s + _P3
    p = p * s + _P1
    q = _Q6 * s + _Q4
    q = q * s + _Q2
    q = q * s + _Q0
    return x * p / q


@njit(fastmath=True, inline="always", error_model="numpy")
def _sigmoid(x: Any) -> Any:
    return _HALF + _HALF * _tanh(_HALF * x)


@njit(fastmath=True, inline="always", error_model="numpy")
def _deal(rows: Any, gates: Any) -> None:
    """gates [gate, sample, unit] = rows [sample, gate x unit]."""
    units = gates.shape[2]
    for n in range(len(gates)):
        for b in range(len(rows)):
            row, out = rows[b], gates[n, b]
            for j in range(units):
                out[j] = row[n * units + j]


@njit(fastmath=True, inline="always", error_model="numpy")
def _gather(gates: Any, rows: Any) -> None:
    """rows [sample, gate x unit] = gates [gate, sample, unit]."""
    units = gates.shape[2]
    for b in range(len(rows)):
        row = rows[b]
        for n in range(len(gates)):
            here = gates[n, b]
            for j in range(units):
                row[n * units + j] = here[j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def lstm_forward(given: Any, weight: Any, gates: Any, cell: Any, squashed: Any, hidden: Any) -> None:
    """given [time, sample, 4 units]: what the input gives to input, forget, output gate and candidate; it is used up.

    weight [unit, 4 units]; filled: gates [time, 4, sample, unit], cell, squashed (its tanh), hidden [time, sample, unit].
    """
    steps, samples, wide = given.shape
    size = samples * (wide // 4)
    for t in range(steps):
        if t > 0:
            _add_products(hidden[t - 1], weight, given[t])
        _deal(given[t], gates[t])
        sigmoids, candidate = gates[t, :3].reshape(3 * size), gates[t, 3].reshape(size)
        for k in range(3 * size):
            sigmoids[k] = _sigmoid(sigmoids[k])
        for k in range(size):
            candidate[k] = _tanh(candidate[k])
        c, s, h = cell[t].reshape(size), squashed[t].reshape(size), hidden[t].reshape(size)
        into, keep, out = sigmoids[:size], sigmoids[size : 2 * size], sigmoids[2 * size :]
        if t > 0:
            before = cell[t - 1].reshape(size)
            for k in range(size):
                c[k] = into[k] * candidate[k] + keep[k] * before[k]
        else:
            for k in range(size):
                c[k] = into[k] * candidate[k]
        for k in range(size):
            s[k] = _tanh(c[k])
        for k in range(size):
            h[k] = out[k] * s[k]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def lstm_backward(gradient: Any, weight_t: Any, gates: Any, cell: Any, squashed: Any, d_given: Any) -> None:
    """d_given [time, sample, 4 units] from the gradient [time, sample, unit] of hidden, which is used up; weight_t [4 units, unit]."""
    steps, samples, units = gradient.shape
    size = samples * units
    d_cell, d_gates = np.zeros(size, np.float32), np.empty((4, samples, units), np.float32)
    d_into, d_keep, d_out, d_candidate = (
        d_gates[0].reshape(size),
        d_gates[1].reshape(size),
        d_gates[2].reshape(size),
        d_gates[3].reshape(size),
    )
    for back in range(steps):
        t = steps - 1 - back
        g, s = gradient[t].reshape(size), squashed[t].reshape(size)
        i, f = gates[t, 0].reshape(size), gates[t, 1].reshape(size)
        o, u = gates[t, 2].reshape(size), gates[t, 3].reshape(size)
        for k in range(size):
            d_cell[k] += g[k] * o[k] * (_ONE - s[k] * s[k])
        for k in range(size):
            d_into[k] = d_cell[k] * u[k] * i[k] * (_ONE - i[k])
        for k in range(size):
            d_candidate[k] = d_cell[k] * i[k] * (_ONE - u[k] * u[k])
        for k in range(size):
            d_out[k] = g[k] * s[k] * o[k] * (_ONE - o[k])
        if t > 0:
            before = cell[t - 1].reshape(size)
            for k in range(size):
                d_keep[k] = d_cell[k] * before[k] * f[k] * (_ONE - f[k])
        else:
            d_keep[:] = _F(0)
        for k in range(size):
            d_cell[k] *= f[k]
        _gather(d_gates, d_given[t])
        if t > 0:
            _add_products(d_given[t], weight_t, gradient[t - 1])


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def gru_forward(given: Any, weight: Any, bias: Any, gates: Any, hidden: Any) -> None:
    """given [time, sample, 3 units]: what the input gives to reset, update and candidate, as in torch.

    weight [unit, 3 units], bias [3 units]: of the past, whose part of the candidate is multiplied by the reset gate. Filled: gates
    [time, 4, sample, unit], reset, update, candidate and the past's part of it, and hidden [time, sample, unit].
    """
    steps, samples, wide = given.shape
    units = wide // 3
    size = samples * units
    past, input_parts = np.empty((samples, wide), np.float32), np.empty((3, samples, units), np.float32)
    given_reset_update, given_new = input_parts[:2].reshape(2 * size), input_parts[2].reshape(size)
    for t in range(steps):
        for b in range(samples):
            row = past[b]
            for j in range(wide):
                row[j] = bias[j]
        if t > 0:
            _add_products(hidden[t - 1], weight, past)
        _deal(given[t], input_parts)
        here = gates[t]
        _deal(past[:, : 2 * units], here[:2])
        _deal(past[:, 2 * units :], here[3:])
        both, new = here[:2].reshape(2 * size), here[2].reshape(size)
        recurrent, h = here[3].reshape(size), hidden[t].reshape(size)
        for k in range(2 * size):
            both[k] = _sigmoid(both[k] + given_reset_update[k])
        reset, update = both[:size], both[size:]
        for k in range(size):
            new[k] = _tanh(given_new[k] + reset[k] * recurrent[k])
        if t > 0:
            before = hidden[t - 1].reshape(size)
            for k in range(size):
                h[k] = new[k] + update[k] * (before[k] - new[k])
        else:
            for k in range(size):
                h[k] = new[k] - update[k] * new[k]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def gru_backward(gradient: Any, weight_t: Any, gates: Any, hidden: Any, d_given: Any, d_past: Any) -> None:
    """d_given, d_past [time, sample, 3 units]: gradients of what the input and the past give.

    gradient [time, sample, unit] of hidden is used up; weight_t [3 units, unit].
    """
    steps, samples, units = gradient.shape
    size = samples * units
    d_gates = np.empty((4, samples, units), np.float32)  # reset, update, candidate, the past's part of it
    d_reset, d_update = d_gates[0].reshape(size), d_gates[1].reshape(size)
    d_new, d_recurrent = d_gates[2].reshape(size), d_gates[3].reshape(size)
    nothing = np.zeros(size, np.float32)
    for back in range(steps):
        t = steps - 1 - back
        g = gradient[t].reshape(size)
        reset, update = gates[t, 0].reshape(size), gates[t, 1].reshape(size)
        new, recurrent = gates[t, 2].reshape(size), gates[t, 3].reshape(size)
        before = hidden[t - 1].reshape(size) if t > 0 else nothing
        for k in range(size):
            d_new[k] = g[k] * (_ONE - update[k]) * (_ONE - new[k] * new[k])
        for k in range(size):
            d_reset[k] = d_new[k] * recurrent[k] * reset[k] * (_ONE - reset[k])
        for k in range(size):
            d_recurrent[k] = d_new[k] * reset[k]
        for k in range(size):
            d_update[k] = g[k] * (before[k] - new[k]) * update[k] * (_ONE - update[k])
        _gather(d_gates[:3], d_given[t])
        _gather(d_gates[:2], d_past[t, :, : 2 * units])
        _gather(d_gates[3:], d_past[t, :, 2 * units :])
        if t > 0:
            earlier = gradient[t - 1].reshape(size)
            for k in range(size):
                earlier[k] += g[k] * update[k]
            _add_products(d_past[t], weight_t, gradient[t - 1])
