"""Text that others wrote: UTF-8 with and without a byte-order mark, UTF-16, any ends of lines, a decimal comma, a header."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import check_file

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 4096
_FEW_ZEROS = 0.02
_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?|[-+]?\d+(?:[eE][-+]?\d+)?")


def encoding_of(path: Path) -> str | None:
    """The encoding of a text by its first bytes: their mark, or where they are zero; None for what is no text."""
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    even, odd = start[0::2], start[1::2]
    zeros = (even.count(0) / max(len(even), 1), odd.count(0) / max(len(odd), 1))
    if (
        max(zeros) > 0.3 and min(zeros) < _FEW_ZEROS
    ):  # UTF-16 without a mark: every second byte of Latin letters is zero
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    if 0 in start:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def read_text(path: Path) -> str:
    """The whole text, lines ending in \\n. Raises DataError where it is no text, or more than can be held."""
    check_file(path)
    encoding = encoding_of(path)
    if encoding is None:
        raise DataError("the file is not a text", where=str(path), hint="name another file, or export it as text")
    with memory.reading(path, expansion=memory.PLAIN):
        memory.take(4 * path.stat().st_size, str(path))
        content = path.read_bytes()
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding != "utf-8":
                raise DataError(
                    f"the text is damaged: it is not {encoding}",
                    where=f"{path}, byte {error.start}",
                    hint="save it again as UTF-8",
                ) from None
            text = content.decode("cp1252", errors="replace")  # the first letter beyond ASCII came late
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class NumberTable:
    """A table of numbers in a text.

    values: float64 [row, column]; lines: int [row], where each row stands in the file, counted from 1; header: the cells of
    a first line that holds words, else none; decimal_comma: whether numbers are written as 0,5.
    """

    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    header: tuple[str, ...] = ()
    decimal_comma: bool = False


def read_numbers(path: Path, *, layout: str) -> NumberTable:
    """The numbers of a table whose cells are separated by blanks, tabs, semicolons or commas; `#` and `%` begin remarks.

    layout: what the file should hold, for errors. Raises DataError that names line and column of the first cell that is no number.
    """
    text = read_text(path)
    lines = text.split("\n")
    separator, comma = _separator(lines)
    first = next((number for number, line in enumerate(lines) if _cells(line, separator)), None)
    if first is None:
        raise DataError("the file holds no numbers", where=str(path), hint=layout)
    header: tuple[str, ...] = ()
    if not any(_is_number(cell, comma) for cell in _cells(lines[first], separator)):
        header = tuple(_cells(lines[first], separator))
        lines[first] = ""
    numbers = np.array([k + 1 for k, line in enumerate(lines) if _cells(line, separator)], np.int64)
    rows = [lines[k - 1].split("#", 1)[0].split("%", 1)[0] for k in numbers.tolist()]
    if not rows:
        raise DataError("the file holds no numbers", where=str(path), hint=layout)
    plain = "\n".join(rows)
    if comma:
        plain = plain.replace(",", ".")
    if separator is not None:
        plain = plain.replace(separator, " ")
    try:
        # Blanks at the end of a line would be a cell to a separator of one character; here they are none.
        values = np.loadtxt(io.StringIO(plain), ndmin=2, comments=None, dtype=np.float64)
    except ValueError:
        raise _fault(path, rows, numbers, separator, comma, layout) from None
    return NumberTable(values, numbers, header, comma)


def _separator(lines: list[str]) -> tuple[str | None, bool]:
    """(what stands between cells, whether a comma is the decimal sign); None for blanks and tabs, of any number."""
    sample = [line for line in lines[:50] if line.strip() and not line.lstrip().startswith(("#", "%"))][1:20]
    joined = "\n".join(sample)
    if ";" in joined:
        return ";", "," in joined
    if "," not in joined:
        return None, False
    # 0,5 -60,1: every cell between blanks is one number with a comma; 0.5, -60.1 and 0,-60 are separated by it.
    cells = joined.split()
    between_blanks = all(len(line.split()) > 1 for line in sample) and "." not in joined
    return (None, True) if between_blanks and all(_COMMA.fullmatch(cell) for cell in cells) else (",", False)


def _cells(line: str, separator: str | None) -> list[str]:
    line = line.split("#", 1)[0].split("%", 1)[0]
    if not line.strip():
        return []
    return [cell.strip() for cell in line.split(separator)] if separator else line.split()


def _is_number(cell: str, comma: bool) -> bool:
    try:
        float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return False
    return True


def _fault(
    path: Path, rows: list[str], numbers: NDArray[np.int64], separator: str | None, comma: bool, layout: str
) -> DataError:
    """What is wrong in a table, with line and column."""
    columns = None
    for row, line in zip(rows, numbers.tolist(), strict=True):
        cells = _cells(row, separator)
        where = f"{path}:{line}"
        for column, cell in enumerate(cells, start=1):
            if not _is_number(cell, comma):
                return DataError(
                    f"column {column} is not a number: {cell[:40]!r}", where=where, hint="correct the line"
                )
        columns = columns or len(cells)
        if len(cells) != columns:
            return DataError(
                f"the line has {len(cells)} columns, those before it {columns}", where=where, hint="correct the line"
            )
    return DataError("the file is not a table of numbers", where=str(path), hint=layout)
