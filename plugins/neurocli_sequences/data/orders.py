"""Orders in which the pixels of an image become the steps of a sequence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import ConfigError, UnknownName
from neurocli_sequences.data.hilbert import hilbert

Order = NDArray[np.int64]


def row_major(height: int, width: int) -> Order:
    """Row after row, each from the left: neighbours but at the ends of rows."""
    return np.arange(height * width, dtype=np.int64)


def column_major(height: int, width: int) -> Order:
    """Column after column, each from the top: neighbours but at the ends of columns."""
    return row_major(height, width).reshape(height, width).T.ravel()


def snake(height: int, width: int) -> Order:
    """Row after row, every second one from the right (boustrophedon): each step is to a neighbour."""
    grid = row_major(height, width).reshape(height, width).copy()
    grid[1::2] = grid[1::2, ::-1]
    return grid.ravel()


def spiral(height: int, width: int) -> Order:
    """Clockwise from the top left corner inwards: each step is to a neighbour."""
    grid = row_major(height, width).reshape(height, width)
    sides = []
    while grid.size:
        sides.append(grid[0])
        grid = np.rot90(grid[1:])  # the next side to walk comes to the top, from left to right
    return np.concatenate(sides)


def permuted(height: int, width: int, seed: int = 0) -> Order:
    """One fixed permutation, the same for every image: no neighbours are kept. The same seed always gives the same order."""
    # Sorted random numbers: `Generator.permutation` may change with numpy's version, the raw stream of PCG64 may not.
    keys = np.random.PCG64(seed).random_raw(height * width)
    return np.argsort(keys, kind="stable").astype(np.int64)


ORDERS: dict[str, Callable[[int, int], Order]] = {
    "row-major": row_major,
    "column-major": column_major,
    "snake": snake,
    "spiral": spiral,
    "hilbert": hilbert,
    "permuted": permuted,
}


def order_of(name: str, height: int, width: int, *, seed: int = 0) -> Order:
    """The pixels [height * width], counted in rows, as the order `name` visits them; `seed` is that of `permuted`.

    Raises UnknownName; ConfigError for an image without pixels.
    """
    if name not in ORDERS:
        raise UnknownName.among("order of pixels", name, ORDERS)
    if height < 1 or width < 1:
        raise ConfigError(
            f"an image of {height} x {width} pixels has no order",
            where="layout",
            hint="height and width are at least 1",
        )
    return permuted(height, width, seed) if name == "permuted" else ORDERS[name](height, width)


def inverse(order: Order) -> Order:
    """The step [pixel] at which each pixel is visited: `order[inverse(order)]` counts up."""
    step = np.empty_like(order)
    step[order] = np.arange(len(order))
    return step
