"""Values of a MATLAB v7.3 file (HDF5): a struct is a group, a cell array a dataset of references to objects of the file.

A reference is taken for what it is, an address, and looked up among the objects that the file's own links lead to: one
that leads elsewhere is damage, and nothing is ever opened at an address that a file merely claims.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE, attribute, child, read_array
from neurocli.recordings.files.lengths import take_lengths
from neurocli.recordings.matlab.classes import COMPLEX, NUMERIC, READ, of_object
from neurocli.recordings.matlab.sparse import DAMAGED, full
from neurocli.recordings.matlab.value import LONGEST_TEXT, MOST_PARTS, MatValue, code_units_of

_EMPTY = "canonical empty"
"""What MATLAB calls the one empty array that all empty cells refer to."""
_CLASSES = {"f8": "double", "f16": "double", "f4": "single", "f2": "single", "b1": "logical"}
_CLASSES |= {f"{sign}{size}": f"{'u' * (sign == 'u')}int{size * 8}" for sign in "iu" for size in (1, 2, 4, 8)}


class File73:
    """An open v7.3 file, with the addresses of its objects."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path, self.file = path, file
        self._names: dict[int, str] | None = None

    def name_at(self, address: int) -> str | None:
        """The path of the object at an address; None where there is none."""
        if self._names is None:
            self._names = {}
            h5py.h5o.visit(self.file.id, self._note, info=True)
        return self._names.get(address)

    def _note(self, name: bytes, info: Any) -> bool | None:
        assert self._names is not None
        self._names.setdefault(int(info.addr), name.decode(errors="replace"))
        return True if len(self._names) > 2 * MOST_PARTS else None  # anything but None ends the visit


class Value73(MatValue):
    """One object of the file."""

    def __init__(self, file: File73, where: str, name: str, depth: int = 0) -> None:
        self.where, self.depth = where, depth
        self._file, self._name = file, name
        parent, _, last = name.rpartition("/")
        holder = file.file[parent] if parent else file.file
        self._object = child(holder, last, h5py.HLObject)
        if not isinstance(self._object, h5py.Group | h5py.Dataset):
            raise DataError("an entry is a type, and has no values", where=where, hint=REMAKE)
        self._is_empty = bool("MATLAB_empty" in self._object.attrs and attribute(self._object, "MATLAB_empty", int))
        self._is_sparse = "MATLAB_sparse" in self._object.attrs
        self.kind = self._class()
        self.shape = self._shape()

    def numbers(self) -> NDArray[Any]:
        self.need("numbers", NUMERIC)
        if self._is_empty:
            return np.zeros(self.shape)
        if self._is_sparse:
            return self._full()
        return read_array(self._object.parent, self._name.rpartition("/")[2]).T

    def _full(self) -> NDArray[Any]:
        """A sparse matrix as a full one. MATLAB leaves out the values where there is none."""
        starts = read_array(self._object, "jc", ndim=1, kinds="iu")
        if not {"ir", "data"} <= set(self._object):
            return full(self.shape, starts[:0], starts, np.zeros(0), self.where, hint=REMAKE)
        rows = read_array(self._object, "ir", ndim=1, kinds="iu")
        return full(self.shape, rows, starts, read_array(self._object, "data", ndim=1), self.where, hint=REMAKE)

    def code_units(self) -> NDArray[np.uint16]:
        self.need("a text", {"char"})
        if self._is_empty:
            return np.zeros(0, np.uint16)
        if self._is_plain_text():
            return code_units_of(_plain_text(self._object, self.where))
        codes = read_array(self._object.parent, self._name.rpartition("/")[2], kinds="u").ravel()
        if codes.dtype.itemsize == 2:
            return codes.astype(np.uint16)
        # As other programs write them: UTF-8 in bytes, or one number a character.
        if codes.dtype.itemsize == 1:
            return code_units_of(codes.tobytes().decode(errors="replace"))
        return code_units_of(codes.astype("<u4").tobytes().decode("utf-32-le", errors="replace"))

    def cells(self) -> list[MatValue]:
        self.need("a cell array", {"cell"})
        if self._is_empty:
            return []
        addresses = self._addresses(self._object).tolist()
        return [self._referred(address, f"{self.where}{{{n + 1}}}") for n, address in enumerate(addresses)]

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self._object) if self.kind == "struct" and not self._is_empty else ()

    def field(self, name: str, number: int = 0) -> MatValue:
        self.need("a struct", {"struct"})
        if name not in self.fields or not 0 <= number < self.count:
            raise self.missing(name)
        self.need_parts(1)
        if not self._is_array_of_structs():
            return Value73(self._file, f"{self.where}.{name}", f"{self._name}/{name}", self.depth + 1)
        addresses = self._addresses(child(self._object, name, h5py.Dataset))
        if number >= len(addresses):
            raise DataError("the elements of a struct have different fields", where=self.where, hint=REMAKE)
        return self._referred(int(addresses[number]), f"{self.where}({number + 1}).{name}")

    def _class(self) -> str:
        """MATLAB's class: as the file says, else as the type of the values shows (h5py and others write no class)."""
        stated = attribute(self._object, "MATLAB_class", str) if "MATLAB_class" in self._object.attrs else ""
        if "MATLAB_object_decode" in self._object.attrs:
            return of_object(stated)
        if stated == _EMPTY:
            return "double"
        if stated not in READ | {""}:  # an object of which the mark is lost, or a class that did not exist yet
            return of_object(stated)
        is_group = isinstance(self._object, h5py.Group)
        if self._is_sparse:
            return self._class_of_sparse(stated)
        if is_group or self._is_empty:
            return stated or "struct"
        dtype = self._object.dtype
        if h5py.check_ref_dtype(dtype) is h5py.Reference:
            return "cell" if stated in ("", "cell") else "struct"
        if dtype.kind == "V" and dtype.names == ("real", "imag"):
            return COMPLEX
        if self._is_plain_text():
            return "char"
        matlab_class = _CLASSES.get(dtype.str[1:], f"{dtype} in HDF5")
        if stated == "char" and dtype.kind == "u":
            return "char"
        return "logical" if stated == "logical" and matlab_class in NUMERIC else matlab_class

    def _class_of_sparse(self, stated: str) -> str:
        """The class of a sparse matrix is that of its values."""
        if not isinstance(self._object, h5py.Group):
            raise DataError("a sparse matrix is no group of indices and values", where=self.where, hint=REMAKE)
        if "data" in self._object:
            dtype = child(self._object, "data", h5py.Dataset).dtype
            if dtype.kind == "V" and dtype.names == ("real", "imag"):
                return COMPLEX
        return stated if stated in NUMERIC else "double"

    def _is_plain_text(self) -> bool:
        """Whether this is one text as h5py and others store it, without MATLAB's attributes."""
        is_text = isinstance(self._object, h5py.Dataset) and h5py.check_string_dtype(self._object.dtype) is not None
        return is_text and self._object.shape is not None and self._object.size == 1

    def _shape(self) -> tuple[int, ...]:
        if self._is_sparse:
            rows = attribute(self._object, "MATLAB_sparse", int)
            columns = (child(self._object, "jc", h5py.Dataset).size or 0) - 1
            if rows < 0 or columns < 0:
                raise DataError(DAMAGED, where=self.where, hint=REMAKE)
            return (rows, columns)
        if self._is_empty and isinstance(self._object, h5py.Dataset):
            if self._object.shape is None or self._object.size > 32 or self._object.dtype.kind not in "iu":
                raise DataError("the shape of an empty array is damaged", where=self.where, hint=REMAKE)
            shape = tuple(int(size) for size in np.ravel(self._object[()]))
            if int(np.prod(shape, dtype=object)):
                raise DataError("an array without values claims to have some", where=self.where, hint=REMAKE)
            return shape
        if isinstance(self._object, h5py.Group):
            if self._is_array_of_structs():
                return tuple(reversed(child(self._object, next(iter(self._object)), h5py.Dataset).shape or ()))
            return (1, 1)
        return tuple(reversed(self._object.shape or ()))

    def _is_array_of_structs(self) -> bool:
        """Whether every field is a list of references that is not itself a cell array: MATLAB marks those as such."""
        if self.kind != "struct" or "MATLAB_class" not in self._object.attrs or not len(self._object):
            return False
        for name in self._object:
            entry = child(self._object, name, h5py.HLObject)
            if not isinstance(entry, h5py.Dataset) or "MATLAB_class" in entry.attrs:
                return False
            if h5py.check_ref_dtype(entry.dtype) is not h5py.Reference:
                return False
        return True

    def _addresses(self, data: h5py.Dataset) -> NDArray[np.uint64]:
        """The addresses [n] in a dataset of references, down MATLAB's columns."""
        count = int(np.prod(data.shape or (), dtype=object))
        self.need_parts(count)
        if data.is_virtual or data.external:
            raise DataError(
                f"an array of {count} references is kept in another file",
                where=self.where,
                hint="store it in this file",
            )
        memory.take(8 * count, self.where)
        addresses = np.zeros(data.shape, np.uint64)
        if count:
            data.id.read(h5py.h5s.ALL, h5py.h5s.ALL, addresses, mtype=h5py.h5t.STD_REF_OBJ)
        return addresses.ravel()  # HDF5's rows are MATLAB's columns

    def _referred(self, address: int, where: str) -> Value73:
        name = self._file.name_at(address)
        if name is None:
            raise DataError("a cell refers to nothing in this file", where=where, hint=REMAKE)
        return Value73(self._file, where, name, self.depth + 1)


def _plain_text(data: h5py.Dataset, where: str) -> str:
    """The one text in a dataset of HDF5's own texts. Raises DataError where it is no UTF-8, or too long."""
    memory.take(int(data.dtype.itemsize), where)
    take_lengths(data, where)
    (text,) = np.ravel(data[()]).tolist()
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    if len(text) > LONGEST_TEXT:
        raise DataError("the text is too long for a name", where=where, hint="export it with a shorter one")
    return text
