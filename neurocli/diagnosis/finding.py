"""One diagnostic result: what was checked, the verdict, the value, what is needed to pass, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from neurocli.errors import NeuroError

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"


@dataclass(frozen=True)
class Finding:
    """check: name in kebab-case; subject: data or the part it is about; value: a number or short text; threshold: what is
    needed to pass, in the value's own terms, or a dash for what is said and not judged; advice: what to do, for all but PASS.

    Raises ValueError for a verdict other than PASS without advice: who is told of a fault is told what to do about it.

    >>> finding = neurocli.diagnose("gat-lstm", data="worms.h5").findings[0]
    >>> finding.check, finding.verdict, finding.threshold
    ('isolated-nodes', 'WARN', 'none')
    """

    check: str
    subject: str
    verdict: str
    value: Any
    threshold: Any
    advice: str = ""

    def __post_init__(self) -> None:
        if self.verdict != PASS and not self.advice:
            raise ValueError(f"{self.check}: {self.verdict} without advice")

    @classmethod
    def graded(
        cls,
        check: str,
        subject: str,
        value: Any,
        threshold: Any,
        advice: str,
        *,
        warn: object = False,
        fail: object = False,
    ) -> Finding:
        """FAIL where `fail` is true, else WARN where `warn` is, else PASS, which goes without the advice.

        >>> from neurocli.diagnosis import Finding
        >>> Finding.graded("spikes", "run-0003", 0, "≥ 1", "record for longer", warn=True).verdict
        'WARN'
        """
        verdict = FAIL if fail else WARN if warn else PASS
        return cls(check, subject, verdict, value, threshold, "" if verdict == PASS else advice)

    @classmethod
    def of_error(cls, check: str, subject: str, error: NeuroError, threshold: Any) -> Finding:
        """FAIL with what an error says, and its hint as the advice.

        >>> from neurocli.diagnosis import Finding
        >>> from neurocli.errors import DataError
        >>> Finding.of_error("readable", "worm-2", DataError("no time axis", hint="add one"), "can be read").advice
        'add one'
        """
        return cls(
            check, subject, FAIL, error.message, threshold, error.hint or "repair the recordings, and diagnose again"
        )

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
    """A finding from a number: WARN beyond `warn`, FAIL beyond `fail` (below them when `low`); NaN fails.

    The threshold shown is the one that has to be met to pass.
    """

    def beyond(limit: float | None) -> bool:
        return limit is not None and (value < limit if low else value > limit)

    sign = "≥" if low else "≤"
    limit = next(limit for limit in (warn, fail) if limit is not None)
    threshold = f"{sign} {limit:g}"
    return Finding.graded(
        check, subject, value, threshold, advice, warn=beyond(warn), fail=value != value or beyond(fail)
    )
