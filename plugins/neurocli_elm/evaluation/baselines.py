"""The baselines of a neuron model: a constant, linear filters of the input, and the networks of `rivals`.

All are fitted on the training simulations, on the same steps as the model, once for all runs on the same data. Where there are none (weights
trained elsewhere), the constant and the filters predict each test simulation from a fit on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.recordings import Recording
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import soma_target_mv, spike_target
from neurocli_elm.evaluation.linear_filter import Array, LinearFilter
from neurocli_elm.evaluation.rivals.networks import groups_of
from neurocli_elm.evaluation.rivals.rivals import rivals
from neurocli_elm.evaluation.targets import as_prediction

TAUS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
BRANCH_TAUS_MS = (2.0, 8.0, 30.0, 120.0)
BRANCHES = 32
MOST_SIMULATIONS = 256
"""Simulations that the constant and the filters are fitted on; of more, evenly chosen ones."""

LEFT_OUT = "no training simulations: the linear baselines predict each test simulation from a fit on the other ones"
FEWEST, EACH, FOLDS = 3, 10, 5
"""Without training simulations: the fewest test simulations that baselines are fitted on, up to how many each one is left out by
itself, and into how many parts more of them go."""
RATE = 1e-3
"""Output spikes per ms to which the predictions of different fits are moved."""

Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Baseline:
    """fit: simulations → what is fitted on them, as arrays; predict: what these give for a simulation; settings: what else decides."""

    name: str
    note: str
    settings: dict[str, Any]
    fit: Callable[[Sequence[Recording]], dict[str, Array]]
    predict: Callable[[Values, Recording], tuple[Array, Array]]


def baselines(dataset: SimulationData, config: NeuronioConfig, parameters: int) -> list[Predictor]:
    """Constant, two linear filters and the rivals; no rivals without training simulations, and nothing with fewer than three."""
    event, first = config.data.event, config.data.burn_in_ms
    every, by_branch = (groups_of(dataset.excitatory, dataset.channels, groups) for groups in (1, BRANCHES))
    kinds = "ridge and logistic regression on leaky sums of all excitatory and all inhibitory input"
    sums = f"the same regressions on leaky sums of {len(set(by_branch.tolist())) // 2} groups of neighbouring inputs"
    fitted = [
        _constant(event, first),
        _filter("linear filter", kinds, every, TAUS_MS, event, first),
        _filter("linear filter per branch", sums, by_branch, BRANCH_TAUS_MS, event, first),
    ]
    if dataset.split.train:
        return [*(_on_training(dataset, baseline) for baseline in fitted), *rivals(dataset, config, parameters)]
    return [_left_out(dataset, baseline) for baseline in fitted] if len(dataset.split.test) >= FEWEST else []


def _constant(event: str, first: int) -> _Baseline:
    def fit(train: Sequence[Recording]) -> dict[str, Array]:
        """Output spikes per step, soma in mV above -67.7."""
        rate = float(np.mean([spike_target(r, event)[first:].mean() for r in train]))
        soma = float(np.mean([soma_target_mv(r)[first:].mean() for r in train]))
        return {"rate": np.asarray(rate), "soma": np.asarray(soma)}

    def predict(values: Values, recording: Recording) -> tuple[Array, Array]:
        return np.full(recording.steps, float(values["rate"])), np.full(recording.steps, float(values["soma"]))

    settings = {"labels": event, "first": first}
    return _Baseline("spike rate, mean voltage", "means of the training simulations", settings, fit, predict)


def _filter(
    name: str, note: str, group_of: NDArray[np.int64], taus_ms: Sequence[float], event: str, first: int
) -> _Baseline:
    def fit(train: Sequence[Recording]) -> dict[str, Array]:
        linear = LinearFilter(group_of, taus_ms)
        linear.fit(train, event, first)
        return linear.values

    def predict(values: Values, recording: Recording) -> tuple[Array, Array]:
        return LinearFilter(group_of, taus_ms).with_values(values).predict(recording)

    settings = {"labels": event, "first": first, "groups": group_of.tolist(), "taus_ms": list(taus_ms)}
    return _Baseline(name, note, settings, fit, predict)


def _on_training(dataset: SimulationData, baseline: _Baseline) -> Predictor:
    """Fitted on the training simulations, once for all runs on the same ones."""
    fitted = Fitted(
        baseline.name, dataset, baseline.settings, lambda: baseline.fit(dataset.some("train", MOST_SIMULATIONS))
    )

    def predict(target: Target) -> Prediction:
        by_group = {group: baseline.predict(fitted.values, dataset.load(group)) for group in target.groups}
        return as_prediction(target, by_group)

    return Predictor(baseline.name, "baseline", predict, baseline.note, lambda: fitted.cost)


def _left_out(dataset: SimulationData, baseline: _Baseline) -> Predictor:
    """Predicts each test simulation from a fit on the others; many simulations are left out several at a time.

    A fold that is left out for its many spikes leaves a low rate behind, and would be ranked below the others for that alone:
    every fold's logits are moved to one rate, which a ROC curve of one fit does not depend on. That rate is a constant: the
    rate of all simulations would know the one that is predicted.
    """
    groups = list(dataset.split.test)
    count = len(groups) if len(groups) <= EACH else FOLDS
    folds = [groups[n::count] for n in range(count)]
    event, first = dataset.options.event, dataset.options.burn_in_ms
    rate = {g: float(spike_target(dataset.load(g), event)[first:].mean()) for g in groups}

    @cache
    def fit_without(number: int) -> tuple[Values, float]:
        """What is fitted without a fold, and by what its odds of a spike are multiplied."""
        others = [g for g in groups if g not in folds[number]]
        odds = _odds(float(np.mean([rate[g] for g in others])))
        return baseline.fit([dataset.load(g) for g in others]), _odds(RATE) / odds if odds > 0 else 1.0

    def predict_for(group: str) -> tuple[Array, Array]:
        values, ratio = fit_without(next(n for n, fold in enumerate(folds) if group in fold))
        spike, soma = baseline.predict(values, dataset.load(group))
        return spike * ratio / (1 + spike * (ratio - 1)), soma

    def predict(target: Target) -> Prediction:
        return as_prediction(target, {group: predict_for(group) for group in target.groups})

    turns = "one at a time" if count == len(groups) else f"one in {FOLDS} at a time"
    note = f"{baseline.note}; fitted on the other test simulations, leaving out {turns}; spike rates of the fits are equalised"
    return Predictor(baseline.name, "baseline", predict, note)


def _odds(share: float) -> float:
    return share / max(1 - share, 1e-12)
