"""The simulated worms: determinism, the network's promises, the dynamics against plain loops, and what can be found."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from neurocli.errors import ConfigError, DataError
from neurocli.plugin.cards import SimulatorCard
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.engine import simulate
from neurocli_gat_lstm.graph.connectome import load_connectome
from neurocli_gat_lstm.simulation.dynamics import coloured_noise, command_states, integrate, low_passed
from neurocli_gat_lstm.simulation.example import small_worms
from neurocli_gat_lstm.simulation.network import _network, network_of, recorded_names
from neurocli_gat_lstm.simulation.parameters import CelegansConfig
from neurocli_gat_lstm.simulation.simulator import CelegansSimulator, simulate_worm
from neurocli_gat_lstm.simulation.summary import weight_matrix

SMALL = CelegansConfig(neurons=20, hidden=10, duration_s=60)


@pytest.fixture(scope="module")
def simulator() -> CelegansSimulator:
    card = SimulatorCard(
        name="celegans", summary="test", implementation="neurocli_gat_lstm.simulation.simulator:CelegansSimulator"
    )
    return CelegansSimulator(card)


def same(first, second) -> bool:
    return (
        np.array_equal(first.signal, second.signal)
        and first.channels == second.channels
        and first.dt_ms == second.dt_ms
        and all(np.array_equal(first.truth[key], second.truth[key]) for key in first.truth)
    )


def test_a_worm_is_a_function_of_configuration_and_index():
    first = simulate_worm(SMALL, 3)
    _network.cache_clear()
    assert same(first, simulate_worm(SMALL, 3))
    for other in ({"seed": 1}, {"network_seed": 2}, {"command": 0.0}):
        assert not np.array_equal(simulate_worm(SMALL.model_copy(update=other), 3).signal, first.signal)
    assert not np.array_equal(simulate_worm(SMALL, 4).signal, first.signal)


def test_options_of_optics_do_not_change_the_voltages():
    first = simulate_worm(SMALL, 3)
    for other in ({"measurement_noise": 1.0}, {"gain": 3.0}, {"bleaching": 0.5}):
        changed = simulate_worm(SMALL.model_copy(update=other), 3)
        assert np.array_equal(changed.truth["v"], first.truth["v"])
        assert not np.array_equal(changed.signal, first.signal)


def test_the_engine_makes_the_same_worms(simulator, tmp_path):
    simulated = simulate(simulator, SMALL, runs=3, out=tmp_path / "worms.h5", workers=1)
    assert simulated.groups == [f"simulated-net1-seed0-000{k}" for k in range(3)]
    for index, group in enumerate(simulated):
        direct = simulate_worm(SMALL, index)
        assert same(simulated[group], direct) and direct.group == group
        assert simulated[group].labels == direct.labels
        assert np.array_equal(simulated[group].events["state"], direct.events["state"])
    shared = network_of(SMALL).truth()
    assert simulated.truth.keys() == shared.keys()
    for key, values in shared.items():
        assert np.array_equal(simulated.truth[key], values) and simulated.truth[key].dtype == values.dtype


def test_a_worm_is_laid_out_as_a_recorded_one():
    worm = simulate_worm(SMALL, 0)
    names = recorded_names(network_of(SMALL).truth())
    assert worm.signal.dtype == np.float32 and worm.signal.shape == (174, 20) and worm.mask is None
    assert worm.unit == "dF/F0" and worm.labels["indicator"] == "gcamp"
    assert np.allclose(np.diff(worm.events["time_s"]) * 1e3, worm.dt_ms)
    for column, (name, neuron) in enumerate(zip(worm.channels, worm.truth["neuron"], strict=True), start=1):
        assert name in (names[neuron], f"unidentified-{column}")
    assert sorted(worm.truth["neuron"]) == list(range(20))
    assert set(np.unique(worm.events["state"])) <= {0, 1}


def test_worms_differ_in_names_order_and_frame_rate():
    config = SMALL.model_copy(update={"hidden": 0, "duration_s": 20.0})
    worms = [simulate_worm(config, index) for index in range(40)]
    known = np.mean([sum(not name.startswith("unid") for name in worm.channels) for worm in worms]) / 20
    assert known == pytest.approx(0.85, abs=0.05)
    rates = np.array([1e3 / worm.dt_ms for worm in worms])
    assert np.median(rates) == pytest.approx(2.9, rel=0.02) and np.log(rates).std() == pytest.approx(0.02, rel=0.4)
    assert len({tuple(worm.truth["neuron"]) for worm in worms}) == 40


@pytest.mark.parametrize("seed", [1, 2])
def test_edges_are_those_of_the_connectome_but_for_silenced_and_added_ones(seed):
    config = CelegansConfig(network_seed=seed)
    truth, cook = network_of(config).truth(), load_connectome("cook2019")
    names = recorded_names(truth)
    assert len(set(names)) == 60 and set(names) <= set(cook.neurons)
    real = {(cook.neurons[a], cook.neurons[b]) for a, b in zip(cook.pre, cook.post, strict=True)}
    among = {(a, b) for a, b in real if a in names and b in names}
    edges = [(names[a], names[b]) for a, b in zip(truth["pre"], truth["post"], strict=True)]
    assert len(set(edges)) == len(edges) and all(a != b for a, b in edges)
    structural, functional = truth["structural"], truth["weight"] != 0
    assert {edge for edge, is_edge in zip(edges, structural, strict=True) if is_edge} == among
    added = {edge for edge, is_edge in zip(edges, structural, strict=True) if not is_edge}
    assert not added & real and len(added) == round(0.05 * len(among))
    assert functional[~structural].all()
    assert (~functional[structural]).mean() == pytest.approx(0.3, abs=0.01)


def test_gap_junctions_go_both_ways_and_synapses_have_the_sign_of_their_neuron():
    network = network_of(CelegansConfig(hidden=40))
    assert np.array_equal(network.gap, network.gap.T) and (network.gap >= 0).all() and network.gap.any()
    assert (network.chemical[:, network.inhibitory] <= 0).all()
    assert (network.chemical[:, ~network.inhibitory] >= 0).all()
    assert network.inhibitory.mean() == pytest.approx(0.3, abs=0.02)
    gaba = [network.names.index(name) for name in ("RIS", "RMED", "DD1", "VD5") if name in network.names]
    assert gaba and network.inhibitory[gaba].all()
    truth = network.truth()
    assert np.allclose(weight_matrix(truth), (network.chemical + network.gap)[:60, :60], atol=1e-6)


@pytest.mark.parametrize("hidden", [0, 200])
def test_the_linear_network_is_stable_by_its_coupling(hidden):
    for seed in range(3):
        network = network_of(CelegansConfig(network_seed=seed, hidden=hidden))
        matrix = network.weight - np.diag(network.gap.sum(axis=1))
        assert np.linalg.eigvals(matrix).real.max() == pytest.approx(0.95, abs=1e-6)


def test_weights_follow_the_structure():
    config = CelegansConfig(hidden=0, weight_spread=0.0, gap_strength=0.0, silenced=0.0, added=0.0)
    network, cook = network_of(config), load_connectome("cook2019")
    known = {
        (cook.neurons[a], cook.neurons[b]): float(c) for a, b, c in zip(cook.pre, cook.post, cook.chemical, strict=True)
    }
    for post in range(0, 60, 7):
        inputs = [
            (abs(network.chemical[post, pre]) / math.log1p(known[name, network.names[post]]), network.inhibitory[pre])
            for pre, name in enumerate(network.names)
            if known.get((name, network.names[post]))
        ]
        for kind in (True, False):
            ratios = [ratio for ratio, inhibitory in inputs if inhibitory == kind]
            assert len(ratios) == 0 or np.allclose(ratios, ratios[0])


def test_the_voltages_are_those_of_a_plain_loop():
    network = network_of(CelegansConfig(neurons=8, hidden=4, added=0.3))
    random = np.random.default_rng(0)
    drive, start, step = random.normal(size=(50, 12)), random.normal(size=12), 0.05
    voltages = integrate(network, drive, start, step)
    state = [float(value) for value in start]
    for now in range(50):
        total = []
        for i in range(12):
            pushed = float(drive[now, i])
            for j in range(12):
                pushed += network.chemical[i, j] * math.tanh(state[j]) + network.gap[i, j] * (state[j] - state[i])
            total.append(pushed)
        state = [state[i] + (1 - math.exp(-step / network.tau_s[i])) * (total[i] - state[i]) for i in range(12)]
        assert np.allclose(voltages[now], state[:8], rtol=1e-10, atol=1e-12)
    assert np.array_equal(start, np.random.default_rng(0).normal(size=(51, 12))[-1]), "the start is not written to"


def test_an_uncoupled_neuron_decays_and_varies_as_the_equations_say():
    network = network_of(CelegansConfig(neurons=4, hidden=0, coupling=0.0))
    assert not network.weight.any()
    free = integrate(network, np.zeros((200, 4)), np.ones(4), 0.02)
    assert np.allclose(free, np.exp(-0.02 * np.arange(1, 201)[:, None] / network.tau_s), rtol=1e-9)
    uncoupled = dataclasses.replace(network, tau_s=np.full(4, 0.5))
    noise = coloured_noise(np.random.default_rng(1), (400_000, 4), 2.0, 0.2, 0.01)
    assert noise.std() == pytest.approx(2.0, rel=0.02)
    assert (noise[20:] * noise[:-20]).mean() == pytest.approx(4 * math.exp(-1), rel=0.05)
    # An Ornstein-Uhlenbeck drive of variance s^2 through a leak: s^2 tau_noise / (tau_noise + tau).
    v = integrate(uncoupled, noise, np.zeros(4), 0.01)[1000:]
    assert v.var() == pytest.approx(4 * 0.2 / 0.7, rel=0.05)


def test_the_low_pass_is_a_leak():
    values = np.random.default_rng(0).normal(size=30)
    state, expected = values[0], []
    for value in values:
        state += (1 - math.exp(-0.1 / 0.3)) * (value - state)
        expected.append(state)
    assert np.allclose(low_passed(values, 0.3, 0.1), expected)


def test_the_command_has_its_dwell_times_and_moves_its_neurons():
    states = command_states(np.random.default_rng(0), 500_000, 30.0, 12.0, 0.1)
    runs = np.diff(np.flatnonzero(np.diff(states))) * 0.1
    assert runs.mean() == pytest.approx(21, rel=0.1) and states.mean() == pytest.approx(12 / 42, rel=0.1)
    # Alone in the network, so that a neuron shows what it was told.
    config = CelegansConfig(hidden=0, duration_s=300, coupling=0, noise_sd=0, slow_sd=0)
    names, worm = network_of(config).names, simulate_worm(config, 0)
    v = worm.truth["v"][:, np.argsort(worm.truth["neuron"])]
    reverse = worm.events["state"] == 1
    swing = {name: v[reverse, k].mean() - v[~reverse, k].mean() for k, name in enumerate(names)}
    assert min(swing[name] for name in ("AVAL", "AVAR", "AVEL", "AVER")) > 0.3
    assert max(swing[name] for name in ("AVBL", "AVBR")) < -0.3
    assert np.median(np.abs(list(swing.values()))) < 0.1, "the others are told nothing"
    noisy = simulate_worm(config.model_copy(update={"noise_sd": 3.0}), 0)
    assert np.array_equal(noisy.events["state"], worm.events["state"])


def test_fluorescence_is_gain_times_calcium_and_noise():
    config = SMALL.model_copy(update={"bleaching": 0.0, "measurement_noise": 0.5, "duration_s": 300.0})
    worm = simulate_worm(config, 1)
    clean, v = worm.truth["clean"].astype(float), worm.truth["v"].astype(float)
    noise = (worm.signal - clean).std(axis=0) / clean.std(axis=0)
    assert np.median(noise) == pytest.approx(0.5, rel=0.25)
    # Of the voltage the indicator keeps what is slower than itself.
    assert min(np.corrcoef(clean[:, k], v[:, k])[0, 1] for k in range(20)) > 0.85
    bleached = simulate_worm(config.model_copy(update={"bleaching": 0.5}), 1).truth["clean"] - clean
    assert np.allclose(bleached[0], 0, atol=1e-6) and (np.diff(bleached, axis=0) <= 1e-6).all()
    assert (bleached[-1] < -0.1).all()


def test_worms_are_as_predictable_as_real_ones():
    """Kato et al. (2015), four worms: the frame-to-frame R2 is .91 to .97, that of 25 frames ahead about 0."""
    config = CelegansConfig(duration_s=300)
    near, far = [], []
    for index in range(3):
        signal = simulate_worm(config, index).signal.astype(float)
        scores = (signal - signal.mean(axis=0)) / signal.std(axis=0)
        near.append(1 - ((scores[1:] - scores[:-1]) ** 2).mean())
        far.append(1 - ((scores[25:] - scores[:-25]) ** 2).mean())
    assert 0.85 < np.mean(near) < 0.98
    assert -0.8 < np.mean(far) < 0.2


def ridge_of(config: CelegansConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(coefficients, true weights, edges of the connectome) [post, pre]: ridge of the next change on all neurons' last values."""
    truth = network_of(config).truth()
    weights, structural = weight_matrix(truth), np.zeros((30, 30), bool)
    structural[truth["post"][truth["structural"]], truth["pre"][truth["structural"]]] = True
    worms = []
    for index in range(10):
        worm = simulate_worm(config, index)
        signal, neuron = worm.signal.astype(float), worm.truth["neuron"]
        known = np.array([not name.startswith("unidentified") for name in worm.channels])
        scores = np.zeros_like(signal)
        scores[:, neuron[known]] = ((signal - signal.mean(axis=0)) / signal.std(axis=0))[:, known]
        worms.append((scores, set(neuron[known].tolist())))
    coefficients = np.zeros((30, 30))
    for post in range(30):
        rows = [
            (np.hstack([s[4:-1], *(s[4 - lag : -1 - lag, [post]] for lag in range(1, 5))]), s[5:, post] - s[4:-1, post])
            for s, known in worms
            if post in known
        ]
        x, y = (np.concatenate(part) for part in zip(*rows, strict=True))
        coefficients[post] = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ y)[:30]
    return coefficients, weights, structural


def test_unrecorded_neurons_are_the_default_and_hide_edges():
    assert CelegansConfig().hidden == 240 and network_of(CelegansConfig()).recorded == 60
    areas = {}
    for hidden in (0, 240):
        coefficients, weights, structural = ridge_of(CelegansConfig(neurons=30, hidden=hidden))
        areas[hidden] = roc_auc_score(weights[structural] != 0, np.abs(coefficients[structural]))
    assert 0.55 < areas[240] < areas[0] - 0.05


def test_a_linear_model_finds_silenced_and_added_edges():
    """Where every neuron is recorded, |coefficient| ranks the true edges."""
    coefficients, weights, structural = ridge_of(CelegansConfig(neurons=30, hidden=0, added=0.15))
    off = ~np.eye(30, dtype=bool)
    silenced = roc_auc_score(weights[structural] != 0, np.abs(coefficients[structural]))
    absent = off & ~structural
    added = roc_auc_score(weights[absent] != 0, np.abs(coefficients[absent]))
    assert silenced > 0.85 and added > 0.9
    functional = weights != 0
    assert (np.sign(coefficients[functional]) == np.sign(weights[functional])).mean() > 0.9
    turned = roc_auc_score(weights[structural.T & off] != 0, np.abs(coefficients.T[structural.T & off]))
    assert turned < silenced - 0.1, "the direction of an edge shows"


def test_the_export_holds_the_worms(simulator, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    worms = small_worms(3, worms=2, neurons=5, steps=60)
    (path,) = simulator.export(worms, "parquet", tmp_path)
    assert path.name == "celegans_3_3.parquet"
    rows = parquet.read_table(path).to_pylist()
    assert len(rows) == 10
    for row in rows:
        worm = worms[f"{row['source_dataset']}-{row['worm']}"]
        expected = worm.signal[:, row["slot"]]
        assert np.array_equal(np.array(row["original_calcium_data"], np.float32), expected)
        assert row["is_labeled_neuron"] == (not worm.channels[row["slot"]].startswith("unidentified"))


def test_the_summary_has_its_numbers_and_its_figure(simulator, tmp_path):
    worms = [simulate_worm(SMALL, index) for index in range(2)]
    truth = network_of(SMALL).truth()
    (exhibit,) = simulator.summary(RecordingSet.of(worms, truth=truth), tmp_path)
    assert exhibit.figure is not None and exhibit.figure.stat().st_size > 50_000
    table = {row[0]: row[1] for row in exhibit.table.rows}
    assert table["worms"] == 2 and table["recorded neurons"] == 20
    assert table["edges of the connectome"] == truth["structural"].sum() == exhibit.claims["edges"]
    assert table["silenced edges"] == (truth["weight"] == 0).sum()
    signal = np.stack([worm.signal.astype(float) for worm in worms])
    scores = (signal - signal.mean(axis=1, keepdims=True)) / signal.std(axis=1, keepdims=True)
    expected = 1 - ((scores[:, 5:] - scores[:, :-5]) ** 2).mean()
    assert table["R2 of persistence, 5 frames ahead"] == pytest.approx(expected, abs=1e-3)
    assert simulator.summary(RecordingSet.of(worms, truth=truth), None)[0].figure is None


def test_small_worms_are_whole():
    worms = small_worms(0)
    assert len(worms) == 5 and {worms[group].signal.shape for group in worms} == {(400, 12)}
    assert (worms.truth["weight"] == 0).any() and (~worms.truth["structural"]).sum() >= 2
    assert worms.meta["simulator"] == "celegans"
    assert CelegansConfig.model_validate(worms.meta["parameters"]).neurons == 12
    assert not np.array_equal(
        small_worms(1)["simulated-net1-seed1-0000"].signal, worms["simulated-net0-seed0-0000"].signal
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"neurons": 1},
        {"coupling": 1.0},
        {"silenced": 1.0},
        {"tau_low_s": 4.0},
        {"duration_s": 5.0},
        {"step_ms": 0.001},
        {"noise_sd": float("nan")},
        {"worms": 3},
    ],
)
def test_impossible_configurations_are_refused(wrong):
    with pytest.raises(ValidationError):
        CelegansConfig(**wrong)


def test_more_neurons_than_the_connectome_has_and_unknown_connectomes():
    with pytest.raises(ConfigError, match="400 recorded neurons are more than the 302"):
        network_of(CelegansConfig(neurons=400))
    with pytest.raises(DataError, match="no connectome"):
        network_of(CelegansConfig(connectome="cook2018"))


def test_a_network_without_edges_or_inhibition_stands(tmp_path):
    edges = tmp_path / "two.csv"
    edges.write_text("pre,post,weight\nAVAL,AVBL,3\n")
    config = CelegansConfig(connectome=str(edges), neurons=2, silenced=0, added=0, inhibitory=0, duration_s=20)
    network = network_of(config)
    assert (network.chemical > 0).sum() == 1
    assert np.isfinite(simulate_worm(config, 0).signal).all()
    silent = network_of(config.model_copy(update={"silenced": 0.9}))
    assert not silent.weight.any() and silent.truth()["structural"].sum() == 1
