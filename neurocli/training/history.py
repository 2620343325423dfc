"""metrics.csv: one row per epoch, appended and flushed, cut back when a run is resumed."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path

from neurocli.errors import DataError
from neurocli.runs.atomic import append_line, write_text
from neurocli.runs.records import read_record


def read_history(path: Path) -> list[dict[str, float]]:
    """The whole rows of metrics.csv, oldest first; a torn last line is left out, an empty cell is no key.

    Warns where epochs are missing between others, or where a finished run had more of them.
    """
    rows = _rows(path)
    epochs = [int(row.get("epoch", 0)) for row in rows]
    expected = list(range(1, max(_finished_epochs(path), *epochs, 0) + 1)) if epochs or path.exists() else []
    missing = sorted(set(expected) - set(epochs))
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
        warnings.warn(
            f"{path}: {len(missing)} of {len(expected)} epochs are missing ({shown}): the file has lost lines",
            UserWarning,
            stacklevel=2,
        )
    return rows


def _finished_epochs(path: Path) -> int:
    """How many epochs a finished run had; 0 where it is not finished, or where that cannot be read."""
    try:
        return int(read_record(path.with_name("metrics.json")).get("epochs") or 0)
    except (DataError, TypeError, ValueError):
        return 0


def _rows(path: Path) -> list[dict[str, float]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
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
    if path.exists():
        _write(path, [row for row in _rows(path) if row.get("epoch", 0) <= epochs])


def _write(path: Path, rows: list[dict[str, float]]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [",".join(columns), *(",".join(_cell(row.get(key)) for key in columns) for row in rows)]
    write_text(path, "\n".join(lines) + "\n" if rows else "")


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
