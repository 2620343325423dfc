"""The files of a run folder that a result depends on: each carries a sum of its own content, which is compared when it is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurocli.errors import DataError
from neurocli.runs.atomic import write_json, write_text

SCHEMA = 2
"""Of run.json: since this one every record has a sum."""
SUM = "sum"
_SUM_LINE = re.compile(r"^# sum ([0-9a-f]{64})\n")


def write_record(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object with its sum, atomically. Raises StorageError."""
    content = {key: entry for key, entry in value.items() if key != SUM}
    write_json(path, {**content, SUM: _sum_of(content)})


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object of a run, without its sum. Raises DataError where it is missing, damaged, changed, or not an object."""
    value = _object(path)
    stated = value.pop(SUM, None)
    if stated is None:
        if _has_sums(path, value):
            raise damaged("the file has lost its sum", path)
    elif stated != _sum_of(value):
        raise damaged("the file is not what was written: its sum is another", path)
    return value


def write_text_record(path: Path, text: str) -> None:
    """Write a TOML text under a comment with its sum, atomically. Raises StorageError."""
    write_text(path, f"# sum {hashlib.sha256(text.encode()).hexdigest()}\n{text}")


def read_text_record(path: Path) -> str:
    """A text of a run, without its sum. Raises DataError where it is missing, damaged or changed; OSError or ValueError as reading does."""
    whole = path.read_text(encoding="utf-8")
    head = _SUM_LINE.match(whole)
    if head is None:
        if _has_sums(path, {}):
            raise damaged("the file has lost its sum, or all of its content", path)
        return whole
    text = whole[head.end() :]
    if hashlib.sha256(text.encode()).hexdigest() != head[1]:
        raise damaged("the file is not what was written: its sum is another", path)
    return text


def damaged(message: str, path: Path) -> DataError:
    """The error of a run's file that cannot be relied on."""
    return DataError(message, where=str(path), hint="the run is damaged: restore the file, or train a new run")


def _has_sums(path: Path, content: dict[str, Any]) -> bool:
    """Whether the run of this file was written since there are sums."""
    if path.name != "run.json":
        try:
            content = _object(path.parent / "run.json")
        except DataError:
            return False  # a folder of its own, as imported weights have: its files are no records of a run
    schema = content.get("schema")
    return isinstance(schema, int) and schema >= SCHEMA


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # JSON's and Unicode's errors are ValueErrors
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise damaged(f"the file cannot be read: {reason}", path) from None
    if not isinstance(value, dict):
        raise damaged("the file does not hold a JSON object", path)
    return value


def _sum_of(content: dict[str, Any]) -> str:
    """sha256 of the content as it is written."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
