"""Runs of numpy's numbers in a pickle, read at once: a simulation has some 80,000 of them, seven to eleven operations each.

Python 2 writes `scalar dtype U8<bytes> TUPLE2 REDUCE`, Python 3 the bytes as `C8<bytes>`, or, up to protocol 2, as the
text `encode(X<characters>, "latin1")`. Between these may be operations that remember the value just made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.pickles.costs import OBJECT, SLOT
from neurocli.recordings.pickles.values import SHARED, Buffer, Dtype, Global

_GET = rb"h.|j.{4}"
_PUT = rb"q.|r.{4}|\x94|"
# A small number as eight latin-1 characters in UTF-8: two of one or two bytes, and six zeros; before them their length.
_ONE, _TWO = rb"[\x00-\x7f]", rb"[\xc2\xc3][\x80-\xbf]"
_TEXT = rb"X(?:\x08\0\0\0%b%b|\x09\0\0\0(?:%b%b|%b%b)|\x0a\0\0\0%b%b)\0{6}" % (
    *(_ONE, _ONE),
    *(_ONE, _TWO, _TWO, _ONE),
    *(_TWO, _TWO),
)
_CHARACTERS = rb"X.\0\0\0(.{2,4}?\0{6})"
_START = re.compile(
    rb"(%b)(%b)(?:[UC](\x08.{8}|\x04.{4}|\x02.{2})|(%b)%b(?:%b)(%b)\x86(?:%b)R)(%b)\x86"
    % (_GET, _GET, _GET, _TEXT, _PUT, _GET, _PUT, _PUT),
    re.DOTALL,
)
_PUTS = {b"q": (rb"q.", 2), b"r": (rb"r.{4}", 5), b"\x94": (rb"\x94", 1), b"": (rb"", 0)}
_MOST_FORMS = 64
"""A pickle writes its runs in one or two forms: more are looked for one by one, since each form takes memory."""
_SHARED = np.array(SHARED, dtype=object)


@dataclass(frozen=True)
class Run:
    """Numbers in a row, the position behind them, how many values protocol 4 would have remembered, and the bytes they take."""

    numbers: list[Any]
    end: int
    memoized: int
    size: int


class Runs:
    """Finds runs of numbers of one type in one pickle. `recall(get)` gives the remembered value of an operation such as `h\\x04`."""

    def __init__(self, buffer: Buffer, recall: Callable[[bytes], Any]) -> None:
        self._buffer, self._recall = buffer, recall
        self._forms: dict[tuple[bytes | None, ...], _Form | None] = {}

    def at(self, position: int) -> Run | None:
        """The run that starts here, None where there is none."""
        start = _START.match(self._buffer, position)
        if start is None:
            return None
        scalar, dtype, item, encode, latin, put = start.groups()
        size = 8 if item is None else item[0]
        key = (scalar, dtype, encode, latin, put[:1], bytes([size]))
        if key not in self._forms:
            if len(self._forms) >= _MOST_FORMS:
                return None
            self._forms[key] = self._form(scalar, dtype, encode, latin, put[:1], size)
        form = self._forms[key]
        whole = form.run.match(self._buffer, position) if form is not None else None
        if form is None or whole is None:
            return None
        numbers, size = _as_list(form.numbers(whole[0]))
        return Run(numbers, whole.end(), form.memoized * len(numbers), size)

    def _form(
        self, scalar: bytes, dtype: bytes, encode: bytes | None, latin: bytes | None, put: bytes, size: int
    ) -> _Form | None:
        """What to look for after a start like this, its remembered values having been looked at; None where they are others."""
        kind = self._recall(dtype)
        if self._recall(scalar) != Global("scalar") or not isinstance(kind, Dtype):
            return None
        number = kind.numpy
        if number.kind not in "iuf" or number.itemsize != size or number.str[0] != "<":
            return None
        put_pattern, length = _PUTS[put]
        head, end = re.escape(scalar + dtype), put_pattern + rb"\x86" + put_pattern + rb"R" + put_pattern
        if encode is None or latin is None:
            run = re.compile(rb"(?:%b[UC]%b.{%d}%b)++" % (head, re.escape(bytes([size])), size, end), re.DOTALL)
            offset = len(scalar + dtype) + 2
            return _Form(run, None, offset, offset + size + 2 + 3 * length, 3 if put == b"\x94" else 0, number)
        if self._recall(encode) != Global("encode") or self._recall(latin) not in ("latin1", "latin-1"):
            return None
        if number.str != "<i8":
            return None
        head += re.escape(encode)
        end = put_pattern + re.escape(latin) + rb"\x86" + put_pattern + rb"R" + end
        run = re.compile(rb"(?:%b%b%b)++" % (head, _TEXT, end), re.DOTALL)
        item = re.compile(head + _CHARACTERS + end, re.DOTALL)
        return _Form(run, item, 0, 0, 5 if put == b"\x94" else 0, number)


@dataclass(frozen=True)
class _Form:
    """How the numbers of a run are written.

    run: as many as there are; item: the characters of each where they are kept as texts, else their eight bytes are
    at `offset` in items of `length` bytes; memoized: how many values each makes protocol 4 remember.
    """

    run: re.Pattern[bytes]
    item: re.Pattern[bytes] | None
    offset: int
    length: int
    memoized: int
    dtype: np.dtype[Any]

    def numbers(self, run: bytes) -> NDArray[Any]:
        if self.item is None:
            items = np.frombuffer(run, np.uint8).reshape(-1, self.length)
            content = items[:, self.offset : self.offset + self.dtype.itemsize]
            return np.ascontiguousarray(content).view(self.dtype).ravel()
        characters = b"".join(self.item.findall(run))
        return np.frombuffer(characters.decode("utf-8").encode("latin-1"), "<i8")


def _as_list(numbers: NDArray[Any]) -> tuple[list[Any], int]:
    """(the numbers, the bytes that they take)."""
    kind = numbers.dtype
    if kind.kind == "f" or numbers.view(f"u{kind.itemsize}").max() >= len(SHARED):  # negative ones are large there
        return numbers.tolist(), (SLOT + OBJECT // 2) * len(numbers)
    # The same few thousand times occur again and again: shared, they take a quarter of the memory.
    return _SHARED.take(numbers).tolist(), SLOT * len(numbers)
