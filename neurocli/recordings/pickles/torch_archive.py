"""Files of `torch.save`, read without torch and without executing anything: named tensors as numpy arrays.

Such a file is a zip archive whose `data.pkl` says, for each tensor, in which entry its values are and how they lie there. All of
this is held against the entries, and what the tensors take against the file's budget, before any is made.
"""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE
from neurocli.recordings.pickles.machine import Machine
from neurocli.recordings.pickles.values import ALLOWED, Global, Refused, build

_EXPANSION = 4.0
_LARGEST_PICKLE = 2**24
_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_ALLOWED = {
    ("collections", "OrderedDict"): "dict",
    ("torch._utils", "_rebuild_tensor_v2"): "tensor",
    ("torch._utils", "_rebuild_parameter"): "parameter",
    **{("torch", name): f"storage {kind}" for name, kind in _TYPES.items()},
}
_KINDS = {
    "_rebuild_sparse_tensor": "sparse",
    "_rebuild_sparse_csr_tensor": "sparse",
    "_rebuild_nested_tensor": "nested",
    "_rebuild_qtensor": "quantised",
    "_rebuild_meta_tensor_no_storage": "without values (on the device meta)",
    "_rebuild_device_tensor_from_numpy": "of a device of its own",
    "_rebuild_device_tensor_from_cpu_tensor": "of a device of its own",
    "_rebuild_wrapper_subclass": "of a class of its own",
    "ComplexFloatStorage": "complex",
    "ComplexDoubleStorage": "complex",
    "BFloat16Storage": "of bfloat16",
    **dict.fromkeys(("QInt8Storage", "QUInt8Storage", "QInt32Storage", "QUInt4x2Storage"), "quantised"),
}
"""Names that stand for tensors of other kinds, in words."""


class MoreThanTensors(DataError):
    """A file that asks for something that could run code."""


@dataclass(frozen=True)
class _Storage:
    """Values in an entry of the archive; key: its name, length: how many there should be."""

    dtype: np.dtype[Any]
    key: str
    length: int


@dataclass(frozen=True)
class StoredTensor:
    """How a tensor lies in a storage: from `offset` on, with sizes and strides in values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many values it has."""
        return int(np.prod(self.shape, dtype=object)) if self.shape else 1


def read_archive(path: Path, *, largest: int, hint: str = REMAKE) -> dict[str, NDArray[Any]]:
    """Tensors by name of a state dict. Raises DataError for anything else, or more than `largest` bytes."""
    with memory.reading(path, expansion=_EXPANSION), _open(path, largest, hint) as (archive, root):
        content = _pickle(archive, root, path, hint)
        if not isinstance(content, dict):
            raise DataError("the file is not a state dict of named tensors", where=str(path), hint=hint)
        wrong = [name for name, value in content.items() if not isinstance(value, StoredTensor)]
        if wrong:
            raise DataError(
                f"the file is not a state dict of named tensors: {str(wrong[0])[:40]} is none"
                + (f" (it has the entries {', '.join(str(n)[:40] for n in list(content)[:6])})" if wrong else ""),
                where=str(path),
                hint=hint,
            )
        if not all(isinstance(name, str) for name in content):
            raise DataError("the file is not a state dict of named tensors", where=str(path), hint=hint)
        return {name: _values(value, name, archive, root, path, hint) for name, value in content.items()}


def check_archive(path: Path, *, largest: int, hint: str = REMAKE) -> None:
    """That an archive holds plain values and tensors that its entries have, whatever their nesting. Raises DataError."""
    with memory.reading(path, expansion=_EXPANSION), _open(path, largest, hint) as (archive, root):
        machine = _run(archive, root, path, hint)
        for tensor in machine.tensors:
            memory.take(tensor.count * tensor.storage.dtype.itemsize, str(path))
            _check(tensor, "a tensor", archive, root, path, hint)


@contextlib.contextmanager
def _open(path: Path, largest: int, hint: str) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """The archive, and the folder in it that everything is in."""
    try:
        if not zipfile.is_zipfile(path):
            raise DataError(
                "the file is not a checkpoint: torch.save writes a zip archive, but for its form before version 1.6",
                where=str(path),
                hint=hint,
            )
        with zipfile.ZipFile(path) as archive:
            yield archive, _root(archive.infolist(), path, largest, hint)
    # What zipfile makes of damage: of names, sizes, places, checksums, encryption.
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError) as error:
        raise _damaged(error, path, hint) from None
    except (KeyError, IndexError, RuntimeError, NotImplementedError, OverflowError) as error:
        raise _damaged(error, path, hint) from None


def _damaged(error: Exception, path: Path, hint: str) -> DataError:
    reason = (str(error).splitlines() or [""])[0][:80]
    return DataError(
        f"the file is damaged: its tensors cannot be read ({reason or type(error).__name__})",
        where=str(path),
        hint=hint,
    )


def _root(entries: list[zipfile.ZipInfo], path: Path, largest: int, hint: str) -> str:
    """The folder of `data.pkl`, after the entries have been checked: of a bounded size, once each, not compressed."""
    names = Counter(entry.filename for entry in entries)
    roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(roots) != 1:
        raise DataError("the file is an archive, but not one of torch.save", where=str(path), hint=hint)
    root = roots[0]
    if f"{root}constants.pkl" in names or any(name.startswith(f"{root}code/") for name in names):
        raise DataError("the file is a TorchScript program, not a state dict", where=str(path), hint=hint)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DataError(f"the file is damaged: the entry {twice[0][:60]} is there twice", where=str(path), hint=hint)
    size, on_disk = sum(entry.file_size for entry in entries), path.stat().st_size
    if size > largest or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise DataError(
            f"the file declares {size / 2**20:.0f} MiB or is compressed; a checkpoint is below "
            f"{largest / 2**20:.0f} MiB and is not",
            where=str(path),
            hint=hint,
        )
    if size > on_disk:
        raise DataError(
            f"the file is damaged: its entries declare {size} bytes, and it has {on_disk}", where=str(path), hint=hint
        )
    return root


def _pickle(archive: zipfile.ZipFile, root: str, path: Path, hint: str) -> Any:
    return _run(archive, root, path, hint).result


def _run(archive: zipfile.ZipFile, root: str, path: Path, hint: str) -> _Machine:
    if archive.getinfo(f"{root}data.pkl").file_size > _LARGEST_PICKLE:
        raise DataError("the list of the tensors is too large for a checkpoint", where=str(path), hint=hint)
    content = archive.read(f"{root}data.pkl")
    memory.take(len(content), str(path))
    machine = _Machine(content, path, fast=False)
    try:
        machine.result = machine.value()
    except DataError as error:
        error.hint = hint
        if not isinstance(error, MoreThanTensors) and error.message.startswith("the pickle"):
            error.message = f"the file is damaged: its tensors cannot be read ({error.message})"
        raise
    return machine


class _Machine(Machine):
    """Follows `data.pkl`; tensors become `StoredTensor`."""

    allowed = {**ALLOWED, **_ALLOWED}

    def __init__(self, content: bytes, path: Path, *, fast: bool) -> None:
        super().__init__(content, path, fast=fast)
        self.tensors: list[StoredTensor] = []
        self.result: Any = None

    def name(self, module: Any, name: Any) -> None:
        if isinstance(module, str) and isinstance(name, str) and (module, name) not in self.allowed:
            where = f"{self.path}, byte {self.at} of data.pkl"
            if module.startswith("torch") and name in _KINDS:
                raise DataError(f"a tensor is {_KINDS[name]}, and not of plain numbers", where=where, hint=REMAKE)
            raise MoreThanTensors(
                f"the file holds more than tensors: it asks for {module[:60]}.{name[:60]}, which could run code, "
                "so it was not loaded",
                where=where,
                hint=REMAKE,
            )
        super().name(module, name)

    def reference(self) -> None:
        place = self.stack.pop()
        sound = type(place) is tuple and len(place) == 5 and place[0] == "storage" and type(place[4]) is int
        if not sound or not isinstance(place[1], Global) or not isinstance(place[2], str) or place[4] < 0:
            raise Refused("the values of a tensor are kept in an unknown way")
        kind = place[1].builds
        if not kind.startswith("storage "):
            raise Refused("the type of a tensor is damaged")
        self.stack.append(_Storage(np.dtype(kind.removeprefix("storage ")), place[2], place[4]))

    def reduce(self) -> None:
        arguments, what = self.stack.pop(), self.stack.pop()
        builds = what.builds if isinstance(what, Global) and type(arguments) is tuple else None
        self.spend(512)
        if builds == "dict" and not arguments:
            self.stack.append({})
        elif builds == "tensor" and len(arguments) >= 6:
            self.stack.append(_tensor(*arguments[:4]))
            self.tensors.append(self.stack[-1])
        elif builds == "parameter" and len(arguments) == 3 and isinstance(arguments[0], StoredTensor):
            self.stack.append(arguments[0])
        else:
            self.stack.append(build(what, arguments))

    def set_state(self) -> None:
        if isinstance(self.stack[-2], dict):  # versions of the modules, which torch keeps beside a state dict
            self.stack.pop()
        else:
            super().set_state()


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> StoredTensor:
    """Raises Refused where what describes a tensor is damaged."""
    numbers = [offset]
    if type(shape) is tuple and type(strides) is tuple and len(shape) == len(strides) <= 32:
        numbers += [*shape, *strides]
        if all(type(number) is int and 0 <= number < 2**62 for number in numbers) and isinstance(storage, _Storage):
            return StoredTensor(storage, offset, shape, strides)
    raise Refused("the shape of a tensor is damaged")


def _check(tensor: StoredTensor, name: str, archive: zipfile.ZipFile, root: str, path: Path, hint: str) -> None:
    """That the entry of a tensor has its values, each once."""
    storage = tensor.storage
    try:
        size = archive.getinfo(f"{root}data/{storage.key}").file_size
    except KeyError:
        raise DataError(
            f"the values of {name} are missing: there is no entry {storage.key[:40]}", where=str(path), hint=hint
        ) from None
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if size != storage.length * storage.dtype.itemsize or (tensor.count and last >= storage.length):
        asked = memory.amount(tensor.count * storage.dtype.itemsize)
        raise DataError(
            f"{name} of shape {list(tensor.shape)} asks for {asked}, and its entry has {memory.amount(size)}",
            where=str(path),
            hint=hint,
        )
    if any(n > 1 and step == 0 for n, step in zip(tensor.shape, tensor.strides, strict=True)):
        raise DataError(
            f"{name} of shape {list(tensor.shape)} repeats the {memory.amount(size)} of its entry without end",
            where=str(path),
            hint=hint,
        )


def _values(
    tensor: StoredTensor, name: str, archive: zipfile.ZipFile, root: str, path: Path, hint: str
) -> NDArray[Any]:
    """The numbers of a tensor, in memory of their own."""
    _check(tensor, name, archive, root, path, hint)
    storage = tensor.storage
    memory.take(tensor.count * storage.dtype.itemsize, f"{path}:{name}")
    with memory.passing(storage.length * storage.dtype.itemsize, f"{path}:{name}"):
        content = np.frombuffer(archive.read(f"{root}data/{storage.key}"), storage.dtype)
        if not tensor.count:
            return np.zeros(tensor.shape, storage.dtype)
        strides = tuple(step * storage.dtype.itemsize for step in tensor.strides)
        return np.lib.stride_tricks.as_strided(content[tensor.offset :], tensor.shape, strides).copy()
