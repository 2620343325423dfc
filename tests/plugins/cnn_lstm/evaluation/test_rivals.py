"""The strongest simple forecasts: their parts against independent references, and the whole against what it is known to reach."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from neurocli.config import resolve
from neurocli.evaluation.target import Predictor
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.evaluation import rivals
from neurocli_cnn_lstm.evaluation.baselines import baselines, wiring
from neurocli_cnn_lstm.evaluation.drives import FEATURES, chosen_weights, features
from neurocli_cnn_lstm.evaluation.trees import fit_trees, predict_trees
from neurocli_cnn_lstm.model.onset_ridge import LAGS, fit_onset_ridge, lagged, onsets
from neurocli_cnn_lstm.simulation.example import small_network

NEURONS = 20


def adapted(recordings: RecordingSet, *sets: str) -> tuple[VoltageData, Any]:
    family = registry().family("cnn-lstm-v2")
    config = resolve(family.Config, sets=("data.burn_in_ms=200", *sets)).config
    data = family.adapt(recordings, config)
    assert isinstance(data, VoltageData)
    return data, config


@pytest.fixture(scope="module")
def fixed() -> VoltageData:
    return adapted(small_network(5, runs=6, duration_ms=3000.0, neurons=NEURONS))[0]


def test_trees_as_arrays_answer_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 4)).astype(np.float32)
    x[:, 3] = rng.integers(0, 3, 3000)  # ties
    y = (np.sin(2 * x[:, 0]) + (x[:, 1] > 0.3) * x[:, 3] + 0.1 * rng.normal(size=3000)).astype(np.float32)
    options = {"max_iter": 25, "learning_rate": 0.2, "max_leaf_nodes": 15, "min_samples_leaf": 20}
    reference = HistGradientBoostingRegressor(early_stopping=False, random_state=0, **options).fit(x, y)
    arrays = fit_trees(x, y, **options)
    new = np.concatenate([rng.normal(size=(500, 4)).astype(np.float32), x[:500]])
    np.testing.assert_allclose(predict_trees(arrays, new), reference.predict(new), atol=1e-5)
    leaves = sum(tree.get_n_leaf_nodes() for (tree,) in reference._predictors)
    assert (
        arrays["number"].size == 2 * leaves - 25 + 1
    )  # a threshold for each split, a value for each leaf, and the start


def test_the_ridge_of_resets_is_least_squares_on_the_rows_that_a_neuron_has(fixed: VoltageData) -> None:
    groups = list(fixed.split.train[:2])
    ridge = fit_onset_ridge(fixed, groups)
    for neuron in (0, NEURONS - 1):
        x, y = [], []
        for group in groups:
            volts = fixed.volts(group).astype(np.float64)
            clamped = fixed.is_reset(volts)
            resets = onsets(clamped).astype(np.float64)
            for t in range(len(volts) - 1):
                if not clamped[t, neuron] and not clamped[t + 1, neuron]:
                    past = [resets[t - lag] if t >= lag else np.zeros(NEURONS) for lag in range(LAGS)]
                    x.append(np.concatenate([*past, [volts[t, neuron] - fixed.reset_mv, 1.0]]))
                    y.append(volts[t + 1, neuron] - fixed.reset_mv)
        a, b = np.array(x), np.array(y)
        penalty = np.diag([1.0] * (LAGS * NEURONS) + [1e-6] * 2)
        expected = np.linalg.solve(a.T @ a + penalty, a.T @ b)
        found = np.concatenate([ridge.weights[:, neuron].ravel(), [ridge.decay[neuron]]])
        np.testing.assert_allclose(found, expected[:-1], atol=2e-3)
        left = b - a @ expected
        covariance = np.linalg.inv(a.T @ a + penalty) * left.var()
        summed = [
            np.sqrt(covariance[k : LAGS * NEURONS : NEURONS, k : LAGS * NEURONS : NEURONS].sum()) for k in range(3)
        ]
        np.testing.assert_allclose(ridge.total_error[neuron, :3], summed, rtol=0.05)


def test_the_ridge_finds_the_synapses_and_their_delay(fixed: VoltageData) -> None:
    true = wiring(fixed, fixed.split.test[0], NEURONS)
    ridge = fit_onset_ridge(fixed, list(fixed.split.train))
    off = ~np.eye(NEURONS, dtype=bool)
    assert np.corrcoef(ridge.total[off], true[off])[0, 1] > 0.9
    inhibitory = true < 0
    first, second, third = (ridge.weights[lag][inhibitory & off].mean() for lag in range(LAGS))
    assert first < -0.5 and second < -0.5 and abs(third) < 0.2  # a delay of 1.5 samples


def test_features_are_of_the_past_and_what_their_names_say(fixed: VoltageData) -> None:
    group = fixed.split.test[0]
    weights = wiring(fixed, group, NEURONS)
    found = features(fixed, group, weights)
    volts = fixed.volts(group)
    resets = onsets(fixed.is_reset(volts))
    assert found.shape == (*volts.shape, len(FEATURES)) and len(FEATURES) == 12
    by_name = {name: found[..., k] for k, name in enumerate(FEATURES)}
    np.testing.assert_allclose(by_name["own voltage, lag 2"][5], (volts[3] + 70) / 10, atol=1e-5)
    t = 40 + int(np.argmax(resets[40:].sum(1)))
    excitation = sum(np.maximum(weights[:, pre], 0) * resets[t, pre] for pre in range(NEURONS))
    np.testing.assert_allclose(by_name["excitation, lag 1"][t + 1], excitation, atol=1e-5)
    since, neuron = 0, int(np.argmax(resets[t]))
    for later in range(t, t + 8):
        since = 0 if fixed.is_reset(volts)[later, neuron] else since + 1
        assert by_name["time since reset"][later, neuron] == pytest.approx(since / 10)
    np.testing.assert_array_equal(lagged(resets, 2)[2:], resets[:-2])


def test_weights_are_those_of_pairs_for_one_network_and_of_senders_for_many(fixed: VoltageData) -> None:
    pairs = chosen_weights(fit_onset_ridge(fixed, list(fixed.split.train)), fixed, list(fixed.split.validation))
    assert pairs.std(0).max() > 0.2
    redrawn, _ = adapted(small_network(5, runs=8, duration_ms=3000.0, neurons=NEURONS, network="redraw"))
    senders = chosen_weights(
        fit_onset_ridge(redrawn, list(redrawn.split.train)), redrawn, list(redrawn.split.validation)
    )
    assert senders.std(0).max() == pytest.approx(0, abs=1e-12)
    assert senders[0, :16].mean() > 0 > senders[0, 16:].mean()


@pytest.mark.parametrize("sets", [('evaluate.rivals="none"',), ("data.reset_flag=off",)])
def test_rivals_that_are_left_out_are_so_in_words(sets: tuple[str, ...]) -> None:
    data, config = adapted(small_network(5, runs=4, duration_ms=1500.0, neurons=8), *sets)
    assert rivals.rivals(data, config) == []
    assert any("left out" in note for note in registry().family("cnn-lstm-v2").notes(data, config))


def scored(data: VoltageData, config: Any, chosen: list[Predictor]) -> dict[str, dict[str, float]]:
    """R2 in z by predictor and horizon."""
    found: dict[str, dict[str, float]] = {}
    for target in registry().family("cnn-lstm-v2").targets(data, config):
        y = np.concatenate([data.normalisation.z(target.values[g]) for g in target.groups]).astype(np.float64)
        for predictor in chosen:
            prediction = predictor.predict(target)
            assert prediction is not None
            p = np.concatenate([data.normalisation.z(prediction.values[g]) for g in target.groups])
            found.setdefault(predictor.name, {})[target.name] = (
                1 - np.square(y - p).sum() / np.square(y - y.mean()).sum()
            )
    return found


@pytest.mark.slow
def test_rivals_beat_the_table_on_seconds_of_data(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path))
    small = rivals.Effort(None, (250_000, 20_000), (60, 10), 500_000, (900, 300))
    monkeypatch.setitem(rivals.EFFORTS, "quick", small)
    recordings = small_network(5, runs=6, duration_ms=5000.0, neurons=60)
    data, config = adapted(recordings, "evaluate.horizons_ms=[1, 2]", "evaluate.probe_stride=3")
    chosen = [
        p
        for p in baselines(data, config, flags=True)
        if p.name in ("table + clamp flags", "trees on drives", "MLP on drives")
    ]
    r2 = scored(data, config, chosen)
    for name in ("trees on drives", "MLP on drives"):
        assert r2[name]["1 ms"] > r2["table + clamp flags"]["1 ms"], r2
        assert r2[name]["2 ms"] > r2["table + clamp flags"]["2 ms"] - 0.02, r2
    for predictor in chosen[1:]:
        cost = predictor.cost()
        assert cost is not None and cost.cpu_s is not None and cost.cpu_s > 0
        assert cost.parameters is not None and cost.parameters > LAGS * NEURONS**2


REFEREE = {"trees on drives": 0.0105, "MLP on drives": 0.0110}
"""R2 above the table with flags, as found by others on another network (.7807 and .7812 against .7702)."""


@pytest.mark.slow
def test_rivals_reach_what_others_found_and_their_quick_forms_nearly_do(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network of its own. Between networks the gain over the table has a standard deviation of about .0006."""
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path))
    recordings = small_network(11, runs=20, duration_ms=10_000.0, neurons=100)
    r2 = {}
    for choice in ("quick", "full"):
        data, config = adapted(
            recordings, "evaluate.horizons_ms=[1]", "data.burn_in_ms=800", f"evaluate.rivals={choice}"
        )
        named = [*REFEREE, "table + clamp flags"]
        r2[choice] = scored(data, config, [p for p in baselines(data, config, flags=True) if p.name in named])
    for name, gain in REFEREE.items():
        full = r2["full"][name]["1 ms"] - r2["full"]["table + clamp flags"]["1 ms"]
        assert gain - 0.0015 < full < gain + 0.004, r2
        assert r2["quick"][name]["1 ms"] > r2["full"][name]["1 ms"] - 0.002, r2
