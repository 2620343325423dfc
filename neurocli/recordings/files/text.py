"""Text that others wrote: UTF-8 with and without a byte-order mark, UTF-16, code page 1252, any ends of lines."""

from __future__ import annotations

import codecs
from pathlib import Path

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import check_file

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 4096
_FEW_ZEROS = 0.02
_END_OF_FILE = "\x1a"
"""What DOS put at the end of a text."""


def encoding_of(path: Path) -> str | None:
    """The encoding of a text by its first bytes: their mark, or where they are zero; None for what is no text."""
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    even, odd = start[0::2], start[1::2]
    zeros = (even.count(0) / max(len(even), 1), odd.count(0) / max(len(odd), 1))
    if (
        max(zeros) > 0.3 and min(zeros) < _FEW_ZEROS
    ):  # UTF-16 without a mark: every second byte of Latin letters is zero
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    if 0 in start:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def read_text(path: Path) -> str:
    """The whole text, lines ending in \\n. Raises DataError where it is no text, or more than can be held."""
    check_file(path)
    encoding = encoding_of(path)
    if encoding is None:
        raise DataError("the file is not a text", where=str(path), hint="name another file, or export it as text")
    with memory.reading(path, expansion=memory.PLAIN):
        memory.take(4 * path.stat().st_size, str(path))
        content = path.read_bytes()
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding != "utf-8":
                raise DataError(
                    f"the text is damaged: it is not {encoding}",
                    where=f"{path}, byte {error.start}",
                    hint="save it again as UTF-8",
                ) from None
            text = content.decode("cp1252", errors="replace")  # the first letter beyond ASCII came late
    return _plain(text)


def read_start(path: Path, size: int = 2**16) -> str:
    """The whole lines among the first `size` bytes of a text, the last one too where the file ends there; empty for what is no text."""
    encoding = encoding_of(path)
    if encoding is None:
        return ""
    with path.open("rb") as file:
        content = file.read(size - size % 4)
        whole = not file.read(1)
    text = _plain(content.decode(encoding, errors="replace"))
    return text if whole else text[: text.rfind("\n") + 1]


def read_end(path: Path, size: int = 2**16) -> str:
    """The whole lines among the last `size` bytes of a text; empty for what is no text."""
    encoding = encoding_of(path)
    if encoding is None:
        return ""
    length = path.stat().st_size
    if length <= size:
        return read_start(path, size)
    byte_order = "-le"
    if encoding in ("utf-16", "utf-32"):  # the mark that tells the order of bytes stands at the beginning
        with path.open("rb") as file:
            byte_order = "-be" if file.read(4).startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)) else "-le"
        encoding += byte_order
    with path.open("rb") as file:
        file.seek((length - size) // 4 * 4)
        text = _plain(file.read().decode(encoding, errors="replace"))
    return text[text.find("\n") + 1 :]


def _plain(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip(_END_OF_FILE)
