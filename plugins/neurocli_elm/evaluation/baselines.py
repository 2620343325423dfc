"""What a neuron model is held against: a constant, linear filters of the input, and the networks of `rivals`.

All are fitted on the training simulations, on the same steps as the model, once for all runs on the same data. Where there are none (weights
trained elsewhere), the constant and the filters answer for a test simulation as fitted on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.recordings import Recording
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.dataset import SimulationData, evenly
from neurocli_elm.data.windows import soma_target_mv, spike_target
from neurocli_elm.evaluation.linear_filter import Array, LinearFilter, Predict
from neurocli_elm.evaluation.rivals.networks import groups_of
from neurocli_elm.evaluation.rivals.rivals import rivals
from neurocli_elm.evaluation.targets import as_prediction

TAUS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
BRANCH_TAUS_MS = (2.0, 8.0, 30.0, 120.0)
BRANCHES = 32
MOST_SIMULATIONS = 256
"""Simulations that the constant and the filters are fitted on; of more, evenly chosen ones."""

LEFT_OUT = "no training simulations: linear filters are fitted on the scored ones, each answered by a fit on the others"
Fit = Callable[[Sequence[Recording]], Predict]
"""Simulations to fit on → what answers for others."""
FEWEST, EACH, FOLDS = 3, 10, 5
"""Without training simulations: the fewest test simulations that baselines are fitted on, up to how many each one is left out by
itself, and into how many parts more of them go."""
RATE = 1e-3
"""Output spikes per ms to which answers of different fits are moved."""


def baselines(data: SimulationData, config: ElmConfig, version: int) -> list[Predictor]:
    """Constant, two linear filters and the rivals; no rivals without training simulations, and nothing with fewer than three."""
    event, first = config.data.event, config.data.burn_in_ms
    every, by_branch = (groups_of(data.excitatory, data.channels, groups) for groups in (1, BRANCHES))
    constant = "spike rate, mean voltage", "what simulations have on average"
    filters = [
        (
            "linear filter",
            every,
            TAUS_MS,
            "ridge and logistic regression on leaky sums of all excitatory and all inhibitory input",
        ),
        (
            "linear filter per branch",
            by_branch,
            BRANCH_TAUS_MS,
            f"the same on the sums of {len(set(by_branch.tolist())) // 2} groups of neighbouring inputs",
        ),
    ]
    if not data.split.train:
        if len(data.split.test) < FEWEST:
            return []
        return [
            _left_out(data, constant[0], lambda train: _constant(train, event, first), constant[1]),
            *(_left_out(data, name, _fit_of(of, taus, event, first), note) for name, of, taus, note in filters),
        ]
    return [
        _constant_predictor(data, *constant, event, first),
        *(_filter_predictor(data, *one, event, first) for one in filters),
        *rivals(data, config, version),
    ]


def _fit_of(group_of: NDArray[np.int64], taus_ms: Sequence[float], event: str, first: int) -> Fit:
    return lambda train: LinearFilter(group_of, taus_ms).fit(train, event, first)


def _train(data: SimulationData) -> list[Recording]:
    return [data.load(group) for group in evenly(data.split.train, MOST_SIMULATIONS)]


def _constant_predictor(data: SimulationData, name: str, note: str, event: str, first: int) -> Predictor:
    def fit() -> dict[str, Array]:
        rate, soma = _means(_train(data), event, first)
        return {"rate": np.asarray(rate), "soma": np.asarray(soma)}

    fitted = Fitted(name, data, {"labels": event, "first": first}, fit)

    def predict(recording: Recording) -> tuple[Array, Array]:
        return _held(recording, float(fitted.values["rate"]), float(fitted.values["soma"]))

    return _predictor(data, name, predict, note, fitted)


def _filter_predictor(
    data: SimulationData,
    name: str,
    group_of: NDArray[np.int64],
    taus_ms: Sequence[float],
    note: str,
    event: str,
    first: int,
) -> Predictor:
    def fit() -> dict[str, Array]:
        linear = LinearFilter(group_of, taus_ms)
        linear.fit(_train(data), event, first)
        return linear.values

    settings = {"labels": event, "first": first, "groups": group_of.tolist(), "taus_ms": list(taus_ms)}
    fitted = Fitted(name, data, settings, fit)

    def predict(recording: Recording) -> tuple[Array, Array]:
        return LinearFilter(group_of, taus_ms).with_values(fitted.values).predict(recording)

    return _predictor(data, name, predict, note, fitted)


def _predictor(data: SimulationData, name: str, of_recording: Predict, note: str, fitted: Fitted) -> Predictor:
    def predict(target: Target) -> Prediction:
        return as_prediction(target, {group: of_recording(data.load(group)) for group in target.groups})

    return Predictor(name, "baseline", predict, note, lambda: fitted.cost)


def _left_out(data: SimulationData, name: str, fit: Fit, note: str) -> Predictor:
    """Answers for each test simulation as fitted on the other ones; many of them are left out several at a time.

    A fold that is left out for its many spikes leaves a low rate behind, and would be ranked below the others for that alone:
    every fold's logits are moved to one rate, which a ROC curve of one fit does not depend on. That rate is a constant: the
    rate of all simulations would know the one that is answered for.
    """
    groups = list(data.split.test)
    count = len(groups) if len(groups) <= EACH else FOLDS
    folds = [groups[n::count] for n in range(count)]
    fitted: dict[int, Predict] = {}
    event, first = data.options.event, data.options.burn_in_ms
    rate = {g: float(spike_target(data.load(g), event)[first:].mean()) for g in groups}

    def predict_for(group: str) -> Predict:
        number = next(n for n, fold in enumerate(folds) if group in fold)
        if number not in fitted:
            others = [g for g in groups if g not in folds[number]]
            odds = _odds(float(np.mean([rate[g] for g in others])))
            ratio = _odds(RATE) / odds if odds > 0 else 1.0
            fitted[number] = _at_rate(fit([data.load(g) for g in others]), ratio)
        return fitted[number]

    def predict(target: Target) -> Prediction:
        return as_prediction(target, {group: predict_for(group)(data.load(group)) for group in target.groups})

    each = "each in turn" if count == len(groups) else f"one in {FOLDS} at a time"
    return Predictor(
        name, "baseline", predict, f"{note}; fitted on the test simulations, leaving out {each}, all at one spike rate"
    )


def _odds(share: float) -> float:
    return share / max(1 - share, 1e-12)


def _at_rate(predict: Predict, ratio: float) -> Predict:
    """The answer with the odds of a spike times `ratio`."""

    def moved(recording: Recording) -> tuple[Array, Array]:
        spike, soma = predict(recording)
        return spike * ratio / (1 + spike * (ratio - 1)), soma

    return moved


def _constant(train: Sequence[Recording], event: str, first: int) -> Predict:
    rate, soma = _means(train, event, first)
    return lambda recording: _held(recording, rate, soma)


def _means(train: Sequence[Recording], event: str, first: int) -> tuple[float, float]:
    """(output spikes per step, soma in mV above -67.7)."""
    rate = float(np.mean([spike_target(r, event)[first:].mean() for r in train]))
    return rate, float(np.mean([soma_target_mv(r)[first:].mean() for r in train]))


def _held(recording: Recording, rate: float, soma: float) -> tuple[Array, Array]:
    return np.full(recording.steps, rate), np.full(recording.steps, soma)
