"""Skill: where a model stands between the best baseline and the ceiling, given only where there is room between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.intervals import interval_from_left_out


@dataclass(frozen=True)
class Room:
    """The scores between which a skill lies, None where there is none; `higher`: whether the metric is better when higher."""

    model: float | None
    baseline: float | None
    ceiling: float | None
    best_baseline: str | None
    higher: bool

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "best_baseline": self.best_baseline,
            "baseline": self.baseline,
            "ceiling": self.ceiling,
        }


def skill(
    room: Room,
    model: NDArray[np.float64] | None,
    baseline: NDArray[np.float64] | None,
    ceiling: NDArray[np.float64] | None,
    *,
    weights: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """value, low, high of (score - baseline) / (ceiling - baseline), or None for all three with a `reason`.

    model, baseline, ceiling: the scores [group] without each group in turn, None where not known. The room is above its noise
    where its 95 % interval excludes zero.
    """

    def none(reason: str) -> dict[str, Any]:
        return {"value": None, "low": None, "high": None, "reason": reason}

    if room.model is None:
        return none("the model has no score")
    if room.baseline is None:
        return none("no baseline has a score")
    if room.ceiling is None:
        return none("no ceiling is known")
    sign = 1 if room.higher else -1
    gap = sign * (room.ceiling - room.baseline)
    if gap <= 0:
        return none(f"{room.best_baseline} reaches the ceiling, which leaves no room for a model")
    if model is None or baseline is None:
        return none("there are too few test groups to estimate the gap between best baseline and ceiling")
    if ceiling is None:
        return none("the error of the ceiling is unknown")
    room_low, _ = interval_from_left_out(gap, sign * (ceiling - baseline), weights=weights)
    if not room_low > 0:
        return none(f"the gap between {room.best_baseline} and the ceiling is not larger than its uncertainty")
    ends = interval_from_left_out(
        value := (room.model - room.baseline) / (room.ceiling - room.baseline),
        (model - baseline) / (ceiling - baseline),
        weights=weights,
    )
    low, high = (end if math.isfinite(end) else None for end in ends)
    return {"value": value, "low": low, "high": high, "reason": None}
