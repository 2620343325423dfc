"""Compiled loops around sparse input: events found in a dense array, and leaky traces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_LANES = 16
_NOT_SIGN = np.int32(0x7FFFFFFF)


@njit(cache=True, nogil=True)
def find_kernel(bits: Any, values: Any, channels: int, row: Any, channel: Any, value: Any) -> int:
    """Write the non-zero entries of an array [row, channel] as events; their number, or -1 where there is no room.

    bits, values: the array, flat, as int32 and as float32: whole blocks of zeros are told by their bits, in vector code.
    """
    size, room, count = len(bits), len(row), 0
    r, start_of_row = 0, 0
    for low in range(0, size, _LANES):
        high, bits_of_block = low + _LANES, np.int32(0)
        if high <= size:
            for lane in range(_LANES):  # a fixed length, so that it becomes vector code
                bits_of_block |= bits[low + lane]
            if bits_of_block & _NOT_SIGN == 0:  # minus zero is zero too
                continue
        else:
            high = size
        if count + _LANES > room:
            return -1
        for i in range(low, high):
            if values[i] != 0:
                while i >= start_of_row + channels:
                    r, start_of_row = r + 1, start_of_row + channels
                row[count], channel[count] = r, i - start_of_row
                value[count] = values[i]
                count += 1
    return count


@njit(cache=True, nogil=True)
def filter_kernel(x: Any, k: Any, start: Any, reverse: bool, out: Any) -> None:
    """out[t] = k out[t-1] + x[t] along time, from `start`, or against it. All [time, sample, channel], k [channel]."""
    steps, samples, channels = x.shape
    for i in range(steps):
        t = steps - 1 - i if reverse else i
        for b in range(samples):
            before = start[b]
            if i > 0:
                before = out[t + 1, b] if reverse else out[t - 1, b]
            given, here = x[t, b], out[t, b]
            for c in range(channels):
                here[c] = given[c] + k[c] * before[c]


@njit(cache=True, nogil=True)
def send_kernel(row: Any, channel: Any, value: Any, matrix: Any, out: Any) -> None:
    """out [row, column] += value times the matrix row of its channel, event by event."""
    for n in range(len(row)):
        out_row, weights, times = out[row[n]], matrix[channel[n]], value[n]
        for j in range(matrix.shape[1]):
            out_row[j] += times * weights[j]
