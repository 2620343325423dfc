"""Reading HDF5 that others wrote: no links out of the file, no sizes taken on trust, errors that name file and key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError

LARGEST_ARRAY_BYTES = 16 * 2**30
# gzip cannot shrink by more than about 1,000: a smaller file that promises more would only fill memory with zeros.
LARGEST_EXPANSION = 2000


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading. Raises DataError where it is missing, empty, truncated or not HDF5."""
    check_file(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        truncated = "truncated" in str(error)
        raise DataError(
            "the HDF5 file is truncated" if truncated else "the file is not HDF5, or its start is damaged",
            where=str(path),
            hint="copy or make it again",
        ) from error
    try:
        yield file
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(
            f"the HDF5 file is damaged: {_first_line(error)}", where=str(path), hint="copy or make it again"
        ) from error
    finally:
        file.close()


def check_file(path: Path) -> None:
    """Raise DataError unless `path` is a readable file with something in it."""
    if not path.exists():
        raise DataError("the file does not exist", where=str(path))
    if not path.is_file():
        raise DataError("this is a folder, not a file", where=str(path))
    if path.stat().st_size == 0:
        raise DataError("the file is empty", where=str(path))


def child(group: h5py.Group, name: str, kind: type) -> Any:
    """The dataset or group `name`. Raises DataError where it is missing, of another kind, or kept in another file."""
    where = f"{group.file.filename}:{group.name.rstrip('/')}/{name}"
    link = group.get(name, getlink=True)
    if link is None:
        raise DataError("a required entry is missing", where=where)
    if not isinstance(link, h5py.HardLink):
        raise DataError("an entry is a link, which is not followed", where=where)
    found = group[name]
    if not isinstance(found, kind):
        raise DataError(f"an entry is a {type(found).__name__.lower()}, not a {kind.__name__.lower()}", where=where)
    return found


def read_array(group: h5py.Group, name: str, *, ndim: int | None = None, kinds: str = "biuf") -> NDArray[Any]:
    """The numbers of a dataset, after its kind, its dimensions and its size have been checked.

    kinds: numpy dtype kinds that are welcome. Raises DataError.
    """
    data = child(group, name, h5py.Dataset)
    where = f"{group.file.filename}:{data.name}"
    if data.is_virtual or data.external:
        raise DataError("the values are kept in another file, which is not followed", where=where)
    if data.dtype.kind not in kinds:
        raise DataError(f"the values are of type {data.dtype}, which is not a number we can use", where=where)
    if ndim is not None and data.ndim != ndim:
        raise DataError(f"the values have {data.ndim} dimensions, not {ndim}", where=where)
    size = int(np.prod(data.shape, dtype=object)) * data.dtype.itemsize if data.shape else data.dtype.itemsize
    on_disk = Path(group.file.filename).stat().st_size
    if size > LARGEST_ARRAY_BYTES or size > LARGEST_EXPANSION * on_disk:
        raise DataError(
            f"an array claims {size / 2**30:.1f} GiB in a file of {on_disk} bytes",
            where=where,
            hint="the file is damaged or hostile",
        )
    return np.asarray(data[()])


def attribute(holder: h5py.Group | h5py.Dataset, name: str, kind: type) -> Any:
    """An attribute as a Python `kind` (str, int, float). Raises DataError."""
    where = f"{holder.file.filename}:{holder.name}"
    if name not in holder.attrs:
        raise DataError(f"the attribute {name!r} is missing", where=where)
    value = holder.attrs[name]
    try:
        return value.decode() if isinstance(value, bytes) else kind(value)
    except (TypeError, ValueError):
        raise DataError(f"the attribute {name!r} is {value!r}, not {kind.__name__}", where=where) from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
