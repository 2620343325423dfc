"""Passages that two texts share, letter for letter."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

LENGTH = 50
"""Bytes of a passage: long enough that no two authors write the same by chance."""
_CHUNK = 2**20
_BASE = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse among the whole numbers below 2^64."""


def seen(text: NDArray[np.uint8], others: Iterable[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Whether each passage of a text [byte], by its first byte, stands in one of the others: bool [byte - LENGTH + 1].

    Passages are known by sums of 64 bits: of 10^8 passages held against 10^6, one is taken for another once in 10^5 times.
    """
    sums = np.concatenate([np.zeros(0, np.uint64), *_sums(text)])
    known, place = np.unique(sums, return_inverse=True)
    there = np.zeros(len(known), np.bool_)
    if len(known):
        for other in others:
            for chunk in _sums(other):
                at = np.searchsorted(known, chunk).clip(max=len(known) - 1)
                there[at[known[at] == chunk]] = True
    return there[place]


def _sums(text: NDArray[np.uint8]) -> Iterator[NDArray[np.uint64]]:
    """A sum of each passage, in pieces: of the bytes' codes times powers of an odd number, modulo 2^64."""
    code, power, inverse = _tables()
    for first in range(0, len(text) - LENGTH + 1, _CHUNK):
        piece = code[text[first : first + _CHUNK + LENGTH - 1]]
        running = np.zeros(len(piece) + 1, np.uint64)
        np.cumsum(piece * power[: len(piece)], out=running[1:])
        count = len(piece) - LENGTH + 1
        yield (running[LENGTH:] - running[:count]) * inverse[:count]


@functools.cache
def _tables() -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Codes [256] of bytes; powers of the base, and of its inverse."""
    code = np.random.default_rng(0).integers(0, 2**64, 256, np.uint64)
    powers = []
    for base in (_BASE, pow(_BASE, -1, 2**64)):
        factors = np.full(_CHUNK + LENGTH, base, np.uint64)
        factors[0] = 1
        powers.append(np.multiply.accumulate(factors))
    return code, powers[0], powers[1]
