"""Findings about scores follow from the same statistic as the table beside them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding, judged
from neurocli.diagnosis.shared import check_scores


def findings(verdict: str | None, ceiling: float | None = 0.9) -> dict[str, Finding]:
    low, high = {"better": (0.1, 0.3), "worse": (-0.3, -0.1), "not told apart": (-0.1, 0.3), None: (None, None)}[
        verdict
    ]
    skill: dict[str, Any] = {
        "model": 0.7,
        "baseline": 0.5,
        "best_baseline": "ridge",
        "ceiling": ceiling,
        "paired": {"value": 0.2, "low": low, "high": high, "verdict": verdict, "reason": "10 positives are too few"},
    }
    evaluation = SimpleNamespace(metrics=[{"name": "R2", "higher": True}], skill=skill, suspicious=None)
    return {f.check: f for f in check_scores(evaluation)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "judgement"), [("better", PASS), ("worse", FAIL), ("not told apart", WARN), (None, WARN)]
)
def test_better_than_baseline_follows_the_interval(verdict: str | None, judgement: str) -> None:
    found = findings(verdict)["better-than-baseline"]
    assert found.verdict == judgement
    assert (found.advice == "") == (judgement == PASS)
    assert "ridge" in found.threshold


def test_what_to_do_without_an_interval_names_the_reason() -> None:
    advice = findings(None)["better-than-baseline"].advice
    assert "10 positives" in advice and "three" not in advice


def test_a_ceiling_below_a_baseline_does_not_pass() -> None:
    assert findings("better", 0.9)["ceiling-above-baselines"].verdict == PASS
    assert findings("better", 0.4)["ceiling-above-baselines"].verdict == WARN
    assert "ceiling-above-baselines" not in findings("better", None)


def test_the_condition_shown_is_what_passes() -> None:
    for value, judgement in ((0.5, PASS), (1.5, WARN), (3.0, FAIL)):
        found = judged("x", "data", value, warn=1, fail=2, advice="mend it")
        assert (found.verdict, found.threshold) == (judgement, "≤ 1")


def test_no_fault_is_told_without_advice() -> None:
    with pytest.raises(ValueError, match="without advice"):
        Finding("x", "data", FAIL, 1, "0")
