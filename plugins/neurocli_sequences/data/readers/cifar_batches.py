"""One batch of CIFAR: its images and labels, from a pickle that is not executed or from binary records, and the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE
from neurocli.recordings.pickles.unpickle import load_content
from neurocli.recordings.pickles.values import Array

SIDE, COLOURS = 32, 3
PIXELS = COLOURS * SIDE**2
COARSE = 20
_PUBLISHED = "bring the file of CIFAR as published"
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Batch:
    """images: uint8 [image, row, column x colour]; labels, coarse: [image]; names: of the image files, where they are told."""

    where: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    coarse: NDArray[np.int64] | None = None
    names: Sequence[str] | None = None


def pickled_batch(content: bytes, path: Path, where: str, classes: int) -> Batch:
    """A batch of the python version. Raises DataError."""
    value = _unpickled(content, path, where)
    data = value.get("data")
    if not isinstance(data, Array):
        raise DataError("there is no array `data` in it", where=where, hint=_PUBLISHED)
    if data.dtype != np.dtype(np.uint8) or len(data.shape) != 2 or data.shape[1] != PIXELS:
        raise DataError(
            f"data is {data.dtype} {list(data.shape)}, not uint8 [image, {PIXELS}]",
            where=f"{where}:data",
            hint=_PUBLISHED,
        )
    memory.take(2 * data.shape[0] * PIXELS, f"{where}:data")
    try:
        pixels = data.read()
    except ValueError as error:  # what is refused, and bytes that are kept as text and are none
        raise DataError(f"data is damaged: {error}", where=f"{where}:data", hint=REMAKE) from None
    key = "labels" if classes == 10 else "fine_labels"
    labels = _labels(value, key, classes, len(pixels), where)
    coarse = None if classes == 10 else _labels(value, "coarse_labels", COARSE, len(pixels), where)
    return Batch(where, _in_rows(pixels, where), labels, coarse, _names(value.get("filenames"), len(pixels), where))


def binary_batch(content: bytes, path: Path, where: str, classes: int) -> Batch:
    """A batch of the binary version. Raises DataError."""
    bytes_of_labels = 1 if classes == 10 else 2
    record = bytes_of_labels + PIXELS
    whole, rest = divmod(len(content), record)
    if rest or not whole:
        raise DataError(
            f"{len(content)} bytes are not a whole number of records of {record} bytes: is the file cut?",
            where=f"{where}, byte {whole * record}",
            hint=REMAKE,
        )
    records = np.frombuffer(content, np.uint8).reshape(whole, record)
    labels = _in_range(records[:, bytes_of_labels - 1].astype(np.int64), classes, where, "label")
    coarse = None
    if classes == 100:
        coarse = _in_range(records[:, 0].astype(np.int64), COARSE, where, "coarse label")
    return Batch(where, _in_rows(records[:, bytes_of_labels:], where), labels, coarse)


def class_names(content: bytes, path: Path, where: str, classes: int, *, is_binary: bool) -> list[str]:
    """The names of the classes, in order. Raises DataError."""
    if is_binary:
        names: Any = [line.strip() for line in content.decode("utf-8", errors="replace").splitlines() if line.strip()]
    else:
        value = _unpickled(content, path, where)
        names = value.get("label_names" if classes == 10 else "fine_label_names")
        names = [_text(name) for name in names] if isinstance(names, list | tuple) else None
    if not names or len(names) != classes or None in names or len(set(names)) != classes:
        raise DataError(f"there are not {classes} names of classes in it", where=where, hint=_PUBLISHED)
    return list(names)


def _unpickled(content: bytes, path: Path, where: str) -> dict[Any, Any]:
    try:
        value = load_content(content, path)
    except DataError as error:
        if where not in (error.where or ""):
            error.where = f"{where}{(error.where or '').removeprefix(str(path))}"
        raise
    if not isinstance(value, dict):
        raise DataError("the pickle holds no dict", where=where, hint=_PUBLISHED)
    return value


def _labels(value: dict[Any, Any], key: str, classes: int, count: int, where: str) -> NDArray[np.int64]:
    labels = value.get(key)
    at = f"{where}:{key}"
    if not isinstance(labels, list) or any(type(label) is not int for label in labels):
        raise DataError(f"there is no list {key} of whole numbers in it", where=at, hint=_PUBLISHED)
    if len(labels) != count:
        raise DataError(f"{count} images and {len(labels)} labels", where=at, hint=REMAKE)
    wrong = next((place for place, label in enumerate(labels) if not 0 <= label < classes), None)
    if wrong is not None:
        raise _out_of_range(labels[wrong], classes, at, wrong, "label")
    return np.asarray(labels, np.int64)


def _in_range(labels: NDArray[np.int64], classes: int, where: str, what: str) -> NDArray[np.int64]:
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        raise _out_of_range(int(labels[wrong[0]]), classes, where, int(wrong[0]), what)
    return labels


def _out_of_range(label: int, classes: int, where: str, place: int, what: str) -> DataError:
    return DataError(
        f"a {what} is {label}, not from 0 to {classes - 1}", where=f"{where}, image {place}", hint=_PUBLISHED
    )


def _in_rows(pixels: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    """[image, row, column x colour] of [image, colour x row x column]."""
    if not len(pixels):
        raise DataError("there are no images in it", where=where, hint=_PUBLISHED)
    planes = pixels.reshape(len(pixels), COLOURS, SIDE, SIDE)
    rows = np.ascontiguousarray(planes.transpose(0, 2, 3, 1)).reshape(len(pixels), SIDE, SIDE * COLOURS)
    rows.flags.writeable = False  # all recordings share it
    return rows


def _names(names: Any, count: int, where: str) -> list[str] | None:
    if names is None:
        return None
    texts = [_text(name) for name in names] if isinstance(names, list) else []
    if len(texts) != count or None in texts:
        raise DataError(f"{count} images and {len(texts)} names of files", where=f"{where}:filenames", hint=REMAKE)
    return [text for text in texts if text is not None]


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) and len(value) <= _LONGEST_NAME else None
