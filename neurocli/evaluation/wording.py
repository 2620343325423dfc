"""How skill and missing p-values are put in words; loads nothing, so that tables of finished runs are quick."""

from __future__ import annotations

from typing import Any

WORST = -1.0
"""Below this skill the model is so far under the baseline that the number has no meaning."""


def why_no_p(n_groups: int, group: str = "group") -> str:
    """Why so few groups have no p."""
    if n_groups < 1:
        return "no p: there is nothing to compare"
    least = 2 / 2**n_groups
    return (
        f"no p: with {n_groups} {group}{'s' if n_groups != 1 else ''} the smallest possible p is {least:.2g}".replace(
            "0.", "."
        )
    )


def in_words(skill: dict[str, Any]) -> str:
    """A skill as `Scoreboard.skill` gives it: its number, `worse than NAME`, `no room`, or a dash where a part is missing."""
    worse = (skill["paired"] or {}).get("verdict") == "worse"
    value = skill["value"]
    if value is None:
        if any(skill[key] is None for key in ("model", "baseline", "ceiling")):
            return "–"
        return f"worse than {skill['best_baseline']}" if worse else "no room"
    return f"worse than {skill['best_baseline']}" if value < WORST else f"{value:.3g}"
