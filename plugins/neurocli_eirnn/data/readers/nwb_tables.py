"""Columns of NWB tables as people write them: under several names, in another table, as characters, bytes or lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Note
from neurocli_eirnn.data.readers.codes import coded, key_of


class Table:
    """A table, and others with the same rows whose columns are taken where it lacks them. notes: which were taken."""

    def __init__(self, where: str, table: Any, others: Sequence[tuple[str, Any]] = ()) -> None:
        if table is None or not len(table):
            raise DataError("the table is missing or empty", where=where, hint="export it with the session")
        self.where, self.rows = where, len(table)
        self.notes: list[Note] = []
        self._table = table
        self._tables = [(where, table), *others]

    def column(self, names: Sequence[str]) -> list[Any] | None:
        """The first of these columns that there is; one text or number a row, a list where a row has several, None for none."""
        found = self.find(names)
        return None if found is None else [plain(value) for value in found[1][:]]

    def find(self, names: Sequence[str]) -> tuple[str, Any] | None:
        """(place, column) of the first of these names, in any spelling of capitals and underscores; the table itself comes first."""
        for where, table in self._tables:
            spelled = {_plain_name(name): name for name in reversed(table.colnames)}
            for name in names:
                actual = name if name in table.colnames else spelled.get(_plain_name(name))
                if actual is not None:
                    if actual != name or where != self.where:
                        self._note(f"column {actual} of {where} is taken as {names[0]}")
                    return f"{where}/{actual}", table[actual]
        return None

    def named(self, names: Sequence[str]) -> list[tuple[str, Any]]:
        """(place, column) of every column with one of these names, in any spelling; nothing is noted."""
        wanted = {_plain_name(name) for name in names}
        return [
            (f"{where}/{name}", table[name])
            for where, table in self._tables
            for name in table.colnames
            if _plain_name(name) in wanted
        ]

    def place(self, names: Sequence[str]) -> str:
        """Where a column is, for an error."""
        found = self.find(names)
        return self.where if found is None else found[0]

    def need(self, names: Sequence[str]) -> list[Any]:
        """Like `column`. Raises DataError where there is none of these."""
        values = self.column(names)
        if values is None:
            columns = ", ".join(self._table.colnames)
            raise DataError(
                f"the required column {' or '.join(names[:2])} is missing",
                where=self.where,
                hint=f"the columns are: {columns}",
            )
        return values

    def coded(
        self, names: Sequence[str], codes: Mapping[Any, int], rows: NDArray[np.integer] | None = None
    ) -> NDArray[np.int64]:
        """A required column as codes, of all rows or some. Raises DataError that names the row of an unknown value."""
        values = self.need(names)
        places = list(range(len(values))) if rows is None else [int(row) for row in rows]
        return coded([values[place] for place in places], codes, self.place(names), "row", places)

    def holding(self, codes: Mapping[Any, int]) -> str | None:
        """The one column whose values are all texts of these; None where there is none, or several."""
        found = []
        for name in self._table.colnames:
            values = [plain(value) for value in self._table[name][:]] if _is_text(self._table[name]) else []
            if values and all(isinstance(value, str) and key_of(value) in codes for value in values):
                found.append(name)
        return found[0] if len(found) == 1 else None

    def ids(self) -> list[str]:
        """The names of the rows."""
        return [str(plain(value)) for value in self._table.id[:]]

    def ragged(self, name: str, row: int) -> NDArray[np.float64]:
        """The numbers of a column with lists, of one row. Raises DataError where they are not finite."""
        where = f"{self.where}/{name}, row {row}"
        try:
            values = np.asarray(self._table[name][row], np.float64)
        except (TypeError, ValueError):
            raise DataError("the values are not numbers", where=where, hint="times are numbers, in seconds") from None
        if not np.isfinite(values).all():
            raise DataError(f"a value of {name} is not finite", where=where, hint="remove it, or export the unit again")
        return values

    def _note(self, found: str) -> None:
        if all(note.found != found for note in self.notes):
            self.notes.append(Note("columns", self.where, found))


def plain(value: Any) -> Any:
    """A cell as text, int, float, None, or a list where it holds several: characters are joined, a list of one is that one."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").strip("\0").strip()
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, (list, tuple, np.ndarray)):
        parts = [plain(part) for part in (value.ravel() if isinstance(value, np.ndarray) else value)]
        if len(parts) > 1 and all(isinstance(part, str) and len(part) <= 1 for part in parts):
            return "".join(parts).strip()
        if not parts:
            return None
        return parts[0] if all(part == parts[0] for part in parts) else parts
    return value


def seconds(values: Sequence[Any], where: str) -> NDArray[np.float64]:
    """Times of a column; what is none counts as an event that did not happen. Raises DataError for several in a row, or text."""
    times = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if isinstance(value, list):
            hint = "keep the time of the one that counts"
            raise DataError(f"there are {len(value)} times in one row", where=f"{where}, row {row}", hint=hint)
        if isinstance(value, str) and value.strip():
            try:
                value = float(value)
            except ValueError:
                raise DataError(
                    f"{value!r} is no time", where=f"{where}, row {row}", hint="times are numbers, in seconds"
                ) from None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            times[row] = value
    return times


def _is_text(column: Any) -> bool:
    kind = getattr(getattr(column, "data", None), "dtype", None)
    return kind is None or kind.kind in "OSU"


def _plain_name(name: str) -> str:
    return name.lower().replace("_", "").replace(" ", "").replace("-", "")
