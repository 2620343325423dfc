"""Sparse matrices, as MATLAB keeps them in both containers: made full, within the memory that the file may take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory

DAMAGED = "the indices of the sparse matrix are damaged"


def full(
    shape: tuple[int, ...], rows: NDArray[Any], starts: NDArray[Any], values: NDArray[Any], where: str, *, hint: str
) -> NDArray[Any]:
    """The matrix [row, column] of sparse columns.

    rows: [at least n] row of each value, counted from 0, sorted within a column; starts: [columns + 1] number of the first
    value of each column, and n; values: [at least n]. Raises DataError where they do not fit each other, and where the full
    matrix is too large.
    """
    wrong = DataError(DAMAGED, where=where, hint=hint)
    if len(shape) != 2 or starts.size != shape[1] + 1:
        raise wrong
    starts = starts.astype(np.int64)
    count = int(starts[-1])
    if starts[0] or (np.diff(starts) < 0).any() or count > min(rows.size, values.size):
        raise wrong
    rows, columns = rows[:count].astype(np.int64), np.repeat(np.arange(shape[1]), np.diff(starts))
    same_column = np.diff(columns) == 0
    if count and (rows.min() < 0 or rows.max() >= shape[0] or (np.diff(rows)[same_column] <= 0).any()):
        raise wrong
    try:
        memory.take(shape[0] * shape[1] * values.dtype.itemsize, where)
    except DataError as error:
        raise DataError(
            f"the sparse matrix is too large as a full one: {error.message}",
            where=where,
            hint="export the part of it that is needed, as a full array (full(x))",
        ) from None
    matrix = np.zeros(shape, values.dtype)
    matrix[rows, columns] = values[:count]
    return matrix
