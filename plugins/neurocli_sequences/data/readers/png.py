"""Grey images as PNG: sizes and sums are checked in the file before Pillow, which matplotlib brings, decodes it."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE, check_file

LARGEST_SIDE = 4096
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY = 0
_EXPANSION = 1100.0
"""zlib cannot shrink by more."""


def read_grey(path: Path) -> NDArray[np.uint8]:
    """uint8 [row, column]. Raises DataError for what is no grey image of 8 bits, truncated or damaged."""
    check_file(path)
    content = path.read_bytes()
    height, width = _checked(content, path)
    from PIL import Image

    with memory.reading(path, expansion=_EXPANSION):
        memory.take(height * width, str(path))
        try:
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                pixels = np.array(image)
        # Pillow raises what it meets in a damaged file; a bomb is a warning or an error of its own class of Exception.
        except (
            OSError,
            ValueError,
            SyntaxError,
            EOFError,
            zlib.error,
            struct.error,
            Image.DecompressionBombError,
        ) as error:
            raise DataError(f"the PNG image is damaged: {error}", where=str(path), hint=REMAKE) from None
    if pixels.shape != (height, width) or pixels.dtype != np.uint8:
        raise DataError(
            f"the PNG image holds {pixels.dtype} {list(pixels.shape)}, not uint8 {[height, width]}",
            where=str(path),
            hint="save it as a grey image of 8 bits",
        )
    pixels.flags.writeable = False
    return pixels


def _checked(content: bytes, path: Path) -> tuple[int, int]:
    """(height, width), after every chunk was held against its sum: a decoder need not notice a changed pixel."""
    if not content.startswith(_SIGNATURE):
        raise DataError(f"the file is not PNG: its first bytes are {content[:8]!r}", where=str(path), hint=REMAKE)
    at, size, name = len(_SIGNATURE), None, b""
    while name != b"IEND":
        head = content[at : at + 8]
        length = int.from_bytes(head[:4], "big")
        name, end = head[4:], at + 12 + length
        if len(head) < 8 or end > len(content):
            raise DataError("the PNG image is truncated", where=f"{path}, byte {len(content)}", hint=REMAKE)
        if zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            raise DataError("the PNG image is damaged: a sum differs", where=f"{path}, byte {at}", hint=REMAKE)
        if size is None:
            size = _size(name, content[at + 8 : end - 4], path)
        at = end
    assert size is not None
    return size


def _size(name: bytes, header: bytes, path: Path) -> tuple[int, int]:
    if name != b"IHDR" or len(header) != 13:
        raise DataError("the PNG image does not begin with its size", where=f"{path}, byte 8", hint=REMAKE)
    width, height, bits, colours = struct.unpack(">IIBB", header[:10])
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise DataError(
            f"the PNG image says {width} x {height} pixels, where {LARGEST_SIDE} x {LARGEST_SIDE} are the most",
            where=f"{path}, byte 16",
            hint=memory.HINT,
        )
    if (bits, colours) != (8, _GREY):
        raise DataError(
            f"the PNG image has {bits} bits and colour type {colours}, and is not grey of 8 bits",
            where=f"{path}, byte 24",
            hint="save it as a grey image of 8 bits",
        )
    return height, width
