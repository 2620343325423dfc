"""Reading pickles that others wrote, without executing them: the operations are followed, and only plain values are built.

What they take in memory is counted, and held against what a file of that size can hold.
Accepted are numpy's arrays and scalars, dicts, lists, tuples, texts, bytes and numbers, as Python 2 and 3 write them in
protocols 0 to 5. No name of the file is ever imported or called. Sizes are held against the file, and long arrays stay
in it until they are read. numpy's integers come as Python's, bytes as keys of a dict as texts.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.pickles.costs import expansion
from neurocli.recordings.pickles.machine import Forgotten, Machine, Reached
from neurocli.recordings.pickles.values import Buffer


def load(path: Path) -> Any:
    """The value of a pickle, with arrays as `Array`. Raises DataError that names the byte, or says that it would take too much memory."""
    with _mapped(path) as content:
        return load_content(content, path)


def load_content(content: Buffer, path: Path) -> Any:
    """The same for a pickle that is in memory; path: the file that it comes from, whose size bounds what it may become."""
    with _no_collection(), memory.reading(path, expansion=expansion(path)) as budget:
        machine = Machine(content, path, fast=True)
        with contextlib.suppress(Forgotten):
            return machine.value()
        # Something in a run is used again elsewhere: once more, one by one, when the first values are gone.
        budget.give_back(machine.granted)
        del machine
        return Machine(content, path, fast=False).value()


def peek(path: Path, key: str, *, before: str) -> Any:
    """The value of `key` if it is complete when the text `before` is met, else None: reads no further. Raises DataError."""
    with _mapped(path) as content, _no_collection(), memory.reading(path, expansion=expansion(path)):
        machine = Machine(content, path, fast=False, stop_at=before)
        with contextlib.suppress(Reached):
            machine.value()
        for frame in [*machine.frames, machine.stack]:
            for name, value in itertools.pairwise(frame):
                if isinstance(name, str) and name == key:
                    return value
            for value in frame:
                if isinstance(value, dict) and key in value:
                    return value[key]
        return None


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[Buffer]:
    """The file as memory; it stays open for as long as an array refers to it."""
    check_file(path)
    with path.open("rb") as file:
        yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for cycles, which a million new values would set off again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
