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


def targets(data: SessionData, config: EirnnConfig, part: str) -> list[Target]:
    """The whole trial first, with its conditions; then windows around target, go and reward."""
    groups = list(data.split.groups(part))
    bins = data.session.bins
    whole = {group: np.arange(bins) for group in groups}
    targets = {group: data.rates[data.row[group]] for group in groups}
    subsets, averages = _subsets(data, groups)
    found = [Target(FIXATION, 0, None, "sp/s", targets, whole, subsets, averages=averages)]
    before, after = data.window_bins
    for number, event in enumerate(EVENTS):
        onset = data.event_bins[:, number]
        there = [group for group in groups if onset[data.row[group]] >= 0]
        if len(there) < 2:
            continue
        rows = data.rows(there)
        window = np.arange(-before, after + 1)
        origins = {g: window + onset[data.row[g]] for g in there}
        aligned = dict(zip(there, aligned_at(data.rates[rows], onset[rows], window), strict=True))
        found.append(Target(f"{event}-aligned", 0, None, "sp/s", aligned, origins))
    return found


def from_whole_trials(target: Target, rates: dict[str, NDArray[Any]]) -> Prediction:
    """A prediction from each trial's rates [time, neuron] over the whole trial."""
    values = {}
    for group, bins in target.origins.items():
        prediction = rates[group][np.clip(bins, 0, len(rates[group]) - 1)]
        values[group] = prediction
    return Prediction(values)


def _subsets(
    data: SessionData, groups: list[str]
) -> tuple[dict[str, dict[str, NDArray[np.bool_]]], dict[str, tuple[str, ...]]]:
    types = data.session.neuron_type
    rows = data.rows(groups)
    subsets: dict[str, dict[str, NDArray[np.bool_]]] = {
        "E": dict.fromkeys(groups, (types == EXCITATORY)[None, :]),
        "I": dict.fromkeys(groups, (types == INHIBITORY)[None, :]),
    }
    averages: dict[str, tuple[str, ...]] = {}
    by_label = {"location": range(1, LOCATIONS + 1), "reward": (0, 1), "salience": (0, 1, 2)}
    for label, values in by_label.items():
        if label not in data.session.labels:
            continue
        names = []
        for value in values:
            member = data.label(label)[rows] == value
            if member.sum() < 2:
                continue
            names.append(f"{label} {value}")
            masks = {True: np.ones((1, 1), bool), False: np.zeros((1, 1), bool)}
            subsets[names[-1]] = {g: masks[bool(m)] for g, m in zip(groups, member, strict=True)}
        if label == "location" and names:
            averages[BY_LOCATION] = tuple(names)
    return subsets, averages
