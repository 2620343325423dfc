"""Reading files of any format: ours by its content, then the plugins' readers, those with the right file ending first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import h5py

from neurocli.errors import DataError
from neurocli.plugin.cards import ReaderCard
from neurocli.recordings.hdf5 import check_file, check_path, open_hdf5
from neurocli.recordings.heaps import damaged_heap
from neurocli.recordings.recordingset import RecordingSet
from neurocli.recordings.store import FORMAT, has_format


class Reader(ABC):
    """One file format. A reader looks at the content, never at the ending alone."""

    @abstractmethod
    def can_read(self, path: Path) -> bool:
        """Whether `path`, a file or a folder, holds this format. Cheap, and never raises for a foreign file."""

    @abstractmethod
    def read(self, paths: list[Path]) -> RecordingSet:
        """The recordings of all `paths` together. Raises DataError that names file and place."""


def open_paths(paths: list[Path], readers: Sequence[tuple[ReaderCard, Reader]]) -> RecordingSet:
    """The recordings of files and folders, joined in the order given. Raises DataError.

    Files that the same reader takes are given to it together: a format may spread one recording over several.
    """
    if not paths:
        raise DataError("no file was named", where="data", hint="name one with --data FILE")
    by_reader: dict[int, list[Path]] = {}
    for path in _files_in(paths, readers):
        by_reader.setdefault(_reader_number(path, readers), []).append(path)
    sets: list[RecordingSet] = []
    for number, files in by_reader.items():
        if number < 0:
            sets += [RecordingSet.open(path) for path in files]
        else:
            sets.append(readers[number][1].read(files))
    recordings = RecordingSet.joined(sets)
    if not recordings:
        raise DataError(
            "there is no recording in it",
            where=", ".join(str(path) for path in paths),
            hint="make the file again, or name another",
        )
    return recordings


def is_ours(path: Path) -> bool:
    """Whether a file is HDF5 and says that it is of our format."""
    if not path.is_file():
        return False
    try:
        if not h5py.is_hdf5(path) or damaged_heap(path) is not None:
            return False
        with h5py.File(path, "r") as file:
            return has_format(file)
    except Exception:  # whatever h5py makes of a damaged file: `open_hdf5` says it
        return False


def _files_in(paths: list[Path], readers: Sequence[tuple[ReaderCard, Reader]]) -> list[Path]:
    """Folders that no reader takes whole, opened up into the files that something can read."""
    files: list[Path] = []
    for path in dict.fromkeys(paths):
        check_path(path)
        if path.is_dir() and _matching(path, readers) is None:
            inside = [
                p for p in sorted(path.iterdir()) if p.is_file() and not p.name.startswith(".") and p.stat().st_size
            ]
            usable = [p for p in inside if is_ours(p) or _matching(p, readers) is not None]
            if not usable:
                raise DataError("the folder holds no file that can be read", where=str(path), hint=_formats(readers))
            files += usable
        else:
            files.append(path)
    return files


def _reader_number(path: Path, readers: Sequence[tuple[ReaderCard, Reader]]) -> int:
    """Which reader takes `path`; -1 is our own format. Raises DataError where none does."""
    if not path.is_dir():
        check_file(path)
    if is_ours(path):
        return -1
    number = _matching(path, readers)
    if number is not None:
        return number
    if path.is_file() and path.suffix.lower() in (".h5", ".hdf5"):
        with open_hdf5(path):
            pass  # sound HDF5; what is truncated or no HDF5 at all is reported as such
    raise DataError("no reader knows this file's format", where=str(path), hint=_formats(readers))


def _matching(path: Path, readers: Sequence[tuple[ReaderCard, Reader]]) -> int | None:
    name = path.name.lower()
    order = sorted(
        range(len(readers)), key=lambda n: not name.endswith(tuple(s.lower() for s in readers[n][0].suffixes))
    )
    for number in order:
        try:
            if readers[number][1].can_read(path):
                return number
        except (DataError, OSError, ValueError):
            continue
    return None


def _formats(readers: Sequence[tuple[ReaderCard, Reader]]) -> str:
    known = [f"{card.name} ({', '.join(card.suffixes)})" if card.suffixes else card.name for card, _ in readers]
    return f"formats known: {FORMAT} (.h5)" + "".join(f", {name}" for name in known)
