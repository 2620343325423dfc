"""Baselines on identical targets; on real worms AR(10) and the vector autoregression recomputed from the z-scores here."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from neurocli.evaluation.intervals import mean_interval
from neurocli.evaluation.scoreboard import Scoreboard
from neurocli.plugin.registry import registry

HORIZONS = (1, 5, 10, 25)


def scored(data, config, names):
    family = registry().family("gat-lstm-v2")
    board = Scoreboard(family.metrics(data, config))
    predictors = {p.name: p for p in family.baselines(data, config)}
    for target in family.targets(data, config):
        for name in names:
            board.add(target, name, "baseline", predictors[name].predict(target))
    return {
        name: [s.value for s in board.scores if (s.name, s.metric, s.subset) == (name, "S", "all")] for name in names
    }, board


def test_which_baselines_there_are(worms):
    family = registry().family("gat-lstm-v2")

    def names(**options):
        config = family.Config(**options)
        return [p.name for p in family.baselines(family.adapt(worms, config), config)]

    every = ["persistence", "mean", "AR(10)", "AR(50)", "ridge, all pairs", "ridge, graph"]
    assert names() == every
    assert names(evaluate={"context": 30}) == [n for n in every if n != "AR(50)"]
    assert (
        names(model={"graph": "none"}) == names(model={"linear": "own"}) == names(model={"graph": "full"}) == every[:-1]
    )


def test_persistence_is_zero_at_every_horizon_and_the_mean_is_as_bad_as_worms_differ_from_it(worms):
    family = registry().family("gat-lstm-v2")
    config = family.Config()
    data = family.adapt(worms, config)
    values, board = scored(data, config, ["persistence", "mean"])
    assert values["persistence"] == [0.0] * 4
    rows = [s for s in board.scores if s.name == "persistence" and s.metric == "S"]
    assert all((s.value, s.low, s.high) == (0.0, 0.0, 0.0) for s in rows) and len(rows) > 4
    for horizon, predictors in zip(HORIZONS, values["mean"], strict=True):
        by_worm = []
        for worm in data.worms.values():
            at = worm.origins(50, 25, 5)
            signal = worm.signal.astype(np.float64) / worm.score_sd
            error, change = signal[at + horizon] - worm.mean[at] / worm.score_sd, signal[at + horizon] - signal[at]
            by_worm.append(1 - np.sum(error**2) / np.sum(change**2))
        assert predictors == pytest.approx(np.mean(by_worm), rel=1e-5)


def test_scoring_a_forecast_that_never_changes_says_nothing_on_stderr(worms):
    """The mean has no correlation with anything: that is no warning of numpy's."""
    family = registry().family("gat-lstm-v2")
    config = family.Config(evaluate={"stride": 50})
    data = family.adapt(worms, config)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scored(data, config, ["persistence", "mean"])


def test_every_predictor_answers_every_target(walks, make_trained):
    family = registry().family("gat-lstm-v2")
    trained = make_trained(walks(3), {"evaluate.stride": 25})
    data, config = trained.dataset, trained.config
    for target in family.targets(data, config):
        predictions = [p.predict(target) for p in family.baselines(data, config)] + [family.predict(trained, target)]
        for group, observed in target.values.items():
            for prediction in predictions:
                assert prediction.values[group].shape == observed.shape
                assert np.isfinite(prediction.values[group][np.isfinite(observed)]).all()
                assert np.isnan(prediction.values[group][:, np.isnan(target.now[group]).all(0)]).all()


def test_a_baseline_knows_no_more_than_the_context(walks):
    """What comes after the last origin, and what is fitted on the scored worm, changes nothing."""
    family = registry().family("gat-lstm-v2")
    config = family.Config(evaluate={"stride": 40})
    data, other = (family.adapt(walks(3), config) for _ in range(2))
    group = data.split.test[2]
    origins = data.worms[group].origins(50, 25, 40)
    other.worms[group].z[origins[0] + 1 :] = 5.0
    target = family.targets(data, config)[2]
    for baseline, two in zip(family.baselines(data, config), family.baselines(other, config), strict=True):
        first, second = (p.predict(target).values[group][0] for p in (baseline, two))
        np.testing.assert_array_equal(first, second, err_msg=baseline.name)


@pytest.fixture(scope="module")
def real(kato):
    family = registry().family("gat-lstm-v2")
    config = family.Config()
    data = family.adapt(kato, config)
    return data, *scored(data, config, ["persistence", "AR(10)", "AR(50)", "ridge, all pairs", "ridge, graph"])


@pytest.mark.realdata
def test_linear_models_on_real_worms_reach_the_bars_that_need_no_future(real):
    """S at 1, 5, 10 and 25 frames with running statistics: what an independent ridge reached, with one of six penalties.

    Own history .118 .069 .099 .202, all pairs of neurons .176 .236 .264 .321.
    """
    data, values, _ = real
    assert not data.split.leaky and values["persistence"] == [0.0] * 4
    np.testing.assert_allclose(values["AR(50)"], (0.118, 0.069, 0.099, 0.202), atol=0.015)
    for name in ("ridge, all pairs", "ridge, graph"):
        assert (np.array(values[name]) > np.array((0.176, 0.236, 0.264, 0.321)) - 0.005).all(), values[name]
        assert (np.array(values[name]) < np.array((0.176, 0.236, 0.264, 0.321)) + 0.04).all(), values[name]
    assert (np.array(values["ridge, all pairs"]) >= (0.17, 0.22, 0.25, 0.30)).all()
    for fold in range(data.folds):
        assert data.full_linear(fold).inside and data.linear(fold).inside


@pytest.mark.realdata
def test_ar10_on_real_worms_is_one_least_squares_on_the_other_three(kato, real):
    """From the recordings on: running statistics by a loop, one weighted regression per horizon, every fifth origin."""
    data, values, _ = real
    seen = {}
    for group in data.split.test:
        names, signal = kato[group].channels, kato[group].signal.astype(np.float64)
        x = signal[:, [names.index(name) for name in data.worms[group].names]]
        count = np.arange(1, len(x) + 1)[:, None]
        mean = np.cumsum(x, 0) / count
        sd = np.sqrt(np.cumsum((x - x[0]) ** 2, 0) / count - (mean - x[0]) ** 2)
        first = round(120e3 / kato[group].dt_ms) - 1
        seen[group] = x, mean, sd, (x - mean) / np.where(sd > 0, sd, 1), x.std(0), first
    predictors = []
    for horizon in HORIZONS:
        by_worm = []
        for left in data.split.test:
            square, moment, frames = np.zeros((10, 10)), np.zeros(10), 0
            for group in data.split.test:
                x, mean, sd, z, whole, first = seen[group]
                at = np.arange(first, len(x) - 25)
                lags = np.stack([z[at], *(z[at] - z[at - lag] for lag in range(1, 10))], -1)
                if group == left:
                    test = x, sd, whole, first, z
                    continue
                weight = (sd[at] / whole) ** 2
                square += np.einsum("tnl,tn,tnk->lk", lags, weight, lags)
                moment += np.einsum("tnl,tn,tn->l", lags, weight, (x[at + horizon] - x[at]) / sd[at])
                frames += len(at)
            model = np.linalg.solve(square + 1e-3 * frames * np.eye(10), moment)
            x, sd, whole, first, z = test
            at = np.arange(first, len(x) - 25, 5)
            lags = np.stack([z[at], *(z[at] - z[at - lag] for lag in range(1, 10))], -1)
            change = (x[at + horizon] - x[at]) / whole
            error = change - lags @ model * sd[at] / whole
            by_worm.append(1 - np.sum(error**2) / np.sum(change**2))
        predictors.append(np.mean(by_worm))
    np.testing.assert_allclose(values["AR(10)"], predictors, atol=2e-3)  # its penalty is chosen, and hardly matters


@pytest.mark.realdata
def test_intervals_on_real_worms_are_those_of_the_core(real):
    data, _, board = real
    metric = board.metrics[0]
    family = registry().family("gat-lstm-v2")
    for target in family.targets(data, data.config):
        by_worm = metric.value(board.statistics(target, "ridge, all pairs", metric))
        (row,) = [
            s
            for s in board.scores
            if (s.name, s.target, s.metric, s.subset) == ("ridge, all pairs", target.name, "S", "all")
        ]
        assert len(by_worm) == row.n_groups == 4
        assert row.value == pytest.approx(by_worm.mean())
        assert (row.low, row.high) == pytest.approx(mean_interval(by_worm, "log1m"))


def test_rivals_are_kept_say_what_they_cost_and_can_be_left_out(walks):
    family = registry().family("gat-lstm-v3")
    config = family.Config(evaluate={"horizons": [1], "context": 34}, loss={"burn_in": 4, "chunk": 4})
    data = family.adapt(walks(3), config)
    (target,) = family.targets(data, config)
    predictors = {baseline.name: baseline for baseline in family.baselines(data, config)}
    assert set(predictors) == {"persistence", "mean", "AR(10)", "ridge, all pairs", "ridge, graph"}
    predictions = {name: baseline.predict(target).values for name, baseline in predictors.items()}
    folds, names, lags = 3, 4, 10
    assert predictors["AR(10)"].cost().parameters == folds * lags
    assert predictors["ridge, all pairs"].cost().parameters == folds * (names * lags + 2 * names * (names - 1))
    assert predictors["ridge, graph"].cost().parameters <= predictors["ridge, all pairs"].cost().parameters
    # Another run on the same worms takes what was kept, to the last bit.
    other = family.adapt(walks(3), config)
    again = {baseline.name: baseline for baseline in family.baselines(other, config)}
    for name, baseline in again.items():
        for group, values in baseline.predict(target).values.items():
            np.testing.assert_array_equal(values, predictions[name][group])
    assert other._fits == {}
    without = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"rivals": "none"})})
    assert [baseline.name for baseline in family.baselines(data, without)] == ["persistence", "mean"]
