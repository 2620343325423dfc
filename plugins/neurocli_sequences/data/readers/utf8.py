"""Whether bytes are a text in UTF-8, and where they are not."""

from __future__ import annotations

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import REMAKE

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def check_utf8(content: bytes, where: str) -> None:
    """Raise DataError, with line and byte, for what is empty or no text in UTF-8."""
    if not content.strip():
        raise DataError("the text is empty", where=where, hint=REMAKE)
    place = content.find(b"\0")
    if place < 0:
        try:
            content.decode("utf-8")
            return
        except UnicodeDecodeError as error:
            place = error.start
    if content.startswith(_UTF16):
        what = "the text is UTF-16, not UTF-8"
    else:
        what = "the text is not UTF-8" if content[place] else "the text holds a zero byte: it is damaged, or no text"
    line = content.count(b"\n", 0, place) + 1
    raise DataError(what, where=f"{where}, line {line}, byte {place}", hint="save it again as UTF-8")
