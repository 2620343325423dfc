"""An exhibit: a figure with its numbers, and what may be claimed from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def finite_or_none(value: Any, digits: int | None = None) -> float | None:
    """A number as JSON and tables can hold it, rounded where `digits` says so: JSON knows no NaN, so what is not known is None."""
    if value is None or not math.isfinite(value):
        return None
    return float(value) if digits is None else round(float(value), digits)


@dataclass
class Table:
    """Rows under named columns. Numbers stay numbers; how they are printed is decided by whoever prints them.

    >>> from neurocli.plugin.exhibit import Table
    >>> table = Table(["neuron", "rate_hz"], [["AVAL", 1.5], ["AVAR", 0.25]])
    >>> [dict(zip(table.columns, row)) for row in table.rows]
    [{'neuron': 'AVAL', 'rate_hz': 1.5}, {'neuron': 'AVAR', 'rate_hz': 0.25}]
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"columns": list(self.columns), "rows": [list(row) for row in self.rows], "note": self.note}


@dataclass
class Exhibit:
    """One thing to show: title, a table, the path of a figure, the claims that the numbers allow.

    >>> from neurocli.plugin.exhibit import Exhibit, Table
    >>> rates = Table(["neuron", "rate_hz"], [["AVAL", 1.5], ["AVAR", 0.25]])
    >>> exhibit = Exhibit("rates", "Mean rates", rates, claims={"highest": "AVAL"})
    >>> exhibit.table.rows[0], exhibit.claims["highest"], exhibit.figure
    (['AVAL', 1.5], 'AVAL', None)
    """

    name: str
    title: str
    table: Table | None = None
    figure: Path | None = None
    claims: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "figure": str(self.figure) if self.figure else None,
            "table": self.table.as_dict() if self.table else None,
            "claims": self.claims,
        }
