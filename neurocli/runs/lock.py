"""One writer per run: a lock that the operating system lets go of, however its holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from neurocli.errors import UsageError
from neurocli.runs.atomic import storage_errors
from neurocli.runs.folder import RunFolder

# A process that holds a run may lock it again (a command around `fit`): flock alone would refuse its own process.
_held: dict[Path, int] = {}
_guard = threading.Lock()


@contextlib.contextmanager
def locked_if_writable(run: RunFolder) -> Iterator[None]:
    """`locked`, but a run in a folder that cannot be written is used without: nobody can change it, and its numbers can be shown."""
    if os.access(run.path, os.W_OK):
        with locked(run):
            yield
    else:
        yield


@contextlib.contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Hold the run for writing during the block. Raises UsageError that names the process which holds it."""
    path = (run.path / ".lock").resolve()
    with _guard:
        outermost = path not in _held
        handle = _acquire(path, run) if outermost else -1
        _held[path] = _held.get(path, 0) + 1
    try:
        yield
    finally:
        with _guard:
            _held[path] -= 1
            if _held[path] == 0:
                del _held[path]
        if outermost:
            # The file stays: removing it would let a third process lock a new file while a second waits for this one.
            os.close(handle)


def is_held(run: RunFolder) -> bool:
    """Whether some process, this one too, holds the run. True where that cannot be known."""
    path = (run.path / ".lock").resolve()
    if path in _held:
        return True
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _acquire(path: Path, run: RunFolder) -> int:
    with storage_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise UsageError(
            f"the run is being written by process {holder}",
            where=str(run.path),
            hint="wait until it ends, or stop it; the lock goes with the process",
        ) from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds without saying whose it is
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle
