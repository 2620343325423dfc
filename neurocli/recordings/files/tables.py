"""Tables of numbers in a text, as instruments, spreadsheets and Fortran write them: separators, decimal comma, header, remarks."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.files.text import encoding_of, read_end, read_start, read_text

_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eEdD][-+]?\d+)?|[-+]?\d+(?:[eEdD][-+]?\d+)?")
_FORTRAN = re.compile(r"(?<=[\d.,])[dDqQ](?=[-+]?\d)")
_BEGINS_A_NUMBER = re.compile(r"[-+\u2212]?[.,]?\d")
_SAMPLE = 20
_MOST_HEADERS = 3
_REPAIR = "correct the line"
_LONGEST_START, _LARGEST_ODD = 2**20, 2**26
"""Bytes within which the first row has to end; and of a file that is taken apart in Python, at a hundred times its size."""


@dataclass(frozen=True)
class NumberTable:
    """A table of numbers in a text.

    values: float64 [row, column]; lines: int [row], where each row stands in the file, counted from 1; empty where nothing but
    rows stands there, or nobody asked; header: the words above each column, else none; header_line: where they stand;
    decimal_comma: whether numbers are written as 0,5.
    """

    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    header: tuple[str, ...] = ()
    header_line: int = 0
    decimal_comma: bool = False


@dataclass(frozen=True)
class Form:
    """How a table is written: what separates cells (None: blanks and tabs), its decimal sign, and the lines above its first row."""

    separator: str | None
    comma: bool
    header: tuple[str, ...]
    header_line: int
    skip: int


def read_table(path: Path, *, layout: str) -> NumberTable:
    """As `read_numbers`, at the speed of C where the table is plain from its first row on; `lines` are left out then.

    layout: what the file should hold, for errors. Raises DataError.
    """
    check_file(path)
    start = read_start(path)
    form = form_of(start.split("\n"))
    encoding = encoding_of(path)
    size = path.stat().st_size
    if form is None and encoding is not None and size > _LONGEST_START:
        start = read_start(path, _LONGEST_START)
        form = form_of(start.split("\n"))
        if form is None:
            what = f"no line with numbers ends in the first {_LONGEST_START >> 20} MiB of the file"
            raise DataError(what, where=f"{path}:1", hint=layout)
    if form is None or form.comma or encoding is None or "\t\t" in start or "\t\n" in start or "\n\t" in start:
        return read_numbers(path, layout=layout)
    try:
        values = np.loadtxt(
            path,
            ndmin=2,
            comments=None,
            dtype=np.float64,
            delimiter=form.separator,
            skiprows=form.skip,
            encoding=encoding,
        )
    except (ValueError, UnicodeError) as error:  # remarks, quotes, exponents with a D, or a fault that has to be named
        if size > _LARGEST_ODD:
            reason = str(error).splitlines()[0].rstrip(".;")
            hint = f"correct it; a file of more than {_LARGEST_ODD >> 20} MiB has to be a plain table, without remarks or quotes"
            raise DataError(f"the table cannot be read: {reason}", where=str(path), hint=hint) from None
        return read_numbers(path, layout=layout)
    return NumberTable(values, np.zeros(0, np.int64), form.header, form.header_line)


def read_numbers(path: Path, *, layout: str) -> NumberTable:
    """The numbers of a table whose cells are separated by blanks, tabs, semicolons or commas; `#` and `%` begin remarks.

    Numbers may have a decimal comma, a Fortran exponent (1.0D-03), a typeset minus or quotes around them. A first line of words,
    or a remark with a word for every column, is the header.
    layout: what the file should hold, for errors. Raises DataError that names line and column of the first cell that is no number.
    """
    return _numbers(read_text(path), path, layout)


def read_ends(path: Path) -> tuple[NumberTable, NDArray[np.float64]] | None:
    """The table in the first 64 kB of a text, and the rows [row, column] of its last 64 kB; None where they hold no table. Never raises for a foreign file."""
    try:
        start = read_start(path)
        table = _numbers(start, path, "")
        form = form_of(start.split("\n"))
        lines = [line for line in read_end(path).split("\n") if form is not None and _is_row(line, form)]
        end = _parsed(_rows(lines, form), form) if form and lines else table.values[:0]
    except (DataError, OSError, ValueError):
        return None
    return (table, end) if end.ndim == 2 and end.shape[1] == table.values.shape[1] else None


def form_of(lines: Sequence[str]) -> Form | None:
    """How the table in some lines is written; None where there is no row."""
    rows = [k for k, line in enumerate(lines[:2000]) if _content(line)]
    if not rows:
        return None
    separator, comma = _separator([_content(lines[k]) for k in rows[1 : 1 + _SAMPLE] or rows])
    headers: list[list[str]] = []
    for k in rows[:_MOST_HEADERS]:
        cells = _cells(lines[k], separator)
        if not _is_header(cells, comma):
            break
        headers.append(cells)
    if len(headers) == len(rows):
        return None
    first = rows[len(headers)]
    columns = len(_cells(lines[first], separator))
    if headers:
        width = max(map(len, headers))
        header = tuple(" ".join(h[k] for h in headers if k < len(h)).strip() for k in range(width))
        return Form(separator, comma, header, rows[0] + 1, first)
    for k in range(first - 1, -1, -1):  # a remark with a word for every column is a header
        words = [cell for cell in _cut(lines[k].strip().lstrip("#% "), separator) if cell]
        if len(words) == columns and not all(_is_number(word, comma) for word in words):
            return Form(separator, comma, tuple(words), k + 1, first)
    return Form(separator, comma, (), 0, first)


def _numbers(text: str, path: Path, layout: str) -> NumberTable:
    lines = text.split("\n")
    form = form_of(lines)
    numbers = [] if form is None else [k for k in range(form.skip, len(lines)) if _content(lines[k])]
    if form is None or not numbers:
        raise _fault_of_words(path, lines, layout)
    rows = _rows([lines[k] for k in numbers], form)
    at = np.array(numbers, np.int64) + 1
    try:
        values = _parsed(rows, form)
    except ValueError:
        raise _fault(path, rows, at, form, layout) from None
    return NumberTable(values, at, form.header, form.header_line, form.comma)


def _fault_of_words(path: Path, lines: Sequence[str], layout: str) -> DataError:
    """Why a text without a row of numbers is no table, with its first line that holds something."""
    first = next((k for k, line in enumerate(lines) if _content(line)), None)
    if first is None:
        return DataError("the file holds no numbers", where=str(path), hint=layout)
    cell = _content(lines[first]).split()[0]
    return DataError(
        f"the file holds no numbers: column 1 is not a number: {cell[:40]!r}", where=f"{path}:{first + 1}", hint=layout
    )


def _rows(lines: list[str], form: Form) -> list[str]:
    """Lines as Python writes rows of numbers."""
    rows = [_normal(line, form) for line in lines]
    if form.separator is not None and all(row.endswith(form.separator) for row in rows):
        return [row[:-1] for row in rows]  # an empty last column is how some programs end a line
    return rows


def _parsed(rows: list[str], form: Form) -> NDArray[np.float64]:
    """float64 [row, column]. Raises ValueError."""
    return np.loadtxt(io.StringIO("\n".join(rows)), ndmin=2, comments=None, dtype=np.float64, delimiter=form.separator)


def _separator(sample: list[str]) -> tuple[str | None, bool]:
    """(what stands between cells, whether a comma is the decimal sign); None for blanks and tabs, of any number."""
    joined = "\n".join(sample)
    if ";" in joined:
        return ";", "," in joined
    if "\t" in joined and all(_are_cells(line.split("\t")) for line in sample):
        return "\t", "," in joined  # an empty cell between two tabs is one
    if "," not in joined:
        return None, False
    # 0,5 -60,1: every cell between blanks is one number with a comma; 0.5, -60.1 and 0,-60 are separated by it.
    cells = joined.split()
    between_blanks = all(len(line.split()) > 1 for line in sample) and "." not in joined
    return (None, True) if between_blanks and all(_COMMA.fullmatch(cell) for cell in cells) else (",", False)


def _are_cells(cells: list[str]) -> bool:
    """Whether texts between tabs are one number each, or nothing; with blanks in them they are several."""
    return len(cells) > 1 and not any(len(cell.split()) > 1 for cell in cells)


def _content(line: str) -> str:
    """A line without its remark."""
    if "#" in line or "%" in line:
        line = re.split("[#%]", line, maxsplit=1)[0]
    return line.strip(" \r\n\x0b\x0c\x1a\ufeff") if line.strip() else ""


def _cut(line: str, separator: str | None) -> list[str]:
    return [cell.strip(' "') for cell in line.split(separator)] if separator else line.split()


def _cells(line: str, separator: str | None) -> list[str]:
    line = _content(line)
    return _cut(line, separator) if line else []


def _normal(line: str, form: Form) -> str:
    """A row as Python writes numbers."""
    line = _content(line).replace('"', "").replace("\u2212", "-")
    if form.comma:
        line = line.replace(",", ".")
    return _FORTRAN.sub("e", line)


def _is_row(line: str, form: Form) -> bool:
    cells = _cells(line, form.separator)
    return bool(cells) and not _is_header(cells, form.comma)


def _is_header(cells: list[str], comma: bool) -> bool:
    """Whether a line is no row of numbers but names columns: words, and at most the numbers of columns (`t 0 1 2`)."""
    numbers = [_value(cell, comma) for cell in cells]
    if not numbers or numbers[0] is not None or _BEGINS_A_NUMBER.match(cells[0]):
        return False
    given = [number for number in numbers if number is not None]
    return all(b - a == 1 for a, b in itertools.pairwise(given)) and all(n in (0, 1) for n in given[:1])


def _value(cell: str, comma: bool) -> float | None:
    """A cell as a number; None where it is none."""
    cell = _FORTRAN.sub("e", cell.replace("\u2212", "-"))
    if "_" in cell:
        return None
    try:
        return float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return None


def _is_number(cell: str, comma: bool) -> bool:
    return _value(cell, comma) is not None


def _fault(path: Path, rows: list[str], numbers: NDArray[np.int64], form: Form, layout: str) -> DataError:
    """What is wrong in a table, with line and column."""
    columns = None
    for row, line in zip(rows, numbers.tolist(), strict=True):
        cells = _cut(row, form.separator)
        where = f"{path}:{line}"
        for column, cell in enumerate(cells, start=1):
            if not _is_number(cell, False):
                what = f"not a number: {cell[:40]!r}" if cell else "empty"
                return DataError(f"column {column} is {what}", where=where, hint=_REPAIR)
        columns = columns or len(cells)
        if len(cells) != columns:
            return DataError(f"the line has {len(cells)} columns, those before it {columns}", where=where, hint=_REPAIR)
    return DataError("the file is not a table of numbers", where=str(path), hint=layout)
