"""What a reader did to a file, or doubts in it, told to whoever uses the recordings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from neurocli.errors import DataError


@dataclass(frozen=True)
class Note:
    """One thing that was found while reading, and that no error stopped.

    check: its name as a finding, in kebab-case; where: the file, its field, or the recording; found: what, in words;
    advice: what to do, where there is a doubt; empty for what is only said.

    >>> from neurocli.recordings import Note
    >>> note = Note("labels", "worm-3", "2 uncertain: AVAL?, AVAR?", "leave them out with data.uncertain=exclude")
    >>> print(note)
    worm-3: 2 uncertain: AVAL?, AVAR?; leave them out with data.uncertain=exclude
    """

    check: str
    where: str
    found: str
    advice: str = ""

    @property
    def is_doubt(self) -> bool:
        """Whether something has to be decided by whoever knows the file.

        >>> note.is_doubt
        True
        """
        return bool(self.advice)

    def __str__(self) -> str:
        return f"{self.where}: {self.found}" + (f"; {self.advice}" if self.advice else "")

    def as_dict(self) -> dict[str, Any]:
        """The note as it is stored.

        >>> note.as_dict()["check"]
        'labels'
        """
        return asdict(self)


def left_out(name: str, error: DataError, what: str) -> Note:
    """The note of a source that could not be read while others could; what: as "worm"."""
    place = f" ({error.where})" if error.where and error.where != name else ""
    return Note("left-out", name, f"the {what} is left out: {error.message}{place}", error.hint or "correct the file")


def unique(notes: Iterable[Note]) -> list[Note]:
    """Each note once, in order."""
    return list(dict.fromkeys(notes))
