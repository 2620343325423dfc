"""Creating HDF5 files so that a full disk is an error and not a crash."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py

from neurocli.interruption import unbroken


@contextlib.contextmanager
def create_hdf5(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file to write into; signals wait (see `interruption`). Raises OSError where a write was refused, after the file has been closed."""
    with unbroken(), path.open("wb+", buffering=0) as raw:
        target = _Patient(raw)
        try:
            with h5py.File(target, "w") as file:
                yield file
        finally:
            # Before whatever else went wrong: it is most likely a consequence.
            if target.refused is not None:
                raise target.refused


class _Patient:
    """A file for HDF5 that remembers the first refusal and goes on as if nothing had happened.

    The HDF5 library cannot close a file whose writes fail: it complains at length and later crashes the process.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.refused: BaseException | None = None
        self.read, self.readinto, self.seek, self.tell = raw.read, raw.readinto, raw.seek, raw.tell  # type: ignore[attr-defined]

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        while len(left) and self.refused is None:  # a raw file may take a part only
            written = self._try(self._raw.write, left)
            left = left[written or 0 :]
        return len(data)

    def truncate(self, size: int) -> int:
        self._try(self._raw.truncate, size)
        return size

    def flush(self) -> None:
        """Nothing is buffered here."""

    def _try(self, action: Callable[[Any], int], argument: Any) -> int | None:
        if self.refused is None:
            try:
                return action(argument)
            except BaseException as error:  # HDF5 calls this from C, where anything else that is raised gets lost
                self.refused = error
        return None
