"""Reading ListOps of the Long Range Arena: `basic_{train,val,test}.tsv`, an expression and its value, 0 to 9, a line.

( ( ( [MAX 4 ) 3 ) ] )	4     operators [MAX, [MIN, [MED, [SM (sum modulo 10), closed by ]; parentheses tell only the tree
Source: Nangia & Bowman (2018); Tay et al. (2021), github.com/google-research/long-range-arena.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings.files.text import read_start
from neurocli.recordings.notes import Note
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers.cases import STEP, Cases, case, order_of, part_of
from neurocli_sequences.data.readers.lines import Table, read_table

CLASSES = 10
_HEADER = ("source", "target")
_LETTERS = b" ()[]0123456789MAXINEDS"
_TRIED = 50
"""Expressions whose value is computed, spread over the file: were the targets moved by a line, most would differ."""
_OPERATORS: dict[str, Callable[[list[int]], int]] = {
    "[MAX": max,
    "[MIN": min,
    "[MED": lambda values: int(np.median(values)),
    "[SM": lambda values: sum(values) % 10,
}
_HINT = "bring the file as published"


class ListOpsReader(Reader):
    """Reads the three files."""

    def can_read(self, path: Path) -> bool:
        if not path.is_file():
            return False
        first = read_start(path, 2**10).partition("\n")[0].lower().split("\t")
        return tuple(word.strip() for word in first) == _HEADER

    def lacks(self, path: Path) -> str | None:
        if not path.is_file() or not any(operator in read_start(path) for operator in _OPERATORS):
            return None
        return "its first line is not Source and Target"

    def read(self, paths: list[Path]) -> RecordingSet:
        """All expressions of the files, part after part. Raises DataError."""
        cases, notes = Cases(), list[Note]()
        for path in sorted(paths, key=lambda path: order_of(part_of(path.name))):
            table = read_table(path, 2, header=True)
            _check(table)
            part = part_of(path.name)
            cases.add(part, path.stem, len(table), functools.partial(_case, table, part), str(path))
            notes += table.notes
        meta = {"kind": "listops", "name": "listops", **STEP, "classes": [str(digit) for digit in range(CLASSES)]}
        return RecordingSet(cases.loaders, meta=meta, sources=[str(path) for path in paths], notes=notes)


def _case(table: Table, part: str | None, number: int, group: str) -> Recording:
    target = int(table.field(number, 1)[0]) - ord("0")
    return case(group, table.field(number, 0)[:, None], "byte", part, {"class": target})


def _check(table: Table) -> None:
    """Raise DataError for a target that is no digit, a letter that no expression has, or values that are not the targets."""
    digits = table.content[table.starts[:, 1]].astype(np.int64) - ord("0")
    wrong = np.flatnonzero((table.ends[:, 1] - table.starts[:, 1] != 1) | (digits < 0) | (digits >= CLASSES))
    if len(wrong):
        raise DataError(
            f"the target is {table.text(int(wrong[0]), 1)[:20]!r}, not a digit from 0 to 9",
            where=table.where(int(wrong[0])),
            hint=_HINT,
        )
    allowed = np.zeros(256, bool)
    allowed[list(_LETTERS + b"\t\r\n")] = True
    start = int(table.starts[0, 0])
    strange = np.flatnonzero(~allowed[table.content[start:]])
    if len(strange):
        place = start + int(strange[0])
        line = int(np.searchsorted(table.starts[:, 0], place, side="right")) - 1
        raise DataError(
            f"an expression holds {chr(table.content[place])!r}", where=f"{table.where(line)}, byte {place}", hint=_HINT
        )
    for line in np.unique(np.linspace(0, len(table) - 1, _TRIED).astype(int)).tolist():
        value = value_of(table.text(line, 0))
        if value is None:
            raise DataError("the expression is not complete", where=table.where(line), hint=_HINT)
        if value != digits[line]:
            raise DataError(
                f"the value of the expression is {value}, and the target {digits[line]}",
                where=table.where(line),
                hint=_HINT,
            )


def value_of(expression: str) -> int | None:
    """The value of an expression, None for what is none.

    >>> value_of("( ( ( [MAX 4 ) 3 ) ] )")
    4
    """
    stack: list[tuple[str, list[int]]] = []
    value: int | None = None
    for word in expression.split():
        if word in "()":
            continue
        if value is not None and not stack:  # something behind the end
            return None
        if word in _OPERATORS:
            stack.append((word, []))
            continue
        if word == "]":
            if not stack or not stack[-1][1]:
                return None
            operator, values = stack.pop()
            value = int(_OPERATORS[operator](values))
        elif len(word) == 1 and word.isdigit():
            value = int(word)
        else:
            return None
        if stack:
            stack[-1][1].append(value)
    return None if stack else value
