"""One budget for what a file may become in memory. Every reader takes from it before it allocates, whatever a file declares.

Two limits: what a file of that size can hold (a small file that promises much is damaged or hostile), and what this process
can still get. Sizes count each time that they are copied: a list that a file shares a thousand times is taken a thousand times.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from neurocli.errors import DataError

COMPRESSED = 2000.0
"""gzip cannot shrink by more than about 1,000: bytes in memory for each byte of a file that may be compressed."""
PLAIN = 100.0
"""The same for files that are not compressed: `0,` in a text may become a Python number in a list, of 40 bytes."""
SMALLEST = 2**26
"""Bytes that any file may become, so that a header does not weigh on small files."""
_ASKED_FROM = 2**20
"""Bytes below which nobody asks what is free, which takes 0.2 ms."""
_NO_LIMIT = 2**62
HINT = "the file is damaged or hostile"


class Budget:
    """What one file may still become. path: the file; expansion: bytes in memory for each of its bytes."""

    def __init__(self, path: Path, expansion: float) -> None:
        self.path, self.on_disk = path, path.stat().st_size
        self.limit = max(SMALLEST, int(expansion * self.on_disk))
        self.taken = 0

    def take(self, size: int, where: str) -> None:
        """Count `size` bytes as taken. Raises DataError before they are: the file claims more than it can hold, or than there is."""
        self.taken += size
        if self.taken > self.limit:
            what = "an array claims" if size == self.taken else "the content claims"
            raise DataError(f"{what} {amount(self.taken)} in a file of {amount(self.on_disk)}", where=where, hint=HINT)
        check_free(size, where)

    def give_back(self, size: int) -> None:
        """What was taken and is not kept."""
        self.taken -= size


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextlib.contextmanager
def reading(path: Path, *, expansion: float = COMPRESSED) -> Iterator[Budget]:
    """The budget of `path` for the block; within the block of the same file it is that one.

    Raises DataError in place of MemoryError: what a file asks for and cannot get is the file's, or the machine's, trouble.
    """
    outer = _current.get()
    if outer is not None and outer.path == path:
        yield outer
        return
    budget = Budget(path, expansion)
    token = _current.set(budget)
    try:
        yield budget
    except MemoryError:
        raise _too_much(str(path), None) from None
    finally:
        _current.reset(token)


def take(size: int, where: str) -> None:
    """Take `size` bytes from the budget of the file that is being read; where none is, only what is free is asked. Raises DataError."""
    budget = _current.get()
    if budget is None:
        check_free(size, where)
    else:
        budget.take(size, where)


@contextlib.contextmanager
def passing(size: int, where: str) -> Iterator[None]:
    """`size` bytes for the block, given back behind it. Raises DataError as `take` does."""
    take(size, where)
    yield
    budget = _current.get()
    if budget is not None:
        budget.give_back(size)


def check_free(size: int, where: str) -> None:
    """Raises DataError where `size` bytes, and a copy of them in another type, are more than this process can get."""
    if size > _ASKED_FROM and 2 * size > free():
        raise _too_much(where, 2 * size)


def free() -> int:
    """Bytes that this process can still get: what the machine has available, or less where a limit is set.

    Limits: of this process (`ulimit -v`), and of the container or the batch job that it runs in (control groups).
    """
    import psutil

    available = int(psutil.virtual_memory().available)
    with contextlib.suppress(ImportError, OSError, ValueError):  # no such limits on Windows
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            available = min(available, limit - int(psutil.Process().memory_info().vms))
    left = [left for group in _control_groups() if (left := _left_in(*group)) is not None]
    return max(min([available, *left]), 0)


@functools.lru_cache(maxsize=1)
def _control_groups(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> list[tuple[Path, Path, Path]]:
    """(limit, use, statistics) of each control group that bounds the memory of this process, of version 1 and 2; none elsewhere."""
    try:
        lines = Path(own).read_text().splitlines()
    except (OSError, ValueError):
        return []
    groups = []
    for line in lines:
        _, kinds, name = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        top = Path(root, "memory") if kinds else Path(root)
        limit, use = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else ("memory.max", "memory.current")
        # Within a container the name is that outside of it, and only the top is there.
        inner = top / name.lstrip("/")
        for folder in dict.fromkeys([inner, *(p for p in inner.parents if p.is_relative_to(top)), top]):
            if (folder / limit).is_file():
                groups.append((folder / limit, folder / use, folder / "memory.stat"))
    return groups


def _left_in(limit: Path, use: Path, statistics: Path) -> int | None:
    """Bytes left in a control group; None where it has no limit. What it keeps of files in memory can be let go of."""
    try:
        most = int(limit.read_text())  # `max` where there is none
        if most >= _NO_LIMIT:
            return None
        counts = dict(line.split(maxsplit=1) for line in statistics.read_text().splitlines())
        kept = int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
        return most - int(use.read_text()) + kept
    except (OSError, ValueError):
        return None


def amount(size: float) -> str:
    """`12.6 GiB`, `69 kiB`: a number of bytes in words."""
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("kiB", 2**10)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} bytes"


def _too_much(where: str, size: int | None) -> DataError:
    asked = (
        "reading it takes more memory than there is" if size is None else f"reading it takes {amount(size)} of memory"
    )
    return DataError(
        f"{asked}: {amount(free())} are free",
        where=where,
        hint="read a part of the file, close other programs, or use a machine with more memory",
    )
