"""S, in which every worm counts the same."""

import numpy as np
import pytest

from neurocli.evaluation.intervals import interval
from neurocli_gat_lstm.evaluation.metrics import ErrorReduction


def test_a_worm_in_which_nothing_changes_counts_nothing() -> None:
    rng, metric = np.random.default_rng(0), ErrorReduction()
    changes = rng.normal(size=(2, 50, 3))
    worms = [metric.statistics(change, 0.5 * change) for change in changes]
    still = metric.statistics(np.zeros((50, 3)), rng.normal(size=(50, 3)))
    assert metric.value(np.stack(worms).sum(0)) == pytest.approx(0.75)
    assert metric.value(np.stack([*worms, still]).sum(0)) == pytest.approx(0.75)
    assert np.isnan(metric.value(still))
    assert interval(metric, np.stack([*worms, still])) == pytest.approx((np.nan, np.nan), nan_ok=True)  # of two worms
    hidden = metric.statistics(changes[0], 0 * changes[0], np.zeros((50, 3), bool))
    assert metric.value(np.stack([*worms, hidden]).sum(0)) == pytest.approx(0.75)


def test_every_worm_counts_the_same_however_much_it_changes() -> None:
    rng, metric = np.random.default_rng(1), ErrorReduction()
    calm, lively = rng.normal(size=(50, 3)), 100 * rng.normal(size=(50, 3))
    statistics = np.stack([metric.statistics(calm, 0 * calm), metric.statistics(lively, lively)])
    assert metric.value(statistics.sum(0)) == pytest.approx(0.5)
