"""Reading HDF5 that others wrote: no links out of the file, no sizes taken on trust, errors that name file and key."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError, Interrupted, nearest_hint
from neurocli.recordings.files import memory
from neurocli.recordings.files.heaps import damaged_heap
from neurocli.recordings.files.lengths import take_attribute_lengths

REMAKE = "copy or make it again"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_STORED = {
    str: h5py.h5t.TypeStringID,
    int: h5py.h5t.TypeIntegerID,
    float: (h5py.h5t.TypeFloatID, h5py.h5t.TypeIntegerID),
}
_LOCKED = (errno.EAGAIN, errno.EACCES)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
_REFUSED_LOCK = re.compile(r"unable to lock file, errno = (\d+)")
_DRIVE_FAILS = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
_UNCLEAN = "consistency flags"
DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError)
"""What h5py raises for damage: one of these for each kind, to a block, a name, a type, a size."""


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading, within its budget of memory.

    Raises DataError where it is missing, empty, truncated, not HDF5, or open for writing elsewhere.
    """
    check_file(path)
    try:
        file = _opened(path)
    except OSError as error:
        raise DataError(_why_not(path, error), where=str(path), hint=REMAKE) from error
    try:
        at = damaged_heap(path)
        if at is not None:
            raise DataError("the texts in the HDF5 file are damaged", where=f"{path}, byte {at}", hint=REMAKE)
        with damage_told(path), memory.reading(path):
            yield file
    finally:
        file.close()


@contextlib.contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """What h5py raises for damage within the block, as a DataError.

    `open_hdf5` has it around its own block; what reads an open file from elsewhere, as a generator's caller, needs it again.
    """
    try:
        yield
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno in _DRIVE_FAILS:
            raise _unreadable(path, error) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"the HDF5 file is damaged: {_first_line(error)}", where=str(path), hint=REMAKE) from error


@contextlib.contextmanager
def look_into(path: Path) -> Iterator[h5py.File | None]:
    """The file where it is sound HDF5, else None: for a reader that asks whether it is of its format.

    Raises DataError where another program has it open for writing; nobody can tell then what it is.
    """
    try:
        file = _opened(path) if path.is_file() and h5py.is_hdf5(path) else None
        # Opened first: what another program is writing is not sound yet, and the lock says so.
        if file is not None and damaged_heap(path) is not None:
            file.close()
            file = None
    except (DataError, Interrupted):
        raise
    except Exception:  # whatever h5py makes of a damaged file: `open_hdf5` says it
        file = None
    try:
        yield file
    finally:
        if file is not None:
            file.close()


def begins_as_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 does, sound or not."""
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def _opened(path: Path) -> h5py.File:
    """A file open for reading. Raises DataError where another program holds it; OSError as h5py does."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        # By the words of HDF5, not by the number alone: a file that we may not read has the number of one that is held.
        refused = _REFUSED_LOCK.search(str(error))
        number = int(refused[1]) if refused else None
        if number in _NO_LOCKS:  # a network drive: nobody can hold a lock there, so there is none to respect
            return h5py.File(path, "r", locking=False)
        if number in _LOCKED or isinstance(error, BlockingIOError):
            raise _held_error(path) from error
        if _UNCLEAN in str(error):
            raise DataError(
                "a program is writing the file, or ended before it had closed it",
                where=str(path),
                hint=f"wait until it has been written; if nothing writes it: h5clear -s {shlex.quote(str(path))}",
            ) from error
        raise


def is_held(path: Path) -> bool:
    """Whether another program holds the file as HDF5 does for writing; what it has written so far need not look like HDF5."""
    try:
        import fcntl
    except ImportError:  # Windows: it cannot be read there at all
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _held_error(path: Path) -> DataError:
    return DataError(
        "another program has the file open for writing",
        where=str(path),
        hint="close it there, or wait until it has been written; the file itself is not damaged",
    )


def check_path(path: Path) -> None:
    """Raise DataError unless there is something at `path`; the hint names what has nearly that name."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise _dangling(path) from None
        raise DataError("the file does not exist", where=str(path), hint=_instead_of(path)) from None
    except OSError as error:  # a name that is too long, a folder that is not ours
        raise _unreadable(path, error) from None


def check_file(path: Path) -> None:
    """Raise DataError unless `path` is a readable file with something in it."""
    check_path(path)
    if path.is_dir():
        raise DataError("this is a folder, not a file", where=str(path), hint="name the files in it")
    if not path.is_file():
        raise DataError("this is a device or a pipe, not a file", where=str(path), hint="copy it into a file first")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if empty:
        if is_held(path):
            raise _held_error(path)
        raise DataError("the file is empty", where=str(path), hint=REMAKE)


def child(group: h5py.Group, name: str, kind: type) -> Any:
    """The dataset or group `name`. Raises DataError where it is missing, of another kind, or kept in another file."""
    where = f"{group.file.filename}:{group.name.rstrip('/')}/{name}"
    link = group.get(name, getlink=True)
    if link is None:
        raise DataError("a required entry is missing", where=where, hint=REMAKE)
    if not isinstance(link, h5py.HardLink):
        raise DataError("an entry is a link, which is not followed", where=where, hint="store the values themselves")
    member = group[name]
    if not isinstance(member, kind):
        found_kind, wanted = type(member).__name__.lower(), kind.__name__.lower()
        raise DataError(f"an entry is a {found_kind}, not a {wanted}", where=where, hint=REMAKE)
    return member


def read_array(group: h5py.Group, name: str, *, ndim: int | None = None, kinds: str = "biuf") -> NDArray[Any]:
    """The numbers of a dataset, after its kind, its dimensions and its size have been checked.

    kinds: numpy dtype kinds that are welcome. Raises DataError.
    """
    data = child(group, name, h5py.Dataset)
    where = f"{group.file.filename}:{data.name}"
    if data.is_virtual or data.external:
        raise DataError(
            "the values are kept in another file, which is not followed",
            where=where,
            hint="store them in this file",
        )
    if data.dtype.kind not in kinds:
        raise DataError(
            f"the values are of type {data.dtype}, which is not a number we can use",
            where=where,
            hint="store whole or floating-point numbers",
        )
    if data.shape is None or (ndim is not None and data.ndim != ndim):
        dimensions = "no" if data.shape is None else data.ndim
        raise DataError(f"the values have {dimensions} dimensions, not {ndim}", where=where, hint=REMAKE)
    with memory.reading(Path(group.file.filename)) as budget:
        budget.take(int(np.prod(data.shape, dtype=object)) * data.dtype.itemsize, where)
    return np.asarray(data[()])


def attribute(holder: h5py.Group | h5py.Dataset, name: str, kind: type) -> Any:
    """An attribute as a Python `kind` (str, int, float). Raises DataError."""
    attributes, path = (
        holder.attrs,
        holder.file.filename,
    )  # h5py looks up each of them anew, which takes longer than reading a number
    where = f"{path}:{holder.name}"
    if name not in attributes:
        raise DataError(f"the attribute {name!r} is missing", where=where, hint=REMAKE)
    stored = attributes.get_id(name)
    # Looked at first: HDF5 crashes where damage has turned a text into a list of something.
    if stored.shape != () or not isinstance(stored.get_type(), _STORED[kind]):
        raise DataError(f"the attribute {name!r} is not a single {kind.__name__}", where=where, hint=REMAKE)
    if kind is str:
        take_attribute_lengths(Path(path), name, f"{where}, attribute {name}")
    value = attributes[name]
    try:
        return kind(value.decode() if isinstance(value, bytes) else value)
    except (TypeError, ValueError):
        raise DataError(f"the attribute {name!r} is {value!r}, not {kind.__name__}", where=where, hint=REMAKE) from None


def _why_not(path: Path, error: OSError) -> str:
    """Why HDF5 cannot open a file; of a truncated one, at which byte it ends."""
    sizes = re.search(r"eof = (\d+),.*stored_eof = (\d+)", str(error))
    if sizes:
        return f"the HDF5 file is truncated: it ends at byte {sizes[1]} of {sizes[2]}"
    if "truncated" in str(error):
        return "the HDF5 file is truncated"
    with path.open("rb") as file:
        start = file.read(len(_SIGNATURE))
    if start == _SIGNATURE:
        return "the start of the HDF5 file is damaged, or cut off"
    return f"the file is not HDF5: its first bytes are {start!r}"


def _instead_of(path: Path) -> str:
    """What there is in the place of a file that does not exist."""
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in itertools.islice(entries, 1000) if not entry.name.startswith(".")]
    except OSError:
        return f"there is no folder {path.parent}"
    return nearest_hint(path.name, names)


def _dangling(path: Path) -> DataError:
    """The error of a link to nothing: git-annex and DataLad leave such where the content was not fetched."""
    target = str(path.readlink())
    fetch = f"fetch its content: datalad get {shlex.quote(str(path))}"
    return DataError(
        f"the file is a link to {target}, which does not exist",
        where=str(path),
        hint=fetch if ".git/annex" in target.replace("\\", "/") else "restore what it leads to, or name another file",
    )


def _unreadable(path: Path, error: OSError) -> DataError:
    reason = error.strerror or str(error)
    return DataError(f"the file cannot be read: {reason}", where=str(path), hint="check its name and its permissions")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
