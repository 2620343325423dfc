"""The exponential of compiled loops against numpy's in double precision."""

from __future__ import annotations

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from neurocli.training.fast_exp import exp_minus  # noqa: E402


@numba.njit
def _exp(x, scale, power, out):
    exp_minus(x, scale, power, out)
    factor = power.view(np.float32)
    for k in range(len(x)):
        out[k] *= factor[k]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_it_is_numpys_to_single_precision(scale):
    rng = np.random.default_rng(0)
    x = np.concatenate([[0.0, -0.0], rng.normal(size=5000) * 8, rng.uniform(-43, 43, 5000)]).astype(np.float32)
    out, power = np.empty_like(x), np.empty(len(x), np.int32)
    _exp(x, np.float32(scale), power, out)
    expected = np.exp(-scale * np.abs(x.astype(np.float64)))
    # What enters is rounded to single precision too, which counts by its size.
    assert (np.abs(out / expected - 1) < 1.2e-7 * (3 + scale * np.abs(x))).all()
    assert (out[:2] == 1).all()


def test_far_out_it_stays_small_and_finite():
    x = np.array([90.0, -1e4, 3e38, np.inf, -np.inf], np.float32)
    out, power = np.empty_like(x), np.empty(len(x), np.int32)
    _exp(x, np.float32(1), power, out)
    assert np.isfinite(out).all() and ((out > 0) & (out < 3e-38)).all()
