"""Scores against plain formulas and scikit-learn; intervals and tests against what they must give."""

import itertools

import numpy as np
import pytest
from sklearn import metrics as reference

from neurocli.errors import NeuroError
from neurocli.evaluation.intervals import Paired, interval, paired, verdict, why_no_interval
from neurocli.evaluation.metrics import MAE, R2, RMSE
from neurocli.evaluation.nulls import NullBand, permutation_p
from neurocli.evaluation.scoreboard import Scoreboard
from neurocli.evaluation.target import Bound, Prediction, Target
from neurocli.evaluation.wording import why_no_p
from neurocli.report.scores import skill_lines

RNG = np.random.default_rng(0)
TARGETS = {f"g{k}": RNG.normal(-60, 5, (50, 4)) for k in range(6)}


def target(**kwargs: object) -> Target:
    origins = {g: np.arange(50) for g in TARGETS}
    return Target("1 ms", 1, 1.0, "mV", TARGETS, origins, **kwargs)  # type: ignore[arg-type]


def noisy(sd: float, seed: int) -> Prediction:
    rng = np.random.default_rng(seed)
    return Prediction({g: t + rng.normal(0, sd, t.shape) for g, t in TARGETS.items()})


def test_values_equal_the_reference() -> None:
    prediction = noisy(2, 1)
    y = np.concatenate([TARGETS[g].ravel() for g in TARGETS])
    p = np.concatenate([prediction.values[g].ravel() for g in TARGETS])
    board = Scoreboard([R2("mV"), RMSE("mV"), MAE("mV")])
    board.add(target(), "model", "model", prediction)
    found = {s.metric: s.value for s in board.scores}
    assert found["R2"] == pytest.approx(reference.r2_score(y, p), abs=1e-12)
    assert found["RMSE"] == pytest.approx(reference.root_mean_squared_error(y, p), abs=1e-12)
    assert found["MAE"] == pytest.approx(reference.mean_absolute_error(y, p), abs=1e-12)


def test_z_scores_are_not_millivolts() -> None:
    mean, sd = np.full(4, -60.0), np.full(4, 5.0)
    board = Scoreboard([RMSE("z", mean, sd), RMSE("mV")])
    board.add(target(), "model", "model", noisy(2, 1))
    z, mv = board.scores
    assert mv.value == pytest.approx(5 * (z.value or 0))


def test_skill_places_the_model_between_baseline_and_ceiling() -> None:
    board = Scoreboard([R2("mV")])
    asked = target()
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
            [metric.statistics(np.zeros((20, 1)), rng.normal(1, 0.5, (1, 1)) + np.zeros((20, 1))) for _ in range(20)]
        )
        low, high = interval(metric, groups)
        hits += low <= 1.0085 <= high  # the mean of |x| for x ~ N(1, 0.5)
    assert 0.9 <= hits / 200 <= 0.99


def test_two_groups_have_no_interval() -> None:
    metric = R2("mV")
    two = np.stack([metric.statistics(TARGETS[g], TARGETS[g] + 1) for g in ("g0", "g1")])
    assert all(np.isnan(interval(metric, two)))
    assert np.isnan(paired(metric, two, two).p)


def test_an_answer_with_holes_is_refused() -> None:
    prediction = noisy(2, 1)
    prediction.values["g3"][7, 2] = np.nan
    with pytest.raises(NeuroError, match="no number for 1 targets"):
        Scoreboard([R2("mV")]).add(target(), "model", "model", prediction)


def test_every_baseline_is_answered_with_a_verdict() -> None:
    board = Scoreboard([R2("mV")])
    asked = target()
    board.add(asked, "model", "model", noisy(2.0, 1))
    board.add(asked, "bad", "baseline", noisy(4.0, 2))
    board.add(asked, "good", "baseline", noisy(1.0, 3))
    board.add(asked, "alike", "baseline", noisy(2.0, 1))
    assert {d["baseline"]: d["verdict"] for d in board.differences(asked, "model")} == {
        "bad": "better",
        "good": "worse",
        "alike": "not told apart",
    }


def test_a_mean_over_channels_takes_the_jackknife() -> None:
    class MeanOfChannels(RMSE):
        """A nonlinear score per channel, then their mean: statistics may not be added over channels."""

        pooled = False

        def value(self, statistics):
            return RMSE.value(self, statistics[..., None, :]).mean(-1)

    metric = MeanOfChannels("mV")
    groups = np.stack([metric.statistics(TARGETS[g], noisy(2, 1).values[g]) for g in TARGETS])
    left_out = np.log([metric.value(np.delete(groups, k, 0).sum(0)) for k in range(len(groups))])  # errors are positive
    n = len(groups)
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    ends = np.abs(np.log(interval(metric, groups)) - np.log(metric.value(groups.sum(0))))
    assert ends.min() == pytest.approx(2.5706 * error, rel=1e-4)  # t of 5 degrees of freedom
    assert ends.max() > ends.min()  # further on the side of the long tail


def test_a_subset_in_two_groups_has_a_score_without_an_interval() -> None:
    names = list(TARGETS)
    few = {g: np.full((50, 4), g in names[:2]) for g in names}
    many = {g: np.full((50, 4), g in names[:4]) for g in names}
    board = Scoreboard([RMSE("mV")])
    board.add(target(subsets={"few": few, "many": many}), "model", "model", noisy(2, 1))
    found = {s.subset: s for s in board.scores}
    assert found["few"].value is not None and (found["few"].low, found["few"].high) == (None, None)
    assert found["many"].low < found["many"].value < found["many"].high


def test_no_p_is_zero() -> None:
    metric = RMSE("mV")
    rng = np.random.default_rng(5)
    sums = []
    for sd in (1.0, 9.0):
        each = [(t := rng.normal(0, 1, (20, 1)), t + rng.normal(0, sd, t.shape)) for _ in range(40)]
        sums.append(np.stack([metric.statistics(t, p) for t, p in each]))
    assert 0 < paired(metric, *sums).p < 2e-3


def test_the_p_is_that_of_all_exchanges_within_groups() -> None:
    """By brute force: every way to exchange the two predictors within groups, scored anew."""
    metric = R2("mV")
    first, second = (
        np.stack([metric.statistics(TARGETS[g], noisy(sd, 4).values[g]) for g in TARGETS]) for sd in (2, 2.03)
    )
    observed = abs(metric.value(first.sum(0)) - metric.value(second.sum(0)))
    differences = []
    for exchanged in itertools.product([False, True], repeat=len(first)):
        swap = np.array(exchanged)[:, None, None]
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        differences.append(abs(metric.value(one.sum(0)) - metric.value(other.sum(0))))
    assert paired(metric, first, second).p == pytest.approx(np.mean(np.array(differences) >= observed * (1 - 1e-9)))


def test_below_six_groups_there_is_no_p_and_why_is_said() -> None:
    metric = R2("mV")
    groups = [np.stack([metric.statistics(TARGETS[g], noisy(sd, 1).values[g]) for g in TARGETS]) for sd in (1, 9)]
    assert np.isnan(paired(metric, *(g[:5] for g in groups)).p)
    assert paired(metric, *groups).p == pytest.approx(2 / 2**6)
    assert "3 worms" in why_no_p(3, "worm") and why_no_p(3, "worm").endswith(" .25")


def test_a_verdict_needs_the_interval_and_the_p() -> None:
    assert verdict(Paired(1.0, 0.5, 1.5, np.nan, 4), True) == "better"
    assert verdict(Paired(1.0, 0.5, 1.5, np.nan, 4), False) == "worse"
    assert verdict(Paired(1.0, -0.1, 2.1, 0.01, 8), True) == "not told apart"
    assert verdict(Paired(1.0, 0.5, 1.5, 0.2, 8), True) == "not told apart"
    assert verdict(Paired(1.0, np.nan, np.nan, np.nan, 2), True) is None


def bounded(value: float, without: list[float] | None) -> Bound:
    left_out = None if without is None else np.array(without)
    return Bound("ceiling", lambda q, m, s: value, left_out=lambda q, m, s: left_out)


def with_ceiling(ceiling: float, spread: float | None) -> dict:
    board, asked = Scoreboard([R2("mV")]), target()
    board.add(asked, "model", "model", noisy(2.0, 1))
    board.add(asked, "ridge", "baseline", noisy(3.0, 2))
    board.add_bound(
        asked, bounded(ceiling, None if spread is None else [ceiling + spread * k for k in (-3, -2, -1, 1, 2, 3)])
    )
    return board.skill(asked)


def test_skill_needs_room_above_its_noise() -> None:
    given = with_ceiling(0.95, 0.001)
    assert given["low"] < given["value"] < given["high"] and given["reason"] is None
    below = with_ceiling(0.3, 0.001)  # the ceiling is below the baseline: the ratio would be a plausible number
    assert below["value"] is None and "no room" in below["reason"]
    noisy_ceiling = with_ceiling(0.95, 0.1)
    assert noisy_ceiling["value"] is None and "uncertainty" in noisy_ceiling["reason"]
    assert with_ceiling(0.95, None)["value"] is None
    assert with_ceiling(1.0, 0.0)["value"] is not None  # known, and not estimated


def test_a_skill_needs_three_groups_that_hold_something() -> None:
    """Rows and skill look at the same groups: those that hold a target."""
    targets = {g: t if g in ("g0", "g1") else np.full(t.shape, np.nan) for g, t in list(TARGETS.items())[:3]}
    asked = Target("1 ms", 1, 1.0, "mV", targets, {g: np.arange(50) for g in targets})
    board = Scoreboard([RMSE("mV")])
    for name, kind, sd in (("model", "model", 1.0), ("ridge", "baseline", 2.0), ("oracle", "ceiling", 0.1)):
        board.add(asked, name, kind, noisy(sd, 3))
    assert all(score.low is None and "2 groups" in (score.no_interval or "") for score in board.scores)
    skill = board.skill(asked)
    assert skill["value"] is None and skill["low"] is None and "too few" in skill["reason"]


def test_why_there_is_no_p_is_the_true_reason() -> None:
    class Demanding(RMSE):
        def fewest(self, groups):
            return "10 positives, and an interval needs 40"

    metric = Demanding("mV")
    groups = [np.stack([metric.statistics(TARGETS[g], noisy(sd, 1).values[g]) for g in TARGETS]) for sd in (1, 9)]
    found = paired(metric, *groups)
    assert np.isnan(found.p) and found.reason == "10 positives, and an interval needs 40"
    assert paired(RMSE("mV"), *groups).reason is None
    few = paired(RMSE("mV"), *(g[:4] for g in groups))
    assert np.isnan(few.p) and few.reason.endswith(" .12")


def test_a_perfect_score_is_called_so() -> None:
    metric = R2("mV")
    perfect = np.stack([metric.statistics(t, t) for t in TARGETS.values()])
    assert "perfect" in (why_no_interval(metric, perfect) or "")


def test_a_null_without_a_score_helps_nobody() -> None:
    assert permutation_p(1.0, [0.1, 0.2, np.nan]) == pytest.approx(2 / 4)
    assert permutation_p(1.0, [0.1, 0.2, 0.3]) == pytest.approx(1 / 4)
    assert np.isnan(permutation_p(1.0, [np.nan]))
    band = NullBand.of(1.0, np.array([0.0, 0.2, np.nan]))
    assert (band.mean, band.p, band.n_nulls) == (pytest.approx(0.1), pytest.approx(2 / 4), 3)


def test_skill_lines_of_an_earlier_version_are_still_shown() -> None:
    old = {"value": 0.5, "metric": "R2", "best_baseline": "ridge", "ceiling": 0.9, "paired": None}
    assert skill_lines({"skill": old, "ceiling_reason": None})[0].startswith("skill 0.5")
    assert skill_lines({"skill": old | {"value": None}, "ceiling_reason": None})[0].startswith("no skill")
