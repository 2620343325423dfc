"""The values of MATLAB v5 arrays, out of their elements: numbers, sparse matrices, texts, names of fields."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.matlab.elements5 import HINT, INT8, INT32, NAME_BYTES, Elements, Head
from neurocli.recordings.matlab.sparse import full

# Types of stored values: MATLAB keeps an array in the smallest type that holds its values.
_VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_DTYPES = {"double": "f8", "single": "f4", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4"}
_DTYPES |= {"uint32": "u4", "int64": "i8", "uint64": "u8", "logical": "u1"}


def item_bytes(kind: str) -> int:
    """Bytes of one number of a numeric class in memory."""
    return np.dtype(_DTYPES[kind]).itemsize


def decode_numbers(elements: Elements, head: Head, where: str) -> NDArray[Any]:
    """The values of a numeric array of which `elements` are about to give the values; a sparse matrix is made full."""
    if head.sparse:
        rows, starts = _stored(elements), _stored(elements)
        values = _as_class(elements, _stored(elements), head.kind) if elements.left else np.zeros(0)
        return full(head.shape, rows, starts, values, where, hint=HINT)
    count = int(np.prod(head.shape, dtype=object))
    stored = _stored(elements)
    if stored.size != count:
        raise elements.damaged()
    return _as_class(elements, stored, head.kind).reshape(head.shape, order="F")


def _stored(elements: Elements) -> NDArray[Any]:
    """The numbers of the next element, in the type in which they are stored."""
    kind, values = elements.next()
    stored = np.dtype(f"{elements.order}{_VALUES[kind]}") if kind in _VALUES else None
    if stored is None or len(values) % stored.itemsize:
        raise elements.damaged()
    return np.frombuffer(values, stored)


def _as_class(elements: Elements, stored: NDArray[Any], kind: str) -> NDArray[Any]:
    """Stored numbers in the type of their class. Raises DataError where whole numbers would become others: that is damage."""
    wanted = np.dtype(_DTYPES[kind])
    if wanted.kind in "iu" and stored.dtype != wanted and stored.size:
        limits = np.iinfo(wanted)
        if stored.dtype.kind == "f" and kind != "logical":
            raise elements.damaged()
        # As Python's whole numbers: numpy would compare uint64 with int64 as floats. NaN fails as well.
        if not (int(limits.min) <= stored.min() and stored.max() <= int(limits.max)):
            raise elements.damaged()
    with np.errstate(over="ignore"):
        return stored.astype(wanted)


def decode_text(elements: Elements) -> str:
    """The characters of a char array, down its columns; of several rows, pairs of surrogates may be apart."""
    kind, values = elements.next()
    if kind not in _TEXTS:
        raise elements.damaged()
    encoding = _TEXTS[kind]
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if elements.order == "<" else "-be"
    text = bytes(values).decode(
        encoding, errors="surrogatepass" if kind in (4, 17) and not len(values) % 2 else "replace"
    )
    if text.isascii() or max(text) > "\xff":
        return text
    try:  # Octave keeps the bytes of UTF-8, each as a character; no text of MATLAB's looks like that
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text


def decode_fields(elements: Elements) -> tuple[str, ...]:
    """The names of a struct's fields: each takes the same number of bytes, zeros at its end."""
    kind, width = elements.next()
    if kind != INT32 or len(width) != 4:
        raise elements.damaged()
    step = int(np.frombuffer(width, f"{elements.order}i4")[0])
    kind, names = elements.next()
    if kind != INT8 or not 0 < step <= NAME_BYTES or len(names) % step:
        raise elements.damaged()
    texts = [bytes(names[at : at + step]).partition(b"\0")[0] for at in range(0, len(names), step)]
    return tuple(text.decode("latin-1") for text in texts)
