"""Files that are either whole or not there: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurocli.errors import StorageError
from neurocli.interruption import unbroken


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well, it takes the place of `path`.

    When the block fails, the temporary file goes and `path` is as it was. Signals wait for the end of the block, or for the next
    `neurocli.interruption.check` in it. Raises StorageError where the disk is full, read-only or not ours, or where `path` is a
    folder or a device.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _sweep(path)
    with unbroken(), _removed_at_last(temporary), storage_errors(path):
        if path.exists() and not path.is_file():  # a rename would put a file in the place of /dev/null
            number = errno.EISDIR if path.is_dir() else errno.ENODEV
            raise OSError(number, os.strerror(number), str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)


def _sweep(path: Path) -> None:
    """Remove what processes that were killed had begun to write in the place of `path`."""
    begun = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.tmp")
    beginning = f".{path.name}."
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            match = begun.fullmatch(entry.name) if entry.name.startswith(beginning) else None  # of many files, few are
            if match and not _runs(int(match[1])):
                Path(entry.path).unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether there is a process of this number here."""
    import psutil

    return bool(psutil.pid_exists(process))


@contextlib.contextmanager
def _removed_at_last(temporary: Path) -> Iterator[None]:
    """The temporary file goes, whatever happens: after a rename it is not there any more."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, default=str) + "\n")


def append_line(path: Path, line: str) -> None:
    """Append one line and flush it to disk; a torn last line is what a kill may leave, and readers must drop it."""
    with storage_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(line.rstrip("\n") + "\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into a StorageError that names `path`."""
    try:
        yield
    except OSError as error:
        refused = refusal(error, path)
        if refused is None:
            raise
        raise refused from error


_NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this system allows",
}
_NO_WAY = {
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "the path is a folder",
    errno.ENODEV: "the path is a device, not a file",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "the path is a link that leads in a circle",
    errno.EIO: "the disk reports an error",
    errno.EMFILE: "too many files are open",
}


def refusal(error: OSError, path: Path | str) -> StorageError | None:
    """What the operating system's refusal to write `path` means to a user; None for an error of another kind."""
    number = error.errno
    # HDF5 wraps the system's error in text, and not always with its number.
    text = str(error).lower()
    for known in _NO_ROOM:
        if f"errno = {known}" in text or os.strerror(known).lower() in text:
            number = known
    if number in _NO_ROOM:
        hint = "free some space or choose another place; nothing is left half-written"
        return StorageError(f"cannot write: {_NO_ROOM[number]}", where=str(path), hint=hint)
    reason = _NO_WAY.get(number or 0) or _no_folder(error, Path(path))
    return StorageError(f"cannot write: {reason}", where=str(path), hint="choose another place") if reason else None


def _no_folder(error: OSError, path: Path) -> str | None:
    """Why the folder of `path` cannot be made, where that is the trouble; a file missing elsewhere is another matter."""
    about = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else None
    if about is None or (about != path and about not in path.parents and about.parent != path.parent):
        return None
    if error.errno == errno.EEXIST:
        return "a part of the path is a file, not a folder"
    return "no file or folder can be made here" if error.errno == errno.ENOENT else None


def sync(path: Path) -> None:
    """Flush a file or folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
