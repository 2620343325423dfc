"""Variables of a MATLAB file in MATLAB's axis order, whichever container they lie in: v5, or v7.3 (HDF5, axes reversed).

Which one it is shows when the file is opened, never from its name. A variable is read after its type and size are known.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import DAMAGE, check_file, look_into, open_hdf5
from neurocli.recordings.matlab import mat5
from neurocli.recordings.matlab.classes import NUMERIC, READ, refusal
from neurocli.recordings.matlab.elements5 import HINT, Elements
from neurocli.recordings.matlab.foreign import check_not_octave, older_or_octave
from neurocli.recordings.matlab.value import MatValue
from neurocli.recordings.matlab.values5 import Value5
from neurocli.recordings.matlab.values73 import File73, Value73


class MatVariables(ABC):
    """The variables of one open file. Shapes and arrays are in MATLAB's order: firing_rates is N x T x n."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def names(self) -> set[str]:
        """What the file holds; an array without elements counts as absent."""

    @abstractmethod
    def kind(self, name: str) -> str:
        """MATLAB's class of a variable, without reading it: `double`, `char`, `cell`; of an object `string`, `table`, ...

        Only NUMERIC classes have numbers. Raises DataError where it is missing or damaged.
        """

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a numeric variable, without reading it. Raises DataError where it is of another class."""

    @abstractmethod
    def numbers(self, name: str) -> NDArray[Any]:
        """A numeric variable; a sparse matrix is made full. Raises DataError where it is of another class, too large or damaged."""

    def text(self, name: str) -> str:
        """A char variable of one row. Raises DataError where it is of another class, long or damaged."""
        self._need(name, {"char"})
        return self.value(name).text()

    def texts(self, name: str) -> list[str]:
        """A cell array of texts, or the rows of a char matrix. Raises DataError where it is of another class, or damaged."""
        self._need(name, {"char", "cell"})
        return self.value(name).texts()

    @abstractmethod
    def fields(self, name: str) -> tuple[str, ...]:
        """The names of a struct's fields, without reading it; none for a variable of another class."""

    @abstractmethod
    def value(self, name: str) -> MatValue:
        """A variable of any class, to be looked into. Raises DataError where it is missing or damaged."""

    def _need(self, name: str, kinds: frozenset[str] | set[str]) -> None:
        """Raise DataError unless the class of a variable is one of `kinds`."""
        kind = self.kind(name)
        if kind in kinds:
            return
        if kind not in READ:
            raise refusal(kind, self.where(name))
        raise DataError(
            f"the values are of type {kind}, which does not belong here",
            where=self.where(name),
            hint="export it as a plain array",
        )

    def where(self, name: str) -> str:
        return f"{self.path}:{name}"


@contextlib.contextmanager
def open_mat(path: Path) -> Iterator[MatVariables]:
    """Open a MATLAB file of either kind. Raises DataError where it is missing, truncated, damaged or something else."""
    check_file(path)
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            check_not_octave(file)
            yield _Version73(path, file)
    elif _kind(path) == "v7.3":
        raise DataError("the start of the HDF5 part is damaged", where=str(path), hint=HINT)
    elif _kind(path) == "v5":
        with memory.reading(path):
            yield _Version5(path)
    else:
        foreign = older_or_octave(path)
        if foreign is not None:
            raise foreign
        raise DataError("this is not a MATLAB file of version 5 or 7.3", where=str(path), hint="save it with -v7.3")


def holds(path: Path, names: set[str]) -> bool:
    """Whether a file is a MATLAB file with all these variables. Never raises.

    A MATLAB file that cannot be opened counts as well: its names are lost with it, and whoever reads it says what is wrong.
    """
    try:
        if not path.is_file():
            return False
        if h5py.is_hdf5(path):
            # By its keys: h5py and others write the same arrays without MATLAB's user block.
            try:
                with look_into(path) as file:
                    return _kind(path) is not None if file is None else names <= set(file)
            except DAMAGE:
                return _kind(path) is not None
        if _kind(path) is None:
            return False
        with open_mat(path) as variables:
            return names <= variables.names
    except DataError:
        return True
    except OSError:
        return False


def names_in(path: Path) -> list[str] | None:
    """The variables of a MATLAB file; None for any other file, and where they cannot be read. Never raises."""
    try:
        if not path.is_file() or _kind(path) is None:
            return None
        with open_mat(path) as variables:
            return sorted(variables.names)
    except (DataError, OSError):
        return None


def _kind(path: Path) -> str | None:
    """v5 or v7.3 by the file's header; None for any other file."""
    with path.open("rb") as file:
        header = file.read(mat5.HEADER_BYTES)
    if len(header) < mat5.HEADER_BYTES or header[126:128] not in (b"IM", b"MI"):
        return "v5" if header.startswith(b"MATLAB 5.0 MAT-file") else None
    version = int.from_bytes(header[124:126], "little" if header[126:128] == b"IM" else "big")
    return {0x0100: "v5", 0x0200: "v7.3"}.get(version)


class _Version73(MatVariables):
    """HDF5: axes reversed, char as uint16, an empty array as its shape with an attribute that says so."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        super().__init__(path)
        if len(file) > mat5.MOST_VARIABLES:
            raise mat5.too_many(path)
        self._file = file
        self._objects = File73(path, file)

    @property
    def names(self) -> set[str]:
        return {name for name in self._file if not name.startswith("#") and not self._is_empty(name)}

    def kind(self, name: str) -> str:
        return self.value(name).kind

    def shape(self, name: str) -> tuple[int, ...]:
        value = self.value(name)
        self._need(name, NUMERIC)
        return value.shape

    def numbers(self, name: str) -> NDArray[Any]:
        self._need(name, NUMERIC)
        return self.value(name).numbers()

    def fields(self, name: str) -> tuple[str, ...]:
        return self.value(name).fields

    def value(self, name: str) -> MatValue:
        return Value73(self._objects, self.where(name), name)

    def _is_empty(self, name: str) -> bool:
        link = self._file.get(name, getlink=True)
        return isinstance(link, h5py.HardLink) and bool(self._file[name].attrs.get("MATLAB_empty", 0))


class _Version5(MatVariables):
    """The older container."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._entries = mat5.entries(path)

    @property
    def names(self) -> set[str]:
        return {name for name, entry in self._entries.items() if all(entry.shape)}

    def kind(self, name: str) -> str:
        return self._entry(name).kind

    def shape(self, name: str) -> tuple[int, ...]:
        self._need(name, NUMERIC)
        return self._entry(name).shape

    def numbers(self, name: str) -> NDArray[Any]:
        self._need(name, NUMERIC)
        return mat5.read_numbers(self.path, self._entry(name))

    def fields(self, name: str) -> tuple[str, ...]:
        entry = self._entry(name)
        return mat5.read_fields(self.path, entry) if entry.kind == "struct" else ()

    def value(self, name: str) -> MatValue:
        entry = self._entry(name)
        content, order = mat5.content_of(self.path, entry)
        return Value5(self.where(name), Elements(self.path, entry.position, order, content))

    def _entry(self, name: str) -> mat5.Entry:
        if name not in self._entries:
            raise DataError("a required entry is missing", where=self.where(name))
        return self._entries[name]
