"""The files of a run folder that a result depends on: each carries a sum of its own content and the id of its run, compared when it is read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurocli.errors import DataError
from neurocli.runs.atomic import write_json, write_text
from neurocli.runs.digest import file_digest

SCHEMA = 3
"""Of run.json."""
WITH_SUMS, WITH_ID = 2, 3
"""Since these schemas every record has a sum, and names its run."""
SUM, RUN_ID, FIGURE_SUM = "sum", "run_id", "figure_sum"
_SUM_LINE = re.compile(r"^# sum ([0-9a-f]{64})\n")
_ID_LINE = re.compile(r"^# run ([0-9a-f]+)\n")


def write_record(path: Path, value: Mapping[str, Any], *, home: Path | None = None, run_id: str | None = None) -> None:
    """Write a JSON object with its sum and the id of its run, atomically. Raises StorageError.

    home: the folder of the run, where that is not the file's own; run_id: its id, where run.json does not say it yet.
    """
    content = {key: entry for key, entry in value.items() if key not in (SUM, RUN_ID)}
    owner = None if path.name == "run.json" else run_id or _run(path, home).get("id")
    if owner is not None:
        content[RUN_ID] = owner
    write_json(path, {**content, SUM: _sum_of(content)})


def read_record(path: Path, *, home: Path | None = None, since: int = WITH_SUMS) -> dict[str, Any]:
    """A JSON object of a run, without its sum. Raises DataError where it is missing, damaged, changed, of another run, or not an object.

    since: the schema of run.json from which on such a file has a sum.
    """
    value = _object(path)
    run = value if path.name == "run.json" else _run(path, home)
    stated = value.pop(SUM, None)
    if stated is None:
        if _schema(run) >= since:
            raise damaged("the file has lost its sum", path)
    elif stated != _sum_of(value):
        raise damaged("the file is not what was written: its sum is another", path)
    owner = value.pop(RUN_ID, None)
    if run is not value:
        _check_owner(owner, run, path)
    return value


def with_figure_sums(result: dict[str, Any]) -> dict[str, Any]:
    """A result whose exhibits name their figures, with the sha256 of each: the figures of another run are not shown beside its numbers."""
    for exhibit in result["exhibits"]:
        if exhibit.get("figure"):
            with contextlib.suppress(OSError):
                exhibit[FIGURE_SUM] = file_digest(Path(exhibit["figure"]))
    return result


def without_figure_sums(result: dict[str, Any]) -> dict[str, Any]:
    """A result as it was before its figures' sums came in."""
    for exhibit in result.get("exhibits") or []:
        exhibit.pop(FIGURE_SUM, None)
    return result


def write_text_record(path: Path, text: str, *, run_id: str | None = None) -> None:
    """Write a TOML text under comments with its sum and the id of its run, atomically. Raises StorageError."""
    owner = run_id or _run(path, None).get("id")
    text = f"# run {owner}\n{text}" if owner is not None else text
    write_text(path, f"# sum {hashlib.sha256(text.encode()).hexdigest()}\n{text}")


def read_text_record(path: Path) -> str:
    """A text of a run. Raises DataError where it is missing, damaged, changed or of another run; OSError or ValueError as reading does."""
    whole = path.read_text(encoding="utf-8")
    head, run = _SUM_LINE.match(whole), _run(path, None)
    if head is None:
        if _schema(run) >= WITH_SUMS:
            raise damaged("the file has lost its sum, or all of its content", path)
        return whole
    text = whole[head.end() :]
    if hashlib.sha256(text.encode()).hexdigest() != head[1]:
        raise damaged("the file is not what was written: its sum is another", path)
    owner = _ID_LINE.match(text)
    _check_owner(owner and owner[1], run, path)
    return text


def damaged(message: str, path: Path) -> DataError:
    """The error of a run's file that cannot be relied on."""
    return DataError(message, where=str(path), hint="the run is damaged: restore the file, or train a new run")


def _check_owner(owner: Any, run: dict[str, Any], path: Path) -> None:
    """Raise DataError where a file names another run than run.json does. Runs of before there were ids have none."""
    own = run.get("id")
    if own is not None and owner != own:
        raise damaged("the file belongs to another run than run.json", path)


def _run(path: Path, home: Path | None) -> dict[str, Any]:
    """run.json of the run that a file belongs to; empty where it cannot be read, as in the folder of imported weights."""
    try:
        return _object((home or path.parent) / "run.json")
    except DataError:
        return {}


def _schema(run: dict[str, Any]) -> int:
    schema = run.get("schema")
    return schema if isinstance(schema, int) else 0


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
