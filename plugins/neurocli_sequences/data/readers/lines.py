"""A table of texts, kept as the bytes of its file: where each line and each of its fields begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE, check_file
from neurocli.recordings.notes import Note
from neurocli_sequences.data.readers.utf8 import check_utf8

_TAB, _LINE_END, _RETURN = 9, 10, 13
_EXPANSION = 30.0


@dataclass(frozen=True)
class Table:
    """content: uint8 [byte], the file; starts, ends: int64 [line, field]; first_line: number of the first line here in the file."""

    path: Path
    content: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    first_line: int
    notes: tuple[Note, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def field(self, line: int, field: int) -> NDArray[np.uint8]:
        """The bytes of one field: a view."""
        return self.content[self.starts[line, field] : self.ends[line, field]]

    def text(self, line: int, field: int) -> str:
        """One field as a text."""
        return self.field(line, field).tobytes().decode("utf-8")

    def where(self, line: int) -> str:
        """The place of a line, for an error."""
        return f"{self.path}, line {line + self.first_line}"


def read_table(path: Path, fields: int, *, header: bool) -> Table:
    """The lines of a file, all of which have as many fields, none of them empty. header: whether the first line is one.

    Raises DataError where a line has another number of fields, a field is empty, or the text is not UTF-8.
    """
    check_file(path)
    with memory.reading(path, expansion=_EXPANSION):
        memory.take(3 * path.stat().st_size, str(path))
        raw = path.read_bytes()
        check_utf8(raw, str(path))
        content = np.frombuffer(raw, np.uint8)
        line_ends = np.flatnonzero(content == _LINE_END)
        notes: list[Note] = []
        if not raw.endswith(b"\n"):
            line_ends = np.append(line_ends, len(content))
            notes.append(
                Note(
                    "end",
                    str(path),
                    "the last line does not end with a line end",
                    "compare the last case: is the file cut?",
                )
            )
        line_starts = np.concatenate([[0], line_ends[:-1] + 1])
        if header:
            line_starts, line_ends = line_starts[1:], line_ends[1:]
        if not len(line_starts):
            raise DataError("the file holds no cases", where=str(path), hint=REMAKE)
        first_line = 2 if header else 1
        # A line may end as Windows ends it.
        last = content[np.maximum(line_ends - 1, 0)]
        line_ends = line_ends - ((last == _RETURN) & (line_ends > line_starts))
        memory.take(16 * fields * len(line_starts), str(path))
        tabs = np.flatnonzero(content == _TAB)
        tabs = tabs[tabs >= line_starts[0]]
        counts = np.searchsorted(tabs, line_ends) - np.searchsorted(tabs, line_starts)
        wrong = np.flatnonzero(counts != fields - 1)
        if len(wrong):
            raise DataError(
                f"a line has {counts[wrong[0]] + 1} fields, not {fields}",
                where=f"{path}, line {wrong[0] + first_line}",
                hint="bring the file as published; is it cut?",
            )
        inner = tabs.reshape(len(line_starts), fields - 1)
        starts = np.concatenate([line_starts[:, None], inner + 1], axis=1)
        ends = np.concatenate([inner, line_ends[:, None]], axis=1)
        empty = np.argwhere(ends <= starts)
        if len(empty):
            raise DataError(
                "a field is empty",
                where=f"{path}, line {empty[0][0] + first_line}, field {empty[0][1] + 1}",
                hint="bring the file as published",
            )
    return Table(path, content, starts, ends, first_line, tuple(notes))
