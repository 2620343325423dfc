"""The table baseline against functions that are known."""

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_cnn_lstm.evaluation.table import TableForecast


def _pairs(now: np.ndarray, later: np.ndarray) -> np.ndarray:
    """A run [2, neuron] whose horizon-1 pairs are exactly (now, later)."""
    return np.stack([now, later])


def test_table_recovers_a_known_function() -> None:
    rng = np.random.default_rng(0)
    now = rng.uniform(-70, -48, 200_000)
    law = np.where(now > -51, -65.0, -70 + 0.8 * (now + 70))
    table = TableForecast().fit([_pairs(now, law + rng.normal(0, 1, now.size))], 1)
    probe = np.array([[-70.0, -60.0, -55.0, -49.0]])
    np.testing.assert_allclose(table.predict(probe), [[-70.0, -62.0, -58.0, -65.0]], atol=0.15)
    assert table.parameters <= 180


def test_table_is_the_mean_of_each_bin_over_all_runs() -> None:
    rng = np.random.default_rng(1)
    runs = [rng.normal(-58, 6, (300, 7)).astype(np.float32) for _ in range(3)]
    table = TableForecast(bin_mv=0.5).fit(runs, 3)
    now = np.concatenate([r[:-3].ravel() for r in runs]).astype(np.float64)
    later = np.concatenate([r[3:].ravel() for r in runs]).astype(np.float64)
    for centre in (-62.0, -58.5, -55.0):
        inside = np.abs(now - centre) < 0.25
        assert table.predict(np.array([[centre]]))[0, 0] == pytest.approx(later[inside].mean(), abs=1e-9)


def test_empty_bins_are_interpolated_and_the_outside_is_clipped() -> None:
    table = TableForecast(bin_mv=1.0).fit([_pairs(np.array([-70.0, -66.0]), np.array([-68.0, -60.0]))], 1)
    forecast = table.predict(np.array([[-80.0, -70.0, -68.0, -66.0, -40.0, np.nan]]))
    np.testing.assert_allclose(forecast, [[-68.0, -68.0, -64.0, -60.0, -60.0, np.nan]])


def test_flags_tell_a_fresh_clamp_from_an_old_one() -> None:
    # A neuron is clamped for two samples and then at -60: only the previous sample tells the two apart.
    voltage = np.tile(np.array([-55.0, -70.0, -70.0, -60.0]), 50)[:, None]
    plain = TableForecast().fit([voltage], 1).predict(voltage)[4:, 0]
    flagged = TableForecast(flags=True).fit([voltage], 1).predict(voltage)[4:-1, 0]
    assert plain[1] == pytest.approx(-65.0, abs=0.2)
    np.testing.assert_allclose(flagged, voltage[5:, 0], atol=1e-9)


def test_too_short_a_run_is_an_error() -> None:
    with pytest.raises(DataError, match="horizon"):
        TableForecast().fit([np.zeros((3, 2))], 5)
