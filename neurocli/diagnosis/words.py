"""How findings are worded: lists that stay short, counts, and findings that most checks need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neurocli.diagnosis.finding import PASS, WARN, Finding

_LONGEST = 8


def listed(items: Iterable[str], what: str = "") -> str:
    """`a, b, c +2 more`: the first few of a list, empty for none; `what` goes before it."""
    names = list(items)
    if not names:
        return ""
    more = f" +{len(names) - _LONGEST} more" if len(names) > _LONGEST else ""
    return f"{what} {', '.join(names[:_LONGEST])}{more}".strip()


def counted(number: int, what: str) -> str:
    """`1 worm`, `3 worms`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def span(low: float, high: float, form: str = "g") -> str:
    """`3 to 7`, or one number where both are the same."""
    ends = dict.fromkeys((f"{low:{form}}", f"{high:{form}}"))
    return " to ".join(ends)


def information(check: str, subject: str, value: Any) -> Finding:
    """A value without threshold."""
    return Finding(check, subject, PASS, value, "–")


def unless_none(
    check: str,
    subject: str,
    bad: str | Iterable[str],
    *,
    verdict: str = WARN,
    threshold: Any = "none",
    advice: str = "",
    clean: str = "none",
) -> Finding:
    """PASS where nothing is bad; otherwise `verdict` with what is, in words or as a list of groups, neurons, units."""
    text = bad if isinstance(bad, str) else listed(bad)
    if not text:
        return Finding(check, subject, PASS, clean, threshold)
    return Finding(check, subject, verdict, text, threshold, advice)
