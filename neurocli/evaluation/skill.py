"""Skill in words where a number would mislead: (score - best baseline) / (ceiling - best baseline) with hardly any denominator."""

from __future__ import annotations

from typing import Any

WORST = -1.0
"""Below this, how many times the room to the ceiling a model lies under the baseline says nothing any more."""


def in_words(skill: dict[str, Any], *, higher: bool = True) -> str:
    """A skill as `Scoreboard.skill` gives it: its number, `worse than NAME`, `no room`, or a dash.

    No room: best baseline and ceiling are no further apart than the interval of the model's difference to the baseline
    reaches to either side, so that the ratio is one of two noises. higher: whether the metric is better when higher.
    """
    value, model, baseline, ceiling = (skill[key] for key in ("value", "model", "baseline", "ceiling"))
    if model is None or baseline is None or ceiling is None:
        return "–"
    room = (ceiling - baseline) * (1 if higher else -1)
    low, high = ((skill["paired"] or {}).get(key) for key in ("low", "high"))
    if low is None or high is None:
        known, worse = 0.0, False
    else:
        known, worse = (high - low) / 2, (high < 0 if higher else low > 0)
    if value is None or room <= known:
        return f"worse than {skill['best_baseline']}" if worse else "no room"
    return f"worse than {skill['best_baseline']}" if value < WORST else f"{value:.4g}"
