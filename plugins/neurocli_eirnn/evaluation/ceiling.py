"""What a perfect model could reach: from the data's own reliability, or from the true rates where a simulator knows them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.scoreboard import ALL
from neurocli.evaluation.target import Bound, Predictor, Target
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.data.psth import aligned
from neurocli_eirnn.data.trials import EVENTS
from neurocli_eirnn.evaluation.expected_r import ExpectedR, expected_r
from neurocli_eirnn.evaluation.metrics import PsthCorrelation
from neurocli_eirnn.evaluation.targets import FIXATION, from_whole_trials

NOISE_CEILING = "noise ceiling"
_FEWEST = 4
"""Trials without which nothing can be said of noise."""
NOTE = (
    "the r that the true rates are expected to reach with the mean of as many test trials. Noise is what differs from bin to bin "
    "within a trial; slow changes of excitability, which no model of the task can predict, count as signal"
)


def ceiling(data: SessionData) -> Predictor | Bound:
    """The true rates of a simulated session; otherwise the noise ceiling of the session's trials."""
    true_rates = data.session.true_rates
    if true_rates is not None:
        whole = {group: np.nan_to_num(true_rates[row]) for group, row in data.row.items()}
        return Predictor("true rates", "ceiling", lambda target: from_whole_trials(target, whole))
    known: dict[tuple[str, str, float], ExpectedR | None] = {}

    def of(target: Target, metric: Metric, subset: str) -> ExpectedR | None:
        if not isinstance(metric, PsthCorrelation):
            return None
        key = target.name, subset, metric.sd_bins
        if key not in known:
            known[key] = of_channels(data, target, subset, metric.sd_bins)
        return known[key]

    def value(target: Target, metric: Metric, subset: str) -> float | None:
        found = of(target, metric, subset)
        return None if found is None else _mean(found.value)

    def left_out(target: Target, metric: Metric, subset: str) -> NDArray[np.float64] | None:
        found = of(target, metric, subset)
        return None if found is None else np.nanmean(found.without, axis=1)

    return Bound(NOISE_CEILING, value, NOTE, left_out)


def bound(data: SessionData, target: Target, subset: str, sd_bins: float) -> float | None:
    """The noise ceiling of a target's subset: mean over neurons; of an average, over the neurons of all its subsets."""
    found = of_channels(data, target, subset, sd_bins)
    return None if found is None else _mean(found.value)


def of_channels(data: SessionData, target: Target, subset: str, sd_bins: float) -> ExpectedR | None:
    """Expected r of the true rates by channel: neurons, and for an average those of each of its subsets side by side.

    `without` is [test trial of the subset, channel]. None where there are too few trials.
    """
    if subset in target.averages:
        parts = {one: of_channels(data, target, one, sd_bins) for one in target.averages[subset]}
        return _side_by_side(target, {one: part for one, part in parts.items() if part is not None})
    rows, neurons = _members(data, target, subset)
    rows = _with_event(data, target.name, rows)
    tested = np.isin(rows, data.rows(_test_groups(target, subset)))
    if len(rows) < _FEWEST or not tested.any():
        return None
    found = expected_r(aligned_rates(data, target.name, rows), tested, sd_bins)
    value = found.value[neurons]
    if not np.isfinite(value).any():
        return None
    # One line per test trial in the target's order, which is that of the rows.
    return ExpectedR(value, found.without[:, neurons])


def _side_by_side(target: Target, parts: dict[str, ExpectedR]) -> ExpectedR | None:
    """Channels of disjoint sets of trials in one: a trial changes those of its own set."""
    if not parts:
        return None
    groups = [group for one in parts for group in _test_groups(target, one)]
    value = np.concatenate([part.value for part in parts.values()])
    without = np.tile(value, (len(groups), 1))
    line = channel = 0
    for part in parts.values():
        n, k = part.without.shape
        without[line : line + n, channel : channel + k] = part.without
        line, channel = line + n, channel + k
    return ExpectedR(value, without)


def aligned_rates(data: SessionData, name: str, rows: NDArray[np.int64]) -> NDArray[np.floating]:
    """Rates [trial, time, neuron] of trials `rows`, aligned as the target `name`; trials without the event are left out."""
    if name == FIXATION:
        return data.rates[rows]
    there = _with_event(data, name, rows)
    before, after = data.window_bins
    return aligned(data.rates[there], _onset(data, name)[there], np.arange(-before, after + 1))


def _onset(data: SessionData, name: str) -> NDArray[np.int64]:
    return data.event_bins[:, [f"{event}-aligned" for event in EVENTS].index(name)]


def _with_event(data: SessionData, name: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of trials `rows` that have the event of the target `name`."""
    return rows if name == FIXATION else rows[_onset(data, name)[rows] >= 0]


def _members(data: SessionData, target: Target, subset: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """All used trials, training trials too, that are like those of the subset; and the neurons that it takes."""
    rows = np.where(data.kept)[0]
    neurons = np.ones(data.session.neurons, bool)
    if subset == ALL:
        return rows, neurons
    if subset in ("E", "I"):
        return rows, data.session.neuron_type == ("E", "I").index(subset) + 1
    label, _, value = subset.rpartition(" ")
    return rows[data.label(label)[rows] == int(value)], neurons


def _test_groups(target: Target, subset: str) -> list[str]:
    """The target's trials that a subset has."""
    masks: Any = target.subsets.get(subset)
    return target.groups if masks is None else [g for g in target.groups if bool(masks[g].any())]


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values))
