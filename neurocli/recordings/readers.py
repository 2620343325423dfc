"""Reading files of any format: ours by its content, then the plugins' readers, those with the right file ending first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from neurocli.errors import DataError
from neurocli.plugin.cards import ReaderCard
from neurocli.recordings.files.contents import contents_of, packed_how
from neurocli.recordings.files.hdf5 import DAMAGE, check_file, check_path, has_signature, look_into, open_hdf5
from neurocli.recordings.matlab.foreign import foreign
from neurocli.recordings.notes import Note
from neurocli.recordings.recordingset import RecordingSet
from neurocli.recordings.required import missing_packages, needs
from neurocli.recordings.store import FORMAT, has_format

_OURS = -1
T = TypeVar("T")


class Reader(ABC):
    """One file format. A reader looks at the content, never at the ending alone."""

    @abstractmethod
    def can_read(self, path: Path) -> bool:
        """Whether `path`, a file or a folder, holds this format. Cheap, and never raises for a foreign file."""

    @abstractmethod
    def read(self, paths: list[Path]) -> RecordingSet:
        """The recordings of all `paths` together, with notes of what is doubtful in them. Raises DataError that names file and place."""

    def lacks(self, path: Path) -> str | None:
        """What a file that comes near misses to be of this format: `firing_rates is there, neuron_type is missing`.

        Asked where no reader takes the file; None where it is nowhere near. Cheap, and never raises for a foreign file.
        """
        return None


Readers = Sequence[tuple[ReaderCard, Reader]]


def open_paths(paths: list[Path], readers: Readers) -> RecordingSet:
    """The recordings of files and folders, joined in the order given. Raises DataError; MissingDependency before anything is read.

    Files that the same reader takes are given to it together: a format may spread one recording over several. In a folder, what
    cannot be read is left out and noted; a file that was named is an error.
    """
    if not paths:
        raise DataError("no file was named", where="data", hint="name one with --data FILE")
    files = _sorted_out(paths, readers)
    sets: list[RecordingSet] = []
    for number, of_reader in files.by_reader.items():
        if number == _OURS:
            sets += [RecordingSet.open(path) for path in of_reader]
        else:
            sets.append(_read(readers[number][1], of_reader))
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


def left_out(name: str, error: DataError, what: str) -> Note:
    """The note of a source that could not be read while others could."""
    place = f" ({error.where})" if error.where and error.where != name else ""
    return Note("left-out", name, f"the {what} is left out: {error.message}{place}", error.hint or "correct the file")


@dataclass
class _Files:
    """Files by the number of the reader that takes them, and what was left out of folders."""

    by_reader: dict[int, list[Path]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def add(self, path: Path, number: int) -> None:
        self.by_reader.setdefault(number, []).append(path)


def _read(reader: Reader, paths: list[Path]) -> RecordingSet:
    try:
        return reader.read(paths)
    except MemoryError:
        raise DataError(
            "reading it takes more memory than there is",
            where=", ".join(map(str, paths)),
            hint="read fewer files at once, or use a machine with more memory",
        ) from None


def is_ours(path: Path) -> bool:
    """Whether a file is HDF5 and says that it is of our format. Raises DataError where another program is writing it."""
    with look_into(path) as file:
        try:
            return file is not None and has_format(file)
        except (DataError, *DAMAGE):
            return False


def _sorted_out(paths: list[Path], readers: Readers) -> _Files:
    """Which reader takes which file; folders that no reader takes whole are opened up.

    Raises DataError for a named file that none takes; MissingDependency that names all packages which are not installed.
    """
    files, without = _Files(), _Files()
    named: list[Path] = []
    for path in dict.fromkeys(paths):
        check_path(path)
        if not path.is_dir():
            named.append(path)
            _put(path, _taken_by(path, readers), files, without, readers)
        elif (whole := _matching(path, readers)) is not None:
            _put(path, whole, files, without, readers)
        else:
            _sort_folder(path, files, without, readers)
    if without.by_reader and (not files.by_reader or any(p in named for p in _all(without))):
        raise needs([readers[number][0] for number in without.by_reader], _all(without))
    for number, left in without.by_reader.items():
        error = needs([readers[number][0]], left)
        files.notes.append(Note("left-out", ", ".join(p.name for p in left[:3]), error.message, error.hint or ""))
    return files


def _put(path: Path, number: int, files: _Files, without: _Files, readers: Readers) -> None:
    """Among the files that can be read, or among those whose packages are not installed."""
    missing = number != _OURS and missing_packages(readers[number][0])
    (without if missing else files).add(path, number)


def _sort_folder(folder: Path, files: _Files, without: _Files, readers: Readers) -> None:
    """The files of a folder; what comes near a format and cannot be read is noted. Raises DataError where nothing can be read."""
    inside = [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".") and p.stat().st_size]
    usable, near = 0, []
    for path in inside:
        try:
            number = _taken_by(path, readers)
        except _Unknown:
            continue
        except DataError as error:
            near.append(left_out(str(path), error, "file"))
            continue
        usable += 1
        _put(path, number, files, without, readers)
    if not usable:
        reasons = "; ".join(f"{Path(note.where).name}: {note.found}" for note in near[:3])
        raise DataError(
            "the folder holds no file that can be read" + (f" ({reasons})" if reasons else ""),
            where=str(folder),
            hint=near[0].advice if near else _formats(readers),
        )
    files.notes += near


def _all(files: _Files) -> list[Path]:
    return [path for of_reader in files.by_reader.values() for path in of_reader]


class _Unknown(DataError):
    """A file of which no reader knows anything."""


def _taken_by(path: Path, readers: Readers) -> int:
    """Which reader takes a file. Raises DataError where none does: what it misses, or what it is."""
    check_file(path)
    if is_ours(path):
        return _OURS
    number = _matching(path, readers)
    if number is not None:
        return number
    packed = packed_how(path)
    if packed is not None:
        raise DataError(
            f"the file is packed ({packed.name})", where=str(path), hint=f"unpack it first: {packed.command(path)}"
        )
    refused = foreign(path)
    if refused is not None:
        raise refused
    if has_signature(path):
        with open_hdf5(path):
            pass  # sound HDF5; what is truncated or damaged is reported as such
    near = _near(path, readers)
    if near:
        raise DataError(f"no reader can take the file: {'; '.join(near)}", where=str(path), hint=_formats(readers))
    inside = contents_of(path)
    raise _Unknown(
        "no reader knows this file's format" + (f": {inside}" if inside else ""),
        where=str(path),
        hint=_formats(readers),
    )


def _near(path: Path, readers: Readers) -> list[str]:
    """What each reader that comes near says is missing."""
    near = []
    for number in _order(path, readers):
        card, reader = readers[number]
        try:
            lack = reader.lacks(path)
        except (DataError, *DAMAGE):
            continue
        if lack:
            near.append(f"it comes near {card.name}, but {lack}")
    return near


def _matching(path: Path, readers: Readers) -> int | None:
    for number in _order(path, readers):
        try:
            if readers[number][1].can_read(path):
                return number
        except (DataError, *DAMAGE):
            continue
    return None


def _order(path: Path, readers: Readers) -> list[int]:
    """Numbers of the readers, those of the file's ending first."""
    name = path.name.lower()
    return sorted(
        range(len(readers)), key=lambda n: not name.endswith(tuple(s.lower() for s in readers[n][0].suffixes))
    )


def _formats(readers: Readers) -> str:
    known = [f"{card.name} ({', '.join(card.suffixes)})" if card.suffixes else card.name for card, _ in readers]
    return f"formats known: {FORMAT} (.h5)" + "".join(f", {name}" for name in known)
