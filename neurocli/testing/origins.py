"""Whether the targets of a forecast lie where its origins and its horizon say.

Who believes an origin believes where "before" ends. It is asked of the targets themselves: when everything after a sample is
changed, those that lie at or before it stay, and those that lie after it change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.target import Target
from neurocli.recordings import Recording

EARLIER, LATER = "targets from before their place", "targets from after their place"
NO_HORIZON = "a forecast of less than one sample"
_SAME_STEP = 1.2
"""Steps of a model and of a recording that differ by less, as in recordings of slightly different rate, are one sample each."""


@dataclass
class Origins:
    """What was seen of the places of targets. A place is (target, samples from its origin to the last that stays)."""

    moved: set[tuple[str, int]] = field(default_factory=set)
    still: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)

    def look(self, recording: Recording, target: Target, again: Target, group: str, cut: int) -> int | None:
        """The first origin whose target lies later than it says: it changed, though all up to its place stayed."""
        common, row, row_again = np.intersect1d(target.origins[group], again.origins[group], return_indices=True)
        targets, altered = np.asarray(target.values[group])[row], np.asarray(again.values[group])[row_again]
        nearest, farthest = reach(target, recording)
        changed = _by_row(~_same(targets, altered))
        known = _by_row(np.isfinite(targets) & np.isfinite(altered))
        # Events may be the same in a sample that was changed: such a target must change once, wherever that is.
        for origin, moved in zip(common[known], changed[known], strict=True):
            place = (target.name, cut - int(origin))
            if 0 <= place[1] < nearest:
                if moved:
                    self.moved.add(place)
                else:
                    self.still.setdefault(place, (group, int(origin)))
        later = common[changed & (common + farthest <= cut)]
        return int(later[0]) if len(later) else None

    def never_moved(self) -> Iterator[tuple[str, str, int]]:
        """(target, group, origin) of targets that lie earlier than they say: for each target the first."""
        named = set()
        for (target, away), (group, origin) in sorted(self.still.items(), reverse=True):
            if (target, away) not in self.moved and target not in named:
                named.add(target)
                yield target, group, origin


def reach(target: Target, recording: Recording) -> tuple[int, int]:
    """(fewest, most) samples of the recording from an origin to its target: the horizon, where a sample is a step."""
    step_ms = float(target.horizon_ms or 0) / max(target.horizon_steps, 1)
    if 1 / _SAME_STEP < step_ms / recording.dt_ms < _SAME_STEP:
        return target.horizon_steps, target.horizon_steps
    samples = float(target.horizon_ms or 0) / recording.dt_ms
    return int(np.floor(samples)) - 1, int(np.ceil(samples)) + 1


def _same(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.bool_]:
    return (first == second) | (np.isnan(first) & np.isnan(second))


def _by_row(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(values.reshape(len(values), -1).any(axis=1))
