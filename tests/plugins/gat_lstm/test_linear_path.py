"""The linear path against plain ridge regressions with their whole design matrix."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config import DataConfig, V2Config
from neurocli_gat_lstm.data import WormData
from neurocli_gat_lstm.linear_path import (
    GRID,
    LinearPath,
    Moments,
    Penalty,
    fit_linear_path,
    relative_error,
    shared_autoregression,
)
from neurocli_gat_lstm.series import series_of

LAGS = 4
NAMES = ("AVAL", "AVAR", "AVBL", "AVBR", "RIML")
RNG = np.random.default_rng(3)
ALLOWED = (RNG.random((5, 5)) < 0.6) & ~np.eye(5, dtype=bool)
PENALTY = Penalty(0.05, 0.4, 0.08)


@pytest.fixture(scope="module")
def series(walks, worm_of):
    """Three worms with other neurons each, a gap in time and missing samples."""
    made = []
    for k, (base, names) in enumerate(
        zip(walks(3, frames=160, neurons=4, seed=1).values(), (NAMES[:4], NAMES[1:], (*NAMES[:3], "ASEL")), strict=True)
    ):
        time_s, mask = np.arange(160) * 0.3, np.ones((160, 4), bool)
        if k == 1:
            time_s[90:] += 9
        if k == 2:
            mask[RNG.random(mask.shape) < 0.1] = False
        made.append(series_of(worm_of(base.signal, list(names), worm=f"w{k}", time_s=time_s, mask=mask), DataConfig()))
    return made


def rows(worm, node, lags):
    """(design, target) of a neuron in a worm, frame by frame: own lags, levels of all names, changes of all names."""
    design, target = [], []
    if node not in worm.names:
        return design, target
    column = worm.names.index(node)
    for start, stop in worm.segments:
        for t in range(start + lags - 1, stop - 1):
            if not (worm.known[t, column] and worm.known[t + 1, column]):
                continue
            z = worm.z.astype(np.float64)
            level = [z[t, worm.names.index(n)] if n in worm.names else 0.0 for n in NAMES]
            change = [
                z[t, worm.names.index(n)] - z[t - 1, worm.names.index(n)] if n in worm.names else 0.0 for n in NAMES
            ]
            design.append([*(z[t - lag, column] for lag in range(lags)), *level, *change])
            target.append(z[t + 1, column] - z[t, column])
    return design, target


def ridge(design, target, penalties, towards):
    """Least squares of the rows and one row more for every penalty."""
    root = np.sqrt(penalties)
    whole = np.vstack([design, np.diag(root)])
    return np.linalg.lstsq(whole, np.concatenate([target, root * towards]), rcond=None)[0]


def frames_of(worms, lags):
    return sum(stop - start - lags for worm in worms for start, stop in worm.segments)


def plain_path(worms, names, allowed, penalty, lags):
    frames = frames_of(worms, lags)
    every = [rows(worm, name, lags) for worm in worms for name in names]
    design = np.array([d[:lags] for ds, _ in every for d in ds])
    target = np.array([t for _, ts in every for t in ts])
    shared = ridge(design, target, np.full(lags, 1e-3 * frames), np.zeros(lags))
    own, level, change = np.tile(shared, (len(names), 1)), *np.zeros((2, len(names), len(names)))
    for i, name in enumerate(names):
        mine = [rows(worm, name, lags) for worm in worms]
        design, target = np.array([d for ds, _ in mine for d in ds]), np.array([t for _, ts in mine for t in ts])
        if not len(design):
            continue
        around = np.flatnonzero(allowed[i])
        columns = [*range(lags), *(lags + around), *(lags + len(names) + around)]
        weights = np.repeat([penalty.own, penalty.level, penalty.change], [lags, len(around), len(around)]) * frames
        towards = np.concatenate([shared, np.zeros(2 * len(around))])
        found = ridge(design[:, columns], target, weights, towards)
        own[i], level[i, around], change[i, around] = np.split(found, [lags, lags + len(around)])
    return shared, own, level, change


def test_solution_is_that_of_an_explicit_ridge(series):
    path = Moments(series, NAMES, ALLOWED, LAGS).solve(PENALTY)
    shared, own, level, change = plain_path(series, NAMES, ALLOWED, PENALTY, LAGS)
    np.testing.assert_allclose(path.shared, shared, atol=1e-9)
    for found, expected in ((path.own, own), (path.level, level), (path.change, change)):
        np.testing.assert_allclose(found, expected, atol=1e-8)
    assert (path.level[~ALLOWED] == 0).all() and (path.change[~ALLOWED] == 0).all()
    together = np.array([[any({a, b} <= set(w.names) for w in series) for b in NAMES] for a in NAMES])
    assert not together.all() and ((path.level != 0) == (ALLOWED & together)).all()


def test_a_neuron_that_no_worm_shows_has_the_shared_past_and_no_neighbours(series):
    names = (*NAMES, "VB2")
    allowed = ~np.eye(6, dtype=bool)
    path = Moments(series, names, allowed, LAGS).solve(PENALTY)
    assert (path.own[5] == path.shared).all() and not path.level[5].any() and not path.level[:, 5].any()
    other = path.among(("unidentified-1", "AVAR", "VB2", "AVAL"))
    assert (other.own[0] == path.shared).all() and not other.level[0].any() and not other.level[:, 0].any()
    assert (other.own[1] == path.own[1]).all() and other.level[1, 3] == path.level[1, 0]
    assert other.change[3, 1] == path.change[0, 1] != 0


def test_masked_samples_are_never_a_target_nor_the_frame_before_it(series):
    worm = series[2]
    noisy = worm.z.copy()
    noisy[~worm.known] += RNG.normal(size=int((~worm.known).sum())).astype(np.float32)
    changed = dataclasses.replace(worm, z=noisy)
    none = np.zeros((5, 5), bool)
    # With one lag and no neighbours a sample is used as the target and as the frame before it only.
    one, other = (Moments([w], NAMES, none, 1) for w in (worm, changed))
    np.testing.assert_array_equal(one.solve(PENALTY).own, other.solve(PENALTY).own)
    all_known = dataclasses.replace(worm, known=np.ones_like(worm.known))
    assert not np.allclose(Moments([all_known], NAMES, none, 1).solve(PENALTY).own, one.solve(PENALTY).own)


def test_shared_autoregression_is_one_regression_of_all_neurons(series):
    path = shared_autoregression(series, 3)
    design, target = [], []
    for worm in series:
        for column in range(4):
            for start, stop in worm.segments:
                for t in range(start + 2, stop - 1):
                    if worm.known[t, column] and worm.known[t + 1, column]:
                        design.append(worm.z[t - 2 : t + 1, column][::-1].astype(float))
                        target.append(float(worm.z[t + 1, column]) - float(worm.z[t, column]))
    expected = ridge(np.array(design), np.array(target), np.full(3, 1e-3 * frames_of(series, 3)), np.zeros(3))
    np.testing.assert_allclose(path.shared, expected, atol=1e-9)
    np.testing.assert_allclose(path.own, np.tile(expected, (len(path.names), 1)), atol=1e-6)
    assert not path.level.any() and not path.change.any()


def random_path(names, lags, size=0.1):
    n = len(names)
    rng = np.random.default_rng(5)
    own = rng.normal(0, size, (n, lags))
    level, change = rng.normal(0, size, (2, n, n))
    return LinearPath(tuple(names), own, own.mean(0), level, change)


def test_rollout_is_a_plain_loop(series):
    worm = series[0]
    path = random_path(worm.names, LAGS)
    origins = np.array([3, 20, 77, 130])
    found = path.forecasts(worm.z, origins, [1, 2, 9])
    assert list(found) == [1, 2, 9]
    for row, origin in enumerate(origins):
        frames = [worm.z[t].astype(float) for t in range(origin - LAGS + 1, origin + 1)]
        for step in range(1, 10):
            following = frames[-1].copy()
            for i in range(4):
                following[i] += sum(path.own[i, lag] * frames[-1 - lag][i] for lag in range(LAGS))
                following[i] += path.level[i] @ frames[-1] + path.change[i] @ (frames[-1] - frames[-2])
            frames.append(following)
            if step in found:
                np.testing.assert_allclose(found[step][row], following, rtol=1e-10)


def test_a_rollout_that_runs_away_stays_a_number(series):
    path = random_path(series[0].names, LAGS, size=3.0)
    found = path.forecasts(series[0].z, np.array([50]), [1, 200])
    assert np.isfinite(found[200]).all() and np.abs(found[200]).max() == 50


def test_relative_error_is_the_mean_over_horizons_of_error_over_persistence(series):
    worm = series[2]
    path = random_path(worm.names, LAGS, size=0.02)
    origins = np.arange(9, 160 - 5, 10)
    ratios = []
    for horizon in (1, 5):
        error, change = [], []
        forecast = path.forecasts(worm.z, origins, [horizon])[horizon]
        for row, origin in enumerate(origins):
            for column in range(4):
                if worm.known[origin + horizon, column]:
                    truth = float(worm.z[origin + horizon, column])
                    error.append((forecast[row, column] - truth) ** 2)
                    change.append((float(worm.z[origin, column]) - truth) ** 2)
        ratios.append(np.mean(error) / np.mean(change))
    assert relative_error(path, worm, [1, 5], context=10) == pytest.approx(np.mean(ratios), rel=1e-6)


def test_the_penalty_is_the_best_of_the_grid_on_worms_left_out(series):
    names = sorted({n for w in series for n in w.names})
    allowed = ~np.eye(len(names), dtype=bool)
    fitted = fit_linear_path(series, names, allowed, lags=LAGS, horizons=[1, 5], context=12)
    expected = {}
    for penalty in GRID:
        expected[penalty] = sum(
            relative_error(
                Moments([w for w in series if w is not left], names, allowed, LAGS).solve(penalty), left, [1, 5], 12
            )
            for left in series
        )
    assert fitted.scores == pytest.approx(expected)
    assert fitted.penalty == min(expected, key=expected.get)
    everything = Moments(series, names, allowed, LAGS).solve(fitted.penalty)
    np.testing.assert_allclose(fitted.path.level, everything.level)
    for worm in series:
        without = Moments([w for w in series if w is not worm], names, allowed, LAGS).solve(fitted.penalty)
        np.testing.assert_allclose(fitted.without[worm.group].level, without.level)
        np.testing.assert_allclose(fitted.without[worm.group].own, without.own)


def test_nothing_that_a_fold_fits_has_seen_its_test_worm(walks):
    base = walks(4, frames=150)
    config = V2Config(evaluate={"horizons": [1, 5], "context": 20}, loss={"chunk": 20, "rollout": 5})
    data = WormData(base, config)
    scored = data.split.folds[2].test[0]
    other = dataclasses.replace(base[scored], signal=np.random.default_rng(8).normal(size=(150, 4)).astype(np.float32))
    changed = WormData(RecordingSet.of([other if g == scored else base[g] for g in base], meta=base.meta), config)
    assert not np.allclose(data.worms[scored].z, changed.worms[scored].z)
    for fit in ("linear", "full_linear"):
        one, two = (getattr(d, fit)(2) for d in (data, changed))
        assert one.penalty == two.penalty and one.scores == two.scores
        for name in ("own", "shared", "level", "change"):
            np.testing.assert_array_equal(getattr(one.path, name), getattr(two.path, name))
        assert scored not in one.without and set(one.without) == set(data.split.folds[2].train)
    assert (data.scale(2) == changed.scale(2)).all() and not (data.scale(0) == changed.scale(0)).all()
    elsewhere = data.linear(0).path, changed.linear(0).path
    assert not np.array_equal(elsewhere[0].own, elsewhere[1].own)
