"""The linear baselines against least squares on an explicit design matrix."""

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.evaluation import linear
from neurocli.evaluation.linear import ARRidge, VARRidge, persistence


def _runs(seed: int = 0, channels: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    runs = []
    for length in (120, 90):
        x = rng.normal(size=(length, channels))
        for t in range(1, length):
            x[t] += 0.7 * x[t - 1] + 0.3
        runs.append(x)
    return runs


def _least_squares(rows: list[np.ndarray], targets: list[np.ndarray], alpha: float) -> np.ndarray:
    """Ridge as ordinary least squares on extra rows; the last coefficient is the intercept and is not shrunk."""
    x, y = np.array(rows), np.array(targets)
    x = np.c_[x, np.ones(len(x))]
    extra = np.sqrt(alpha) * np.eye(x.shape[1])[:-1]
    y = y.reshape(len(y), -1)
    return np.linalg.lstsq(np.r_[x, extra], np.r_[y, np.zeros((len(extra), y.shape[1]))], rcond=None)[0]


@pytest.mark.parametrize(("horizon", "alpha"), [(1, 0.0), (3, 2.5)])
def test_ar_equals_lstsq(horizon: int, alpha: float) -> None:
    runs, order = _runs(), 5
    rows, targets = [], []
    for run in runs:
        for t in range(order - 1, len(run) - horizon):
            for channel in range(run.shape[1]):
                rows.append([run[t - lag, channel] for lag in range(order)])
                targets.append(run[t + horizon, channel])
    expected = _least_squares(rows, targets, alpha)[:, 0]
    model = ARRidge(order, alpha).fit(runs, horizon)
    np.testing.assert_allclose(np.r_[model.coefficients, model.intercept], expected, atol=1e-9)
    forecast = model.predict(runs[1])
    assert forecast.shape == runs[1].shape and np.isnan(forecast[: order - 1]).all()
    lags = [runs[1][20 - lag, 2] for lag in range(order)]
    assert forecast[20, 2] == pytest.approx(np.dot([*lags, 1.0], expected))


@pytest.mark.parametrize("horizon", [1, 2])
def test_var_equals_lstsq(horizon: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_BLOCK_BYTES", 8 * 12 * 7)  # blocks of 7 rows: the sums must not care
    runs, order, alpha = _runs(1), 3, 0.8
    rows, targets = [], []
    for run in runs:
        for t in range(order - 1, len(run) - horizon):
            rows.append(np.concatenate([run[t - lag] for lag in range(order)]))
            targets.append(run[t + horizon])
    expected = _least_squares(rows, targets, alpha)
    model = VARRidge(order, alpha).fit(runs, horizon)
    assert model.coefficients is not None
    np.testing.assert_allclose(model.coefficients.reshape(-1, 4), expected[:-1], atol=1e-9)
    np.testing.assert_allclose(model.intercept, expected[-1], atol=1e-9)
    forecast = model.predict(runs[0])
    assert np.isnan(forecast[: order - 1]).all()
    lags = np.concatenate([runs[0][30 - lag] for lag in range(order)])
    np.testing.assert_allclose(forecast[30], np.r_[lags, 1.0] @ expected)


def test_rows_with_a_gap_are_left_out() -> None:
    run = _runs(2)[0]
    broken = run.copy()
    broken[40, 1] = np.nan
    split = [run[:40], run[41:]]
    whole, parts = VARRidge(2, 0.1).fit([broken], 1), VARRidge(2, 0.1).fit(split, 1)
    np.testing.assert_allclose(whole.coefficients, parts.coefficients, atol=1e-10)
    assert np.isnan(whole.predict(broken)[40:42]).all() and np.isfinite(whole.predict(broken)[42]).all()
    assert np.isfinite(ARRidge(2).fit([broken], 1).predict(broken)[41, 0])


def test_forecasts_see_the_past_only() -> None:
    run = _runs(3)[0]
    changed = run.copy()
    changed[60:] += 5
    for model in (ARRidge(4).fit([run], 2), VARRidge(4).fit([run], 2)):
        np.testing.assert_array_equal(model.predict(run)[:60], model.predict(changed)[:60])


def test_persistence_is_the_series() -> None:
    run = _runs(4)[0]
    np.testing.assert_array_equal(persistence(run, 7), run)


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(DataError, match="long enough"):
        ARRidge(5).fit([np.zeros((4, 2))], 1)
    with pytest.raises(DataError, match="channels"):
        VARRidge(1).fit([np.zeros((9, 2)), np.zeros((9, 3))], 1)
    assert np.isnan(VARRidge(9).fit([_runs(5)[0]], 1).predict(np.zeros((3, 4)))).all()


def test_a_constant_channel_is_no_trouble() -> None:
    run = _runs(6)[0]
    run[:, 0] = 1.0
    assert np.isfinite(VARRidge(2, 0.0).fit([run], 1).predict(run)[1:]).all()
