"""Files of MATLAB's version 4, and of Octave's own formats: known by their first bytes, and refused with what to do.

Octave has three formats of its own (text, binary, HDF5); its `save -v7` writes MATLAB's, which is read.
"""

from __future__ import annotations

import struct
from pathlib import Path

import h5py

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import DAMAGE, look_into

_OCTAVE_HINT = "save it in Octave with -v7: save -v7 FILE VARIABLES"
_OCTAVE_MARK = "OCTAVE_NEW_FORMAT"
_LARGEST_V4 = 4052
"""Types of v4 are four digits: byte order (0 to 4), 0, type of the values (0 to 5), kind of the matrix (0 to 2)."""


def older_or_octave(path: Path) -> DataError | None:
    """The error for a file of MATLAB's version 4, or of Octave's text or binary format; None for any other. `path` is a file."""
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith((b"# Created by Octave", b"% Created by Octave")):
        return _of_octave(path, "text")
    if start.startswith((b"Octave-1-L", b"Octave-1-B")):
        return _of_octave(path, "binary")
    if _is_version_4(start, path.stat().st_size):
        return DataError(
            "the file is of MATLAB version 4, which is not read",
            where=str(path),
            hint="save it with -v7: save('FILE', '-v7')",
        )
    return None


def foreign(path: Path) -> DataError | None:
    """As `older_or_octave`, Octave's HDF5 included. Never raises."""
    try:
        with look_into(path) as file:
            if file is not None:
                check_not_octave(file)
                return None
        return older_or_octave(path)
    except DataError as error:
        return error
    except DAMAGE:  # damaged HDF5, of which others say what is wrong
        return None


def check_not_octave(file: h5py.File) -> None:
    """Raise DataError where HDF5 is in Octave's own format: each variable is a group that says so."""
    for name in file:
        link = file.get(name, getlink=True)
        if isinstance(link, h5py.HardLink) and _OCTAVE_MARK in file[name].attrs:
            raise _of_octave(Path(file.filename), "HDF5")


def _of_octave(path: Path, what: str) -> DataError:
    return DataError(
        f"the file is in Octave's own {what} format, which is not read", where=str(path), hint=_OCTAVE_HINT
    )


def _is_version_4(start: bytes, size: int) -> bool:
    """Whether a file begins with the head of a matrix of version 4: type, rows, columns, imaginary, length of the name; the name."""
    for order in "<>":
        if len(start) < 21:
            return False
        kind, rows, columns, imaginary, length = struct.unpack(f"{order}5i", start[:20])
        machine, zero, values, matrix = kind // 1000, kind // 100 % 10, kind // 10 % 10, kind % 10
        if not 0 <= kind <= _LARGEST_V4 or zero or values > 5 or matrix > 2 or (machine == 0) != (order == "<"):
            continue
        item = (8, 4, 4, 2, 2, 1)[values]
        name = start[20 : 20 + length]
        fits = rows >= 0 and columns >= 0 and imaginary in (0, 1) and 1 < length <= 64
        if fits and 20 + length + rows * columns * item * (1 + imaginary) <= size and _is_name(name):
            return True
    return False


def _is_name(name: bytes) -> bool:
    """Whether this is a variable's name, or the start of one, with the zero that ends it."""
    text = name.split(b"\0")[0]
    return text[:1].isalpha() and text.replace(b"_", b"").isalnum()
