"""The Brunel simulator: determinism, statistics against the plain loop, known networks, the text files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurocli.config.resolve import preset_names, read_preset, resolve
from neurocli.errors import ConfigError, DataError
from neurocli.plugin.cards import SimulatorCard
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.program import EngineUnavailable, load_brian2
from neurocli_cnn_lstm.data.readers.dat import BrunelDatReader
from neurocli_cnn_lstm.simulation import engine_standalone
from neurocli_cnn_lstm.simulation.brunel_network import connectivity
from neurocli_cnn_lstm.simulation.parameters import BrunelConfig
from neurocli_cnn_lstm.simulation.reference_loop import simulate_reference, weights_from
from neurocli_cnn_lstm.simulation.simulator import BrunelSimulator, seeds

CARD = SimulatorCard(
    name="brunel", summary="test", implementation="neurocli_cnn_lstm.simulation.simulator:BrunelSimulator"
)
CONFIG = BrunelConfig(duration_ms=2000.0)


@pytest.fixture(scope="module")
def simulator():
    return BrunelSimulator(CARD)


@pytest.fixture(scope="module")
def work(tmp_path_factory, simulator):
    """A work folder with the compiled program: the one compilation of this module."""
    folder = tmp_path_factory.mktemp("work")
    try:
        engine_standalone.program_of(CONFIG, folder).prepare()
    except EngineUnavailable as error:
        pytest.skip(error.message)
    return folder


@pytest.fixture(scope="module")
def runs(simulator, work):
    made = [simulator.simulate(CONFIG, index, work) for index in range(3)]
    return RecordingSet.of(made, truth=simulator.truth(CONFIG), meta={"simulator": "brunel"})


def test_importing_the_simulator_does_not_import_brian2():
    code = "import sys, neurocli_cnn_lstm.simulation.simulator; sys.exit('brian2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_is_the_same_whatever_ran_before(simulator, work, runs):
    again = simulator.simulate(CONFIG, 1, work)
    assert again.fingerprint() == runs["run-0001"].fingerprint()
    assert np.array_equal(again.spikes.step, runs["run-0001"].spikes.step)
    assert runs["run-0000"].fingerprint() != runs["run-0001"].fingerprint()


def test_nothing_is_left_behind_and_nothing_is_compiled_again(simulator, work, runs):
    said: list[str] = []
    simulator.prepare(CONFIG.model_copy(update={"seed": 5, "network": "redraw"}), work, said.append)
    assert said == []
    assert [path.name for path in work.iterdir() if not path.name.startswith(".")] == [
        path.name for path in work.glob("program-*")
    ]


def test_the_statistics_are_those_of_the_plain_loop(simulator, runs):
    truth = runs.truth
    weights = weights_from(truth["pre"], truth["post"], truth["weight_mv"], CONFIG.neurons)
    loops = [simulate_reference(CONFIG, weights, seed) for seed in range(3)]
    claims = simulator.summary(runs, None)[0].claims
    rate = np.mean([len(step) for _, step, _ in loops]) / (CONFIG.neurons * 2.0)
    assert claims["rate_hz"] == pytest.approx(rate, rel=0.04)
    assert claims["v_mean_mv"] == pytest.approx(np.mean([v.mean() for v, _, _ in loops]), abs=0.15)
    assert claims["v_sd_mv"] == pytest.approx(np.mean([v.std() for v, _, _ in loops]), abs=0.15)


def test_the_known_network_is_the_one_simulated(runs):
    """Spikes of a neuron's excitatory partners push it up after the delay, and inhibitory ones down."""
    truth, effect = runs.truth, {}
    for name, members in (("E", truth["pre"] < 80), ("I", truth["pre"] >= 80)):
        linked = np.zeros((100, 100), bool)
        linked[truth["pre"][members], truth["post"][members]] = True
        pushes: dict[bool, list[float]] = {True: [], False: []}
        for group in runs:
            run = runs[group]
            fired = np.zeros_like(run.signal, bool)
            rows = run.spikes.step // 10
            fired[rows, run.spikes.channel] = True
            change = run.signal[3:] - run.signal[1:-2]  # a spike within row t arrives in t+1.5 to t+2.5 ms
            calm = (np.abs(change) < 6) & (run.signal[1:-2] > -69.9)
            for pre in range(80) if name == "E" else range(80, 100):
                at = np.flatnonzero(fired[: len(change), pre])
                for partner in (True, False):
                    columns = linked[pre] == partner
                    pushes[partner].append(change[at][:, columns][calm[at][:, columns]].mean())
        effect[name] = np.nanmean(pushes[True]) - np.nanmean(pushes[False])
    assert effect["E"] > 0.1
    assert effect["I"] < -0.5


def test_the_clamp_holds_for_twenty_steps(runs):
    run = runs["run-0000"]
    rows = (run.spikes.step + 10) // 10  # the first sample after the spike
    inside = rows < run.steps
    assert (run.signal[rows[inside], run.spikes.channel[inside]] == -70).all()


def test_a_redrawn_network_comes_with_its_own_truth(simulator, work):
    config = CONFIG.model_copy(update={"network": "redraw"})
    one, other = (simulator.simulate(config, index, work) for index in (0, 1))
    assert set(simulator.truth(config)) == {"neuron_type"}
    assert not np.array_equal(one.truth["post"][:500], other.truth["post"][:500])
    assert one.labels["network_seed"] != other.labels["network_seed"]
    known = connectivity(config, seeds(config, 0)[1])
    assert np.array_equal(one.truth["pre"], known.pre)
    assert set(np.unique(one.truth["weight_mv"])) == {-2.75, 0.5}


def test_connectivity_has_the_probability_and_is_sorted():
    wiring = connectivity(BrunelConfig(neurons=500), 3)
    assert len(wiring.pre) / 500**2 == pytest.approx(0.1, abs=0.005)
    assert (np.diff(wiring.pre) >= 0).all()
    starts = wiring.starts(500)
    assert starts[-1] == len(wiring.post)
    assert len(connectivity(BrunelConfig(probability=0.0), 3).pre) == 0


def test_without_a_compiler_the_runtime_engine_takes_over(simulator, tmp_path, monkeypatch):
    monkeypatch.setattr("neurocli.simulation.program.shutil.which", lambda tool: None)
    monkeypatch.setattr("neurocli_cnn_lstm.simulation.engine_runtime.why_not_compiled", lambda *_: "no compiler")
    said: list[str] = []
    simulator.prepare(CONFIG, tmp_path, said.append)
    assert "runtime engine" in said[-2] and "no compiler; using numpy code" in said[-1]
    assert (tmp_path / "fallback.txt").exists()


def test_the_runtime_engine_needs_no_compiler(simulator, tmp_path):
    """In Brian2's numpy code: its Cython code takes half a minute to compile, and is run by the test of the published spikes."""
    config = BrunelConfig(duration_ms=60.0, neurons=20, engine="runtime")
    preferences = load_brian2().prefs
    target = preferences["codegen.target"]
    preferences["codegen.target"] = "numpy"
    try:
        one, again, other = (simulator.simulate(config, index, tmp_path) for index in (0, 0, 1))
    finally:
        preferences["codegen.target"] = target
    assert one.signal.shape == (60, 20) and config.rest_mv < one.signal[30:].mean() < config.threshold_mv
    assert len(one.spikes.step) > 0 and one.spikes.step.max() < config.steps
    assert one.fingerprint() == again.fingerprint() != other.fingerprint()


def test_an_impossible_external_rate_is_refused(simulator, tmp_path):
    with pytest.raises(ConfigError, match="more than once"):
        simulator.prepare(BrunelConfig(external_rate=50.0), tmp_path, print)


def test_every_preset_is_a_valid_configuration(simulator):
    names = preset_names(simulator.presets)
    assert {"published", "quick", "original", "redrawn"} <= set(names)
    for name in names:
        resolve(BrunelConfig, preset=read_preset(simulator.presets, name))


def test_summary_writes_its_figure(simulator, runs, tmp_path):
    exhibit = simulator.summary(runs, tmp_path)[0]
    assert (tmp_path / "simulation.png").stat().st_size > 10_000
    assert exhibit.figure == tmp_path / "simulation.png"
    assert {"rate_hz", "cv_isi", "v_mean_mv", "v_sd_mv", "rate_hz_sd_over_runs"} <= set(exhibit.claims)


def test_text_files_come_back_as_they_were(simulator, runs, tmp_path):
    files = simulator.export(runs, "dat", tmp_path)
    assert {"run_0_spikes.dat", "run_2_voltages.dat", "simulation_summary.txt"} <= {path.name for path in files}
    reader = BrunelDatReader()
    assert reader.can_read(tmp_path)
    back = reader.read([tmp_path])
    assert back.groups == runs.groups
    for group in runs:
        assert np.array_equal(back[group].signal, runs[group].signal)
        assert np.array_equal(back[group].spikes.step, runs[group].spikes.step)
        assert np.array_equal(back[group].spikes.channel, runs[group].spikes.channel)
        assert back[group].channels == runs[group].channels
    assert np.array_equal(back.truth["neuron_type"], runs.truth["neuron_type"])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("0 -70 -70\n1 -70\n2 -70 -70\n", 2, "columns"),
        ("0 -70 -70\n1 -70 abc\n", 2, "not a number"),
        ("0 -70 -70\n\n1 nan -70\n", 3, "nan"),
        ("0 -70 -70\n1 inf -70\n", 2, "inf"),
        ("0 -70 -70\n1 -70 -70\n2 -70 -70\n5 -70 -70\n", 4, "evenly"),
        ("0 -70 -70\n1 -70 -70\n0 -70 -70\n", 3, "evenly"),
    ],
)
def test_a_bad_voltage_file_is_named_with_its_line(tmp_path, text, line, message):
    path = tmp_path / "run_3_voltages.dat"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        BrunelDatReader().read([path])["run-0003"]
    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize("text", ["", "\n \n", "0 -70\n", "0\n1\n"])
def test_a_file_without_a_signal_is_refused(tmp_path, text):
    path = tmp_path / "run_0_voltages.dat"
    path.write_text(text)
    with pytest.raises(DataError):
        BrunelDatReader().read([path])["run-0000"]


@pytest.mark.parametrize(("text", "line"), [("1.0 0\n-2.0 1\n", 2), ("1.0 0.5\n", 1), ("1.0 0\n1.0 -1\n", 2)])
def test_a_bad_spike_file_is_named_with_its_line(tmp_path, text, line):
    (tmp_path / "run_0_voltages.dat").write_text("0 -70 -70\n1 -70 -70\n")
    spikes = tmp_path / "run_0_spikes.dat"
    spikes.write_text(text)
    with pytest.raises(DataError) as caught:
        BrunelDatReader().read([tmp_path])["run-0000"]
    assert caught.value.where == f"{spikes}:{line}"


def test_a_foreign_file_is_not_taken(tmp_path):
    foreign = Path(tmp_path / "notes.dat")
    foreign.write_text("hello")
    assert not BrunelDatReader().can_read(foreign)
    assert not BrunelDatReader().can_read(tmp_path / "absent_voltages.dat")
