"""The reference loop and the oracle, against each other and against a slow and plain calculation."""

import numpy as np
import pytest

from neurocli.config import resolve
from neurocli.evaluation.target import Predictor
from neurocli.plugin.registry import registry
from neurocli_cnn_lstm.evaluation.baselines import ORACLE_SEED, wiring
from neurocli_cnn_lstm.simulation.example import small_network
from neurocli_cnn_lstm.simulation.oracle import forecast
from neurocli_cnn_lstm.simulation.oracle_exact import applies, exact_forecast
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig, parameters_of
from neurocli_cnn_lstm.simulation.reference_loop import draw_weights, simulate_reference, weights_from


def _quiet(**changes: float) -> BrunelConfig:
    """No noise and no input: spikes come only from a start spread over both sides of threshold."""
    values = {"noise_mv": 0.0, "external_inputs": 0, "start_sd_mv": 40.0, "duration_ms": 40.0, "j_mv": 2.0}
    return BrunelConfig(**({"probability": 0.3} | values | changes))


def test_reference_has_the_published_statistics() -> None:
    config = BrunelConfig(duration_ms=4000)
    rates, samples = [], []
    for run in range(4):
        voltage, step, channel = simulate_reference(config, draw_weights(config, run), seed=run)
        rates.append(len(step) / config.neurons / 4)
        samples.append(voltage[800:])
    v = np.concatenate(samples)
    assert voltage.shape == (4000, 100) and voltage.dtype == np.float32
    assert np.mean(rates) == pytest.approx(30.0, abs=1.5)
    assert v.mean() == pytest.approx(-57.74, abs=0.25) and v.std() == pytest.approx(5.79, abs=0.15)
    assert (v == -70).mean() == pytest.approx(0.0597, abs=0.004)
    assert (np.diff(step) >= 0).all() and channel.max() < 100


def test_a_spike_clamps_for_twenty_steps() -> None:
    config = BrunelConfig(duration_ms=300, record_ms=0.1)
    voltage, step, channel = simulate_reference(config, draw_weights(config, 0), seed=5)
    inside = step < len(voltage) - 25
    for s, i in zip(step[inside], channel[inside], strict=True):
        assert voltage[s, i] > -51  # the step's start: below or about threshold, not yet reset
        assert (voltage[s + 1 : s + 21, i] == -70).all() and voltage[s + 21, i] != -70


def test_a_spike_arrives_after_the_delay() -> None:
    # Neuron 0 is pushed over threshold by its start; the others rest, as far below as they can be told apart.
    config = _quiet(neurons=3, record_ms=0.1, start_sd_mv=25.0, delay_ms=1.5)
    weights = weights_from(np.array([0]), np.array([1]), np.array([3.0]), 3)
    for seed in range(200):
        voltage, step, channel = simulate_reference(config, weights, seed)
        if list(channel) == [0] and voltage[0, 1] < -55:
            break
    s = step[0]
    decayed = -70 + (voltage[s + 15, 1] + 70) * 0.99
    assert voltage[s + 16, 1] == pytest.approx(decayed + 3.0, abs=1e-4)
    assert voltage[s + 15, 1] == pytest.approx(-70 + (voltage[s + 14, 1] + 70) * 0.99, abs=1e-4)


@pytest.mark.parametrize(("delay", "refractory"), [(1.5, 2.0), (0.0, 0.0), (2.5, 1.0)])
def test_without_noise_the_oracle_continues_the_run_exactly(delay: float, refractory: float) -> None:
    config = _quiet(delay_ms=delay, refractory_ms=refractory)
    weights = draw_weights(config, 3)
    voltage, step, channel = simulate_reference(config, weights, seed=4)
    assert len(step) > 20
    origins, horizons = np.arange(0, 20), [1.0, 2.0, 5.0, 10.0]
    mean, variance = forecast(config, weights, voltage, step, channel, origins, horizons, branches=3, seed=0)
    for h, ms in enumerate(horizons):
        np.testing.assert_allclose(mean[h], voltage[origins + int(ms)], atol=1e-4)
    assert variance.max() < 1e-8


def _plain_branch(config, weights, voltage, step, channel, origin, ms, rng):  # type: ignore[no-untyped-def]
    """One branch from one origin, written out with the network's rules and numpy's random numbers."""
    s0, n = origin * 10, config.neurons
    v, free_from = voltage[origin].astype(float), np.zeros(n)
    spikes = {s: list(channel[step == s]) for s in range(s0 - 20, s0)}
    for s in spikes:
        free_from[spikes[s]] = s + 20
    for s in range(s0, s0 + 10 * ms):
        free = s >= free_from
        v[free] += 0.01 * (-70 - v[free]) + 0.05 * rng.normal(size=free.sum())
        fired = np.flatnonzero(free & (v > -50))
        spikes[s], free_from[fired] = list(fired), s + 20
        arriving = weights[:, spikes.get(s - 15, [])].sum(1) + 0.5 * rng.binomial(8, 0.05, n)
        free = s >= free_from
        v[free] += arriving[free]
        v[fired] = -70
    return v


def test_the_oracle_agrees_with_plain_monte_carlo() -> None:
    config = BrunelConfig(duration_ms=500)
    weights = draw_weights(config, 1)
    voltage, step, channel = simulate_reference(config, weights, seed=2)
    origin, rng = 433, np.random.default_rng(0)
    plain = np.array([_plain_branch(config, weights, voltage, step, channel, origin, 3, rng) for _ in range(1500)])
    mean, variance = forecast(config, weights, voltage, step, channel, np.array([origin]), [3.0], 20_000, seed=1)
    error = plain.var(0, ddof=1) / len(plain)
    z = (plain.mean(0) - mean[0, 0]) / np.sqrt(error + variance[0, 0] + 1e-12)
    assert np.abs(z).max() < 4.5 and 0.7 < z.std() < 1.3
    spread = variance[0, 0].mean() * 20_000
    assert spread == pytest.approx(plain.var(0, ddof=1).mean(), rel=0.05)


def test_forecasts_depend_on_the_seed_and_the_origin_alone() -> None:
    config = BrunelConfig(duration_ms=900)
    weights = draw_weights(config, 1)
    run = simulate_reference(config, weights, seed=2)
    origins = np.arange(100, 800)
    mean, _ = forecast(config, weights, *run, origins, [1.0, 2.0], 4, seed=1)
    threaded, _ = forecast(config, weights, *run, origins, [1.0, 2.0], 4, seed=1, threads=2)
    some, _ = forecast(config, weights, *run, origins[::-7], [1.0, 2.0], 4, seed=1)
    other, _ = forecast(config, weights, *run, origins, [1.0, 2.0], 4, seed=2)
    np.testing.assert_array_equal(mean, threaded)
    np.testing.assert_array_equal(mean[:, ::-7], some)
    assert (mean != other).mean() > 0.9


def test_the_variance_is_that_of_the_mean() -> None:
    config = BrunelConfig(duration_ms=400)
    weights = draw_weights(config, 1)
    run = simulate_reference(config, weights, seed=2)
    repeats = [forecast(config, weights, *run, np.arange(200, 300), [1.0], 8, seed=s) for s in range(40)]
    seen = np.var([m for m, _ in repeats], axis=0, ddof=1).mean()
    assert np.mean([v for _, v in repeats]) == pytest.approx(seen, rel=0.05)


def test_what_cannot_be_forecast_is_refused() -> None:
    config = BrunelConfig(duration_ms=100)
    weights = draw_weights(config, 1)
    voltage, step, channel = simulate_reference(config, weights, seed=2)
    with pytest.raises(ValueError, match="all 100"):
        forecast(config, weights, voltage[:, :50], step, channel, np.array([5]), [1.0], 2, 0)
    with pytest.raises(ValueError, match="within the record"):
        forecast(config, weights, voltage, step, channel, np.array([100]), [1.0], 2, 0)
    with pytest.raises(ValueError, match="increase"):
        forecast(config, weights, voltage, step, channel, np.array([5]), [2.0, 1.0], 2, 0)


def test_without_branches_the_oracle_says_what_plain_monte_carlo_says() -> None:
    config = BrunelConfig(duration_ms=500)
    weights = draw_weights(config, 1)
    voltage, step, channel = simulate_reference(config, weights, seed=2)
    origin, rng = 433, np.random.default_rng(0)
    plain = np.array([_plain_branch(config, weights, voltage, step, channel, origin, 1, rng) for _ in range(2500)])
    exact = exact_forecast(config, weights, voltage, step, channel, np.array([origin]), 1.0)[0]
    error = np.sqrt(plain.var(0, ddof=1) / len(plain))
    free = error > 0
    z = (plain.mean(0) - exact)[free] / error[free]
    assert np.abs(z).max() < 4.5 and 0.7 < z.std() < 1.3
    np.testing.assert_allclose(exact[~free], plain[0][~free], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "horizon"),
    [
        ({}, 1.0),
        ({}, 1.5),
        ({"delay_ms": 3.0, "refractory_ms": 3.0}, 3.0),
        ({"record_ms": 0.5, "g": 3.3, "noise_mv": 1.0}, 1.0),
        ({"external_inputs": 20, "j_mv": 0.3}, 1.0),
    ],
)
def test_without_branches_the_oracle_says_what_branches_say(changes: dict[str, float], horizon: float) -> None:
    """Over voltages and spikes of every kind, origins in any order and closer together than the horizon."""
    config = BrunelConfig(duration_ms=400, **changes)
    weights = draw_weights(config, 1)
    run = simulate_reference(config, weights, seed=2)
    origins = np.concatenate([np.arange(150, 190), np.arange(300, 260, -1)])
    assert applies(config, horizon)
    exact = exact_forecast(config, weights, *run, origins, horizon)
    mean, variance = forecast(config, weights, *run, origins, [horizon], 1500, seed=1)
    unsure = variance[0] > 1e-6
    z = (mean[0] - exact)[unsure] / np.sqrt(variance[0][unsure])
    assert np.abs(z).max() < 5.5 and abs(z.mean()) < 0.05 and 0.93 < z.std() < 1.07
    np.testing.assert_allclose(mean[0][~unsure], exact[~unsure], atol=0.05)


def _volley(*weights_mv: float):  # type: ignore[no-untyped-def]
    """Neurons 0 and 1 spiked 1.5 and 1.1 ms before origin 20; the others lie from far below threshold to far above it."""
    config = BrunelConfig(duration_ms=100)
    weights = np.zeros((100, 100))
    weights[2:, : len(weights_mv)] = weights_mv
    voltage = np.full((21, 100), -70.0, np.float32)
    voltage[20, 2:] = np.r_[np.linspace(-67, -49, 90), np.linspace(-48, -38, 8)]
    return config, weights, voltage, np.array([185, 189]), np.array([0, 1])


@pytest.mark.parametrize("weights_mv", [(10.0,), (12.0,), (-8.0, 11.0), (5.0, 5.0)])
def test_without_branches_many_spikes_at_once_are_answered_as_by_plain_monte_carlo(
    weights_mv: tuple[float, ...],
) -> None:
    known, rng = _volley(*weights_mv), np.random.default_rng(0)
    exact = exact_forecast(*known, np.array([20]), 1.0)[0]
    plain = np.array([_plain_branch(*known, 20, 1, rng) for _ in range(1500)])
    error = np.sqrt(plain.var(0, ddof=1) / len(plain))
    free = error > 1e-3
    z = (plain.mean(0) - exact)[free] / error[free]
    assert free.sum() > 20 and np.abs(z).max() < 4.5 and 0.7 < z.std() < 1.3
    np.testing.assert_allclose(exact[~free], plain.mean(0)[~free], atol=0.05)


def test_volleys_beyond_every_grid_are_left_to_branches_and_change_no_other_forecast() -> None:
    recordings = small_network(0, runs=5, duration_ms=600.0, neurons=20)
    family = registry().family("cnn-lstm-v2")
    config = resolve(family.Config, sets=["data.burn_in_ms=50", "evaluate.oracle_branches=32"]).config
    recordings.truth["weight_mv"] = np.where(recordings.truth["pre"] == 3, 30.0, recordings.truth["weight_mv"])
    data = family.adapt(recordings, config)
    target, oracle = family.targets(data, config)[0], family.ceiling(data, config)
    group = target.groups[0]
    recording, origins = recordings[group], target.origins[group]
    assert isinstance(oracle, Predictor) and target.horizon_steps == 1 and recording.spikes is not None
    known = (
        parameters_of(recordings),
        wiring(data, group, 20),
        recording.signal,
        recording.spikes.step,
        recording.spikes.channel,
    )
    exact = exact_forecast(*known, origins, 1.0)
    branched = forecast(*known, origins, [1.0], 32, ORACLE_SEED)[0][0]
    open_ = np.isnan(exact)
    assert 0 < open_.mean() < 0.2
    np.testing.assert_array_equal(oracle.predict(target).values[group], np.where(open_, branched, exact))
    alone = exact_forecast(*known, origins[~open_.any(1)], 1.0)
    np.testing.assert_allclose(alone, exact[~open_.any(1)], atol=1e-5)


def test_where_spikes_answer_spikes_branches_are_needed() -> None:
    config = BrunelConfig(duration_ms=100)
    assert not applies(config, 1.6)  # a spike arrives after 1.5 ms
    assert not applies(config.model_copy(update={"refractory_ms": 0.5}), 1.0)
    run = simulate_reference(config, draw_weights(config, 1), seed=2)
    with pytest.raises(ValueError, match="too far ahead"):
        exact_forecast(config, draw_weights(config, 1), *run, np.array([5]), 2.0)
