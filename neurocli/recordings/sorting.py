"""Which reader takes which file: by content, those of the file's ending first; what a folder holds, and what of it is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from neurocli.errors import DataError, Interrupted
from neurocli.plugin.cards import ReaderCard
from neurocli.recordings.files.contents import contents_of, disguised, is_of_system
from neurocli.recordings.files.hdf5 import DAMAGE, begins_as_hdf5, check_file, check_path, is_held, look_into, open_hdf5
from neurocli.recordings.files.kinds import Kind
from neurocli.recordings.files.packing import holding, packed_how
from neurocli.recordings.matlab.foreign import foreign
from neurocli.recordings.notes import Note, left_out
from neurocli.recordings.required import missing_packages, needs
from neurocli.recordings.store import FORMAT, has_format

if TYPE_CHECKING:
    from neurocli.recordings.readers import Readers

OURS = -1
"""Stands for the reader of our own format."""
_ABOUT_DATA = (
    ".md",
    ".txt",
    ".rst",
    ".pdf",
    ".png",
    ".jpg",
    ".svg",
    ".html",
    ".toml",
    ".yaml",
    ".yml",
    ".py",
    ".m",
    ".log",
    "",
)
_SHOWN = 3
_ZARR = (".zgroup", ".zarray", ".zmetadata", "zarr.json")
_CALLED_HDF5 = (".h5", ".hdf5", ".nwb")


@dataclass
class Files:
    """Files by the number of the reader that takes them. notes: what was left out of folders; without: the note of what is left out
    because packages are not installed, None where they are; named: files that were named themselves, not their folder."""

    by_reader: dict[int, list[Path]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    without: Note | None = None
    named: list[Path] = field(default_factory=list)

    def add(self, path: Path, number: int) -> None:
        self.by_reader.setdefault(number, []).append(path)

    @property
    def paths(self) -> list[Path]:
        return [path for of_reader in self.by_reader.values() for path in of_reader]


def sorted_out(paths: Sequence[Path], readers: Readers) -> Files:
    """Which reader takes which file; folders that no reader takes whole are opened up.

    Raises DataError for a named file that none takes; MissingDependency that names all packages which are not installed.
    """
    files, unreadable = Files(), Files()
    named = files.named
    for path in _once(paths):
        check_path(path)
        if is_of_system(path):  # `*` and `._*` match it, and nobody means it
            files.notes.append(Note("left-out", str(path), "a file of the operating system, which is not read"))
        elif not path.is_dir():
            named.append(path)
            _put(path, _taken_by(path, readers), files, unreadable, readers)
        elif (whole := _matching(path, readers)) is not None:
            _put(path, whole, files, unreadable, readers)
        else:
            _sort_folder(path, files, unreadable, readers)
    if unreadable.by_reader:
        error = needs([readers[number][0] for number in unreadable.by_reader], unreadable.paths)
        if not files.by_reader or any(path in named for path in unreadable.paths):
            raise error
        files.without = Note(
            "left-out", error.where or "", f"{error.message}; without, this is left out", error.hint or ""
        )
        files.notes.append(files.without)
    if not files.by_reader:
        raise DataError(
            "only files of the operating system were named", where=", ".join(map(str, paths)), hint=formats(readers)
        )
    return files


def is_ours(path: Path) -> bool:
    """Whether a file is HDF5 and says that it is of our format. Raises DataError where another program is writing it."""
    with look_into(path) as file:
        try:
            return file is not None and has_format(file)
        except (DataError, *DAMAGE):
            return False


def _once(paths: Sequence[Path]) -> list[Path]:
    """Each path once, however it is spelt, and no file whose folder is named as well."""
    by_place: dict[Path, Path] = {}
    for path in paths:
        by_place.setdefault(_place(path), path)
    folders = {place for place, path in by_place.items() if _is(Path.is_dir, path)}
    return [path for place, path in by_place.items() if place.parent not in folders or not _is(Path.is_file, path)]


def _is(question: Callable[[Path], bool], path: Path) -> bool:
    try:
        return question(path)
    except OSError:  # too long a name: `check_path` says so
        return False


def _place(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # too long a name, links in a circle: `check_path` says so
        return path


def _put(path: Path, number: int, files: Files, unreadable: Files, readers: Readers) -> None:
    """Among the files that can be read, or among those whose packages are not installed."""
    missing = number != OURS and missing_packages(readers[number][0])
    (unreadable if missing else files).add(path, number)


def _sort_folder(folder: Path, files: Files, unreadable: Files, readers: Readers) -> None:
    """The files of a folder; what should be read and cannot be is noted. Raises DataError where nothing can be read."""
    usable, near, others = 0, list[Note](), list[str]()
    inside, folders = _inside(folder)
    for path in inside:
        try:
            number = _taken_by(path, readers)
        except _Unknown as error:
            if _is_expected(path, readers):
                near.append(left_out(str(path), error, "file"))
            elif path.suffix.lower() not in _ABOUT_DATA:
                others.append(path.name)
        except DataError as error:
            if _is_expected(path, readers) or not isinstance(error, _Empty):
                near.append(left_out(str(path), error, "file"))
        else:
            usable += 1
            _put(path, number, files, unreadable, readers)
    if not usable:
        raise _nothing_in(folder, near, folders, readers)
    files.notes += near
    if others:
        files.notes.append(Note("left-out", str(folder), f"of no format that is known, and not read: {_some(others)}"))
    if folders:
        files.notes.append(Note("left-out", str(folder), f"folders in it, which are not searched: {_some(folders)}"))


def _inside(folder: Path) -> tuple[list[Path], list[str]]:
    """(files of a folder, names of folders in it), in order, without what is hidden. Raises DataError."""
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not is_of_system(path))
        folders = [path.name for path in entries if path.is_dir()]
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"the folder cannot be read: {reason}", where=str(folder), hint="check its permissions"
        ) from None
    return [path for path in entries if path.name not in folders], folders


def _nothing_in(folder: Path, near: list[Note], folders: list[str], readers: Readers) -> DataError:
    """The error of a folder of which nothing can be read: why, as far as it can be told."""
    if any((folder / name).exists() for name in _ZARR):
        return DataError(
            "the folder is a Zarr store, which is not read", where=str(folder), hint="export it as HDF5, into one file"
        )
    message, hint = "the folder holds no file that can be read", formats(readers)
    if near:
        reasons = "; ".join(f"{Path(note.where).name}: {note.found.partition(': ')[2]}" for note in near[:_SHOWN])
        message, hint = f"{message} ({reasons})", near[0].advice
    elif folders:
        message = f"{message}; the folders in it are not searched: {_some(folders)}"
        hint = f"name one: --data {folder / folders[0]}"
    return DataError(message, where=str(folder), hint=hint)


class _Unknown(DataError):
    """A file of which no reader knows anything."""


class _Empty(DataError):
    """A file without content."""


def _taken_by(path: Path, readers: Readers) -> int:
    """Which reader takes a file. Raises DataError where none does: what it misses, or what it is."""
    try:
        check_file(path)
    except DataError as error:
        raise _Empty(error.message, where=error.where, hint=error.hint) from None
    packed = packed_how(path)
    if packed is not None and packed.is_archive:
        # First: the header of a tar is as long as what HDF5 passes over at a file's beginning, so its first member would be read.
        number = _matching(path, readers, archive=True)
        if number is None:
            raise _not_taken(path, readers)
        return number
    if is_ours(path):
        return OURS
    number = _matching(path, readers)
    if number is not None:
        return number
    raise _not_taken(path, readers)


def _not_taken(path: Path, readers: Readers) -> DataError:
    """Why no reader takes a file that is there and not empty."""
    known, where = formats(readers), str(path)
    kind = disguised(path)
    if kind is not None:
        return _Unknown(f"no reader knows this file's format: {kind.name}", where=where, hint=kind.advice or known)
    packed = packed_how(path)
    if packed is not None:
        what = f"the file is packed ({packed.name}){holding(path, packed)}"
        return DataError(what, where=where, hint=f"unpack it first: {packed.command(path)}")
    refused = foreign(path)
    if refused is not None:
        return refused
    if begins_as_hdf5(path):
        try:
            with open_hdf5(path):
                pass
        except DataError as error:  # truncated or damaged
            return error
    near = _near(path, readers)
    if near:
        return DataError(f"no reader can take the file: {'; '.join(near)}", where=where, hint=known)
    kind = contents_of(path)
    if kind is None and is_held(path):
        return DataError(
            "another program has the file open for writing", where=where, hint="wait until it has been written"
        )
    if path.suffix.lower() in _CALLED_HDF5 and not begins_as_hdf5(path):
        return DataError(
            f"the file is not HDF5, as its name says: {_in_words(path, kind)}", where=where, hint=_do(kind)
        )
    what = f": {kind.name}" if kind is not None else ""
    return _Unknown(f"no reader knows this file's format{what}", where=where, hint=_do(kind, known))


def _in_words(path: Path, kind: Kind | None) -> str:
    if kind is not None:
        return f"it is {kind.name}"
    with path.open("rb") as file:
        return f"its first bytes are {file.read(8)!r}"


def _do(kind: Kind | None, otherwise: str = "name the file of the data, or make it again") -> str:
    return kind.advice if kind is not None and kind.advice else otherwise


def _near(path: Path, readers: Readers) -> list[str]:
    """What each reader that comes near says is missing."""
    near = []
    for number in _order(path, readers):
        card, reader = readers[number]
        try:
            lack = reader.lacks(path)
        except Interrupted:
            raise
        except Exception:  # of a plugin that trusts a foreign file
            continue
        if lack:
            near.append(f"it comes near {card.name}, but {lack}")
    return near


def _matching(path: Path, readers: Readers, *, archive: bool = False) -> int | None:
    for number in _order(path, readers):
        reader = readers[number][1]
        try:
            if reader.can_read_archive(path) if archive else reader.can_read(path):
                return number
        except Interrupted:
            raise
        except Exception:  # of a plugin that trusts a foreign file: the others are asked all the same
            continue
    return None


def _order(path: Path, readers: Readers) -> list[int]:
    """Numbers of the readers, those of the file's ending first."""
    return sorted(range(len(readers)), key=lambda number: not _has_ending(path, readers[number][0]))


def _is_expected(path: Path, readers: Readers) -> bool:
    """Whether a file is called as if it were data."""
    return path.suffix.lower() == ".h5" or any(_has_ending(path, card) for card, _ in readers)


def _has_ending(path: Path, card: ReaderCard) -> bool:
    return path.name.lower().endswith(tuple(suffix.lower() for suffix in card.suffixes))


def formats(readers: Readers) -> str:
    """The formats that are known, for a hint."""
    known = [f"{card.name} ({', '.join(card.suffixes)})" if card.suffixes else card.name for card, _ in readers]
    return f"formats known: {FORMAT} (.h5)" + "".join(f", {name}" for name in known)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
