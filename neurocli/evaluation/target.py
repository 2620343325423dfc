"""Targets: what is scored, the same for every predictor, so that their scores can be compared."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurocli.plugin.cost import Cost

if TYPE_CHECKING:
    from neurocli.evaluation.metrics import Metric


@dataclass(frozen=True)
class Target:
    """What is scored at one horizon, group by group.

    values: group → [time, channel] in the recording's unit; origins: group → sample index [time], in the recording as it was
    given to `adapt`, of the last sample that a predictor may see; horizon_steps: the target lies that many samples later;
    horizon_ms: that in ms, None where nothing is forecast (a model that knows its inputs alone);
    subsets: name → group → bool mask that broadcasts against the targets;
    now: group → [time, channel] the last value that a predictor sees, for metrics that score changes;
    scoring: group → (offset, scale), broadcast against the targets: all values are scored as (value - offset) / scale. It is part
    of the score and never of a forecast, so that it may come from the whole recording;
    averages: name → subsets over which the score is averaged, each with the same weight where the metric is a mean over
    channels;
    hindsight: names of subsets that depend on the targets themselves; they must never be reported alone;
    channels: names of the targets' channels, where they are not those of the recording;
    of_whole: said of whole recordings, of which all is seen but the labels (the class of an image).
    """

    name: str
    horizon_steps: int
    horizon_ms: float | None
    unit: str
    values: Mapping[str, NDArray[Any]]
    origins: Mapping[str, NDArray[np.int64]]
    subsets: Mapping[str, Mapping[str, NDArray[np.bool_]]] = field(default_factory=dict)
    hindsight: frozenset[str] = frozenset()
    averages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    now: Mapping[str, NDArray[Any]] | None = None
    scoring: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] | None = None
    channels: tuple[str, ...] = ()
    of_whole: bool = False

    def as_scored(self, group: str, values: NDArray[Any]) -> NDArray[Any]:
        """Values [time, channel] of a group in the unit that they are scored in."""
        if self.scoring is None:
            return values
        offset, scale = self.scoring[group]
        return (values - offset) / scale

    @property
    def groups(self) -> list[str]:
        return list(self.values)


@dataclass(frozen=True)
class Prediction:
    """Predicted values: group → [time, channel] like the targets, in the recording's unit.

    extra: whatever else the model predicts at the same places (a spike probability), by name and group. What is given is what is
    scored: a mean of few sampled paths is scored with the error that few paths leave.
    """

    values: Mapping[str, NDArray[Any]]
    extra: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)


FREE = Cost(0.0, 0)
"""Of what is not fitted at all."""


def total_cost(costs: Iterable[Cost | None]) -> Cost | None:
    """What several fits took together, of those that are known; None where none is."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return None
    return Cost(sum(cost.cpu_s or 0.0 for cost in known), sum(cost.parameters or 0 for cost in known))


class Meter:
    """Adds up what the fits of one predictor take."""

    def __init__(self) -> None:
        self.cpu_s, self.parameters = 0.0, 0

    @contextlib.contextmanager
    def fitting(self) -> Iterator[None]:
        """Time a fit."""
        start = time.process_time()
        yield
        self.cpu_s += time.process_time() - start

    def cost(self) -> Cost | None:
        """What was taken; None before any fit."""
        return Cost(self.cpu_s, self.parameters) if self.cpu_s else None


@dataclass(frozen=True)
class Predictor:
    """A named way to predict: a baseline, a ceiling or a control.

    `predict` returns None for a target that it cannot predict. `cost` is called after the last prediction, since many are fitted at
    their first one.
    """

    name: str
    kind: str
    predict: Callable[[Target], Prediction | None]
    note: str = ""
    cost: Callable[[], Cost | None] = lambda: None


@dataclass(frozen=True)
class Bound:
    """A ceiling that is known as a number only, from the reliability of the data.

    `value` takes a target, a metric and the name of a subset, and gives the score that a perfect model would get on so
    many targets, None where that is not known. `left_out` takes the same and gives the ceiling [group] without each of the
    target's groups in turn, from which its interval is made; None where that is not known. A ceiling that is known and not
    estimated is the same without any group.
    """

    name: str
    value: Callable[[Target, Metric, str], float | None]
    note: str = ""
    left_out: Callable[[Target, Metric, str], NDArray[np.float64] | None] = lambda target, metric, subset: None
