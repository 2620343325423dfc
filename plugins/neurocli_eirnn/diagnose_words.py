"""How the findings of a session are worded: shares of trials, and lists of neurons that stay short."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding

SHARE_WARN, SHARE_FAIL = 0.01, 0.05
"""Shares of the trials above which a fault of single trials is one of the session."""
NEURON = "neuron id"
"""How neurons are named: by the data's own names, as in the tables of `evaluate`, never by their place."""
_LONGEST = 5


def of_trials(check: str, subject: str, bad: int, total: int, *, kinds: str = "", advice: str = "") -> Finding:
    """A fault that `bad` of `total` trials have; `kinds` says more about them."""
    share = bad / max(total, 1)
    verdict = FAIL if share > SHARE_FAIL else WARN if share > SHARE_WARN else PASS
    value = (
        f"{bad} of {total} trials ({share:.1%})" + (f": {kinds}" if kinds else "") if bad else f"none of {total} trials"
    )
    threshold = f"WARN > {SHARE_WARN:.0%}, FAIL > {SHARE_FAIL:.0%}"
    return Finding(check, subject, verdict, value, threshold, advice if verdict != PASS else "")


def unless_none(
    check: str,
    subject: str,
    found: str,
    *,
    verdict: str,
    threshold: Any = "none",
    advice: str = "",
    clean: str = "none",
) -> Finding:
    """PASS where nothing was found; otherwise `verdict` with what was found."""
    if not found:
        return Finding(check, subject, PASS, clean, threshold)
    return Finding(check, subject, verdict, found, threshold, advice)


def information(check: str, subject: str, value: Any) -> Finding:
    """A value without threshold."""
    return Finding(check, subject, PASS, value, "–")


def listed(items: Iterable[str], what: str = "") -> str:
    """`a, b, c +2 more`: the first few of a list, empty for none; `what` goes before it."""
    found = list(items)
    if not found:
        return ""
    more = f" +{len(found) - _LONGEST} more" if len(found) > _LONGEST else ""
    return f"{what} {', '.join(found[:_LONGEST])}{more}".strip()
