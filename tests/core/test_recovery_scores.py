"""Scores against known truth are those of scipy and scikit-learn, and their intervals are the jackknife done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from neurocli.evaluation.intervals import interval_from_left_out, mean_estimate
from neurocli.interpretation.permutation import LABELLINGS, roc_auc_label_null
from neurocli.interpretation.rank_correlation import (
    known_pairs,
    partial_spearman,
    spearman,
    spearman_difference,
    spearman_estimate,
    spearman_over_units,
)
from neurocli.interpretation.roc import roc_auc, roc_auc_of_ranks, roc_auc_over_units

UNITS = np.repeat(np.arange(20), 10)


@pytest.fixture
def values() -> np.ndarray:
    """[sample] with many ties."""
    return np.random.default_rng(1).integers(0, 6, 200).astype(float)


@pytest.fixture
def member(values: np.ndarray) -> np.ndarray:
    return np.random.default_rng(2).random(200) < 0.2 + 0.1 * values


# -- area under the ROC curve -----------------------------------------------------------------------------------------


def test_the_area_is_scikit_learns(values: np.ndarray, member: np.ndarray) -> None:
    assert roc_auc(values, member) == pytest.approx(roc_auc_score(member, values), abs=1e-14)
    assert roc_auc(-values, member) == pytest.approx(1 - roc_auc(values, member))
    assert roc_auc(np.ones(200), member) == 0.5
    assert roc_auc(member.astype(float), member) == 1
    for one_sided in (member & False, member | True, np.zeros(0, bool)):
        assert np.isnan(roc_auc(values[: len(one_sided)], one_sided))


def test_areas_of_many_columns_and_ways_are_those_one_by_one(values: np.ndarray, member: np.ndarray) -> None:
    columns = np.stack([values, values[::-1]], axis=1)
    ways = np.stack([member, ~member, member & False])
    areas = roc_auc_of_ranks(stats.rankdata(columns, axis=0), ways)
    expected = [[roc_auc_score(way, column) for column in columns.T] for way in ways[:2]]
    np.testing.assert_allclose(areas[:2], expected, rtol=1e-14)
    assert np.isnan(areas[2]).all()


def test_the_interval_of_an_area_is_the_jackknife_unit_by_unit(values: np.ndarray, member: np.ndarray) -> None:
    area = roc_auc_over_units(values, member, UNITS)
    assert area.value == roc_auc(values, member) and area.low < area.value < area.high
    without = [roc_auc_score(member[unit != UNITS], values[unit != UNITS]) for unit in range(20)]
    expected = interval_from_left_out(area.value, np.array(without), link="logit", weights=np.full(20, 10.0))
    assert area[1:] == pytest.approx(expected)
    few = np.arange(200) < 9
    assert np.isnan(roc_auc_over_units(values, few, UNITS).low)
    assert np.isnan(roc_auc_over_units(values, member, UNITS // 5).low)  # four units


def test_labels_are_permuted_within_each_unit() -> None:
    """A score that only knows which units have many members is at chance, however high its area."""
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(20), 12)
    member = rng.random(240) < np.repeat(np.linspace(0.1, 0.9, 20), 12)
    of_unit = np.repeat(np.linspace(0, 1, 20), 12) + 1e-3 * rng.random(240)
    null = roc_auc_label_null(of_unit, member, units)
    assert null.value == roc_auc(of_unit, member)
    assert null.p > 0.05 and null.mean > 0.65 and null.low < null.mean < null.high
    assert roc_auc_label_null(of_unit + 2 * member, member, units).p == 1 / (1 + LABELLINGS)
    shuffled = rng.permutation(240)  # the order of the samples says nothing
    again = roc_auc_label_null(of_unit[shuffled], member[shuffled], units[shuffled], seed=1)
    assert again.mean == pytest.approx(null.mean, abs=0.01)
    without = roc_auc_label_null(of_unit, member & False, units)
    assert np.isnan(without.p) and without.n_nulls == 0


# -- rank correlation -------------------------------------------------------------------------------------------------


def test_rank_correlation_is_scipys_over_the_known_pairs(values: np.ndarray) -> None:
    other = values + np.random.default_rng(3).normal(0, 3, 200)
    other[3] = np.nan
    known = np.isfinite(other)
    estimate = spearman_estimate(values, other)
    assert estimate.value == spearman(values, other)
    assert estimate.value == pytest.approx(stats.spearmanr(values[known], other[known]).statistic)
    assert known_pairs(values, other) == 199 and estimate.low < estimate.value < estimate.high
    assert np.isnan(spearman(values, np.ones(200)))
    assert np.isnan(spearman(np.arange(4.0), np.arange(4.0))) and spearman(np.arange(5.0), np.arange(5.0)) > 0.99
    assert np.isnan(spearman_estimate(np.arange(4.0), np.arange(4.0))).all()


def test_the_interval_holds_the_true_rank_correlation_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(300):
        x = rng.normal(size=60)
        estimate = spearman_estimate(x, 0.75 * x + rng.normal(size=60))
        inside += estimate.low < 6 / np.pi * np.arcsin(0.6 / 2) < estimate.high
    assert 0.91 < inside / 300 < 0.99


def test_the_interval_over_units_is_the_jackknife_unit_by_unit(values: np.ndarray) -> None:
    other = values + np.random.default_rng(3).normal(size=200)
    rho = spearman_over_units(values, other, UNITS)
    ranks = stats.rankdata(values), stats.rankdata(other)
    without = [np.corrcoef(*(r[unit != UNITS] for r in ranks))[0, 1] for unit in range(20)]
    expected = interval_from_left_out(
        np.corrcoef(*ranks)[0, 1], np.array(without), link="fisher", weights=np.full(20, 10.0)
    )
    assert rho.value == spearman(values, other) and rho[1:] == pytest.approx(expected)
    assert np.isnan(spearman_over_units(values, other, UNITS // 5).low)  # four units


def test_the_partial_correlation_is_that_of_residuals() -> None:
    random = np.random.default_rng(2)
    given = random.random(50)
    first, second = given + random.random(50), given + random.random(50)

    def residual(values: np.ndarray) -> np.ndarray:
        ranks, of = (v.argsort().argsort().astype(float) for v in (values, given))
        return ranks - np.polyval(np.polyfit(of, ranks, 1), of)

    expected = np.corrcoef(residual(first), residual(second))[0, 1]
    assert partial_spearman(first, second, given) == pytest.approx(expected)
    assert np.isnan(partial_spearman(first, given, given))
    assert np.isnan(partial_spearman(first[:5], second[:5], given[:5]))


def test_a_difference_of_rank_correlations_knows_its_interval() -> None:
    random = np.random.default_rng(0)
    known = random.standard_normal(100)
    good, poor = known + 0.3 * random.standard_normal(100), known + 3 * random.standard_normal(100)
    better = spearman_difference(good, poor, known)
    assert 0 < better.low < better.value < better.high
    assert better.value == pytest.approx(
        stats.spearmanr(good, known).statistic - stats.spearmanr(poor, known).statistic
    )
    alike = spearman_difference(good, known + 0.3 * random.standard_normal(100), known)
    assert alike.low < 0 < alike.high


def test_a_mean_over_groups_leaves_out_what_is_not_known() -> None:
    values = np.array([0.1, 0.2, 0.4, np.nan])
    estimate = mean_estimate(values)
    assert estimate.value == pytest.approx(values[:3].mean())
    assert estimate[1:] == pytest.approx(interval_from_left_out(estimate.value, np.array([0.3, 0.25, 0.15])))
    assert np.isnan(mean_estimate(values[:2]).low) and np.isnan(mean_estimate(values[3:]).value)
