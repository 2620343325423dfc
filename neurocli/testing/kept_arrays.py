"""Which arrays of a dataset and of its recordings were changed in place, by their digests before and after."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.recordings import Dataset, RecordingSet

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type)


class KeptArrays:
    """All arrays that a dataset and the recordings hold now. What is added later, or replaced, is not followed."""

    def __init__(self, data: Dataset, recordings: RecordingSet) -> None:
        self._kept = [(path, array, _digest(array)) for path, array in _arrays(data, "dataset", set())]
        for group in recordings:  # where each access reads a file, what it gave is a copy
            self._kept += [(p, a, _digest(a)) for p, a in _arrays(recordings[group], f"recording {group}", set())]

    def changed(self) -> list[str]:
        """Names of arrays that hold something else than they did."""
        return list(dict.fromkeys(path for path, array, digest in self._kept if _digest(array) != digest))


def _arrays(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays and tensors in attributes, mappings and sequences; nothing of networks, functions and modules."""
    if isinstance(value, _PLAIN) or callable(value) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy() if value.device.type == "cpu" else None
    if isinstance(value, np.ndarray):
        yield path, value
    elif isinstance(value, RecordingSet):
        for group in value:
            yield from _arrays(value[group], f"{path}, recording {group}", seen)
    elif isinstance(value, Mapping):
        for key, item in list(value.items()):
            yield from _arrays(item, f"{path}[{key!r}]", seen)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _arrays(item, f"{path}[{number}]", seen)
    elif hasattr(value, "__dict__"):
        for name, item in list(vars(value).items()):
            yield from _arrays(item, f"{path}.{name}", seen)


def _digest(array: NDArray[Any]) -> bytes:
    content = repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).tobytes()
    return hashlib.blake2b(content, digest_size=16).digest()
