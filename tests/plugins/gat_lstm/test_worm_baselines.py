"""Baselines on identical targets; on real worms AR(10) and the vector autoregression recomputed from the z-scores here."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from neurocli.evaluation.scoreboard import Scoreboard
from neurocli.plugin.registry import registry

HORIZONS = (1, 5, 10, 25)


def scored(data, config, names):
    family = registry().family("gat-lstm-v2")
    board = Scoreboard(family.metrics(data, config))
    found = {p.name: p for p in family.baselines(data, config)}
    for question in family.questions(data, config):
        for name in names:
            board.add(question, name, "baseline", found[name].answer(question))
    return {
        name: [s.value for s in board.scores if (s.name, s.metric, s.subset) == (name, "S", "all")] for name in names
    }, board


def test_which_baselines_there_are(worms):
    family = registry().family("gat-lstm-v2")

    def names(**options):
        config = family.Config(**options)
        return [p.name for p in family.baselines(family.adapt(worms, config), config)]

    every = ["persistence", "mean", "AR(10)", "AR(50)", "VAR ridge", "VAR ridge, graph"]
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
    for horizon, found in zip(HORIZONS, values["mean"], strict=True):
        each = []
        for worm in data.worms.values():
            at = worm.origins(50, 25, 5)
            truth = worm.z[at + horizon].astype(np.float64)
            each.append(1 - np.sum(truth**2) / np.sum((truth - worm.z[at]) ** 2))
        assert found == pytest.approx(np.mean(each), rel=1e-5)


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
    data, config = trained.data, trained.config
    for question in family.questions(data, config):
        answers = [p.answer(question) for p in family.baselines(data, config)] + [family.predict(trained, question)]
        for group, target in question.targets.items():
            for answer in answers:
                assert answer.values[group].shape == target.shape
                assert np.isfinite(answer.values[group][np.isfinite(target)]).all()
                assert np.isnan(answer.values[group][:, np.isnan(question.now[group]).all(0)]).all()


def test_a_baseline_knows_no_more_than_the_context(walks):
    """What comes after the last origin, and what is fitted on the scored worm, changes nothing."""
    family = registry().family("gat-lstm-v2")
    config = family.Config(evaluate={"stride": 60})
    data, other = (family.adapt(walks(3), config) for _ in range(2))
    group = data.split.test[2]
    origins = data.worms[group].origins(50, 25, 60)
    other.worms[group].z[origins[0] + 1 :] = 5.0
    question = family.questions(data, config)[2]
    for one, two in zip(family.baselines(data, config), family.baselines(other, config), strict=True):
        first, second = (p.answer(question).values[group][0] for p in (one, two))
        np.testing.assert_array_equal(first, second, err_msg=one.name)


@pytest.fixture(scope="module")
def real(kato):
    family = registry().family("gat-lstm-v2")
    config = family.Config()
    data = family.adapt(kato, config)
    return data, *scored(data, config, ["persistence", "AR(10)", "VAR ridge"])


def skill(data, forecasts):
    """S by horizon: group → [horizon, origin, neuron] forecasts."""
    found = []
    for k, horizon in enumerate(HORIZONS):
        each = []
        for group, values in forecasts.items():
            z, at = data.worms[group].z.astype(np.float64), np.arange(49, data.worms[group].frames - 25, 5)
            each.append(1 - np.sum((values[k] - z[at + horizon]) ** 2) / np.sum((z[at] - z[at + horizon]) ** 2))
        found.append(np.mean(each))
    return found


def rolled(z, own, cross=None):
    """Forecasts [horizon, origin, neuron]: own [neuron, lag], cross [neuron, 2 * neuron] of values and of changes."""
    at = np.arange(49, len(z) - 25, 5)
    past = [z[at - lag] for lag in range(own.shape[1])]
    found = {}
    for step in range(1, 26):
        following = past[0] + np.einsum("lon,nl->on", np.stack(past), own)
        if cross is not None:
            following = following + np.hstack([past[0], past[0] - past[1]]) @ cross.T
        past = [following, *past[:-1]]
        found[step] = following
    return np.stack([found[h] for h in HORIZONS])


@pytest.mark.realdata
def test_linear_models_on_real_worms_reach_what_is_known_of_them(real):
    _, values, _ = real
    assert values["persistence"] == [0.0] * 4
    for name, known in (("AR(10)", (0.115, 0.075, 0.117, 0.239)), ("VAR ridge", (0.192, 0.276, 0.305, 0.355))):
        np.testing.assert_allclose(values[name], known, atol=0.01, err_msg=name)


@pytest.mark.realdata
def test_ar10_on_real_worms_is_one_least_squares_on_the_other_three(real):
    data, values, _ = real
    forecasts = {}
    for left in data.split.test:
        design, target, frames = [], [], 0
        for group in data.split.test:
            if group != left:
                z = data.worms[group].z.astype(np.float64)
                lagged = np.lib.stride_tricks.sliding_window_view(z[:-1], 10, axis=0)[..., ::-1]
                design.append(lagged.reshape(-1, 10))
                target.append((z[10:] - z[9:-1]).ravel())
                frames += len(lagged)
        design.append(np.sqrt(1e-3 * frames) * np.eye(10))
        target.append(np.zeros(10))
        own = np.linalg.lstsq(np.concatenate(design), np.concatenate(target), rcond=None)[0]
        z = data.worms[left].z.astype(np.float64)
        forecasts[left] = rolled(z, np.tile(own, (z.shape[1], 1)))
    np.testing.assert_allclose(values["AR(10)"], skill(data, forecasts), atol=1e-5)


@pytest.mark.realdata
def test_var_on_real_worms_is_a_ridge_regression_on_the_other_three(real):
    data, values, _ = real
    names = list(data.names)
    wide = {}
    for group, worm in data.worms.items():
        wide[group] = np.zeros((worm.frames, 50))
        wide[group][:, [names.index(n) for n in worm.names]] = worm.z
    forecasts = {}
    for fold, left in enumerate(data.split.test):
        fitted = data.full_linear(fold)
        others = [g for g in data.split.test if g != left]
        frames = sum(len(wide[g]) - 10 for g in others)
        own, cross = np.zeros((50, 10)), np.zeros((50, 100))
        for i, name in enumerate(names):
            around = [j for j in range(50) if j != i]
            gram, moment = np.zeros((108, 108)), np.zeros(108)
            for x in (wide[g] for g in others if name in data.worms[g].names):
                lags = np.column_stack([x[9 - lag : len(x) - 1 - lag, i] for lag in range(10)])
                rows = np.hstack([lags, x[9:-1][:, around], (x[9:-1] - x[8:-2])[:, around]])
                gram += rows.T @ rows
                moment += rows.T @ (x[10:, i] - x[9:-1, i])
            weight = np.repeat([fitted.penalty.own, fitted.penalty.level, fitted.penalty.change], [10, 49, 49]) * frames
            towards = np.r_[fitted.path.shared, np.zeros(98)]
            if not gram.any():
                own[i] = fitted.path.shared
                continue
            found = np.linalg.solve(gram + np.diag(weight), moment + weight * towards)
            own[i], cross[i, around], cross[i, [50 + j for j in around]] = np.split(found, [10, 59])
        at = [names.index(n) for n in data.worms[left].names]
        mine = cross[np.ix_(at, [*at, *(50 + k for k in at)])]
        forecasts[left] = rolled(wide[left][:, at], own[at], mine)
    np.testing.assert_allclose(values["VAR ridge"], skill(data, forecasts), atol=1e-5)


@pytest.mark.realdata
def test_intervals_on_real_worms_are_t_intervals(real):
    data, _, board = real
    metric = board.metrics[0]
    family = registry().family("gat-lstm-v2")
    for question in family.questions(data, data.config):
        each = metric.value(board.statistics(question, "VAR ridge", metric))
        (row,) = [
            s
            for s in board.scores
            if (s.name, s.question, s.metric, s.subset) == ("VAR ridge", question.name, "S", "all")
        ]
        assert len(each) == row.n_groups == 4
        assert row.value == pytest.approx(each.mean())
        half = stats.t.ppf(0.975, 3) * each.std(ddof=1) / 2
        assert (row.low, row.high) == pytest.approx((each.mean() - half, each.mean() + half))
