"""Windows inside recordings, and the audit that refuses those that cross a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import LeakError
from neurocli.recordings.normalisation import Normalisation
from neurocli.recordings.split import PARTS, Split

_OUR_FAULT = "no data can cause this: it is a fault of the model's adapter, please report it"


@dataclass(frozen=True)
class Window:
    """Input samples start..stop-1 of one group, and the last sample that is a target."""

    group: str
    start: int
    stop: int
    target: int


def windows_in(group: str, steps: int, length: int, stride: int, horizon: int = 1) -> list[Window]:
    """Every window of `length` samples whose target, `horizon` samples after its end, still lies in the group."""
    return [
        Window(group, s, s + length, s + length - 1 + horizon) for s in range(0, steps - length - horizon + 1, stride)
    ]


def audit(
    split: Split,
    windows: Mapping[str, Iterable[Window]],
    lengths: Mapping[str, int],
    normalisation: Normalisation | None,
) -> None:
    """Refuse windows and statistics that cross a split, whoever planned them: raises LeakError that names the first found.

    windows: part → windows; lengths: group → samples. The same data under two names are found by `copies`.
    """
    owner = {group: part for part in PARTS for group in split.groups(part)}
    for part, planned in windows.items():
        for window in planned:
            if owner.get(window.group) != part:
                raise LeakError(
                    f"a {part} window lies in {window.group}, which is in {owner.get(window.group, 'no part')}",
                    where="windows",
                    hint=_OUR_FAULT,
                )
            if window.start < 0 or max(window.stop, window.target + 1) > lengths[window.group]:
                raise LeakError(
                    f"a window of {window.group} crosses its end at sample {lengths[window.group]}",
                    where="windows",
                    hint=_OUR_FAULT,
                )
    if normalisation is not None:
        foreign = sorted(set(normalisation.fitted_on) - set(split.train))
        if foreign:
            raise LeakError(
                f"mean and standard deviation were fitted on {', '.join(foreign[:3])}, which is not training data",
                where="normalisation",
                hint=_OUR_FAULT,
            )


def count_seen_targets(train: Sequence[Window], test: Sequence[Window]) -> int:
    """How many test windows have their target inside the input of a training window of the same group."""
    inside: dict[str, set[int]] = {}
    for window in train:
        inside.setdefault(window.group, set()).update(range(window.start, window.stop))
    return sum(window.target in inside.get(window.group, ()) for window in test)


def gather(signal: NDArray[np.float32], starts: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    """Windows [k, length, channel] of a signal [time, channel] at `starts` [k]."""
    return signal[starts[:, None] + np.arange(length)]
