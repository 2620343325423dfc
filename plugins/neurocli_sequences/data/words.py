"""Where tokens stand in their text: its pieces, and the characters and bytes of each token."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neurocli_sequences.data.tokens import CUTS

_PIECE = 2**20
"""Characters of a piece: a list of all words of a large text would take more memory than the text."""
_WORD = re.compile(r"\S+")


def pieces(text: str, unit: str) -> Iterator[str]:
    """A text in pieces that cut no token, one after the other."""
    start = 0
    while start < len(text):
        stop = start + _PIECE
        while unit == "word" and stop < len(text) and not text[stop].isspace():
            stop += 1
        yield text[start:stop]
        start = stop


def has_two(text: str, unit: str) -> bool:
    """Whether a text has two tokens, the fewest of which one can be predicted."""
    if unit == "word":
        return len(list(itertools.islice(_WORD.finditer(text), 2))) == 2
    return len(CUTS[unit](text[:2])) > 1


def places(text: str, unit: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(first byte of each token [token], characters from the end of the one before to its own end [token])."""
    bytes_ = np.frombuffer(text.encode("utf-8"), np.uint8)
    begins = np.flatnonzero((bytes_ & 0xC0) != 0x80)
    if unit == "character":
        return begins, np.ones(len(begins), np.int64)
    if unit == "byte":
        ends = np.append((bytes_[1:] & 0xC0) != 0x80, True)
        return np.arange(len(bytes_)), ends.astype(np.int64)
    spans = np.array([match.span() for match in _WORD.finditer(text)], np.int64).reshape(-1, 2)
    return begins[spans[:, 0]], np.diff(spans[:, 1], prepend=0)
