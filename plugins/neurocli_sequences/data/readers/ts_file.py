"""One `.ts` file: its header, its series and their classes or targets; each line is held against what the header says.

# comment
@problemName NAME   @univariate true|false   @dimensions 6   @equalLength true|false   @seriesLength 100
@timeStamps false   @missing true|false      @classLabel true a b c, or @targetLabel true
@data
1.0,2.0,?:3.0,4.0,5.0:a                      channels by `:`, values by `,`, class or target last
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.notes import Note
from neurocli_sequences.data.readers.decimal_commas import DecimalCommas
from neurocli_sequences.data.readers.utf8 import check_utf8

KNOWN = (
    "problemname",
    "timestamps",
    "missing",
    "univariate",
    "dimension",
    "dimensions",
    "equallength",
    "serieslength",
    "classlabel",
    "targetlabel",
    "data",
)
_EXPANSION = 30.0
"""Bytes in memory for each of a text: `0,` becomes a number of 4 bytes, for a moment a Python text of 50."""
_FIX = "correct the file, or bring it as published"


@dataclass
class TsFile:
    """series: float32 [time, channel] of each case, NaN where missing; targets: the class or the number of each case; classes: by the
    header, None for regression."""

    where: str
    problem: str
    classes: tuple[str, ...] | None
    series: list[NDArray[np.float32]] = field(default_factory=list)
    targets: list[str | float] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def parse(content: bytes, path: Path, where: str) -> TsFile:
    """The content of a file. path: on disk, whose size bounds what it may become; where: for errors. Raises DataError."""
    check_utf8(content, where)
    text = content.decode("utf-8-sig")
    lines = text.split("\n")
    with memory.reading(path, expansion=_EXPANSION):
        start, header = _header(lines, where)
        file, limits = _described(header, where)
        for number, line in enumerate(lines[start:], start=start + 1):
            line = line.strip()
            if line and not line.startswith("#"):
                _add(file, limits, line, f"{where}, line {number}")
    if not file.series:
        raise DataError("there are no cases behind @data", where=f"{where}, line {start}", hint=_FIX)
    _check_lengths(file, limits)
    file.notes += limits.commas.notes(equal=len({len(series) for series in file.series}) == 1)
    if not text.endswith("\n"):
        file.notes.append(
            Note("end", where, "the last line does not end with a line end", "compare the last case: is the file cut?")
        )
    return file


@dataclass
class _Limits:
    channels: int | None
    length: int | None
    """Steps of every case; None where they may differ, 0 where they are equal and the header does not say how many."""
    missing: bool | None
    commas: DecimalCommas


def _header(lines: list[str], where: str) -> tuple[int, dict[str, list[str]]]:
    """(number of lines up to @data, words by name in lower case). Raises DataError."""
    header: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not line.startswith("@"):
            raise DataError("a case stands before @data", where=f"{where}, line {number}", hint=_FIX)
        name, *words = line[1:].split() or [""]
        name = name.lower()
        if name not in KNOWN:
            raise DataError(f"@{name[:40]} is no name of a header", where=f"{where}, line {number}", hint=_FIX)
        if name == "data":
            return number, header
        if name in header:
            raise DataError(f"@{name} stands there twice", where=f"{where}, line {number}", hint=_FIX)
        header[name] = words
    raise DataError("there is no @data: the file ends within its header", where=where, hint=_FIX)


def _described(header: dict[str, list[str]], where: str) -> tuple[TsFile, _Limits]:
    if _is(header, "timestamps", where):
        raise DataError(
            "the cases have time stamps, which are not read",
            where=f"{where}:@timeStamps",
            hint="save evenly spaced values",
        )
    labels, targets = _is(header, "classlabel", where), _is(header, "targetlabel", where)
    if bool(labels) == bool(targets):
        both = "both classes and targets" if labels else "neither classes nor targets"
        raise DataError(f"the header tells of {both}", where=f"{where}:@classLabel", hint=_FIX)
    classes = tuple(header["classlabel"][1:]) if labels else None
    if classes is not None and (len(classes) < 2 or len(set(classes)) != len(classes)):
        what = "the same class twice" if len(set(classes)) != len(classes) else f"{len(classes)} classes"
        raise DataError(f"the header lists {what}", where=f"{where}:@classLabel", hint=_FIX)
    channels = _count(header, "dimensions" if "dimensions" in header else "dimension", where)
    univariate = _is(header, "univariate", where)
    if univariate and channels not in (None, 1):
        raise DataError(f"the header says univariate and {channels} channels", where=f"{where}:@dimensions", hint=_FIX)
    length = _count(header, "serieslength", where)
    equal = _is(header, "equallength", where)
    if equal is False and length is not None:
        raise DataError(
            f"the header says unequal lengths and {length} steps", where=f"{where}:@seriesLength", hint=_FIX
        )
    steps = length or (0 if equal else None)
    limits = _Limits(1 if univariate else channels, steps, _is(header, "missing", where), DecimalCommas())
    problem = " ".join(header.get("problemname", [])) or Path(where).stem
    return TsFile(where, problem, classes), limits


def _is(header: dict[str, list[str]], name: str, where: str) -> bool | None:
    if name not in header:
        return None
    word = header[name][0].lower() if header[name] else ""
    if word not in ("true", "false"):
        raise DataError(f"@{name} is {word!r}, not true or false", where=f"{where}:@{name}", hint=_FIX)
    return word == "true"


def _count(header: dict[str, list[str]], name: str, where: str) -> int | None:
    if name not in header:
        return None
    word = header[name][0] if header[name] else ""
    if not word.isascii() or not word.isdigit() or len(word) > 9 or int(word) < 1:
        raise DataError(f"@{name} is {word[:20]!r}, not a count", where=f"{where}:@{name}", hint=_FIX)
    return int(word)


def _add(file: TsFile, limits: _Limits, line: str, where: str) -> None:
    """One case. Raises DataError that names the line, and the channel."""
    if line.startswith("("):
        raise DataError("the case has time stamps, which are not read", where=where, hint="save evenly spaced values")
    *texts, target = line.split(":")
    if not texts:
        raise DataError("the case has no class or target behind its values", where=where, hint=_FIX)
    memory.take(2 * len(line), where)
    limits.commas.look(texts, where)
    channels = [_values(text, f"{where}, channel {number}") for number, text in enumerate(texts)]
    if limits.channels is None:
        limits.channels = len(channels)
    if len(channels) != limits.channels:
        short = ": is its class or target missing?" if len(channels) == limits.channels - 1 else ""
        raise DataError(f"{len(channels)} channels, not {limits.channels}{short}", where=where, hint=_FIX)
    steps = {len(values) for values in channels}
    if len(steps) > 1:
        raise DataError(
            f"channels of {min(steps)} to {max(steps)} steps",
            where=where,
            hint="save the channels of a case on the same steps, with ? where a value is missing",
        )
    file.series.append(np.stack(channels, axis=1))
    file.targets.append(_target(file, target.strip(), where))


def _values(text: str, where: str) -> NDArray[np.float32]:
    words = [word.strip() for word in text.split(",")]
    try:
        if "_" in text:  # Python reads 1_0 as 10
            raise ValueError
        values = np.array(["nan" if word == "?" else word for word in words], np.float64)
    except ValueError:
        place = next((number for number, word in enumerate(words) if not _is_number(word)), 0)
        raise DataError(f"{words[place][:30]!r} is not a number", where=f"{where}, step {place}", hint=_FIX) from None
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    infinite = np.flatnonzero(np.isinf(narrow))
    if len(infinite):
        raise DataError(
            f"a value is {words[infinite[0]][:30]}, which is not finite",
            where=f"{where}, step {infinite[0]}",
            hint="write ? where a value is missing",
        )
    return narrow


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word == "?"
    return "_" not in word


def _target(file: TsFile, word: str, where: str) -> str | float:
    if file.classes is not None:
        if word not in file.classes:
            raise DataError(f"the class {word[:30]!r} is not in the header's list", where=where, hint=_FIX)
        return word
    try:
        value = float(word) if "_" not in word else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"the target is {word[:30]!r}, not a number", where=where, hint=_FIX)
    return value


def _check_lengths(file: TsFile, limits: _Limits) -> None:
    lengths = [len(series) for series in file.series]
    if limits.length is not None:
        wanted = limits.length or lengths[0]
        wrong = next((number for number, steps in enumerate(lengths) if steps != wanted), None)
        if wrong is not None:
            raise DataError(
                f"a case has {lengths[wrong]} steps, where the header says that all have {'as many' if not limits.length else wanted}",
                where=f"{file.where}, case {wrong}",
                hint=_FIX,
            )
    empty = next((number for number, series in enumerate(file.series) if np.isnan(series).all()), None)
    if empty is not None:
        raise DataError("all values of a case are missing", where=f"{file.where}, case {empty}", hint=_FIX)
    gaps = sum(bool(np.isnan(series).any()) for series in file.series)
    if gaps and limits.missing is False:
        file.notes.append(
            Note(
                "missing",
                file.where,
                f"values are missing in {gaps} cases, where the header says that none are",
                "compare the cases with those of their source",
            )
        )
