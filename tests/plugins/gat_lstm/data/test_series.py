"""A worm as z-scores: against numpy, with missing samples, gaps in time and resampling."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from neurocli.errors import DataError
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.data.series import series_of

RNG = np.random.default_rng(0)


def traces(frames=300, neurons=4):
    return (3 + np.cumsum(RNG.normal(size=(frames, neurons)), 0) * [0.1, 1, 10, 100][:neurons]).astype(np.float32)


def test_z_scores_of_the_whole_recording_in_its_own_unit(worm_of):
    signal = traces()
    worm = series_of(worm_of(signal), DataConfig(normalisation="whole"))
    expected = (signal - signal.mean(0, dtype=np.float64)) / signal.std(0, dtype=np.float64)
    np.testing.assert_allclose(worm.scored(signal), expected, atol=1e-5)
    np.testing.assert_allclose(worm.z, expected, atol=1e-5)
    np.testing.assert_allclose(worm.mean + worm.sd * worm.z, signal, rtol=1e-4, atol=1e-4)
    assert worm.known.all() and worm.segments == ((0, 300),) and worm.dt_ms == pytest.approx(300)


def test_missing_samples_count_nowhere_and_hold_the_last_value(worm_of):
    signal = traces()
    mask = np.ones(signal.shape, bool)
    mask[:5, 0] = mask[50:60, 0] = mask[290:, 2] = False
    signal[~mask] = 1e9
    signal[55, 0] = np.nan
    signal[70, 1] = np.nan  # not masked, and still no number
    worm = series_of(worm_of(signal, mask=mask), DataConfig(normalisation="whole"))
    valid = mask & np.isfinite(signal)
    assert (worm.known == valid).all()
    for k in range(4):
        known = signal[valid[:, k], k].astype(np.float64)
        np.testing.assert_allclose(worm.z[valid[:, k], k], (known - known.mean()) / known.std(), atol=1e-5)
    assert (worm.z[:5, 0] == 0).all()
    assert (worm.z[50:60, 0] == worm.z[49, 0]).all()
    assert worm.z[70, 1] == worm.z[69, 1]
    assert (worm.z[290:, 2] == worm.z[289, 2]).all()


def test_running_statistics_are_those_of_all_frames_up_to_now(worm_of):
    signal = traces()
    mask = np.ones(signal.shape, bool)
    mask[:4, 1] = mask[40:50, 2] = False
    worm = series_of(worm_of(signal, mask=mask), DataConfig())
    for t in (0, 3, 7, 45, 120, 299):
        for k in range(4):
            known = signal[: t + 1, k][mask[: t + 1, k]].astype(np.float64)
            if not len(known):
                assert (worm.mean[t, k], worm.sd[t, k], worm.z[t, k]) == (0, 0, 0)
                continue
            assert worm.mean[t, k] == pytest.approx(known.mean(), rel=1e-9)
            assert worm.sd[t, k] == pytest.approx(known.std(), rel=1e-6, abs=1e-12)
            if known.std():
                assert worm.z[t, k] == pytest.approx((known[-1] - known.mean()) / known.std(), abs=1e-5)


def test_running_statistics_survive_a_large_offset(worm_of):
    signal = traces().astype(np.float64)[:, :2] * 1e-2 + 1e3
    worm = series_of(worm_of(signal.astype(np.float32)), DataConfig())
    exact = signal.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(worm.sd[-1], exact.std(0), rtol=1e-6)


@pytest.mark.parametrize("normalisation", ["causal", "start"])
def test_the_past_knows_no_future(worm_of, normalisation):
    options = DataConfig(normalisation=normalisation, start_s=30.0)
    series = traces()
    other = series.copy()
    other[150:] = 7 * other[150:] + 100
    first, second = (series_of(worm_of(x), options) for x in (series, other))
    assert first.burn_in == 75  # a quarter of the recording is less than 30 s
    for name in ("z", "mean", "sd"):
        np.testing.assert_array_equal(getattr(first, name)[:150], getattr(second, name)[:150])
    assert not np.array_equal(first.score_sd, second.score_sd)
    if normalisation == "start":
        np.testing.assert_allclose(first.z[:75].mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(first.z[:75].std(0), 1, atol=1e-5)
    assert not np.allclose(first.z.mean(0), 0, atol=0.1)


def test_forecasts_go_back_to_the_unit_of_the_recording(worm_of):
    signal = traces()
    worm = series_of(worm_of(signal), DataConfig())
    at = np.array([80, 150, 290])
    np.testing.assert_allclose(worm.in_signal(at, worm.ahead(at, 7)), signal[at + 7], rtol=1e-5, atol=1e-4)
    error = 0.3 * np.ones((3, 4))
    np.testing.assert_allclose(
        worm.weight(at) * error**2, (worm.scored(signal[at] + error * worm.sd[at]) - worm.scored(signal[at])) ** 2
    )


def test_no_forecast_is_made_in_the_burn_in(worm_of):
    worm = series_of(worm_of(traces(3000)), DataConfig())
    assert worm.burn_in == 400  # 120 s of 0.3 s
    assert worm.origins(50, 5)[0] == 399 and worm.windows(20)[0] == 399
    short = series_of(worm_of(traces(300)), DataConfig())
    assert short.burn_in == 75 and short.origins(50, 5)[0] == 74 and short.origins(90, 5)[0] == 89


def test_neurons_are_chosen_by_the_burn_in(worm_of):
    """Whether a neuron is there and varies later is no more known than its values."""
    signal = traces()
    signal[:75, 1] = 2.0
    mask = np.ones(signal.shape, bool)
    mask[75:, 2] = False
    mask[:50, 3] = False
    assert series_of(worm_of(signal, mask=mask), DataConfig()).names == ("AVAL", "AVBL")


def test_only_identified_neurons_that_vary_and_are_mostly_there(worm_of):
    signal = traces()
    signal = np.column_stack([signal, np.full(300, 2.0), RNG.normal(size=300)]).astype(np.float32)
    mask = np.ones(signal.shape, bool)
    mask[:70, 1] = False
    names = ["AVAL", "AVAR", "unidentified-3", "AVBL", "RIML", "RIMR"]
    recording = worm_of(signal, names, mask=mask)
    assert series_of(recording, DataConfig()).names == ("AVAL", "AVBL", "RIMR")
    assert series_of(recording, DataConfig(neurons="all")).names == ("AVAL", "unidentified-3", "AVBL", "RIMR")


@pytest.mark.parametrize("case", ["all masked", "one neuron", "constant", "no names"])
def test_a_worm_of_which_nothing_is_left_is_refused(worm_of, case):
    signal, mask, names = traces(), None, None
    if case == "all masked":
        mask = np.zeros(signal.shape, bool)
    elif case == "one neuron":
        signal = signal[:, :1]
    elif case == "constant":
        signal = np.ones_like(signal)
    else:
        names = [f"unidentified-{k + 1}" for k in range(4)]
    with pytest.raises(DataError, match=r"identified neurons? with a signal") as error:
        series_of(worm_of(signal, names, mask=mask), DataConfig())
    assert "lab-w0" in str(error.value.where) and error.value.hint


def test_windows_and_origins_never_cross_a_gap(worm_of):
    time_s = np.cumsum(np.r_[0.0, np.full(299, 0.3)])
    time_s[100:] += 5.0
    time_s[180:] += 0.2  # a step of 0.5 s is longer than one and a half frames
    time_s[250:] += 0.1  # a step of 0.4 s is not
    worm = series_of(worm_of(traces(), time_s=time_s), DataConfig())
    assert worm.segments == ((0, 100), (100, 180), (180, 300))
    inside = {t: s for s, (start, stop) in enumerate(worm.segments) for t in range(start, stop)}

    def whole(first, last):
        return first >= 0 and last < 300 and inside[first] == inside[last]

    assert worm.origins(20, 7).tolist() == [t for t in range(74, 300) if whole(t - 19, t + 7)]
    assert worm.windows(13).tolist() == [t for t in range(74, 300) if whole(t, t + 12)]
    assert worm.windows(81).tolist() == [t for t in range(74, 300) if whole(t, t + 80)]
    assert not len(worm.windows(121))
    strided = worm.origins(20, 7, stride=5)
    assert set(strided) < set(worm.origins(20, 7)) and set(np.diff(strided)) >= {5}


def test_a_frame_of_another_step_holds_the_sample_before_it(worm_of):
    signal = traces()
    time_s = np.arange(300) * 0.3
    time_s[150:] += 20.0
    for dt in (200.0, 300.0, 700.0):
        worm = series_of(worm_of(signal, time_s=time_s), DataConfig(dt=dt))
        grid = np.concatenate(
            [np.arange(0, time_s[149] - 1e-9, dt / 1e3), np.arange(time_s[150], time_s[-1], dt / 1e3)]
        )
        before = np.searchsorted(time_s, grid + 1e-9, side="right") - 1
        np.testing.assert_array_equal(worm.sample, before)
        np.testing.assert_array_equal(worm.signal, signal[before])


def test_the_published_way_interpolates_inside_segments(worm_of):
    signal = traces()
    time_s = np.arange(300) * 0.3
    time_s[150:] += 20.0
    worm = series_of(worm_of(signal, time_s=time_s), DataConfig(dt=500.0, normalisation="whole"))
    assert worm.dt_ms == 500 and len(worm.segments) == 2
    (_, middle), (second, stop) = worm.segments
    assert middle == second == 90 and stop == worm.frames == 180
    back = worm.mean + worm.sd * worm.z.astype(np.float64)
    grid = np.r_[np.arange(90) * 0.5, time_s[150] + np.arange(90) * 0.5]
    expected = np.stack([np.interp(grid, time_s, signal[:, k]) for k in range(4)], 1)
    np.testing.assert_allclose(back, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("how", ["causal", "whole"])
def test_resampling_with_missing_samples_loses_no_neuron_and_takes_nothing_from_them(worm_of, how):
    signal = traces()
    mask = np.ones(signal.shape, bool)
    mask[100:103, 1] = False
    garbage, holes = signal.copy(), signal.copy()
    garbage[~mask], holes[~mask] = 1e6, np.nan
    first, other = (series_of(worm_of(x, mask=mask), DataConfig(dt=200.0, normalisation=how)) for x in (garbage, holes))
    assert first.names == other.names == ("AVAL", "AVAR", "AVBL", "AVBR")
    assert np.isfinite(first.z).all() and (first.z == other.z).all()
    assert np.abs(first.z).max() < 10
    assert not first.known[:, 1].all() and first.known[:, 0].all()


@pytest.mark.parametrize("dt", [0.0, -300.0])
def test_a_step_of_no_length_is_refused(dt):
    with pytest.raises(ValidationError):
        DataConfig(dt=dt)
