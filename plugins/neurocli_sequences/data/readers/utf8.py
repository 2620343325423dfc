"""Whether bytes are a text in UTF-8, and where they are not."""

from __future__ import annotations

import codecs

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import REMAKE

_PART = 2**24
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def check_utf8(content: bytes, where: str) -> None:
    """Raise DataError, with line and byte, for what is empty or no text in UTF-8."""
    if not content or content.isspace():
        raise DataError("the text is empty", where=where, hint=REMAKE)
    place = content.find(b"\0")
    if place < 0:
        place = _first_fault(content)
    if place < 0:
        return
    if content.startswith(_UTF16):
        what = "the text is UTF-16, not UTF-8"
    else:
        what = "the text is not UTF-8" if content[place] else "the text holds a zero byte: it is damaged, or no text"
    line = content.count(b"\n", 0, place) + 1
    raise DataError(what, where=f"{where}, line {line}, byte {place}", hint="save it again as UTF-8")


def _first_fault(content: bytes) -> int:
    """The place of the first byte that is no UTF-8, -1 where all are: a part at a time, since one letter makes a text of four bytes each."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), _PART):
        held = len(decoder.getstate()[0])  # the beginning of a letter, from the part before
        try:
            decoder.decode(content[start : start + _PART], final=start + _PART >= len(content))
        except UnicodeDecodeError as error:
            return start - held + error.start
    return -1
