"""Ridge regression from sums against scikit-learn's, and against least squares on rows written out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from neurocli.evaluation.normal_equations import NormalEquations, Solver

SOLVERS: tuple[Solver, ...] = ("lstsq", "lu", "cholesky")
ROWS, FEATURES, TARGETS = 200, 6, 3


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and weights of rows; features of other sizes, means far from zero."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)) * np.logspace(-1, 1, FEATURES) + 3
    y = x @ rng.normal(size=(FEATURES, TARGETS)) + rng.normal(size=(ROWS, TARGETS)) - 7
    return x, y, rng.random(ROWS)


def sums_of(x, y, weight=None, *, intercept=True, blocks=7):
    sums = NormalEquations(x.shape[1], y.shape[1], intercept=intercept)
    for rows in np.array_split(np.arange(len(x)), blocks):
        sums.add(x[rows], y[rows], None if weight is None else weight[rows])
    return sums


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_solution_is_scikit_learns(data, solver, intercept, weighted):
    x, y, weight = data
    weight = weight if weighted else None
    ridge = Ridge(2.5, fit_intercept=intercept).fit(x, y, weight)
    coefficients, level = sums_of(x, y, weight, intercept=intercept).solve(2.5, solver=solver)
    np.testing.assert_allclose(coefficients, ridge.coef_.T, atol=1e-9)
    np.testing.assert_allclose(level, np.broadcast_to(ridge.intercept_, TARGETS), atol=1e-9)
    if not intercept:
        assert not level.any()


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_coefficient_may_have_its_own_penalty_and_origin(data, solver):
    x, y, weight = data
    penalty, towards = np.logspace(-2, 3, FEATURES), np.random.default_rng(1).normal(size=(FEATURES, TARGETS))
    # One more row for each penalty.
    rows = np.r_[x * np.sqrt(weight)[:, None], np.diag(np.sqrt(penalty))]
    right = np.r_[y * np.sqrt(weight)[:, None], np.sqrt(penalty)[:, None] * towards]
    expected = np.linalg.lstsq(rows, right, rcond=None)[0]
    sums = sums_of(x, y, weight, intercept=False)
    np.testing.assert_allclose(sums.solve(penalty, towards=towards, solver=solver)[0], expected, atol=1e-9)


def test_a_penalty_of_each_coefficient_leaves_the_intercept_free(data):
    x, y, _ = data
    penalty = np.logspace(-2, 3, FEATURES)
    scaled = Ridge(1.0).fit(x / np.sqrt(penalty), y)  # a penalty is a scale of its feature
    coefficients, level = sums_of(x, y).solve(penalty)
    np.testing.assert_allclose(coefficients, scaled.coef_.T / np.sqrt(penalty)[:, None], atol=1e-9)
    np.testing.assert_allclose(level, scaled.intercept_, atol=1e-9)


@pytest.mark.parametrize("intercept", [False, True])
def test_a_path_gives_what_each_penalty_gives(data, intercept):
    x, y, weight = data
    sums, penalties = sums_of(x, y, weight, intercept=intercept), (1e-3, 1.0, 1e4)
    for penalty, (coefficients, level) in zip(penalties, sums.path(penalties), strict=True):
        expected = sums.solve(penalty)
        np.testing.assert_allclose(coefficients, expected[0], atol=1e-9)
        np.testing.assert_allclose(level, expected[1], atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_parts_add_up_and_can_be_taken_away(data, weighted):
    x, y, weight = data
    weight = weight if weighted else np.ones(ROWS)
    first, second = (sums_of(x[rows], y[rows], weight[rows]) for rows in (slice(0, 90), slice(90, None)))
    whole = first + second
    for fitted, rows in ((whole, slice(None)), (whole - second, slice(0, 90)), (first, slice(0, 90))):
        ridge = Ridge(1.0).fit(x[rows], y[rows], weight[rows])
        np.testing.assert_allclose(fitted.solve(1.0)[0], ridge.coef_.T, atol=1e-8)
    assert whole.rows == pytest.approx(weight.sum()) and first.rows == pytest.approx(weight[:90].sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_on_other_rows_are_those_of_their_forecasts(data, weighted):
    x, y, weight = data
    weight = weight if weighted else np.ones(ROWS)
    coefficients, level = sums_of(x[:120], y[:120]).solve(0.1)
    tested = sums_of(x[120:], y[120:], weight[120:])
    expected = weight[120:] @ (y[120:] - x[120:] @ coefficients - level) ** 2
    np.testing.assert_allclose(tested.squared_error(coefficients, level), expected, rtol=1e-8)
    np.testing.assert_allclose(tested.explained(coefficients, level), weight[120:] @ y[120:] ** 2 - expected, rtol=1e-8)
    plain = sums_of(x[120:], y[120:], weight[120:], intercept=False)
    expected = weight[120:] @ (y[120:] - x[120:] @ coefficients) ** 2
    np.testing.assert_allclose(plain.squared_error(coefficients), expected, rtol=1e-8)


def test_rows_may_have_some_features_only(data):
    x, y, weight = data
    at = np.array([4, 0, 3])
    sums = NormalEquations(FEATURES, TARGETS)
    sums.add(x[:50][:, at], y[:50], weight[:50], at=at)
    sums.add(x[50:], y[50:], weight[50:])
    filled = x.copy()
    filled[:50, np.setdiff1d(np.arange(FEATURES), at)] = 0
    ridge = Ridge(1.0).fit(filled, y, weight)
    np.testing.assert_allclose(sums.solve(1.0)[0], ridge.coef_.T, atol=1e-9)


@pytest.mark.parametrize("chosen", [np.array([5, 1]), np.arange(FEATURES) > 3])
def test_some_features_can_be_fitted_alone(data, chosen):
    x, y, _ = data
    coefficients, level = sums_of(x, y).of_features(chosen).solve(0.5)
    ridge = Ridge(0.5).fit(x[:, chosen], y)
    np.testing.assert_allclose(coefficients, ridge.coef_.T, atol=1e-9)
    np.testing.assert_allclose(level, ridge.intercept_, atol=1e-9)


def test_a_column_of_ones_becomes_the_intercept(data):
    x, y, weight = data
    with_ones = sums_of(np.c_[x, np.ones(ROWS)], y, weight, intercept=False).last_as_intercept()
    assert with_ones.rows == pytest.approx(weight.sum())
    ridge = Ridge(3.0).fit(x, y, weight)
    coefficients, level = with_ones.solve(3.0)
    np.testing.assert_allclose(coefficients, ridge.coef_.T, atol=1e-9)
    np.testing.assert_allclose(level, ridge.intercept_, atol=1e-9)
    np.testing.assert_allclose(
        with_ones.squared_error(coefficients, level), weight @ (y - ridge.predict(x)) ** 2, rtol=1e-8
    )


@pytest.mark.parametrize("solver", ["lstsq", "cholesky"])
def test_equations_with_many_solutions_have_their_smallest(data, solver):
    x, y, _ = data
    twice = np.c_[x, x[:, :1], np.full(ROWS, 2.0)]
    coefficients, level = sums_of(twice, y).solve(0.0, solver=solver)
    np.testing.assert_allclose(twice @ coefficients + level, LinearRegression().fit(x, y).predict(x), atol=1e-6)
    assert np.isfinite(coefficients).all()


def test_sums_of_single_precision_are_kept_in_double(data):
    x, y, _ = data
    single = x.astype(np.float32), y.astype(np.float32)
    sums = sums_of(*single)
    assert all(a.dtype == np.float64 for a in (sums.xx, sums.xy, sums.yy, sums.x, sums.y))
    np.testing.assert_allclose(sums.yy, (single[1].astype(float) ** 2).sum(0), rtol=1e-12)
    np.testing.assert_allclose(sums.solve(1.0)[0], Ridge(1.0).fit(x, y).coef_.T, atol=1e-2)


def test_no_rows_leave_zeros():
    coefficients, level = NormalEquations(2, 1).solve(1.0)
    assert not coefficients.any() and not level.any()
