"""Skill as people read it: a number only where its denominator is more than noise."""

from __future__ import annotations

import pytest

from neurocli.evaluation.skill import in_words


def skill(model: float, baseline: float, ceiling: float | None, half: float | None = 0.02) -> dict:
    difference = model - baseline
    paired = {"low": None, "high": None} if half is None else {"low": difference - half, "high": difference + half}
    room = None if ceiling is None else ceiling - baseline
    value = None if not room else difference / room
    return {
        "model": model,
        "best_baseline": "ridge",
        "baseline": baseline,
        "ceiling": ceiling,
        "value": value,
        "paired": paired,
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (skill(0.6, 0.5, 0.7), "0.5"),
        (skill(0.45, 0.5, 0.7), "-0.25"),
        (skill(0.2, 0.5, 0.7), "worse than ridge"),  # -1.5
        (skill(0.505, 0.5, 0.51), "no room"),
        (skill(0.4, 0.5, 0.51), "worse than ridge"),
        (skill(0.4, 0.5, 0.45), "worse than ridge"),  # the ratio would be +2
        (skill(0.5, 0.5, 0.45), "no room"),
        (skill(0.5, 0.5, 0.5), "no room"),
        (skill(0.6, 0.5, None), "–"),
        (skill(0.6, 0.5, 0.51, half=None), "10"),
        (skill(0.2, 0.5, 0.7, half=None), "worse than ridge"),
    ],
)
def test_words(given: dict, words: str) -> None:
    assert in_words(given) == words


def test_errors_are_better_when_lower() -> None:
    assert in_words(skill(0.5, 1.0, 0.0), higher=False) == "0.5"
    assert in_words(skill(1.1, 1.0, 0.99), higher=False) == "worse than ridge"
    assert in_words(skill(1.001, 1.0, 0.99), higher=False) == "no room"
