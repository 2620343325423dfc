"""The values that a pickle may hold here: plain ones, and numpy's, built from their stored form without calling numpy's unpickling."""

from __future__ import annotations

import math
import mmap
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Buffer = bytes | mmap.mmap

_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
ALLOWED = {
    **{(module, "_reconstruct"): "reconstruct" for module in _NUMPY},
    **{(module, "scalar"): "scalar" for module in _NUMPY},
    ("numpy.core.numeric", "_frombuffer"): "frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "frombuffer",
    ("numpy", "dtype"): "dtype",
    ("numpy", "ndarray"): "ndarray",
    ("_codecs", "encode"): "encode",
    ("__builtin__", "bytes"): "bytes",
    ("builtins", "bytes"): "bytes",
    ("__builtin__", "bytearray"): "bytearray",
    ("builtins", "bytearray"): "bytearray",
}
"""The global names that a pickle may use, and which construction each stands for; none of them is ever imported."""

SHARED = tuple(range(0x10000))
"""Whole numbers of two bytes, of which there is one each however often a pickle names them."""

_CODES = re.compile(r"b1|[iu][1248]|f[248]|[SU][1-9]\d{0,3}")


class Refused(ValueError):
    """A stored value that does not hold together, or is of a kind that is not accepted."""


@dataclass(frozen=True)
class Global:
    """A name out of `ALLOWED`: what is to be built."""

    builds: str


@dataclass(frozen=True)
class Stored:
    """Bytes that stay in the file until they are asked for; `utf8`: each byte is kept as one latin-1 character."""

    buffer: Buffer
    start: int
    stop: int
    utf8: bool = False

    def __len__(self) -> int:
        """Length in the file: the bytes are as many, or fewer."""
        return self.stop - self.start

    def read(self) -> bytes:
        content = bytes(self.buffer[self.start : self.stop])
        return content.decode("utf-8").encode("latin-1") if self.utf8 else content


class Dtype:
    """A numpy type of numbers or texts: `code` as "f2", the byte order comes later."""

    def __init__(self, code: str) -> None:
        if not _CODES.fullmatch(code):
            raise Refused(f"an array of type {code[:40]!r} is neither numbers nor texts")
        self.code, self.order = code, "<"

    def set_state(self, state: Any) -> None:
        if type(state) is not tuple or len(state) not in (8, 9) or state[1] not in ("<", ">", "|", "="):
            raise Refused("a numpy type is damaged")
        if any(part is not None for part in state[2:5]):
            raise Refused("an array with fields is not accepted")
        self.order = "<" if state[1] == "=" else state[1]

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class Array:
    """A numpy array whose numbers stay in the file until `read`; its size is held against the file first."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.dtype = np.dtype(np.float64)
        self.fortran = False
        self.stored: Stored | bytes = b""

    def set(self, shape: Any, dtype: Any, fortran: Any, stored: Any) -> None:
        """Raises Refused where shape and content do not fit."""
        if isinstance(stored, str):  # written by Python 2
            stored = stored.encode("latin-1")
        if not isinstance(stored, Stored | bytes):
            raise Refused("an array of Python objects is not accepted")
        sizes = type(shape) is tuple and len(shape) <= 32 and all(type(size) is int and size >= 0 for size in shape)
        if not sizes or not isinstance(dtype, Dtype):
            raise Refused("the shape or the type of an array is damaged")
        size = math.prod(shape) * dtype.numpy.itemsize
        # In UTF-8 a byte takes one or two.
        wrong = not len(stored) / 2 <= size <= len(stored) if _is_utf8(stored) else size != len(stored)
        if wrong:
            raise Refused(f"an array of shape {shape} would take {size} bytes, and {len(stored)} are there")
        self.shape, self.dtype, self.fortran, self.stored = shape, dtype.numpy, bool(fortran), stored

    def set_state(self, state: Any) -> None:
        if type(state) is not tuple or len(state) not in (4, 5):
            raise Refused("an array is damaged")
        self.set(*state[-4:])

    def read(self) -> NDArray[Any]:
        """The numbers. Raises Refused where the file holds another number of them."""
        content = self.stored.read() if isinstance(self.stored, Stored) else self.stored
        if len(content) != math.prod(self.shape) * self.dtype.itemsize:
            raise Refused(f"an array of shape {self.shape} has {len(content)} bytes")
        values = np.frombuffer(content, self.dtype).reshape(self.shape, order="F" if self.fortran else "C")
        return values.astype(self.dtype.newbyteorder("="), copy=False)


def build(what: Any, arguments: Any) -> Any:
    """What calling the global `what` with `arguments` stands for. Raises Refused."""
    if not isinstance(what, Global) or type(arguments) is not tuple:
        raise Refused("something that is no function is called")
    name, count = what.builds, len(arguments)
    if name == "reconstruct" and count == 3 and arguments[0] == Global("ndarray"):
        return Array()
    if name == "dtype" and 1 <= count <= 3 and isinstance(arguments[0], str):
        return Dtype(arguments[0])
    if name == "scalar" and count == 2:
        array = Array()
        array.set((), arguments[0], False, arguments[1])
        return array.read().item()
    if name == "frombuffer" and count == 4:
        array = Array()
        array.set(arguments[2], arguments[1], arguments[3] == "F", arguments[0])
        return array
    if name == "encode" and count == 2 and arguments[1] in ("latin1", "latin-1"):
        return _encoded(arguments[0])
    if name in ("bytes", "bytearray") and count <= 2:
        return _bytes_of(arguments)
    raise Refused(f"{count} values are no {name}")


def _encoded(text: Any) -> Any:
    if isinstance(text, str):
        return text.encode("latin-1")
    if isinstance(text, Stored) and text.utf8:
        return text
    raise Refused("what is encoded is no text")


def _bytes_of(arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return b""
    if isinstance(arguments[0], bytes | Stored) and len(arguments) == 1:
        return arguments[0]
    if len(arguments) == 2 and arguments[1] in ("latin1", "latin-1"):
        return _encoded(arguments[0])
    raise Refused("bytes are made from something else")


def _is_utf8(stored: Stored | bytes) -> bool:
    return isinstance(stored, Stored) and stored.utf8
