"""What a perfect model could reach: from the data's own reliability, or from the true rates where a simulator knows them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.metrics import Metric
from neurocli.evaluation.question import Bound, Predictor, Question
from neurocli.evaluation.scoreboard import ALL
from neurocli_eirnn.data import SessionData
from neurocli_eirnn.metrics import PsthCorrelation
from neurocli_eirnn.psth import aligned, noise_ceiling
from neurocli_eirnn.questions import FIXATION, from_whole_trials
from neurocli_eirnn.trials import EVENTS

NOISE_CEILING = "noise ceiling"


def ceiling(data: SessionData) -> Predictor | Bound:
    """The true rates of a simulated session; otherwise the noise ceiling of the session's trials."""
    true_rates = data.session.true_rates
    if true_rates is not None:
        whole = {group: np.nan_to_num(true_rates[row]) for group, row in data.row.items()}
        return Predictor("true rates", "ceiling", lambda question: from_whole_trials(question, whole))
    known: dict[tuple[str, str, float], float | None] = {}

    def value(question: Question, metric: Metric, subset: str) -> float | None:
        if not isinstance(metric, PsthCorrelation):
            return None
        key = question.name, subset, metric.sd_bins
        if key not in known:
            known[key] = bound(data, question, subset, metric.sd_bins)
        return known[key]

    note = (
        "sqrt(S / (S + N/n)): S from halves of all trials, N their variance, n the test trials; one split may exceed it"
    )
    return Bound(NOISE_CEILING, value, note)


def bound(data: SessionData, question: Question, subset: str, sd_bins: float) -> float | None:
    """Mean over neurons of the noise ceiling for the targets of a question's subset."""
    if subset in question.averages:
        parts = [bound(data, question, one, sd_bins) for one in question.averages[subset]]
        return float(np.mean([p for p in parts if p is not None])) if any(p is not None for p in parts) else None
    rows, neurons = _members(data, question, subset)
    n_test = _test_trials(question, subset)
    rates = aligned_rates(data, question.name, rows)
    if len(rates) < 4 or n_test < 1:
        return None
    silent = np.nanmax(np.abs(rates), axis=(0, 1)) == 0
    return float(noise_ceiling(rates, n_test, sd_bins)[neurons & ~silent].mean())


def aligned_rates(data: SessionData, name: str, rows: NDArray[np.int64]) -> NDArray[np.floating]:
    """Rates [trial, time, neuron] of trials `rows`, aligned as the question `name`; trials without the event are left out."""
    if name == FIXATION:
        return data.rates[rows]
    onset = data.event_bins[:, [f"{event}-aligned" for event in EVENTS].index(name)]
    there = rows[onset[rows] >= 0]
    before, after = data.window_bins
    return aligned(data.rates[there], onset[there], np.arange(-before, after + 1))


def _members(data: SessionData, question: Question, subset: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """All used trials, training trials too, that are like those of the subset; and the neurons that it takes."""
    rows = np.where(data.kept)[0]
    neurons = np.ones(data.session.neurons, bool)
    if subset == ALL:
        return rows, neurons
    if subset in ("E", "I"):
        return rows, data.session.neuron_type == ("E", "I").index(subset) + 1
    label, _, value = subset.rpartition(" ")
    return rows[data.label(label)[rows] == int(value)], neurons


def _test_trials(question: Question, subset: str) -> int:
    masks: Any = question.subsets.get(subset)
    return len(question.groups) if masks is None else sum(bool(masks[g].any()) for g in question.groups)
