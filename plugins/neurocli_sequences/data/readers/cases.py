"""What all readers here share: cases by number, the part that a name tells, and how a recording of a case is made."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.recording import Recording

PARTS = ("train", "validation", "test")
STEP = {"step": "step"}
"""A step of these sequences has no duration: it counts as 1 ms, and is called a step."""

WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "eval": "validation",
    "dev": "validation",
    "test": "test",
    "t10k": "test",
}
Maker = Callable[[int, str], Recording]
"""(number of a case, name of its group) → its recording."""


def part_of(name: str) -> str | None:
    """The part that a file's or a folder's name tells as a word of its own; None where it tells none, or two."""
    parts = {WORDS[word] for word in re.split(r"[^a-z0-9]+", name.lower()) if word in WORDS}
    return parts.pop() if len(parts) == 1 else None


def order_of(part: str | None) -> int:
    """Train, validation, test, then what belongs to no part."""
    return PARTS.index(part) if part in PARTS else len(PARTS)


class Cases:
    """Loaders of cases by the name of their group, part after part."""

    def __init__(self) -> None:
        self.loaders: dict[str, Callable[[], Recording]] = {}
        self._files: dict[str, str] = {}

    def add(self, part: str | None, stem: str, count: int, make: Maker, file: str) -> None:
        """`count` cases of a part; without a part they are named for the stem. Raises DataError where these are there already."""
        prefix = part or stem
        if prefix in self._files:
            what = f"the {part} cases" if part else f"cases called {stem}"
            raise DataError(
                f"two files hold {what}",
                where=f"{self._files[prefix]}, {file}",
                hint="name the files of one data set",
            )
        self._files[prefix] = file
        for number in range(count):
            group = f"{prefix}-{number:05d}"
            self.loaders[group] = functools.partial(make, number, group)


def case(
    group: str,
    signal: NDArray[Any],
    unit: str,
    part: str | None,
    labels: dict[str, Any],
    *,
    mask: NDArray[np.bool_] | None = None,
) -> Recording:
    """The recording of one case."""
    labels = {"part": part, **labels} if part else labels
    return Recording(group, signal, 1.0, unit, mask=mask, labels=labels)
