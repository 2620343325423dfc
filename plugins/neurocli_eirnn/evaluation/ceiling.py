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


def ceiling(dataset: SessionData) -> Predictor | Bound:
    """The true rates of a simulated session; otherwise the noise ceiling of the session's trials."""
    true_rates = dataset.session.true_rates
    if true_rates is not None:
        whole = {group: np.nan_to_num(true_rates[row]) for group, row in dataset.row.items()}
        return Predictor("true rates", "ceiling", lambda target: from_whole_trials(target, whole))
    cache: dict[tuple[str, str, float], ExpectedR | None] = {}

    def expected(target: Target, metric: Metric, subset: str) -> ExpectedR | None:
        if not isinstance(metric, PsthCorrelation):
            return None
        key = target.name, subset, metric.sd_bins
        if key not in cache:
            cache[key] = of_channels(dataset, target, subset, metric.sd_bins)
        return cache[key]

    def value(target: Target, metric: Metric, subset: str) -> float | None:
        expectation = expected(target, metric, subset)
        return None if expectation is None else _mean(expectation.value)

    def left_out(target: Target, metric: Metric, subset: str) -> NDArray[np.float64] | None:
        expectation = expected(target, metric, subset)
        return None if expectation is None else np.nanmean(expectation.without, axis=1)

    return Bound(NOISE_CEILING, value, NOTE, left_out)


def bound(dataset: SessionData, target: Target, subset: str, sd_bins: float) -> float | None:
    """The noise ceiling of a target's subset: mean over neurons; of an average, over the neurons of all its subsets."""
    expectation = of_channels(dataset, target, subset, sd_bins)
    return None if expectation is None else _mean(expectation.value)


def of_channels(dataset: SessionData, target: Target, subset: str, sd_bins: float) -> ExpectedR | None:
    """Expected r of the true rates by channel: neurons, and for an average those of each of its subsets side by side.

    `without` is [test trial of the subset, channel]. None where there are too few trials.
    """
    if subset in target.averages:
        by_subset = {name: of_channels(dataset, target, name, sd_bins) for name in target.averages[subset]}
        return _side_by_side(target, {name: expected for name, expected in by_subset.items() if expected is not None})
    rows, neurons = _members(dataset, target, subset)
    rows = _with_event(dataset, target.name, rows)
    tested = np.isin(rows, dataset.rows(_test_groups(target, subset)))
    if len(rows) < _FEWEST or not tested.any():
        return None
    expectation = expected_r(aligned_rates(dataset, target.name, rows), tested, sd_bins)
    value = expectation.value[neurons]
    if not np.isfinite(value).any():
        return None
    # One line per test trial in the target's order, which is that of the rows.
    return ExpectedR(value, expectation.without[:, neurons])


def _side_by_side(target: Target, by_subset: dict[str, ExpectedR]) -> ExpectedR | None:
    """Channels of disjoint sets of trials in one: a trial changes those of its own set."""
    if not by_subset:
        return None
    groups = [group for name in by_subset for group in _test_groups(target, name)]
    value = np.concatenate([expected.value for expected in by_subset.values()])
    without = np.tile(value, (len(groups), 1))
    line = channel = 0
    for expected in by_subset.values():
        n, k = expected.without.shape
        without[line : line + n, channel : channel + k] = expected.without
        line, channel = line + n, channel + k
    return ExpectedR(value, without)


def aligned_rates(dataset: SessionData, name: str, rows: NDArray[np.int64]) -> NDArray[np.floating]:
    """Rates [trial, time, neuron] of trials `rows`, aligned as the target `name`; trials without the event are left out."""
    if name == FIXATION:
        return dataset.rates[rows]
    aligned_rows = _with_event(dataset, name, rows)
    before, after = dataset.window_bins
    return aligned(dataset.rates[aligned_rows], _onset(dataset, name)[aligned_rows], np.arange(-before, after + 1))


def _onset(dataset: SessionData, name: str) -> NDArray[np.int64]:
    return dataset.event_bins[:, [f"{event}-aligned" for event in EVENTS].index(name)]


def _with_event(dataset: SessionData, name: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of trials `rows` that have the event of the target `name`."""
    return rows if name == FIXATION else rows[_onset(dataset, name)[rows] >= 0]


def _members(dataset: SessionData, target: Target, subset: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """All used trials, training trials too, that are like those of the subset; and the neurons that it takes."""
    rows = np.where(dataset.used)[0]
    neurons = np.ones(dataset.session.neurons, bool)
    if subset == ALL:
        return rows, neurons
    if subset in ("E", "I"):
        return rows, dataset.session.neuron_type == ("E", "I").index(subset) + 1
    label, _, value = subset.rpartition(" ")
    return rows[dataset.label(label)[rows] == int(value)], neurons


def _test_groups(target: Target, subset: str) -> list[str]:
    """The target's trials that a subset has."""
    masks: Any = target.subsets.get(subset)
    return target.groups if masks is None else [g for g in target.groups if bool(masks[g].any())]


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values))
