"""How findings about simulations are worded: a line for each file, and lists that stay short."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neurocli.diagnosis.finding import PASS, Finding

MOST_FILES = 20
"""Files that get a line of their own for one check."""
_LONGEST = 6


def information(check: str, subject: str, value: Any) -> Finding:
    """A value without threshold."""
    return Finding(check, subject, PASS, value, "–")


def listed(items: Iterable[str]) -> str:
    """`a, b, c +2 more`: the first few of a list, empty for none."""
    found = list(items)
    more = f" +{len(found) - _LONGEST} more" if len(found) > _LONGEST else ""
    return ", ".join(found[:_LONGEST]) + more


def counted(number: int, what: str = "simulation") -> str:
    """`1 simulation`, `3 simulations`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def span(low: float, high: float, form: str = "g") -> str:
    """`3 to 7`, or one number where both are the same."""
    ends = dict.fromkeys((f"{low:{form}}", f"{high:{form}}"))
    return " to ".join(ends)


def unless_none(check: str, subject: str, found: str, *, verdict: str, advice: str, clean: str = "none") -> Finding:
    """PASS where nothing was found; otherwise `verdict` with what was found."""
    if not found:
        return Finding(check, subject, PASS, clean, "none")
    return Finding(check, subject, verdict, found, "none", advice)
