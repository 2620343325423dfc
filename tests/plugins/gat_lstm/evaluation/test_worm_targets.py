"""Targets and metrics: what is asked of every predictor, and how answers are scored, against numpy."""

from __future__ import annotations

import csv
import dataclasses
from importlib.resources import files

import numpy as np
import pytest
from scipy import stats

from neurocli.errors import NeuroError
from neurocli.evaluation.intervals import interval, interval_from_left_out, paired
from neurocli.evaluation.metrics import RMSE
from neurocli.evaluation.scoreboard import Scoreboard
from neurocli.evaluation.target import Prediction, Target
from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.evaluation.metrics import Correlation, ErrorReduction, NeuronMedianR2
from neurocli_gat_lstm.evaluation.targets import CLASSES, targets

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def holed(worms):
    """The small worms, one of them with missing samples and a gap in time."""
    first = worms[worms.groups[0]]
    mask = RNG.random(first.signal.shape) > 0.1
    time_s = first.events["time_s"].copy()
    time_s[200:] += 30
    changed = dataclasses.replace(first, mask=mask, events={**first.events, "time_s": time_s})
    samples = [changed if g == first.group else worms[g] for g in worms]
    return WormData(RecordingSet.of(samples, meta=worms.meta), V2Config())


def test_every_horizon_asks_from_the_same_frames_for_what_comes_later(holed):
    scored = targets(holed, holed.config, "test")
    assert [q.horizon_steps for q in scored] == [1, 5, 10, 25]
    assert [q.name for q in scored] == ["1 step", "5 steps", "10 steps", "25 steps"]
    names = sorted({n for w in holed.worms.values() for n in w.names})
    for q in scored:
        assert q.horizon_ms == pytest.approx(q.horizon_steps * holed.spec["dt_ms"])
        assert q.groups == list(holed.split.test)
        for group in q.groups:
            worm, origins = holed.worms[group], q.origins[group]
            assert (origins == scored[0].origins[group]).all()
            segment = np.searchsorted([stop for _, stop in worm.segments], origins, side="right")
            for origin, s in zip(origins, segment, strict=True):
                start, stop = worm.segments[s]
                assert start <= origin - 49 and origin + 25 < stop and origin >= worm.burn_in - 1
            assert set(np.diff(origins[segment == 0])) == {5}
            for k, name in enumerate(names):
                target, now = q.values[group][:, k], q.now[group][:, k]
                if name not in worm.names:
                    assert np.isnan(target).all() and np.isnan(now).all()
                    continue
                column = worm.names.index(name)
                known = worm.known[origins, column] & worm.known[origins + q.horizon_steps, column]
                assert (np.isfinite(target) == known).all()
                assert (target[known] == worm.signal[origins + q.horizon_steps, column][known]).all()
                assert (now == worm.signal[origins, column]).all()
    first = scored[0].values[holed.split.test[0]]
    assert np.isnan(first[:, np.isfinite(first).any(0)]).any()


def test_subsets_are_the_classes_of_cook_et_al(holed):
    scored = targets(holed, holed.config, "test")[0]
    names = sorted({n for w in holed.worms.values() for n in w.names})
    assert set(scored.subsets) <= set(CLASSES) and len(scored.subsets) >= 2
    with (files("neurocli_gat_lstm") / "tables" / "neurons.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        classes = {row["name"]: row["class"] for row in rows}
    for kind, masks in scored.subsets.items():
        (mask,) = {tuple(m[0]) for m in masks.values()}
        assert [n for n, inside in zip(names, mask, strict=True) if inside] == [n for n in names if classes[n] == kind]


def worms_of(sizes=(40, 90, 60), channels=5):
    """(target, now, answer) of three worms with missing targets and a neuron that one worm lacks."""
    worms = []
    for k, size in enumerate(sizes):
        now = RNG.normal(size=(size, channels)) * (k + 1)
        target = now + RNG.normal(size=now.shape) * (k + 1)
        prediction = now + 0.4 * (target - now) + 0.3 * RNG.normal(size=now.shape)
        target[RNG.random(target.shape) < 0.1] = np.nan
        if k == 1:
            target[:, 3] = prediction[:, 3] = now[:, 3] = np.nan
        worms.append((target, now, prediction))
    return worms


def asked_of(worms, subsets=None):
    groups = [f"w{k}" for k in range(len(worms))]
    targets, now = ({g: m[i] for g, m in zip(groups, worms, strict=True)} for i in (0, 1))
    origins = {g: np.arange(len(m[0])) for g, m in zip(groups, worms, strict=True)}
    target = Target("1 step", 1, 300.0, "z", targets, origins, subsets or {}, now=now)
    return target, Prediction({g: m[2] for g, m in zip(groups, worms, strict=True)})


def skill_of(target, now, prediction):
    known = np.isfinite(target)
    return 1 - np.sum((prediction - target)[known] ** 2) / np.sum((now - target)[known] ** 2)


def score(board, name, metric, subset="all"):
    (score_found,) = [s for s in board.scores if (s.name, s.metric, s.subset) == (name, metric, subset)]
    return score_found


def test_skill_is_the_mean_over_worms_of_that_of_every_worm():
    worms = worms_of()
    target, prediction = asked_of(worms)
    board = Scoreboard([ErrorReduction()])
    board.add(target, "m", "model", prediction)
    board.add(target, "p", "baseline", Prediction(target.now))
    values = [skill_of(*m) for m in worms]
    assert score(board, "m", "S").value == pytest.approx(np.mean(values), rel=1e-9)
    assert len(set(np.round(values, 3))) == 3
    nothing = score(board, "p", "S")
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)
    difference = paired(ErrorReduction(), *(board.statistics(target, n, ErrorReduction()) for n in "mp"))
    assert difference.value == pytest.approx(np.mean(values))


def test_skill_of_a_subset_is_that_of_its_neurons():
    worms = worms_of()
    mask = np.array([[True, False, True, True, False]])
    target, prediction = asked_of(worms, {"some": dict.fromkeys(("w0", "w1", "w2"), mask)})
    board = Scoreboard([ErrorReduction(), NeuronMedianR2(), Correlation()])
    board.add(target, "m", "model", prediction)
    part = [tuple(x[:, mask[0]] for x in m) for m in worms]
    assert score(board, "m", "S", "some").value == pytest.approx(np.mean([skill_of(*m) for m in part]))
    assert score(board, "m", "r", "some").value == pytest.approx(pearson(part))
    assert score(board, "m", "R2", "some").value == pytest.approx(median_r2(part))


def pearson(worms):
    y, p = (np.concatenate([m[i][np.isfinite(m[0])] for m in worms]) for i in (0, 2))
    return stats.pearsonr(y, p).statistic


def median_r2(worms):
    score_found = []
    for k in range(worms[0][0].shape[1]):
        y = np.concatenate([m[0][:, k][np.isfinite(m[0][:, k])] for m in worms])
        p = np.concatenate([m[2][:, k][np.isfinite(m[0][:, k])] for m in worms])
        score_found.append(1 - np.sum((p - y) ** 2) / np.sum((y - y.mean()) ** 2))
    return np.median(score_found)


def test_median_r2_and_correlation_are_those_of_numpy_and_scipy():
    worms = worms_of()
    target, prediction = asked_of(worms)
    board = Scoreboard([NeuronMedianR2(), Correlation()])
    board.add(target, "m", "model", prediction)
    assert score(board, "m", "R2").value == pytest.approx(median_r2(worms), rel=1e-9)
    assert score(board, "m", "r").value == pytest.approx(pearson(worms), rel=1e-9)


def test_intervals_over_worms():
    """The core's one method, by the score without each worm in turn, on the scale of log(1 - score)."""
    worms = worms_of()
    target, prediction = asked_of(worms)
    metrics = ErrorReduction(), NeuronMedianR2()
    board = Scoreboard(metrics)
    board.add(target, "m", "model", prediction)
    for metric, reference in zip(metrics, (lambda some: np.mean([skill_of(*m) for m in some]), median_r2), strict=True):
        statistics = board.statistics(target, "m", metric)
        left = np.array([reference([m for m in worms if m is not out]) for out in worms])
        score_found = interval(metric, statistics)
        wanted = interval_from_left_out(reference(worms), left, link="log1m", weights=metric.weights(statistics))
        assert score_found == pytest.approx(wanted, rel=1e-6)
        (row,) = [r for r in board.scores if (r.metric, r.unit, r.subset) == (metric.name, metric.unit, "all")]
        assert (row.low, row.high) == score_found and row.low < row.value < row.high
    assert metrics[0].weights(board.statistics(target, "m", metrics[0])).tolist() == [1, 1, 1]


def test_changes_are_scored_only_by_metrics_that_ask_for_them():
    worms = worms_of()
    target, prediction = asked_of(worms)
    board = Scoreboard([RMSE("z"), ErrorReduction()])
    board.add(target, "m", "model", prediction)
    errors = np.concatenate([(m[2] - m[0])[np.isfinite(m[0])] for m in worms])
    assert score(board, "m", "RMSE").value == pytest.approx(np.sqrt(np.mean(errors**2)))
    shifted = [(t + 5, n + 5, a + 5) for t, n, a in worms]  # changes do not know the level
    again, prediction = asked_of(shifted)
    board.add(dataclasses.replace(again, name="shifted"), "m", "model", prediction)
    values = [s.value for s in board.scores if s.metric == "S"]
    assert values[0] == pytest.approx(values[1])
    with pytest.raises(AssertionError, match="last value"):
        board.add(dataclasses.replace(target, name="no now", now=None), "m", "model", prediction)


def test_leaving_targets_out_is_refused():
    worms = worms_of()
    target, prediction = asked_of(worms)
    at = tuple(np.argwhere(np.isfinite(worms[2][0]))[0])
    prediction.values["w2"][at] = np.nan
    with pytest.raises(NeuroError, match="gives no number for 1 targets"):
        Scoreboard([ErrorReduction()]).add(target, "m", "model", prediction)


def test_a_worm_that_never_changes_has_no_skill():
    still = np.ones((30, 2))
    target, prediction = asked_of([(still, still, still + 0.1)])
    board = Scoreboard([ErrorReduction()])
    board.add(target, "m", "model", prediction)
    assert score(board, "m", "S").value is None
