"""Reading CIFAR-10 and CIFAR-100 as published: python or binary version, the archive or its folder.

python   pickles {data: uint8 [image, 3072], labels or fine_labels and coarse_labels: list, filenames: list}; nothing is executed
binary   records of one label (CIFAR-10) or coarse and fine label (CIFAR-100), then 3,072 bytes
Each image is three planes of 32 x 32, red, green and blue. Source: Krizhevsky (2009), cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.archives import first_members, read_members
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.notes import Note
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers.cases import STEP, Cases, case
from neurocli_sequences.data.readers.cifar_batches import COLOURS, SIDE, Batch, binary_batch, class_names, pickled_batch

_PUBLISHED = "bring the files of CIFAR as published"
_PICKLE = b"\x80"
_LOOKED_AT = 4096


@dataclass(frozen=True)
class Version:
    """One of the four published forms. folder: its name in the archive; train, test: its files; meta: the file with names."""

    name: str
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    classes: int
    is_binary: bool

    @property
    def files(self) -> tuple[str, ...]:
        """The files with images, training before test."""
        return (*self.train, self.test)


_TEN = tuple(f"data_batch_{number}" for number in range(1, 6))
VERSIONS = (
    Version("cifar10", "cifar-10-batches-py", _TEN, "test_batch", "batches.meta", 10, False),
    Version("cifar100", "cifar-100-python", ("train",), "test", "meta", 100, False),
    Version(
        "cifar10",
        "cifar-10-batches-bin",
        tuple(f"{name}.bin" for name in _TEN),
        "test_batch.bin",
        "batches.meta.txt",
        10,
        True,
    ),
    Version("cifar100", "cifar-100-binary", ("train.bin",), "test.bin", "fine_label_names.txt", 100, True),
)


class CifarReader(Reader):
    """Reads one of the archives, a folder that it unpacks to, or files of it."""

    def can_read(self, path: Path) -> bool:
        if path.is_dir():
            return any(self._is_of(version, path / name) for version in VERSIONS for name in version.files)
        return any(self._is_of(version, path) for version in VERSIONS)

    def can_read_archive(self, path: Path) -> bool:
        return _version_of(first_members(path)) is not None

    def _is_of(self, version: Version, path: Path) -> bool:
        if path.name not in version.files or not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT)
        if version.is_binary:
            # `train.bin` may be anything: only in its own folder, or where the first label can be one, and the size fits.
            record = (1 if version.classes == 10 else 2) + COLOURS * SIDE**2
            fits = path.stat().st_size % record == 0 and start[:1] < b"\x14"
            return version.classes == 10 or path.parent.name == version.folder or fits
        return start.startswith(_PICKLE) and (
            version.classes == 10 or path.parent.name == version.folder or b"label" in start
        )

    def read(self, paths: list[Path]) -> RecordingSet:
        """All images, training before test. Raises DataError."""
        cases, notes, names = Cases(), list[Note](), list[str]()
        versions = {version for path in paths for version in [self._version(path)]}
        if len({version.name for version in versions}) > 1:
            raise DataError("CIFAR-10 and CIFAR-100 together", where=_all(paths), hint="name the files of one of them")
        batches: dict[tuple[str, str], Batch] = {}
        for path in paths:
            version = self._version(path)
            for name, batch in _batches(path, version):
                if isinstance(batch, list):
                    names = batch
                    continue
                key = ("test" if name == version.test else "train", name.removesuffix(".bin"))
                if key in batches:
                    raise DataError(
                        f"two files are the {name} of CIFAR",
                        where=f"{batches[key].where}, {batch.where}",
                        hint=_PUBLISHED,
                    )
                batches[key] = batch
        version = next(iter(versions))
        wanted = {name.removesuffix(".bin") for name in version.files}
        missing = sorted(wanted - {name for _, name in batches})
        if missing:
            notes.append(
                Note("incomplete", _all(paths), f"of CIFAR are missing: {', '.join(missing)}", "bring all files")
            )
        for part in ("train", "test"):
            in_part = [batches[key] for key in sorted(batches) if key[0] == part]
            if in_part:
                _add(cases, part, in_part)
        meta = {
            "kind": "images",
            "name": version.name,
            **STEP,
            "classes": names or [str(number) for number in range(version.classes)],
            "layout": {"height": SIDE, "width": SIDE, "colours": COLOURS},
        }
        return RecordingSet(cases.loaders, meta=meta, sources=[str(path) for path in paths], notes=notes)

    def _version(self, path: Path) -> Version:
        if path.is_dir():
            return next(v for v in VERSIONS if any(self._is_of(v, path / name) for name in v.files))
        version = next((v for v in VERSIONS if self._is_of(v, path)), None) or _version_of(first_members(path))
        if version is None:
            raise DataError("this is no file of CIFAR", where=str(path), hint=_PUBLISHED)
        return version


def _version_of(names: list[str]) -> Version | None:
    """The version of an archive, by its members."""
    folders = {PurePosixPath(name).parts[0] for name in names if PurePosixPath(name).parts}
    return next((version for version in VERSIONS if version.folder in folders), None)


def _batches(path: Path, version: Version) -> Iterator[tuple[str, Batch | list[str]]]:
    """(file name, images and labels, or names of classes) of one archive, folder or file."""
    wanted = {*version.files, version.meta}
    if path.is_dir():
        files = [path / name for name in (*version.files, version.meta) if (path / name).is_file()]
    elif path.name in version.files:
        files = [path, *[beside for beside in [path.parent / version.meta] if beside.is_file()]]
    else:
        for member, content in read_members(path, lambda name: PurePosixPath(name).parent.name == version.folder):
            name = PurePosixPath(member).name
            if name in wanted:
                yield name, _decoded(version, name, content, path, f"{path}:{member}")
        return
    for file in files:
        check_file(file)
        yield file.name, _decoded(version, file.name, file.read_bytes(), file, str(file))


def _decoded(version: Version, name: str, content: bytes, path: Path, where: str) -> Batch | list[str]:
    if name == version.meta:
        return class_names(content, path, where, version.classes, is_binary=version.is_binary)
    read = binary_batch if version.is_binary else pickled_batch
    return read(content, path, where, version.classes)


def _add(cases: Cases, part: str, batches: list[Batch]) -> None:
    """The cases of a part, numbered through its batches."""
    ends = np.cumsum([len(batch.images) for batch in batches])
    make = functools.partial(_case, batches, ends, part)
    cases.add(part, part, int(ends[-1]), make, batches[0].where)


def _case(batches: list[Batch], ends: NDArray[np.int64], part: str, number: int, group: str) -> Recording:
    at = int(np.searchsorted(ends, number, side="right"))
    batch = batches[at]
    place = number - (int(ends[at]) - len(batch.images))
    labels: dict[str, object] = {"class": int(batch.labels[place])}
    if batch.coarse is not None:
        labels["coarse"] = int(batch.coarse[place])
    if batch.names is not None:
        labels["original"] = batch.names[place]
    return case(group, batch.images[place], "grey level", part, labels)


def _all(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))
