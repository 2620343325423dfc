"""Members of a zip or tar that is read as published: no links, no names that lead out of it, no more bytes than such a file can hold."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE, check_file

RATIO, SPARE_BYTES = 40.0, 2**26
"""Images and texts shrink by two to four: what unpacks to more, beyond a header's worth, is damaged or hostile."""

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)
_OPENERS: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def first_members(path: Path, count: int = 50) -> list[str]:
    """The first names in a zip or tar; none where it is neither, or damaged. Cheap, and never raises for a foreign file."""
    names: list[str] = []
    with contextlib.suppress(DataError, OSError, *_DAMAGE):
        if _is_zip(path):
            with zipfile.ZipFile(path) as archive:
                return [entry.filename for entry in archive.infolist()[:count]]
        with _opened_tar(path) as (tar, _):
            for entry in tar:
                names.append(entry.name)
                if len(names) == count:
                    break
    return names


def read_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the members that are wanted, in the archive's order; the whole archive is gone through.

    Raises DataError where it is damaged, a wanted member is a link, a name leads out of the archive, or it holds more than it can.
    """
    check_file(path)
    members = _in_zip(path, wanted) if _is_zip(path) else _in_tar(path, wanted)
    with memory.reading(path, expansion=RATIO):
        try:
            yield from members
        except _DAMAGE as error:
            raise _damaged(path, error) from error
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):  # a place before the beginning of the file
                raise
            raise _damaged(path, error) from error


def _in_zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            _check_name(path, entry.filename)
            if entry.is_dir() or not wanted(entry.filename):
                continue
            where = f"{path}:{entry.filename}"
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _link(where)
            memory.take(entry.file_size, where)
            yield entry.filename, archive.read(entry)


def _in_tar(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with _opened_tar(path) as (tar, source):
        for entry in tar:
            _check_name(path, entry.name)
            if entry.isdir() or not wanted(entry.name):
                continue
            where = f"{path}:{entry.name}"
            if not entry.isreg():
                raise _link(where)
            memory.take(entry.size, where)
            file = tar.extractfile(entry)
            content = file.read() if file is not None else b""
            if len(content) != entry.size:
                raise EOFError(f"{entry.name} ends after {len(content)} of {entry.size} bytes")
            yield entry.name, content
        # The sum of a packed file stands at its end, behind what tar reads.
        while source.read(2**20):
            pass


@contextlib.contextmanager
def _opened_tar(path: Path) -> Iterator[tuple[tarfile.TarFile, _Bounded]]:
    with path.open("rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        opener = next((opener for magic, opener in _OPENERS if start.startswith(magic)), None)
        source = _Bounded(opener(raw) if opener is not None else raw, path)
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_Entry) as tar:
            yield tar, source


class _Bounded(io.RawIOBase):
    """What is unpacked, up to as much as a file of that size can hold."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.file, self.path, self.count = file, path, 0
        self.limit = int(RATIO * path.stat().st_size) + SPARE_BYTES

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(size)
        self.count += len(content)
        if self.count > self.limit:
            raise DataError(
                f"{memory.amount(self.path.stat().st_size)} unpack to more than {memory.amount(self.limit)}",
                where=str(self.path),
                hint=f"{memory.HINT}; unpack it yourself if you trust it",
            )
        return content


class _Entry(tarfile.TarInfo):
    """A member whose damaged header is an error; by itself `tarfile` takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> _Entry:
        try:
            return super().fromtarfile(tarfile)
        except Exception as error:
            if type(error).__name__ in ("EOFHeaderError", "SubsequentHeaderError"):
                raise
            raise ValueError(f"the header at byte {tarfile.offset} is {error}") from None


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in _ZIP


def _check_name(path: Path, name: str) -> None:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in name:
        raise DataError(
            "a name in the archive leads out of it",
            where=f"{path}:{name[:80]!r}",
            hint=f"{memory.HINT}; bring the archive as published",
        )


def _link(where: str) -> DataError:
    return DataError(
        "a member of the archive is a link or a device, which is not followed", where=where, hint="pack the file itself"
    )


def _damaged(path: Path, error: BaseException) -> DataError:
    if isinstance(error, EOFError):
        return DataError(f"the archive is truncated: {error}", where=str(path), hint=REMAKE)
    if "password" in str(error) or "encrypted" in str(error):
        return DataError("the archive is encrypted", where=str(path), hint="unpack it, and name the files")
    return DataError(f"the archive is damaged: {str(error) or type(error).__name__}", where=str(path), hint=REMAKE)
