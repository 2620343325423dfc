"""Compiled loops of the causal TCN that serves as a baseline: float32, arrays [channel, row].

A row is one sample at one time, all samples of a time side by side, so that a dilation of one time is a shift of as many rows as there
are samples. Rows, and not the dozen channels, fill the vector units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_F = np.float32
_BLOCK = 512
"""Rows that are worked on at a time: those of all channels stay in the nearest cache."""


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _add_late(weights: Any, x: Any, shift: int, out: Any) -> None:
    """out [out, row] += sum over taps j of weights[j] [out, in] @ x [in, row - j shift]; rows that are not there are zero."""
    taps, size_out, size_in = weights.shape
    rows = x.shape[1]
    whole = size_in - size_in % 4
    for first in range(0, rows, _BLOCK):
        for tap in range(taps):
            late = tap * shift
            start, stop = max(first, late), min(first + _BLOCK, rows, rows + late)
            if start >= stop:
                continue
            a, b = start - late, stop - late
            for o in range(size_out):
                w, to = weights[tap, o], out[o, start:stop]
                for i in range(0, whole, 4):
                    w0, w1, w2, w3 = w[i], w[i + 1], w[i + 2], w[i + 3]
                    x0, x1, x2, x3 = x[i, a:b], x[i + 1, a:b], x[i + 2, a:b], x[i + 3, a:b]
                    for k in range(stop - start):
                        to[k] += w0 * x0[k] + w1 * x1[k] + w2 * x2[k] + w3 * x3[k]
                for i in range(whole, size_in):
                    w0, x0 = w[i], x[i, a:b]
                    for k in range(stop - start):
                        to[k] += w0 * x0[k]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _late_products(gradient: Any, x: Any, shift: int, out: Any) -> None:
    """out [tap, out, in] += sum over rows of gradient [out, row] x [in, row - tap shift]."""
    taps, size_out, size_in = out.shape
    rows = x.shape[1]
    whole, even = size_in - size_in % 4, size_out - size_out % 2
    for first in range(0, rows, _BLOCK):
        for tap in range(taps):
            late = tap * shift
            start, stop = max(first, late), min(first + _BLOCK, rows)
            if start >= stop:
                continue
            a, b = start - late, stop - late
            for o in range(0, even, 2):
                g, h = gradient[o, start:stop], gradient[o + 1, start:stop]
                for i in range(0, whole, 4):
                    x0, x1, x2, x3 = x[i, a:b], x[i + 1, a:b], x[i + 2, a:b], x[i + 3, a:b]
                    g0 = g1 = g2 = g3 = h0 = h1 = h2 = h3 = _F(0)
                    for k in range(stop - start):
                        g0 += g[k] * x0[k]
                        g1 += g[k] * x1[k]
                        g2 += g[k] * x2[k]
                        g3 += g[k] * x3[k]
                        h0 += h[k] * x0[k]
                        h1 += h[k] * x1[k]
                        h2 += h[k] * x2[k]
                        h3 += h[k] * x3[k]
                    for n, (of_g, of_h) in enumerate(((g0, h0), (g1, h1), (g2, h2), (g3, h3))):
                        out[tap, o, i + n] += of_g
                        out[tap, o + 1, i + n] += of_h
            for o in range(size_out):
                g = gradient[o, start:stop]
                for i in range(whole if o < even else 0, size_in):
                    x0, total = x[i, a:b], _F(0)
                    for k in range(stop - start):
                        total += g[k] * x0[k]
                    out[tap, o, i] += total


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def blocks_forward(x: Any, weights: Any, biases: Any, shifts: Any, active: Any) -> None:
    """x [channel, row] becomes what comes out of all blocks: each adds its bias and a convolution of the positive part.

    weights [block, tap, out, in], tap 0 the present; biases [block, out]; shifts [block] rows; filled: active [block, channel, row],
    the positive parts.
    """
    channels, rows = x.shape
    for n in range(len(weights)):
        for c in range(channels):
            here, positive, bias = x[c], active[n, c], biases[n, c]
            for k in range(rows):
                positive[k] = max(here[k], _F(0))
            for k in range(rows):
                here[k] += bias
        _add_late(weights[n], active[n], shifts[n], x)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def blocks_backward(gradient: Any, weights_t: Any, shifts: Any, active: Any, d_weights: Any, d_biases: Any) -> None:
    """gradient [channel, row] of what comes out becomes that of x; d_weights and d_biases, zeros before, are filled.

    weights_t [block, tap, in, out].
    """
    channels, rows = gradient.shape
    d_active = np.empty_like(gradient)
    for back in range(len(weights_t)):
        n = len(weights_t) - 1 - back
        for c in range(channels):
            here, total = gradient[c], _F(0)
            for k in range(rows):
                total += here[k]
            d_biases[n, c] = total
        _late_products(gradient, active[n], shifts[n], d_weights[n])
        d_active[:] = _F(0)
        _add_late(weights_t[n], gradient, -shifts[n], d_active)
        for c in range(channels):
            here, positive, more = gradient[c], active[n, c], d_active[c]
            for k in range(rows):
                here[k] += more[k] if positive[k] > _F(0) else _F(0)
