"""Cards: light descriptions of what a plugin brings. They name their code as `"module:Attribute"`, loaded on demand."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from typing import Any

_NAME = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
_REFERENCE = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


@dataclass(frozen=True)
class Card:
    """What every card has: a name in kebab-case, one line of summary, a reference to its code."""

    name: str
    summary: str
    implementation: str

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"the name {self.name!r} is not lower-case words joined by hyphens")
        if not _REFERENCE.match(self.implementation):
            raise ValueError(f"the implementation {self.implementation!r} of {self.name} is not 'module:Attribute'")

    def load(self) -> Any:
        """The object that the card names; imports its module."""
        module, _, attribute = self.implementation.partition(":")
        return getattr(importlib.import_module(module), attribute)


@dataclass(frozen=True)
class ModelCard(Card):
    """One model: a named variant of a family.

    A name that ends in `-vN` also answers to the name without it; the newest N wins.
    """

    family: str = ""
    simulator: str | None = None
    """Name of the simulator that makes data when none is given."""
    source: str = ""
    """Paper or repository."""
    task: str | None = None
    """Of a sequence model, which takes any task: the one that it takes where none is named."""


@dataclass(frozen=True)
class TaskCard(Card):
    """What one kind of data asks of any sequence model; the implementation is a `plugin.task.Task`."""

    simulator: str | None = None
    """Name of the simulator that makes data when none is given."""
    model: str = "lstm"
    """The model that `neuro diagnose --task NAME` holds the data against where none is named."""
    source: str = ""
    """Paper or repository."""


@dataclass(frozen=True)
class SimulatorCard(Card):
    """One simulator: what `neuro simulate NAME` runs."""

    source: str = ""
    runs: int = 12
    """Groups of the small set that is made when no data are given."""
    demo_runs: int | None = None
    """Groups of the set of `neuro demo`; unset: as many."""


@dataclass(frozen=True)
class ReaderCard(Card):
    """One file format; the implementation is a `recordings.readers.Reader`."""

    suffixes: tuple[str, ...] = field(default=())
    """File endings by which the reader is *guessed first*; every reader still looks at the content."""
    packages: tuple[str, ...] = field(default=())
    """Packages, as they are imported, that reading needs and that are optional; `can_read` must do without them."""
    extra: str = ""
    """The extra of neurocli that brings them."""


@dataclass(frozen=True)
class CommandCard(Card):
    """One more command for `neuro`; the implementation is a function that typer can take."""


@dataclass(frozen=True)
class DownloadCard(Card):
    """One published data set; the implementation is a `recordings.files.download.Download`."""
