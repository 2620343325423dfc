"""How findings about worms are worded: a line for each worm that stands out, one line for all that do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding, judged

_LONGEST = 8
_MOST = 20
"""Worms that get a line of their own for one check."""
_SEVERITY = (PASS, WARN, FAIL)


def information(check: str, subject: str, value: Any) -> Finding:
    """A value without threshold."""
    return Finding(check, subject, PASS, value, "–")


def listed(items: Iterable[str]) -> str:
    """`a, b, c +2 more`: the first few of a list, empty for none."""
    found = list(items)
    more = f" +{len(found) - _LONGEST} more" if len(found) > _LONGEST else ""
    return ", ".join(found[:_LONGEST]) + more


def worms(count: int) -> str:
    """`1 worm`, `3 worms`."""
    return f"{count} worm{'' if count == 1 else 's'}"


def per_worm(
    check: str,
    values: Mapping[str, float],
    *,
    warn: float | None = None,
    fail: float | None = None,
    advice: str = "",
    low: bool = False,
    unit: str = "",
) -> list[Finding]:
    """A finding for each worm whose value lies beyond a limit, and one with the range of the others; NaN fails."""
    every = {
        group: judged(check, group, float(value), warn=warn, fail=fail, advice=advice, low=low)
        for group, value in values.items()
    }
    good = [float(values[group]) for group, finding in every.items() if finding.verdict == PASS]
    found = shortened(check, [finding for finding in every.values() if finding.verdict != PASS])
    if good:
        threshold = next(iter(every.values())).threshold
        ends = dict.fromkeys((f"{min(good):.3g}", f"{max(good):.3g}"))
        found.append(
            Finding(check, worms(len(good)), PASS, " to ".join(ends) + (f" {unit}" if unit else ""), threshold)
        )
    return found


def of_worms(
    check: str, found: Mapping[str, str], total: int, *, verdict: str, threshold: Any, advice: str
) -> list[Finding]:
    """A finding with `verdict` for each worm of which something was found, and a PASS for those of which nothing was."""
    findings = shortened(
        check, [Finding(check, group, verdict, text, threshold, advice) for group, text in found.items()]
    )
    clean = total - len(found)
    return [*findings, Finding(check, worms(clean), PASS, "none", threshold)] if clean else findings


def shortened(check: str, findings: list[Finding]) -> list[Finding]:
    """The first findings of a check; what is more than a table can show is one line with the worst verdict."""
    if len(findings) <= _MOST:
        return findings
    rest = findings[_MOST - 1 :]
    verdict = max((finding.verdict for finding in rest), key=_SEVERITY.index)
    names = listed(finding.subject for finding in rest)
    return [*findings[: _MOST - 1], Finding(check, worms(len(rest)), verdict, names, rest[0].threshold, rest[0].advice)]
