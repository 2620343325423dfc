"""Unpacking a published `.h5.gz` into the cache, once, and never more than such a file can hold."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import REMAKE, check_file
from neurocli.runs.atomic import replacing
from neurocli.runs.cache import cache_root

LARGEST_BYTES = 8 * 2**30
LARGEST_RATIO, SPARE_BYTES = 100, 2**24
"""Spike times shrink by two or three; HDF5's empty places by more, but those are few."""

_CHUNK = 2**20
_MAGIC, _HDF5 = b"\x1f\x8b", b"\x89HDF\r\n\x1a\n"
_NAMES = (b"spikes", b"labels")
_LOOKED_AT = 2**22
"""Names of entries lie near the start of an HDF5 file: bytes that are unpacked to find them."""
T = TypeVar("T")


def is_packed(path: Path) -> bool:
    """Whether a file is gzip with the Digits in it, by its content: HDF5 that names spikes and labels. Never raises for a foreign file."""
    try:
        with path.open("rb") as file:
            if file.read(2) != _MAGIC:
                return False
        with gzip.open(path) as file:
            start = file.read(len(_HDF5))
            if start != _HDF5:
                return False
            return path.name.lower().startswith("shd_") or _names_in(file)
    except (OSError, EOFError, zlib.error):
        return False


def _names_in(file: gzip.GzipFile) -> bool:
    missing, before = set(_NAMES), b""
    for _ in range(_LOOKED_AT // _CHUNK):
        chunk = file.read(_CHUNK)
        if b"nwb_version" in chunk:  # its specifications name spikes and labels as well
            return False
        missing -= {name for name in missing if name in before + chunk}
        if not chunk or not missing:
            break
        before = chunk[-16:]
    return not missing


def read_unpacked(path: Path, read: Callable[[Path], T]) -> tuple[T, Path]:
    """(what `read` makes of the unpacked file in the cache, the file there). Raises DataError or StorageError.

    A file that cannot be read does not stay in the cache; one that was there before, and may have suffered since, is unpacked anew.
    """
    target = _target(path)
    if target.is_file():
        try:
            return read(target), target
        except DataError:
            target.unlink(missing_ok=True)
    unpacked(path)
    try:
        with named(target, path):
            return read(target), target
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def named(file: Path, path: Path) -> Iterator[None]:
    """Errors of the unpacked `file` name `path`, which it was unpacked from."""
    try:
        yield
    except DataError as error:
        if file != path:
            error.where = (error.where or "").replace(str(file), str(path))
            error.message = error.message.replace(str(file), str(path))
        raise


def unpacked(path: Path) -> Path:
    """The unpacked file in the cache, made now where there is none of this content. Raises DataError or StorageError."""
    target = _target(path)
    if target.is_file():
        return target
    limit = min(LARGEST_BYTES, LARGEST_RATIO * path.stat().st_size + SPARE_BYTES)
    with replacing(target) as temporary, temporary.open("wb") as out, gzip.open(path) as packed:
        written = 0
        while chunk := _next(packed, path):
            written += len(chunk)
            if written > limit:
                raise DataError(
                    f"{path.stat().st_size} bytes unpack to more than {limit / 2**20:.0f} MiB",
                    where=str(path),
                    hint="the file is damaged or hostile; unpack it yourself if you trust it",
                )
            out.write(chunk)
    return target


def _target(path: Path) -> Path:
    """Where in the cache the content of a file is, or will be."""
    check_file(path)
    about = path.stat()
    key = hashlib.sha256(f"{path.resolve()}|{about.st_size}|{about.st_mtime_ns}".encode()).hexdigest()[:16]
    return cache_root() / "shd" / f"{path.name.removesuffix('.gz').removesuffix('.h5')}-{key}.h5"


def _next(packed: gzip.GzipFile, path: Path) -> bytes:
    try:
        return packed.read(_CHUNK)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        what = "is truncated" if isinstance(error, EOFError) else "is damaged"
        raise DataError(f"the compressed file {what}: {error}", where=str(path), hint=REMAKE) from error
