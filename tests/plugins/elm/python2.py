"""Pickles as Python 2's cPickle writes them in protocol 2, for tests: its `str` is bytes, and all that it makes it remembers."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np


class Python2Pickler:
    """Writes dicts, lists, texts, numbers, numpy integers and arrays."""

    def __init__(self, file: BinaryIO) -> None:
        self.write, self.count, self.known = file.write, 0, {}

    def dump(self, value: Any) -> None:
        self.write(b"\x80\x02")
        self.save(value)
        self.write(b".")

    def put(self) -> None:
        n = self.count
        self.count += 1
        self.write(b"q" + bytes([n]) if n < 256 else b"r" + struct.pack("<I", n))

    def once(self, key: str, content: bytes) -> None:
        """What is written in full the first time, and by its number from then on."""
        if key in self.known:
            n = self.known[key]
            self.write(b"h" + bytes([n]) if n < 256 else b"j" + struct.pack("<I", n))
            return
        self.write(content)
        self.known[key] = self.count
        self.put()

    def string(self, content: bytes) -> None:
        self.write(
            b"U" + bytes([len(content)]) + content
            if len(content) < 256
            else b"T" + struct.pack("<i", len(content)) + content
        )
        self.put()

    def dtype(self, dtype: np.dtype) -> None:
        if dtype.str in self.known:
            self.once(dtype.str, b"")
            return
        self.once("dtype", b"cnumpy\ndtype\n")
        self.string(dtype.str[1:].encode())
        self.write(b"K\x00K\x01\x87")
        self.put()
        self.write(b"R")
        self.known[dtype.str] = self.count
        self.put()
        self.write(b"(K\x03")
        self.string(dtype.str[:1].encode())
        self.write(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t")
        self.put()
        self.write(b"b")

    def save(self, value: Any) -> None:
        if isinstance(value, str):
            if value in self.known:
                self.once(value, b"")
            else:
                self.known[value] = self.count
                self.string(value.encode("latin-1"))
        elif isinstance(value, bool):
            self.write(b"\x88" if value else b"\x89")
        elif isinstance(value, np.generic):
            self.once("scalar", b"cnumpy.core.multiarray\nscalar\n")
            self.dtype(value.dtype)
            self.string(value.tobytes())
            self.write(b"\x86")
            self.put()
            self.write(b"R")
            self.put()
        elif isinstance(value, int):
            self.write(b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value))
        elif isinstance(value, float):
            self.write(b"G" + struct.pack(">d", value))
        elif isinstance(value, np.ndarray):
            self.array(value)
        elif isinstance(value, list):
            self.many(value, b"]", b"a", b"e", 1)
        elif isinstance(value, dict):
            self.many([part for item in value.items() for part in item], b"}", b"s", b"u", 2)
        else:
            raise TypeError(type(value))

    def many(self, items: list[Any], empty: bytes, single: bytes, several: bytes, width: int) -> None:
        self.write(empty)
        self.put()
        for start in range(0, len(items), 1000 * width):
            batch = items[start : start + 1000 * width]
            self.write(b"(" if len(batch) > width else b"")
            for item in batch:
                self.save(item)
            self.write(several if len(batch) > width else single)

    def array(self, value: np.ndarray) -> None:
        self.once("reconstruct", b"cnumpy.core.multiarray\n_reconstruct\n")
        self.once("ndarray", b"cnumpy\nndarray\n")
        self.write(b"K\x00\x85")
        self.put()
        self.string(b"b")
        self.write(b"\x87")
        self.put()
        self.write(b"R")
        self.put()
        self.write(b"(K\x01")
        for size in value.shape:
            self.save(size)
        self.write(bytes([0x84 + value.ndim]))
        self.put()
        self.dtype(value.dtype)
        self.write(b"\x89")
        self.string(value.tobytes())
        self.write(b"t")
        self.put()
        self.write(b"b")
