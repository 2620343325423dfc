"""How findings about worms are worded: a line for each worm that stands out, one line for all that do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding, judged
from neurocli.diagnosis.words import counted, listed, span

_MOST = 20
"""Worms that get a line of their own for one check."""
_SEVERITY = (PASS, WARN, FAIL)


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
    """A finding for each worm whose value lies beyond a limit, and one with the range of the others; NaN fails. unit: of values and limits."""
    every = {}
    for group, value in values.items():
        finding = judged(check, group, float(value), warn=warn, fail=fail, advice=advice, low=low)
        every[group] = replace(finding, threshold=f"{finding.threshold} {unit}".strip())
    good = [float(values[group]) for group, finding in every.items() if finding.verdict == PASS]
    findings = shortened(check, [finding for finding in every.values() if finding.verdict != PASS])
    if good:
        threshold = next(iter(every.values())).threshold
        findings.append(
            Finding(
                check,
                counted(len(good), "worm"),
                PASS,
                span(min(good), max(good), ".3g") + (f" {unit}" if unit else ""),
                threshold,
            )
        )
    return findings


def of_worms(
    check: str, faults: Mapping[str, str], total: int, *, verdict: str = WARN, threshold: Any = "none", advice: str
) -> list[Finding]:
    """A finding with `verdict` for each worm that has a fault, in words, and a PASS for those that have none."""
    findings = [Finding(check, group, verdict, text, threshold, advice) for group, text in faults.items()]
    return with_clean(check, findings, total, threshold)


def with_clean(check: str, findings: list[Finding], total: int, threshold: Any, clean: str = "none") -> list[Finding]:
    """The findings about single worms, and a PASS for the others of `total`."""
    rest = total - len(findings)
    passed = [Finding(check, counted(rest, "worm"), PASS, clean, threshold)] if rest else []
    return [*shortened(check, findings), *passed]


def shortened(check: str, findings: list[Finding]) -> list[Finding]:
    """The first findings of a check; what is more than a table can show is one line with the worst verdict."""
    if len(findings) <= _MOST:
        return findings
    rest = findings[_MOST - 1 :]
    verdict = max((finding.verdict for finding in rest), key=_SEVERITY.index)
    names = listed(finding.subject for finding in rest)
    return [
        *findings[: _MOST - 1],
        Finding(check, counted(len(rest), "worm"), verdict, names, rest[0].threshold, rest[0].advice),
    ]
