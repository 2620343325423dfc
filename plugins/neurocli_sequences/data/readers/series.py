"""Reading time series of the UEA, UCR and Monash archives: `.ts`, one case a line, for classification and for regression.

Source: the format of sktime and aeon; Bagnall et al. (2018), Tan et al. (2021), timeseriesclassification.com.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings.files.archives import first_members, read_members
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.notes import Note
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers.cases import STEP, Cases, case, order_of, part_of
from neurocli_sequences.data.readers.ts_file import KNOWN, TsFile, parse

UNIT = "a.u."
"""The format has no place for a unit."""
_LOOKED_AT = 2**16


class SeriesReader(Reader):
    """Reads NAME_TRAIN.ts and NAME_TEST.ts, or the zip in which they are published."""

    def can_read(self, path: Path) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            # Without zeros, so that a damaged text and one in UTF-16 are told that they are.
            start = file.read(_LOOKED_AT).replace(b"\0", b"").decode("latin-1").lower()
        header = {line.split()[0] for line in map(str.strip, start.splitlines()) if line.startswith("@")}
        known = header & {f"@{name}" for name in KNOWN}
        return len(known) > 1 or (bool(known) and path.name.lower().endswith(".ts"))

    def can_read_archive(self, path: Path) -> bool:
        return any(_is_member(name) for name in first_members(path))

    def read(self, paths: list[Path]) -> RecordingSet:
        """All cases of the files, part after part. Raises DataError."""
        files = [file for path in paths for file in _files(path)]
        files.sort(key=lambda file: order_of(part_of(_name(file))))
        first = files[0]
        cases, notes = Cases(), list[Note]()
        for file in files:
            _check_alike(first, file)
            part = part_of(_name(file))
            number_of = {name: number for number, name in enumerate(first.classes or ())}
            make = functools.partial(_case, file, number_of, part)
            cases.add(part, _name(file).rpartition(".")[0] or file.where, len(file.series), make, file.where)
            notes += file.notes
        meta: dict[str, object] = {"kind": "series", "name": first.problem, **STEP}
        if first.classes is not None:
            meta["classes"] = list(first.classes)
        return RecordingSet(cases.loaders, meta=meta, sources=[str(path) for path in paths], notes=notes)


def _files(path: Path) -> list[TsFile]:
    if any(_is_member(name) for name in first_members(path)):
        return [parse(content, path, f"{path}:{name}") for name, content in read_members(path, _is_member)]
    check_file(path)
    return [parse(path.read_bytes(), path, str(path))]


def _is_member(name: str) -> bool:
    """Whether a member of a published zip is one of its two files."""
    return not name.startswith("__MACOSX") and name.endswith(("_TRAIN.ts", "_TEST.ts"))


def _name(file: TsFile) -> str:
    return PurePosixPath(file.where.replace("\\", "/").rpartition(":")[2]).name


def _check_alike(first: TsFile, file: TsFile) -> None:
    """Raise DataError where two files are not of one data set."""
    pairs: list[tuple[str, Callable[[TsFile], object]]] = [
        ("data sets", lambda f: f.problem.lower()),
        ("channels", lambda f: f.series[0].shape[1]),
        ("classes", lambda f: None if f.classes is None else sorted(f.classes)),
    ]
    for what, value in pairs:
        one, other = value(first), value(file)
        if one != other:
            raise DataError(
                f"the files have other {what}: {_short(one)} and {_short(other)}",
                where=f"{first.where}, {file.where}",
                hint="name the files of one data set",
            )


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else text[:60] + "..."


def _case(file: TsFile, number_of: dict[str, int], part: str | None, number: int, group: str) -> Recording:
    signal, target = file.series[number], file.targets[number]
    missing = np.isnan(signal)
    label = {"class": number_of[target]} if isinstance(target, str) else {"target": target}
    return case(group, signal, UNIT, part, label, mask=~missing if missing.any() else None)
