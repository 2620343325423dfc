"""The family's targets, answers and baselines, on small simulated cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from neurocli.evaluation.target import Predictor, Target
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import Recording, RecordingSet, Split
from neurocli_elm.data.windows import soma_target_mv
from neurocli_elm.evaluation import baselines
from neurocli_elm.evaluation.linear_filter import ALPHAS, LinearFilter
from neurocli_elm.evaluation.targets import TargetChannel
from neurocli_elm.simulation.example import small_cells

NAMES = ["spike rate, mean voltage", "linear filter", "linear filter per branch"]


@pytest.fixture(scope="module")
def cells() -> RecordingSet:
    return small_cells(0, simulations=6, duration_ms=2000)


@pytest.fixture(scope="module")
def asked(cells) -> Callable[..., tuple[Any, Any, Any, Target]]:
    """`asked(train, test)` → (family, config, data, target) with so many simulations in each part."""

    def make(train: int, test: int, rivals: str = "none") -> tuple[Any, Any, Any, Target]:
        family = registry().family("elm-v2")
        config = family.Config()
        config.evaluate.rivals = rivals
        names = cells.groups
        split = Split(tuple(names[:train]), (), tuple(names[len(names) - test :]), "given")
        data = family.adapt(cells, config, split)
        return family, config, data, family.targets(data, config)[0]

    return make


def value(family: Any, data: Any, config: Any, target: Target, predictor: Predictor) -> dict[str, float]:
    prediction = predictor.predict(target)
    assert prediction is not None
    scores = {}
    for metric in family.metrics(data, config):
        statistics = [metric.statistics(target.values[g], prediction.values[g]) for g in target.groups]
        scores[metric.name] = float(metric.value(np.stack(statistics).sum(0)))
    return scores


def test_a_model_answers_every_step_that_is_asked(asked):
    family, config, data, target = asked(3, 2)
    torch.manual_seed(0)
    trained = TrainedModel(family.build(config, data.spec).eval(), config, data, 0, [])
    prediction = family.predict(trained, target)
    for group in target.groups:
        assert prediction.values[group].shape == target.values[group].shape == (1500, 2)
        recording = data.load(group)
        soma = np.minimum(recording.signal[500:, 0], -55) + 67.7
        np.testing.assert_allclose(target.values[group][:, TargetChannel.SOMA], soma, atol=1e-4)
        steps = np.flatnonzero(target.values[group][:, TargetChannel.SPIKE]) + 500
        assert steps.tolist() == sorted(s for s in recording.events["output_spikes"] if s >= 500)
        assert (
            (prediction.values[group][:, TargetChannel.SPIKE] > 0)
            & (prediction.values[group][:, TargetChannel.SPIKE] < 1)
        ).all()


def test_filters_are_better_than_a_constant(asked):
    family, config, data, target = asked(4, 2)
    scores = {p.name: value(family, data, config, target, p) for p in family.baselines(data, config)}
    assert list(scores) == NAMES
    constant = scores[NAMES[0]]
    assert constant["AUC"] == 0.5 and abs(constant["EV"]) < 1e-6
    for name in NAMES[1:]:
        assert scores[name]["RMSE"] < 0.92 * constant["RMSE"] and scores[name]["AUC"] > 0.7


def test_the_filter_is_scikit_learns_ridge_with_a_penalty_chosen_on_other_simulations(cells):
    from sklearn.linear_model import Ridge

    train = [cells[group] for group in cells.groups[:4]]
    linear = LinearFilter(np.repeat([0, 1], 64), (5.0, 20.0))
    chosen, _ = linear._chosen(train, "output_spikes", 500)
    predict = linear.fit(train, "output_spikes", 500)

    def scaled(recordings: list[Recording], like: list[Recording]) -> np.ndarray:
        every = np.concatenate([linear.features(r)[500:] for r in like])
        return (np.concatenate([linear.features(r)[500:] for r in recordings]) - every.mean(0)) / every.std(0)

    def soma(recordings: list[Recording]) -> np.ndarray:
        return np.concatenate([soma_target_mv(r)[500:] for r in recordings]).astype(float)

    errors = []
    for alpha in ALPHAS:
        error = 0.0
        for fold in range(3):
            out, others = train[fold::3], [r for n, r in enumerate(train) if n % 3 != fold]
            ridge = Ridge(alpha * 1500 * len(others)).fit(scaled(others, others), soma(others))
            error += float(((ridge.predict(scaled(out, others)) - soma(out)) ** 2).sum())
        errors.append(error)
    assert chosen == ALPHAS[int(np.argmin(errors))]
    ridge = Ridge(chosen * 6000).fit(scaled(train, train), soma(train))
    new = cells[cells.groups[5]]
    np.testing.assert_allclose(predict(new)[1][500:], ridge.predict(scaled([new], train)), rtol=1e-4)
    spikes = linear.features(new)[:, 0]
    count = np.bincount(new.spikes.step[new.spikes.channel < 64], minlength=new.steps)
    trace = 0.0
    for t in range(300):
        trace = trace * np.exp(-1 / 5) + (1 - np.exp(-1 / 5)) * count[t]
    assert spikes[299] == pytest.approx(trace)


def test_without_training_simulations_each_is_answered_by_a_fit_on_the_others(asked, cells):
    family, config, data, target = asked(0, 6)
    config.evaluate.rivals = "quick"
    predictors = family.baselines(data, config)
    assert [p.name for p in predictors] == NAMES  # no rivals
    assert all(p.kind == "baseline" and "leaving out one at a time" in p.note for p in predictors)
    names = cells.groups
    prediction = {p.name: p.predict(target) for p in predictors}
    assert value(family, data, config, target, predictors[0])["AUC"] == 0.5
    left_out = names[2]
    others = Split(tuple(g for g in names if g != left_out), (), (left_out,), "given")
    alone = family.adapt(cells, config, others)
    config.evaluate.rivals = "none"
    for predictor in family.baselines(alone, config):
        asked_alone = family.targets(alone, config)[0]
        expected = predictor.predict(asked_alone).values[left_out]
        actual = prediction[predictor.name].values[left_out]
        np.testing.assert_allclose(actual[:, TargetChannel.SOMA], expected[:, TargetChannel.SOMA], rtol=1e-9)
        # The odds of a spike are those of the fit, times one number for the simulation.
        odds = [p[:, TargetChannel.SPIKE] / (1 - p[:, TargetChannel.SPIKE]) for p in (actual, expected)]
        ratio = odds[0] / odds[1]
        assert np.ptp(ratio) < 1e-6 * ratio.mean()


def test_few_or_many_simulations_without_training_ones(asked, monkeypatch):
    family, config, data, target = asked(0, 2)
    assert family.baselines(data, config) == []
    monkeypatch.setattr(baselines, "EACH", 3)
    monkeypatch.setattr(baselines, "FOLDS", 2)
    family, config, data, target = asked(0, 6)
    fits = []
    original = baselines._constant

    def counted(*given):
        baseline = original(*given)
        return dataclasses.replace(baseline, fit=lambda train: fits.append(len(train)) or baseline.fit(train))

    monkeypatch.setattr(baselines, "_constant", counted)
    constant = family.baselines(data, config)[0]
    assert "one in 2 at a time" in constant.note
    constant.predict(target)
    assert fits == [3, 3]
