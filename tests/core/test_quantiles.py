"""Quantiles of numbers that come part by part are numpy's own, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from neurocli.evaluation.quantiles import quantiles

AT = [0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0]


@pytest.mark.parametrize(("scale", "digits"), [(1.0, 7), (1.0, 1), (1e-3, 9), (1e6, 2), (0.0, 1)])
def test_quantiles_are_those_of_numpy(scale: float, digits: int) -> None:
    rng = np.random.default_rng(0)
    parts = [(scale * rng.normal(size=n)).round(digits).astype(np.float32) for n in (1000, 3333, 1)]
    parts.append(np.array([-0.0, 0.0, 1e-40, -1e-40, 3e38, -3e38], np.float32))
    together = np.concatenate(parts).astype(np.float64)
    np.testing.assert_array_equal(quantiles(lambda: iter(parts), AT), np.quantile(together, AT))


def test_a_single_number() -> None:
    np.testing.assert_array_equal(quantiles(lambda: [np.array([-2.5], np.float32)], [0.0, 0.3, 1.0]), -2.5)
