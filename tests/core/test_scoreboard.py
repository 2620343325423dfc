"""Scores against plain formulas and scikit-learn; intervals and tests against what they must give."""

import numpy as np
import pytest
from sklearn import metrics as reference

from neurocli.errors import NeuroError
from neurocli.evaluation.intervals import interval, paired
from neurocli.evaluation.metrics import MAE, R2, RMSE
from neurocli.evaluation.question import Prediction, Question
from neurocli.evaluation.scoreboard import Scoreboard

RNG = np.random.default_rng(0)
TARGETS = {f"g{k}": RNG.normal(-60, 5, (50, 4)) for k in range(6)}


def question(**kwargs: object) -> Question:
    origins = {g: np.arange(50) for g in TARGETS}
    return Question("1 ms", 1, 1.0, "mV", TARGETS, origins, **kwargs)  # type: ignore[arg-type]


def noisy(sd: float, seed: int) -> Prediction:
    rng = np.random.default_rng(seed)
    return Prediction({g: t + rng.normal(0, sd, t.shape) for g, t in TARGETS.items()})


def test_values_equal_the_reference() -> None:
    answer = noisy(2, 1)
    y = np.concatenate([TARGETS[g].ravel() for g in TARGETS])
    p = np.concatenate([answer.values[g].ravel() for g in TARGETS])
    board = Scoreboard([R2("mV"), RMSE("mV"), MAE("mV")])
    board.add(question(), "model", "model", answer)
    found = {s.metric: s.value for s in board.scores}
    assert found["R2"] == pytest.approx(reference.r2_score(y, p), abs=1e-12)
    assert found["RMSE"] == pytest.approx(reference.root_mean_squared_error(y, p), abs=1e-12)
    assert found["MAE"] == pytest.approx(reference.mean_absolute_error(y, p), abs=1e-12)


def test_z_scores_are_not_millivolts() -> None:
    mean, sd = np.full(4, -60.0), np.full(4, 5.0)
    board = Scoreboard([RMSE("z", mean, sd), RMSE("mV")])
    board.add(question(), "model", "model", noisy(2, 1))
    z, mv = board.scores
    assert mv.value == pytest.approx(5 * (z.value or 0))


def test_monte_carlo_variance_is_taken_off() -> None:
    answer = noisy(2, 1)
    corrected = Prediction(answer.values, {g: np.full(t.shape, 4.0) for g, t in TARGETS.items()})
    board = Scoreboard([R2("mV")])
    board.add(question(), "oracle", "ceiling", corrected)
    assert board.scores[0].value == pytest.approx(1.0, abs=0.01)


def test_skill_places_the_model_between_baseline_and_ceiling() -> None:
    board = Scoreboard([R2("mV")])
    asked = question()
    for name, kind, sd in (
        ("bad", "baseline", 4.0),
        ("better", "baseline", 3.0),
        ("oracle", "ceiling", 1.0),
        ("model", "model", 2.0),
    ):
        board.add(asked, name, kind, noisy(sd, 2))
    skill = board.skill(asked)
    assert skill["best_baseline"] == "better"
    assert skill["value"] == pytest.approx((9 - 4) / (9 - 1), abs=1e-6)
    assert skill["paired"]["low"] > 0
    assert skill["paired"]["p"] == pytest.approx(2 / 2**6)


def test_intervals_cover() -> None:
    """Of 200 experiments with known mean error, about 95 % of intervals hold it (small samples: a bit fewer)."""
    hits = 0
    for k in range(200):
        rng = np.random.default_rng(k)
        metric = MAE("mV")
        groups = np.stack(
            [
                metric.statistics(np.zeros((20, 1)), rng.normal(1, 0.5, (1, 1)) + np.zeros((20, 1)), None, None)
                for _ in range(20)
            ]
        )
        low, high = interval(metric, groups, seed=k)
        hits += low <= 1.0085 <= high  # the mean of |x| for x ~ N(1, 0.5)
    assert 0.86 <= hits / 200 <= 0.99


def test_two_groups_have_no_interval() -> None:
    metric = R2("mV")
    two = np.stack([metric.statistics(TARGETS[g], TARGETS[g] + 1, None, None) for g in ("g0", "g1")])
    assert all(np.isnan(interval(metric, two)))
    assert np.isnan(paired(metric, two, two).p)


def test_an_answer_with_holes_is_refused() -> None:
    answer = noisy(2, 1)
    answer.values["g3"][7, 2] = np.nan
    with pytest.raises(NeuroError, match="no number for 1 targets"):
        Scoreboard([R2("mV")]).add(question(), "model", "model", answer)


def test_every_baseline_is_answered_with_a_verdict() -> None:
    board = Scoreboard([R2("mV")])
    asked = question()
    board.add(asked, "model", "model", noisy(2.0, 1))
    board.add(asked, "bad", "baseline", noisy(4.0, 2))
    board.add(asked, "good", "baseline", noisy(1.0, 3))
    board.add(asked, "alike", "baseline", noisy(2.0, 1))
    assert {d["baseline"]: d["verdict"] for d in board.differences(asked, "model")} == {
        "bad": "better",
        "good": "worse",
        "alike": "within the interval",
    }


def test_a_mean_over_channels_takes_the_jackknife() -> None:
    class MeanOfChannels(RMSE):
        """A nonlinear score per channel, then their mean: statistics may not be added over channels."""

        pooled = False

        def value(self, statistics):
            return RMSE.value(self, statistics[..., None, :]).mean(-1)

    metric = MeanOfChannels("mV")
    groups = np.stack([metric.statistics(TARGETS[g], noisy(2, 1).values[g], None, None) for g in TARGETS])
    left_out = np.array([metric.value(np.delete(groups, k, 0).sum(0)) for k in range(len(groups))])
    n = len(groups)
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    low, high = interval(metric, groups)
    assert high - low == pytest.approx(2 * 2.5706 * error, rel=1e-4)  # t of 5 degrees of freedom
    assert (low + high) / 2 == pytest.approx(metric.value(groups.sum(0)))


def test_a_subset_in_two_groups_has_a_score_without_an_interval() -> None:
    names = list(TARGETS)
    few = {g: np.full((50, 4), g in names[:2]) for g in names}
    many = {g: np.full((50, 4), g in names[:4]) for g in names}
    board = Scoreboard([RMSE("mV")])
    board.add(question(subsets={"few": few, "many": many}), "model", "model", noisy(2, 1))
    found = {s.subset: s for s in board.scores}
    assert found["few"].value is not None and (found["few"].low, found["few"].high) == (None, None)
    assert found["many"].low < found["many"].value < found["many"].high


def test_no_p_is_zero() -> None:
    metric = RMSE("mV")
    rng = np.random.default_rng(5)
    sums = []
    for sd in (1.0, 9.0):
        each = [(t := rng.normal(0, 1, (20, 1)), t + rng.normal(0, sd, t.shape)) for _ in range(40)]
        sums.append(np.stack([metric.statistics(t, p, None, None) for t, p in each]))
    assert 0 < paired(metric, *sums).p < 1e-3
