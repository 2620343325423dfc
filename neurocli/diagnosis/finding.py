"""One diagnostic result: what was checked, the verdict, the value against its threshold, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"


@dataclass(frozen=True)
class Finding:
    """check: name in kebab-case; subject: data or the part it is about; value and threshold: numbers or short text."""

    check: str
    subject: str
    verdict: str
    value: Any
    threshold: Any
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judged(
    check: str,
    subject: str,
    value: float,
    *,
    warn: float | None = None,
    fail: float | None = None,
    advice: str = "",
    low: bool = False,
) -> Finding:
    """A finding from a number: WARN beyond `warn`, FAIL beyond `fail` (below them when `low`); NaN fails."""

    def beyond(limit: float | None) -> bool:
        return limit is not None and (value < limit if low else value > limit)

    verdict = FAIL if value != value or beyond(fail) else WARN if beyond(warn) else PASS
    sign = "≥" if low else "≤"
    limits = [f"{sign} {limit:g}" for limit in (warn, fail) if limit is not None]
    threshold = limits[0] if len(limits) == 1 else f"WARN {limits[0]}, FAIL {limits[1]}"
    return Finding(check, subject, verdict, value, threshold, "" if verdict == PASS else advice)
