"""Reading files of any format: ours by its content, then the plugins' readers, those with the right file ending first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from neurocli.errors import DataError, LeakError
from neurocli.plugin.cards import ReaderCard
from neurocli.recordings.notes import Note, left_out
from neurocli.recordings.recordingset import RecordingSet
from neurocli.recordings.sorting import OURS, sorted_out

__all__ = ["Reader", "Readers", "left_out", "open_paths", "read_each"]

T = TypeVar("T")


class Reader(ABC):
    """One file format. A reader looks at the content, never at the ending alone."""

    @abstractmethod
    def can_read(self, path: Path) -> bool:
        """Whether `path`, a file or a folder, holds this format. Cheap, and never raises for a foreign file."""

    def can_read_archive(self, path: Path) -> bool:
        """Whether `path`, a zip or a tar, is an archive in which this format is published, and which `read` takes as it is.

        Any other archive is refused before a reader looks into it. Cheap, and never raises for a foreign file.
        """
        return False

    @abstractmethod
    def read(self, paths: list[Path]) -> RecordingSet:
        """The recordings of all `paths` together, with notes of what is doubtful in them. Raises DataError that names file and place."""

    def lacks(self, path: Path) -> str | None:
        """What a file that comes near misses to be of this format: `firing_rates is there, neuron_type is missing`.

        Asked where no reader takes the file; None where it is nowhere near. Cheap, and never raises for a foreign file.
        """
        return None


Readers = Sequence[tuple[ReaderCard, Reader]]


def open_paths(
    paths: list[Path], readers: Readers, *, beforehand: Callable[[Note], None] | None = None
) -> RecordingSet:
    """The recordings of files and folders, joined in the order given. Raises DataError; MissingDependency before anything is read.

    Files that the same reader takes are given to it together: a format may spread one recording over several. In a folder, what
    cannot be read is left out and noted; a file that was named is an error. beforehand: told, before minutes go into reading, which
    packages are not installed and what is left out for it; it is among the notes as well.
    """
    if not paths:
        raise DataError("no file was named", where="data", hint="name one with --data FILE")
    files = sorted_out(paths, readers)
    if beforehand is not None and files.without:
        beforehand(files.without)
    sets: list[RecordingSet] = []
    errors: list[DataError] = []
    for number, of_reader in files.by_reader.items():
        # Ours one by one; another reader is given all its files, and leaves out what it cannot read as long as it can read one.
        for part in [[path] for path in of_reader] if number == OURS else [of_reader]:
            try:
                sets.append(RecordingSet.open(part[0]) if number == OURS else _read(readers[number][1], part))
            except DataError as error:
                if isinstance(error, LeakError) or any(path in files.named for path in part):
                    raise
                errors.append(error)
                files.notes.append(left_out(", ".join(map(str, part)), error, "file"))
    if errors and not sets:
        raise errors[0]
    recordings = RecordingSet.joined(sets)
    if not recordings:
        raise DataError(
            "there is no recording in it",
            where=", ".join(str(path) for path in paths),
            hint="make the file again, or name another",
        )
    return recordings.with_notes(files.notes)


def read_each(sources: Iterable[tuple[str, Callable[[], T]]], notes: list[Note], *, what: str) -> list[T]:
    """What can be read of several sources (name, how to read it); the others are left out and noted, each with its error.

    what: one of them, as "worm". Raises the error of the first where none can be read.
    """
    read: list[T] = []
    first: DataError | None = None
    for name, source in sources:
        try:
            read.append(source())
        except DataError as error:
            first = first or error
            notes.append(left_out(name, error, what))
    if not read and first is not None:
        raise first
    return read


def _read(reader: Reader, paths: list[Path]) -> RecordingSet:
    try:
        return reader.read(paths)
    except MemoryError:
        raise DataError(
            "reading it takes more memory than there is",
            where=", ".join(map(str, paths)),
            hint="read fewer files at once, or use a machine with more memory",
        ) from None
