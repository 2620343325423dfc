"""Arrays that are too many to be held in memory together: kept in a temporary file without a name, and read one at a time.

The file goes with its process, however that ends. It is read and not mapped: what the system caches of it is not memory of the process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from neurocli.runs.atomic import storage_errors

IN_MEMORY = 16 * 2**20
"""Bytes up to which there is no file."""


class _Place(NamedTuple):
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Scratch(Mapping[str, NDArray[Any]]):
    """Arrays of numbers by name, each written once. What is read is a copy.

    The file is in the system's folder of temporary files, which the variable TMPDIR names.

    >>> kept = Scratch.of([("run-0", np.arange(6.0).reshape(3, 2))])
    >>> kept.rows("run-0", 1, 3).tolist()
    [[2.0, 3.0], [4.0, 5.0]]
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed with the last reference to it
        self._places: dict[str, _Place] = {}
        self._end = 0

    @classmethod
    def of(cls, arrays: Iterable[tuple[str, NDArray[Any]]]) -> Self:
        """What an iterable of (name, array) gives, of which one is in memory at a time."""
        scratch = cls()
        for name, array in arrays:
            scratch.keep(name, array)
        return scratch

    def keep(self, name: str, array: NDArray[Any]) -> None:
        """Write an array. Raises StorageError where there is no room for it."""
        if name in self._places:
            raise ValueError(f"{name} is kept already")
        array = np.ascontiguousarray(array)
        if array.size:
            with storage_errors(Path(tempfile.gettempdir())):
                self._file.seek(self._end)
                self._file.write(array.data.cast("B"))
                self._file.flush()  # so that a full disk is told here
        self._places[name] = _Place(self._end, array.shape, array.dtype)
        self._end += array.nbytes

    def rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows start..stop-1 of an array [row, ...]."""
        offset, shape, dtype = self._places[name]
        if not 0 <= start <= stop <= shape[0]:
            raise IndexError(f"rows {start} to {stop} of {shape[0]}")
        row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        return self._read(offset + start * row, (stop - start, *shape[1:]), dtype)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._read(*self._places[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _read(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        array = np.empty(shape, dtype)
        if array.size:
            view = array.data.cast("B")
            self._file.seek(offset)
            if self._file.readinto(view) != len(view):
                raise OSError("a temporary file was cut short")
        return array
