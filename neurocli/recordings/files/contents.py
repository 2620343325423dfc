"""What a file is that no reader takes, in words: by its first bytes, or by what its container or its text holds."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import DAMAGE, look_into
from neurocli.recordings.files.kinds import Kind, kind_of, kind_of_zip
from neurocli.recordings.files.text import encoding_of

_MOST_NAMES = 8
_LONGEST_NAME = 40
_START = 4096
_LEAST_PLAIN = 0.5
"""Of a text without a mark, in letters that any encoding shares: noise is half of it beyond them."""
_LARGEST_JSON = 2**25
_ZIP = b"PK\x03\x04"
_SYSTEM = (".ds_store", "thumbs.db", "desktop.ini", "icon\r")
_JSON = re.compile(r'\s*(\{\s*["}]|\[\s*([\[{"\]\-\d]|true|false|null|NaN))')
_BESIDE = b"\x00\x05\x16\x07"


def is_of_system(path: Path) -> bool:
    """Whether a file is one that an operating system leaves among others: `._x.mat`, `.DS_Store`, `Thumbs.db`. Never raises."""
    if path.name.lower() in _SYSTEM:
        return True
    if not path.name.startswith("._"):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_BESIDE)) == _BESIDE
    except OSError:
        return False


def disguised(path: Path) -> Kind | None:
    """What a file is that seems to be packed and is a format of its own: a workbook, arrays of numpy, weights. Raises OSError."""
    with path.open("rb") as file:
        return kind_of_zip(path) if file.read(len(_ZIP)) == _ZIP else None


def contents_of(path: Path) -> Kind | None:
    """What a file is, and what to do with it: `HDF5 with the entries data, labels`, `a TIFF image or stack`, `JSON with the keys a, b`.

    None where nothing can be told. `path` is a file that is not empty and that can be read.
    """
    from neurocli.recordings.matlab import names_in

    variables = names_in(path)
    if variables is not None:
        return Kind(f"a MATLAB file with the variables {_some(variables)}")
    try:
        with look_into(path) as file:
            if file is not None:
                kind = "NWB" if "nwb_version" in file.attrs else "HDF5"
                return Kind(f"{kind} with the entries {_some(sorted(file))}")
    except (DataError, *DAMAGE):
        return None
    return kind_of(path) or _text(path)


def _text(path: Path) -> Kind | None:
    encoding = encoding_of(path)
    if encoding is None:
        return None
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        start = file.read(_START)
    shown = " ".join(start.split())[:_LONGEST_NAME]
    is_noise = encoding == "cp1252" and sum(letter.isascii() for letter in shown) < _LEAST_PLAIN * len(shown)
    if not shown or not shown.isprintable() or is_noise:
        return None
    if _JSON.match(start):
        return _json(path, encoding, shown)
    columns = _columns(start)
    if columns:
        return Kind(f"a table of text with the columns {_some(columns)}")
    return Kind(f"a text that begins with {shown!r}")


def _json(path: Path, encoding: str, shown: str) -> Kind:
    """The keys of a JSON text. A large one is not parsed for the sake of a message."""
    if path.stat().st_size > _LARGEST_JSON:
        return Kind(f"a JSON text that begins with {shown!r}")
    try:
        value: Any = json.loads(path.read_text(encoding=encoding))
    except json.JSONDecodeError as error:
        return Kind(f"a JSON text that is damaged or cut off at line {error.lineno}: {error.msg.lower()}")
    except (ValueError, RecursionError):
        return Kind(f"a text that begins with {shown!r}")
    if isinstance(value, dict):
        return Kind(f"JSON with the keys {_some([str(key) for key in value])}")
    if not isinstance(value, list):
        return Kind("JSON with a single value")
    keys = f", each with the keys {_some(list(value[0]))}" if value and isinstance(value[0], dict) else ""
    return Kind(f"JSON with a list of {len(value)}{keys}")


def _columns(start: str) -> list[str]:
    """The words in the first line of a table whose lines have equally many cells; none where it is no such table."""
    lines = [line for line in start.splitlines()[:-1] if line.strip()][:10]
    for separator in ("\t", ",", ";"):
        try:
            rows = list(csv.reader(lines, delimiter=separator))
        except csv.Error:
            continue
        if len(rows) > 1 and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            cells = [cell.strip() for cell in rows[0]]
            return cells if any(cell and not _is_number(cell) for cell in cells) else [f"1 to {len(cells)}"]
    return []


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _some(names: list[str]) -> str:
    if not names:
        return "(none)"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(name[:_LONGEST_NAME] for name in names[:_MOST_NAMES]) + more
