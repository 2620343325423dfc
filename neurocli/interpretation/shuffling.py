"""Matrices [post, pre] that keep their numbers and forget who is joined to whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.interpretation.pairs import pairs_by_sender

Array = NDArray[np.float64]
CHEAP_NULLS = 99
"""How many nulls are made where one costs little: the least p is then .01."""


def exchanged_within(values: NDArray[Any], places: Iterable[Any], rng: np.random.Generator) -> NDArray[Any]:
    """A copy whose entries are permuted within each of `places`: what indexes some entries of `values`."""
    shuffled = values.copy()
    for place in places:
        shuffled[place] = rng.permutation(values[place])
    return shuffled


def pairs_exchanged(matrix: Array, excitatory: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """The matrix with its entries in other places: among the pairs of two neurons whose sender has the same type.

    What a neuron does to itself stays. A matrix [1, pre] of senders alone has them exchanged within their types.
    """
    if len(matrix) == 1:
        return exchanged_within(matrix, (excitatory[None], ~excitatory[None]), rng)
    return exchanged_within(matrix, pairs_by_sender(excitatory).values(), rng)


def rows_exchanged(matrix: Array, excitatory: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """The matrix with the entries of each row exchanged among other neurons of one type: what is received keeps its size."""
    others = pairs_by_sender(excitatory).values()
    rows = ((row, np.where(senders[row])[0]) for row in range(len(matrix)) for senders in others)
    return exchanged_within(matrix, rows, rng)


def neurons_exchanged(matrix: Array, excitatory: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """The matrix with neurons exchanged within E and within I: the same network under other names."""
    order = exchanged_within(np.arange(len(matrix)), (excitatory, ~excitatory), rng)
    return matrix[np.ix_(order, order)]
