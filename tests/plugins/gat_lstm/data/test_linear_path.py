"""The linear path against plain ridge regressions with their whole design matrix."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest

from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config import DataConfig, V2Config
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.linear.moments import SHARED, Moments, Penalty
from neurocli_gat_lstm.data.linear.path import LinearPath, direct
from neurocli_gat_lstm.data.linear.penalties import FARTHEST, START, fit, fit_shared, penalty_at
from neurocli_gat_lstm.data.series import series_of

LAGS = 4
NAMES = ("AVAL", "AVAR", "AVBL", "AVBR", "RIML")
RNG = np.random.default_rng(3)
ALLOWED = (RNG.random((5, 5)) < 0.6) & ~np.eye(5, dtype=bool)
PENALTY = Penalty(0.05, 0.4, 0.08)
HORIZONS = (1, 3)


@pytest.fixture(scope="module")
def series(walks, worm_of):
    """Three worms with other neurons each, a gap in time and missing samples."""
    worms = []
    for k, (base, names) in enumerate(
        zip(walks(3, frames=160, neurons=4, seed=1).values(), (NAMES[:4], NAMES[1:], (*NAMES[:3], "ASEL")), strict=True)
    ):
        time_s, mask = np.arange(160) * 0.3, np.ones((160, 4), bool)
        if k == 1:
            time_s[90:] += 9
        if k == 2:
            mask[RNG.random(mask.shape) < 0.1] = False
        worms.append(series_of(worm_of(base.signal, list(names), worm=f"w{k}", time_s=time_s, mask=mask), DataConfig()))
    return worms


def rows(worm, node, lags, horizon):
    """(design, target, weight) of a neuron in a worm, frame by frame, after the burn-in, with every horizon known.

    Own value and its distance to each earlier one, levels of all names, changes of all names.
    """
    design, target, weight = [], [], []
    if node not in worm.names:
        return design, target, weight
    column = worm.names.index(node)
    for start, stop in worm.segments:
        for t in range(max(start + lags, worm.burn_in) - 1, stop - max(HORIZONS)):
            if not (worm.known[t, column] and all(worm.known[t + h, column] for h in HORIZONS)):
                continue
            z = worm.z.astype(np.float64)
            level = [z[t, worm.names.index(n)] if n in worm.names else 0.0 for n in NAMES]
            change = [
                z[t, worm.names.index(n)] - z[t - 1, worm.names.index(n)] if n in worm.names else 0.0 for n in NAMES
            ]
            past = [z[t, column], *(z[t, column] - z[t - lag, column] for lag in range(1, lags))]
            design.append([*past, *level, *change])
            mean, sd = worm.mean[t, column], worm.sd[t, column]
            target.append((float(worm.signal[t + horizon, column]) - mean) / sd - z[t, column])
            weight.append((sd / worm.score_sd[column]) ** 2)
    return design, target, weight


def ridge(design, target, weight, penalties, towards):
    """Weighted least squares of the rows and one row more for every penalty."""
    root, root_weight = np.sqrt(penalties), np.sqrt(weight)
    whole = np.vstack([np.array(design) * root_weight[:, None], np.diag(root)])
    return np.linalg.lstsq(whole, np.concatenate([target * root_weight, root * towards]), rcond=None)[0]


def frames_of(worms, lags):
    return sum(len(worm.origins(lags, max(HORIZONS))) for worm in worms)


def by_lag(coefficients):
    return np.r_[coefficients.sum(), -coefficients[1:]]


def plain_path(worms, names, allowed, penalty, lags, horizon):
    frames = frames_of(worms, lags)
    every = [rows(worm, name, lags, horizon) for worm in worms for name in names]
    design = np.array([d[:lags] for ds, _, _ in every for d in ds])
    target, weight = (np.array([v for row in every for v in row[k]]) for k in (1, 2))
    shared = ridge(design, target, weight, np.full(lags, SHARED * frames), np.zeros(lags))
    own_past, level, change = np.tile(by_lag(shared), (len(names), 1)), *np.zeros((2, len(names), len(names)))
    for i, name in enumerate(names):
        mine = [rows(worm, name, lags, horizon) for worm in worms]
        design, target, weight = (np.array([v for row in mine for v in row[k]]) for k in (0, 1, 2))
        if not len(design):
            continue
        around = np.flatnonzero(allowed[i])
        columns = [*range(lags), *(lags + around), *(lags + len(names) + around)]
        weights = np.repeat([penalty.own, penalty.level, penalty.change], [lags, len(around), len(around)]) * frames
        towards = np.concatenate([shared, np.zeros(2 * len(around))])
        solution = ridge(design[:, columns], target, weight, weights, towards)
        mine, level[i, around], change[i, around] = np.split(solution, [lags, lags + len(around)])
        own_past[i] = by_lag(mine)
    return by_lag(shared), own_past, level, change


def moments_of(worms, names=NAMES, allowed=ALLOWED, lags=LAGS):
    total, *others = (Moments.of(worm, names, allowed, lags, HORIZONS) for worm in worms)
    for other in others:
        total = total + other
    return total


def path_of(moments, penalty, horizon):
    return moments.path(moments.solve(penalty), moments.shared(), horizon)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_solution_is_that_of_an_explicit_ridge(series, horizon):
    path = path_of(moments_of(series), PENALTY, horizon)
    shared, own_past, level, change = plain_path(series, NAMES, ALLOWED, PENALTY, LAGS, horizon)
    np.testing.assert_allclose(path.shared, shared, atol=1e-8)
    for fitted, expected in ((path.own, own_past), (path.level, level), (path.change, change)):
        np.testing.assert_allclose(fitted, expected, atol=1e-7)
    assert (path.level[~ALLOWED] == 0).all() and (path.change[~ALLOWED] == 0).all()
    together = np.array([[any({a, b} <= set(w.names) for w in series) for b in NAMES] for a in NAMES])
    assert not together.all() and ((path.level != 0) == (ALLOWED & together)).all()


def test_a_neuron_that_no_worm_shows_has_the_shared_past_and_no_neighbours(series):
    names = (*NAMES, "VB2")
    path = path_of(moments_of(series, names, ~np.eye(6, dtype=bool)), PENALTY, 3)
    assert (path.own[5] == path.shared).all() and not path.level[5].any() and not path.level[:, 5].any()
    other = path.among(("unidentified-1", "AVAR", "VB2", "AVAL"))
    assert (other.own[0] == path.shared).all() and not other.level[0].any() and not other.level[:, 0].any()
    assert (other.own[1] == path.own[1]).all() and other.level[1, 3] == path.level[1, 0]
    assert other.change[3, 1] == path.change[0, 1] != 0


def test_masked_samples_are_never_a_target_nor_the_frame_before_it(series):
    worm = series[2]
    noise = RNG.normal(size=int((~worm.known).sum())).astype(np.float32)
    noisy, signal = worm.z.copy(), worm.signal.copy()
    noisy[~worm.known] += noise
    signal[~worm.known] += noise
    none = np.zeros((5, 5), bool)
    # With one lag and no neighbours a sample is used as the target and as the frame before it only.
    first, other = (
        path_of(moments_of([w], NAMES, none, 1), PENALTY, 1)
        for w in (worm, dataclasses.replace(worm, z=noisy, signal=signal))
    )
    np.testing.assert_array_equal(first.own, other.own)
    all_known = dataclasses.replace(worm, known=np.ones_like(worm.known))
    assert not np.allclose(path_of(moments_of([all_known], NAMES, none, 1), PENALTY, 1).own, first.own)


def test_products_add_up_and_gain_is_the_share_of_persistence_s_error(series):
    """On worms that nothing was fitted on: 1 - weighted squared error / that of no change."""
    fitted, left = moments_of(series[:2]), moments_of(series[2:])
    beta, shared = fitted.solve(PENALTY), fitted.shared()
    gain = left.gain(beta, shared)
    for k, horizon in enumerate(HORIZONS):
        error = change = 0.0
        for i, name in enumerate(NAMES):
            design, target, weight = (np.array(v) for v in rows(series[2], name, LAGS, horizon))
            if not len(design):
                continue
            around = np.flatnonzero(ALLOWED[i])
            columns = [*range(LAGS), *(LAGS + around), *(LAGS + len(NAMES) + around)]
            mine = beta[i][:, k] if i in beta else np.r_[shared[:, k], np.zeros(2 * len(around))]
            error += np.sum(weight * (target - design[:, columns] @ mine) ** 2)
            change += np.sum(weight * target**2)
        assert gain[k] == pytest.approx(1 - error / change, abs=1e-8)


def test_each_horizon_has_its_own_path(series):
    worm = series[0]
    paths = {h: path_of(moments_of(series), PENALTY, h).among(worm.names) for h in HORIZONS}
    origins = np.array([60, 77, 130])
    forecasts = direct(paths, worm.z, origins, HORIZONS)
    z = worm.z.astype(np.float64)
    for horizon, path in paths.items():
        for row, origin in enumerate(origins):
            change = sum(path.own[:, lag] * z[origin - lag] for lag in range(LAGS))
            change = change + path.level @ z[origin] + path.change @ (z[origin] - z[origin - 1])
            np.testing.assert_allclose(forecasts[horizon][row], z[origin] + change, rtol=1e-10)
    np.testing.assert_allclose(forecasts[1], paths[1].rolled_out(worm.z, origins, [1])[1])


def random_path(names, lags, size=0.1):
    n = len(names)
    rng = np.random.default_rng(5)
    own_past = rng.normal(0, size, (n, lags))
    level, change = rng.normal(0, size, (2, n, n))
    return LinearPath(tuple(names), own_past, own_past.mean(0), level, change)


def test_rollout_is_a_plain_loop(series):
    worm = series[0]
    path = random_path(worm.names, LAGS)
    origins = np.array([3, 20, 77, 130])
    forecasts = path.rolled_out(worm.z, origins, [1, 2, 9])
    assert list(forecasts) == [1, 2, 9]
    for row, origin in enumerate(origins):
        frames = [worm.z[t].astype(float) for t in range(origin - LAGS + 1, origin + 1)]
        for step in range(1, 10):
            following = frames[-1].copy()
            for i in range(4):
                following[i] += sum(path.own[i, lag] * frames[-1 - lag][i] for lag in range(LAGS))
                following[i] += path.level[i] @ frames[-1] + path.change[i] @ (frames[-1] - frames[-2])
            frames.append(following)
            if step in forecasts:
                np.testing.assert_allclose(forecasts[step][row], following, rtol=1e-10)


def test_a_rollout_that_runs_away_stays_a_number(series):
    path = random_path(series[0].names, LAGS, size=3.0)
    forecasts = path.rolled_out(series[0].z, np.array([50]), [1, 200])
    assert np.isfinite(forecasts[200]).all() and np.abs(forecasts[200]).max() == 50


def parts_of(series, lags=LAGS):
    return [([worm.group], moments_of([worm], lags=lags)) for worm in series]


@pytest.fixture(scope="module")
def coupled(worm_of):
    """Three worms in which neurons differ in their own past and follow levels and changes of others."""
    worms = []
    for k in range(3):
        rng, x = np.random.default_rng(k), np.zeros((500, 5))
        for t in range(2, 500):
            others, moved = np.roll(x[t - 1], 1), np.roll(x[t - 1] - x[t - 2], 2)
            x[t] = np.linspace(0.5, 0.85, 5) * x[t - 1] + 0.15 * others + 0.15 * moved + rng.normal(size=5)
        worms.append(series_of(worm_of(x.astype(np.float32), list(NAMES), worm=f"w{k}"), DataConfig()))
    return worms


def test_the_penalty_of_each_horizon_has_worse_ones_on_both_sides(coupled):
    series = coupled
    products = parts_of(series)
    fitted = fit(products)
    assert fitted.inside

    def score(penalty, k):
        gains = []
        for left in range(3):
            others = moments_of([w for j, w in enumerate(series) if j != left])
            gains.append(products[left][1].gain(others.solve(penalty), others.shared())[k])
        return np.mean(gains)

    for k, horizon in enumerate(HORIZONS):
        best = fitted.penalty[horizon]
        assert fitted.scores[horizon][best] == pytest.approx(score(best, k))
        assert fitted.scores[horizon][best] == max(fitted.scores[horizon].values())
        for axis in ("own", "level", "change"):
            sides = [p for p in fitted.scores[horizon] if dataclasses.replace(p, **{axis: getattr(best, axis)}) == best]
            assert min(getattr(p, axis) for p in sides) < getattr(best, axis) < max(getattr(p, axis) for p in sides)
        whole = path_of(moments_of(series), best, horizon)
        np.testing.assert_allclose(fitted.paths[horizon].level, whole.level)
        for worm in series:
            without = path_of(moments_of([w for w in series if w is not worm]), best, horizon)
            np.testing.assert_allclose(fitted.without[worm.group][horizon].level, without.level)
            np.testing.assert_allclose(fitted.without[worm.group][horizon].own, without.own)


def test_a_search_that_never_ends_is_said_to_lie_at_the_edge(series):
    """Neighbours that say nothing are best without any weight: the penalty grows as far as it may."""
    rng = np.random.default_rng(0)
    alone = []
    for worm in series:
        noise = rng.normal(size=worm.z.shape).astype(np.float32)
        alone.append(
            dataclasses.replace(
                worm, z=noise, signal=noise, mean=0 * worm.mean, sd=1 + 0 * worm.sd, score_sd=np.ones(4)
            )
        )
    fitted = fit(parts_of(alone))
    largest = penalty_at((0, FARTHEST, FARTHEST))
    assert not fitted.inside
    assert any(p.level == largest.level or p.change == largest.change for p in fitted.penalty.values())


def test_with_one_worm_there_is_nothing_to_choose_by(series):
    fitted = fit(parts_of(series[:1]))
    assert set(fitted.penalty.values()) == {START} and not fitted.inside
    assert fitted.without[series[0].group] is fitted.paths


def test_shared_autoregression_is_one_regression_of_all_neurons(series):
    paths, inside = fit_shared([([worm.group], moments_of([worm], lags=3)) for worm in series])
    assert set(paths) == set(HORIZONS) and isinstance(inside, bool)
    for horizon, path in paths.items():
        assert (path.own == path.shared).all() and not path.level.any() and not path.change.any()
        expected = plain_path(series, NAMES, ALLOWED, PENALTY, 3, horizon)[0]
        np.testing.assert_allclose(path.shared, expected, atol=0.04)  # the penalty hardly matters


def test_nothing_that_a_fold_fits_has_seen_its_test_worm(walks):
    base = walks(4, frames=150)
    config = V2Config(evaluate={"horizons": [1, 5], "context": 20}, loss={"chunk": 20, "rollout": 5})
    data = WormData(base, config)
    scored = data.split.folds[2].test[0]
    other = dataclasses.replace(base[scored], signal=np.random.default_rng(8).normal(size=(150, 4)).astype(np.float32))
    changed = WormData(RecordingSet.of([other if g == scored else base[g] for g in base], meta=base.meta), config)
    assert not np.allclose(data.worms[scored].z, changed.worms[scored].z)
    for which in ("linear", "full_linear"):
        first, two = (getattr(d, which)(2) for d in (data, changed))
        assert first.penalty == two.penalty and first.scores == two.scores
        for horizon, name in product((1, 5), ("own", "shared", "level", "change")):
            np.testing.assert_array_equal(getattr(first.paths[horizon], name), getattr(two.paths[horizon], name))
        assert scored not in first.without and set(first.without) == set(data.split.folds[2].train)
    assert (data.scale(2) == changed.scale(2)).all() and not (data.scale(0) == changed.scale(0)).all()
    elsewhere = data.linear(0).paths[1], changed.linear(0).paths[1]
    assert not np.array_equal(elsewhere[0].own, elsewhere[1].own)
