"""Reading MNIST and Fashion-MNIST: a file of images and a file of labels for each part, in the IDX format, plain or .gz.

IDX: bytes 0 0, type (0x08: uint8), number of dimensions, then each dimension as big-endian int32, then the values.
Source: yann.lecun.com/exdb/mnist; Xiao et al. (2017), github.com/zalandoresearch/fashion-mnist.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import math
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE, check_file
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers.cases import STEP, Cases, case, order_of, part_of

CLASSES = 10
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
LARGEST_SIDE = 4096

_FASHION_LABELS = ("9018921c3c673c538a1fc5bad174d6f9", "15d484375f8d13e6eb1aabb0c3f46965")
"""md5 of the published labels, unpacked: the names of their classes stand in no file."""
_IMAGES, _LABELS = 3, 1
_UINT8 = 0x08
_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_GZIP = b"\x1f\x8b"
_RATIO = 100.0
"""Bytes in memory for each of a packed file: images of digits shrink to a fifth."""
_NAME = re.compile(r"(images|labels)[-_.]idx[13][-_.]ubyte(\.gz)?$")
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class _File:
    path: Path
    values: NDArray[np.uint8]

    @property
    def kind(self) -> str:
        return "images" if self.values.ndim == _IMAGES else "labels"

    @property
    def key(self) -> tuple[Path, str]:
        """What images and their labels have in common: the folder, and the name but for these words."""
        name = self.path.name.lower().removesuffix(".gz")
        return self.path.parent, re.sub(r"images|labels|idx[13]", "*", name)


class IdxReader(Reader):
    """Reads pairs of files; images and labels of a part are named alike but for these words."""

    def can_read(self, path: Path) -> bool:
        if not path.is_file():
            return False
        if _NAME.search(path.name.lower()):
            return True  # a damaged one is named as such
        try:
            with _opened(path) as file:
                start = file.read(4)
        except (OSError, *_DAMAGE):
            return False
        return len(start) == 4 and start[:3] == bytes((0, 0, _UINT8)) and start[3] in (_IMAGES, _LABELS)

    def read(self, paths: list[Path]) -> RecordingSet:
        """All images of the files, part after part. Raises DataError."""
        pairs = _paired([_File(path, _read(path)) for path in paths])
        pairs.sort(key=lambda pair: order_of(part_of(pair[0].path.name)))
        cases = Cases()
        first = pairs[0][0]
        for images, labels in pairs:
            _check_pair(images, labels)
            if images.values.shape[1:] != first.values.shape[1:]:
                raise DataError(
                    f"images of {_size(images)} and of {_size(first)} pixels",
                    where=f"{images.path}, {first.path}",
                    hint="name the files of one data set",
                )
            part = part_of(images.path.name)
            make = functools.partial(_case, images.values, labels.values, part)
            stem = images.path.name.removesuffix(".gz").split(".")[0]
            cases.add(part, stem, len(images.values), make, str(images.path))
        is_fashion = all(_sum(labels.values) in _FASHION_LABELS for _, labels in pairs)
        height, width = first.values.shape[1:]
        meta = {
            "kind": "images",
            "name": "idx",
            **STEP,
            "classes": list(FASHION) if is_fashion else [str(digit) for digit in range(CLASSES)],
            "layout": {"height": height, "width": width, "colours": 1},
        }
        return RecordingSet(cases.loaders, meta=meta, sources=[str(file.path) for pair in pairs for file in pair])


def _case(images: NDArray[np.uint8], labels: NDArray[np.uint8], part: str | None, number: int, group: str) -> Recording:
    return case(group, images[number], "grey level", part, {"class": int(labels[number])})


def _paired(files: list[_File]) -> list[tuple[_File, _File]]:
    """(images, labels) of each part. Raises DataError where one of them is missing."""
    by_key: dict[Any, dict[str, _File]] = {}
    for file in files:
        pair = by_key.setdefault(file.key, {})
        if file.kind in pair:
            raise DataError(
                f"two files hold the same {file.kind}",
                where=f"{pair[file.kind].path}, {file.path}",
                hint="name one of them, plain or packed",
            )
        pair[file.kind] = file
    for pair in by_key.values():
        for kind, other in (("images", "labels"), ("labels", "images")):
            if kind not in pair:
                wanted = pair[other].path.name.replace(other, kind).replace("idx1" if kind == "images" else "idx3", "")
                raise DataError(
                    f"the {kind} of these {other} are missing",
                    where=str(pair[other].path),
                    hint=f"name the file with them as well, or the folder of both ({wanted[:40]}...)",
                )
    return [(pair["images"], pair["labels"]) for pair in by_key.values()]


def _check_pair(images: _File, labels: _File) -> None:
    if len(images.values) != len(labels.values):
        raise DataError(
            f"{len(images.values)} images and {len(labels.values)} labels",
            where=f"{images.path}, {labels.path}",
            hint="name files that belong together",
        )
    wrong = np.flatnonzero(labels.values >= CLASSES)
    if len(wrong):
        from_one = labels.values.min() >= 1 and labels.values.max() == CLASSES
        raise DataError(
            f"a label is {labels.values[wrong[0]]}, not from 0 to {CLASSES - 1}"
            + (": are they counted from 1?" if from_one else ""),
            where=f"{labels.path}, label {wrong[0]}",
            hint="bring the files of MNIST or Fashion-MNIST as published",
        )


def _sum(labels: NDArray[np.uint8]) -> str:
    """md5 of the unpacked file that holds these labels."""
    header = struct.pack(">4BI", 0, 0, _UINT8, _LABELS, len(labels))
    return hashlib.md5(header + labels.tobytes(), usedforsecurity=False).hexdigest()


def _size(file: _File) -> str:
    return f"{file.values.shape[1]} x {file.values.shape[2]}"


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _read(path: Path) -> NDArray[np.uint8]:
    """uint8 [image, row, column] or [label]: what the header says and no byte more. Raises DataError."""
    check_file(path)
    with memory.reading(path, expansion=_RATIO):
        try:
            with _opened(path) as file:
                shape = _shape(path, file)
                size = math.prod(shape)
                memory.take(size, str(path))
                content = file.read(size)
                rest = file.read(1)  # also compares the sum of a packed file
        except _DAMAGE as error:
            what = "is truncated" if isinstance(error, EOFError) else "is damaged"
            raise DataError(f"the compressed file {what}: {error}", where=str(path), hint=REMAKE) from error
    header = 4 + 4 * len(shape)
    if len(content) < size:
        raise DataError(
            f"the file is truncated: it ends after {header + len(content)} of {header + size} bytes",
            where=f"{path}, byte {header + len(content)}",
            hint=REMAKE,
        )
    if rest:
        raise DataError(
            f"the file is longer than its header says: {' x '.join(map(str, shape))} values",
            where=f"{path}, byte {header + size}",
            hint=REMAKE,
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(path: Path, file: IO[bytes]) -> tuple[int, ...]:
    start = file.read(4)
    if len(start) < 4:
        raise DataError("the file is truncated: it has no header", where=f"{path}, byte {len(start)}", hint=REMAKE)
    if start[2:] == b"\0\0" and start[1] in (_UINT8, *_TYPES) and start[0] in (_IMAGES, _LABELS):
        raise _other_order(path)
    if start[:2] != b"\0\0" or start[2] not in (_UINT8, *_TYPES):
        raise DataError(
            f"the file is not IDX: its first bytes are {start!r}",
            where=f"{path}, byte 0",
            hint="bring the file as published",
        )
    if start[2] != _UINT8:
        raise DataError(
            f"the values are {_TYPES[start[2]]}, not uint8",
            where=f"{path}, byte 2",
            hint="save them as bytes, 0 to 255",
        )
    dimensions = start[3]
    named = _NAME.search(path.name.lower())
    wanted = (_IMAGES if named[1] == "images" else _LABELS,) if named else (_IMAGES, _LABELS)
    if dimensions not in wanted:
        raise DataError(
            f"the values have {dimensions} dimensions, not {' or '.join(map(str, wanted))}",
            where=f"{path}, byte 3",
            hint="images are [image, row, column] and labels [label]; is the file called what it is?",
        )
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError("the file is truncated within its header", where=f"{path}, byte {4 + len(header)}", hint=REMAKE)
    shape: tuple[int, ...] = struct.unpack(f">{dimensions}I", header)
    swapped: tuple[int, ...] = struct.unpack(f"<{dimensions}I", header)
    if max(shape[1:], default=1) > LARGEST_SIDE or max(shape) >= 2**24:
        if max(swapped[1:], default=1) <= LARGEST_SIDE and max(swapped) < 2**24:
            raise _other_order(path)
        raise DataError(
            f"the header says {' x '.join(map(str, shape))} values, which no such file holds",
            where=f"{path}, byte 4",
            hint=REMAKE,
        )
    if min(shape) == 0:
        raise DataError(
            f"the header says {' x '.join(map(str, shape))} values: there are none",
            where=f"{path}, byte 4",
            hint=REMAKE,
        )
    return shape


def _other_order(path: Path) -> DataError:
    return DataError(
        "the header is little-endian; IDX is big-endian", where=f"{path}, byte 0", hint="bring the file as published"
    )
