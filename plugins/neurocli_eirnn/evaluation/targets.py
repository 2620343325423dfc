"""What is scored: trial-averaged rates, aligned at fixation and at each event, by condition and by neuron type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.target import Prediction, Target
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.data.dataset import LOCATIONS, SessionData
from neurocli_eirnn.data.psth import aligned as aligned_at
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY
from neurocli_eirnn.data.trials import EVENTS

FIXATION = "fixation-aligned"
BY_LOCATION = "mean of locations"


def targets(dataset: SessionData, config: EirnnConfig, part: str) -> list[Target]:
    """The whole trial first, with its conditions; then windows around target, go and reward."""
    groups = list(dataset.split.groups(part))
    bins = dataset.session.bins
    whole = {group: np.arange(bins) for group in groups}
    rates = {group: dataset.rates[dataset.row[group]] for group in groups}
    subsets, averages = _subsets(dataset, groups)
    scored = [Target(FIXATION, 0, None, "sp/s", rates, whole, subsets, averages=averages)]
    before, after = dataset.window_bins
    for number, event in enumerate(EVENTS):
        onset = dataset.event_bins[:, number]
        with_event = [group for group in groups if onset[dataset.row[group]] >= 0]
        if len(with_event) < 2:
            continue
        rows = dataset.rows(with_event)
        window = np.arange(-before, after + 1)
        origins = {g: window + onset[dataset.row[g]] for g in with_event}
        aligned = dict(zip(with_event, aligned_at(dataset.rates[rows], onset[rows], window), strict=True))
        scored.append(Target(f"{event}-aligned", 0, None, "sp/s", aligned, origins))
    return scored


def from_whole_trials(target: Target, rates: dict[str, NDArray[Any]]) -> Prediction:
    """A prediction from each trial's rates [time, neuron] over the whole trial."""
    values = {}
    for group, bins in target.origins.items():
        prediction = rates[group][np.clip(bins, 0, len(rates[group]) - 1)]
        values[group] = prediction
    return Prediction(values)


def _subsets(
    dataset: SessionData, groups: list[str]
) -> tuple[dict[str, dict[str, NDArray[np.bool_]]], dict[str, tuple[str, ...]]]:
    types = dataset.session.neuron_type
    rows = dataset.rows(groups)
    subsets: dict[str, dict[str, NDArray[np.bool_]]] = {
        "E": dict.fromkeys(groups, (types == EXCITATORY)[None, :]),
        "I": dict.fromkeys(groups, (types == INHIBITORY)[None, :]),
    }
    averages: dict[str, tuple[str, ...]] = {}
    by_label = {"location": range(1, LOCATIONS + 1), "reward": (0, 1), "salience": (0, 1, 2)}
    for label, values in by_label.items():
        if label not in dataset.session.labels:
            continue
        names = []
        for value in values:
            member = dataset.label(label)[rows] == value
            if member.sum() < 2:
                continue
            names.append(f"{label} {value}")
            masks = {True: np.ones((1, 1), bool), False: np.zeros((1, 1), bool)}
            subsets[names[-1]] = {g: masks[bool(m)] for g, m in zip(groups, member, strict=True)}
        if label == "location" and names:
            averages[BY_LOCATION] = tuple(names)
    return subsets, averages
