"""Names of neurons in an NWB file: in any column of the table of regions, however its texts are stored, or in another table.

A column is known by its content. Texts may be stored as strings, as one row of characters for each neuron, as ragged lists, as
numbers of a list of names, or in another table that a column refers to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from neurocli.diagnosis.words import listed
from neurocli.errors import DataError
from neurocli.recordings import Note
from neurocli.recordings.files import memory
from neurocli_gat_lstm.graph.labels import Label, read_label

_USUAL = ("neuron_name", "neuron_names", "neuron", "id_labels", "labels", "label", "name", "names")
"""Columns that hold names in published files, in small letters."""
_RATINGS = ("confidence", "certainty", "probability", "score")
_CORRECT = "name the regions in a column of their own table"


@dataclass
class Names:
    """names: for each neuron of a series; doubted: which of them the file rates low; notes: where they come from."""

    names: list[str | None]
    doubted: list[bool]
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True)
class _Column:
    """A column of texts, with how many of them are neurons."""

    name: str
    texts: list[str]

    @property
    def labels(self) -> list[Label]:
        return [read_label(text) for text in self.texts]

    @property
    def neurons(self) -> int:
        return sum(label.is_neuron or len(label.candidates) > 1 for label in self.labels)

    @property
    def order(self) -> tuple[int, int]:
        """The column with most neurons first, among equals the usual one."""
        name = self.name.lower()
        return -self.neurons, _USUAL.index(name) if name in _USUAL else len(_USUAL)


def names_of(content: Any, series: Any, neurons: int, where: str) -> Names:
    """The names of a series' regions, by the rows of the table that it refers to."""
    region = series.rois
    table = region.table
    none = Names([None] * neurons, [False] * neurons)
    rows = np.asarray(region.data[:]).ravel()
    if len(rows) != neurons or (rows < 0).any() or (rows >= len(table)).any():
        found = f"the series has {neurons} columns and refers to {len(rows)} regions of {len(table)}: no neuron is identified"
        none.notes.append(Note("regions", where, found, "correct the region that the series refers to"))
        return none
    columns = _columns(table, where)
    if columns:
        return _of_columns(table, columns, rows, f"{where}, table {table.name}")
    return _of_other_table(content, table, rows, none, where)


def _of_columns(table: Any, columns: list[_Column], rows: np.ndarray, where: str) -> Names:
    """The names of the best column; that another column says otherwise is a doubt."""
    best = columns[0]
    names: list[str | None] = [best.texts[row] for row in rows]
    low = _low(table, rows, where)
    notes = []
    if best.name.lower() not in _USUAL:
        notes.append(Note("name-column", where, f"the names are read from the column {best.name}"))
    for other in columns[1:]:
        differ = [
            f"{mine.shown} or {its.shown}"
            for mine, its in zip(best.labels, other.labels, strict=True)
            if mine.is_neuron and its.is_neuron and mine.name != its.name
        ]
        if differ:
            found = (
                f"the columns {best.name} and {other.name} name other neurons: {listed(differ)}; {best.name} is used"
            )
            notes.append(Note("name-column", where, found, "leave the right column in the file, and remove the other"))
    return Names(names, low, notes)


def _of_other_table(content: Any, table: Any, rows: np.ndarray, none: Names, where: str) -> Names:
    """Names in another table of the file, where its rows can be those of the regions."""
    from hdmf.common import DynamicTable

    tables = [item for item in content.objects.values() if isinstance(item, DynamicTable) and item is not table]
    for other in sorted(tables, key=lambda item: str(item.name)):  # pynwb gives them in any order
        columns = _columns(other, where)
        if not columns:
            continue
        place = f"the table {other.name}, column {columns[0].name}"
        if len(other) != len(table):
            found = f"{place} holds {columns[0].neurons} names in {len(other)} rows, for {len(table)} regions: not used"
            none.notes.append(Note("name-column", where, found, _CORRECT))
            continue
        names = _of_columns(other, columns, rows, f"{where}, table {other.name}")
        found = f"the names are read from {place}, as if its rows were the regions"
        return Names(
            names.names, names.doubted, [*none.notes, *names.notes, Note("name-column", where, found, _CORRECT)]
        )
    return none


def _columns(table: Any, where: str) -> list[_Column]:
    """The columns that hold names of neurons, the best first."""
    from hdmf.common import DynamicTableRegion

    columns = []
    for name in table.colnames:
        column = table[name]
        place = f"{where}, column {name}"
        if isinstance(column, DynamicTableRegion):
            inner = _columns(column.table, place) if column.table is not table else []
            at = np.asarray(column.data[:]).ravel()
            if (
                inner
                and at.dtype.kind in "iu"
                and len(at) == len(table)
                and (at >= 0).all()
                and (at < len(column.table)).all()
            ):
                columns.append(_Column(f"{name}.{inner[0].name}", [inner[0].texts[row] for row in at]))
            continue
        texts = _texts(column, place)
        if texts is not None and len(texts) == len(table):
            columns.append(_Column(name, texts))
    named = [c for c in columns if c.neurons >= (1 if c.name.lower() in _USUAL else min(2, len(table)))]
    return sorted(named, key=lambda column: column.order)


def _texts(column: Any, where: str) -> list[str] | None:
    """The texts of a column, one for each row; None where it holds something else."""
    target = getattr(column, "target", None)
    if target is None:
        values = _read(column.data, where)
        elements = getattr(column, "elements", None)
        if elements is not None and values is not None and values.dtype.kind in "iu" and values.ndim == 1:
            known = _strings(_read(elements.data, where))
            return None if known is None else [known[k] if 0 <= k < len(known) else "" for k in values.tolist()]
        if values is None or values.dtype.kind not in "OSU":
            return None
        return _strings(values)
    flat, ends = _read(getattr(target, "data", None), where), _read(column.data, where)
    if flat is None or ends is None or flat.dtype.kind not in "OSU" or flat.ndim != 1 or ends.dtype.kind not in "iu":
        return None
    starts = np.concatenate([[0], ends[:-1]])
    return [_joined(flat[start:stop]) for start, stop in zip(starts.tolist(), ends.tolist(), strict=True)]


def _strings(values: np.ndarray | None) -> list[str] | None:
    if values is None or values.ndim not in (1, 2):
        return None
    return [_text(value) for value in values] if values.ndim == 1 else [_joined(row) for row in values]


def _joined(parts: Iterable[Any]) -> str:
    """Characters as the text that they make; several texts as candidates."""
    texts = [_text(part) for part in parts]
    if all(len(text) <= 1 for text in texts):
        return "".join(text or " " for text in texts).strip()
    return "/".join(dict.fromkeys(text.strip() for text in texts if text.strip()))


def _text(value: Any) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ")


def _read(data: Any, where: str) -> np.ndarray | None:
    """The values of a column of texts or whole numbers; None for anything else, as masks of regions."""
    if data is None:
        return None
    if isinstance(data, h5py.Dataset):
        if (
            data.dtype.kind not in "OSUiuf"
            or data.ndim not in (1, 2)
            or (data.ndim == 2 and data.dtype.kind not in "OS")
        ):
            return None
        if data.is_virtual or data.external:
            raise DataError("the values are kept in another file, which is not followed", where=where, hint=_CORRECT)
        memory.take(int(np.prod(data.shape, dtype=object)) * max(data.dtype.itemsize, 64), where)
        return np.asarray(data[()])
    values = np.asarray(data[:])
    return values if values.dtype.kind in "OSUiuf" else None


def _low(table: Any, rows: np.ndarray, where: str) -> list[bool]:
    """Regions whose label is rated below the middle of its scale: of 1 to 5, 0 to 1 or 0 to 100."""
    for name in table.colnames:
        if not any(word in name.lower() for word in _RATINGS) or getattr(table[name], "target", None) is not None:
            continue
        values = _read(table[name].data, f"{where}, column {name}")
        if values is None or values.dtype.kind not in "iuf" or values.shape != (len(table),):
            continue
        largest = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
        middle = 0.5 if largest <= 1 else 2.5 if largest <= 5 else 50.0
        return [bool(values[row] <= middle) for row in rows]
    return [False] * len(rows)
