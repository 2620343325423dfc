"""The content sum of a recordings file: what was written is what is read, whatever happened to the process, the disk or the copy.

Sums are xxh3 of 128 bits (xxhash.com), fast enough to be made of everything that is read; they find damage, not forgery.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray


class ContentSum:
    """Collects arrays and values by name; `value` does not depend on the order in which they came."""

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}

    def array(self, name: str, values: NDArray[Any]) -> None:
        """Add an array as it is stored: its type, shape and bytes."""
        values = np.ascontiguousarray(values)
        head = f"{values.dtype.newbyteorder('<').str} {values.shape} "
        if values.dtype.hasobject:
            content: Any = repr(values.tolist()).encode()
        else:
            content = values.astype(values.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8)
        digest = xxhash.xxh3_128(head.encode())
        digest.update(content)
        self._parts[name] = digest.hexdigest()

    def text(self, name: str, value: object) -> None:
        """Add a text or a number, as JSON."""
        self._parts[name] = xxhash.xxh3_128(json.dumps(value).encode()).hexdigest()

    @property
    def value(self) -> str:
        """The sum of all parts: 32 hexadecimal digits."""
        lines = "\n".join(f"{name} {digest}" for name, digest in sorted(self._parts.items()))
        return xxhash.xxh3_128(lines.encode()).hexdigest()
