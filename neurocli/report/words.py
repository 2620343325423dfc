"""How values are put for people: the same in a terminal's tables and in the report."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

SEVERITY = {"FAIL": 0, "WARN": 1, "PASS": 2}
"""Verdicts of a diagnosis, the worst first."""


def clean(text: object) -> str:
    """Text without control characters: names out of a file must not steer a terminal."""
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in str(text))


def format_value(value: Any) -> str:
    """A value for people: four significant digits, a dash for what is not known."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "–"
    if isinstance(value, (list, tuple)):
        return ", ".join(format_value(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {format_value(item)}" for key, item in value.items())
    return str(value)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """`0.912 [0.900, 0.921]`"""
    if value is None:
        return "–"
    if low is None or high is None:
        return format_value(value)
    return f"{format_value(value)} [{format_value(low)}, {format_value(high)}]"


def count_verdicts(verdicts: Iterable[str]) -> dict[str, int]:
    """How many findings have each verdict, the worst first."""
    counted = list(verdicts)
    return {verdict: counted.count(verdict) for verdict in SEVERITY}


def verdicts_in_words(count: dict[str, int]) -> str:
    """`1 FAIL, 0 WARN, 18 PASS`"""
    return ", ".join(f"{n} {verdict}" for verdict, n in count.items())
