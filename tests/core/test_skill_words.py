"""Skill as people read it: a number only where its denominator is more than noise."""

from __future__ import annotations

import pytest

from neurocli.evaluation.wording import in_words


def skill(value: float | None, verdict: str | None = None, ceiling: float | None = 0.9) -> dict:
    return {
        "model": 0.6,
        "best_baseline": "ridge",
        "baseline": 0.5,
        "ceiling": ceiling,
        "value": value,
        "paired": {"verdict": verdict},
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (skill(0.5), "0.5"),
        (skill(-0.25), "-0.25"),
        (skill(-1.5), "worse than ridge"),
        (skill(None), "no room"),
        (skill(None, "better"), "no room"),
        (skill(None, "worse"), "worse than ridge"),
        (skill(None, "worse", ceiling=None), "–"),
    ],
)
def test_words(given: dict, words: str) -> None:
    assert in_words(given) == words
