"""metrics.csv: one row per epoch, appended and flushed, cut back when a run is resumed; the last checkpoint keeps its sum."""

from __future__ import annotations

import csv
import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

from neurocli.errors import DataError, Notice
from neurocli.runs.atomic import append_line, write_text
from neurocli.runs.records import WITH_ID, read_record

HISTORY = "history"
"""Key of the sum in the manifest of a checkpoint."""


def read_history(path: Path) -> list[dict[str, float]]:
    """The whole rows of metrics.csv, oldest first; a torn last line is left out, an empty cell is no key.

    Warns where epochs are missing between others, or where a finished run had more of them; where the file is not what was written,
    no row of it is taken, and that is said too. Raises DataError where it cannot be read.
    """
    rows, fault = checked_history(path)
    if fault is not None:
        warnings.warn(fault, Notice, stacklevel=2)
    return rows


def checked_history(path: Path) -> tuple[list[dict[str, float]], str | None]:
    """(rows of metrics.csv, what is wrong with them). Raises DataError where it cannot be read."""
    fault = _changed(path)
    if fault is not None:
        return [], fault
    rows = _rows(path)
    epochs = [int(row.get("epoch", 0)) for row in rows]
    expected = list(range(1, max(_finished_epochs(path), *epochs, 0) + 1)) if epochs or path.exists() else []
    missing = sorted(set(expected) - set(epochs))
    if not missing:
        return rows, None
    shown = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
    return rows, f"{path}: {len(missing)} of {len(expected)} epochs are missing ({shown}): the file has lost lines"


def sum_of_history(path: Path) -> dict[str, Any]:
    """Length and sum of metrics.csv as it is now, for the manifest of the checkpoint that is taken with it."""
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _changed(path: Path) -> str | None:
    """How metrics.csv differs from what it was when the last checkpoint was taken; rows may have come after that."""
    stated = _stated(path)
    if stated is None:
        return None
    content = _content(path)
    if content is None:
        return f"{path} is missing: the losses of the epochs are lost"
    written = content[: stated["bytes"]]
    if len(written) == stated["bytes"] and hashlib.sha256(written).hexdigest() == stated["sha256"]:
        return None
    return f"{path} is not what was written: its sum is another, and the losses in it are not used"


def _stated(path: Path) -> dict[str, Any] | None:
    """What the last checkpoint that can be asked says of metrics.csv; None for runs of before it did."""
    for name in ("last", "last.previous"):
        try:
            manifest = path.with_name("checkpoints") / name / "manifest.json"
            stated = read_record(manifest, home=path.parent, since=WITH_ID).get(HISTORY)
        except DataError:
            continue
        return stated if isinstance(stated, dict) and {"bytes", "sha256"} <= set(stated) else None
    return None


def _finished_epochs(path: Path) -> int:
    """How many epochs a finished run had; 0 where it is not finished, or where that cannot be read."""
    try:
        return int(read_record(path.with_name("metrics.json")).get("epochs") or 0)
    except (DataError, TypeError, ValueError):
        return 0


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path), hint="restore it") from None


def _rows(path: Path) -> list[dict[str, float]]:
    text = (_content(path) or b"").decode(errors="replace")
    # As a text file: any of the three line ends.
    lines = [line for line in io.StringIO(text, newline=None) if line.endswith("\n")]
    rows = []
    for row in csv.DictReader(io.StringIO("".join(lines))):
        try:
            rows.append({key: float(value) for key, value in row.items() if key and value})
        except (TypeError, ValueError):
            break  # whatever follows a damaged line is not to be trusted either
    return rows


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add the row of an epoch; a first row, or one with a new column, writes the whole file anew."""
    rows = _rows(path)
    if not rows or set(row) - set(rows[0]):
        _write(path, [*rows, row])
        return
    append_line(path, ",".join(_cell(row.get(key)) for key in rows[0]))


def truncate(path: Path, epochs: int) -> None:
    """Keep the rows of the first `epochs` epochs: the checkpoint to resume from knows no more."""
    fault = _changed(path)
    if fault is not None and epochs:
        warnings.warn(fault, Notice, stacklevel=2)
    if path.exists():
        rows = [] if fault is not None else _rows(path)
        _write(path, [row for row in rows if row.get("epoch", 0) <= epochs])


def _write(path: Path, rows: list[dict[str, float]]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [",".join(columns), *(",".join(_cell(row.get(key)) for key in columns) for row in rows)]
    write_text(path, "\n".join(lines) + "\n" if rows else "")


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
