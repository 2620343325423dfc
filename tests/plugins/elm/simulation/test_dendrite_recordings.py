"""Input, recordings, engines and options of the simulated dendrite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.signal import lfilter

from neurocli.config.resolve import preset_names, read_preset
from neurocli.errors import DataError
from neurocli.plugin.cards import SimulatorCard
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.engine import simulate
from neurocli.simulation.program import EngineUnavailable
from neurocli.simulation.simulator import seed_of
from neurocli_elm.data.spike_times import redetected_ms
from neurocli_elm.simulation import engine_brian2, engine_numba
from neurocli_elm.simulation.compartments import cell_of
from neurocli_elm.simulation.example import small_cells
from neurocli_elm.simulation.inputs import draw_events, rates_hz
from neurocli_elm.simulation.morphology import APICAL, BASAL
from neurocli_elm.simulation.parameters import BRANCHES, DendriteConfig, parameters_of
from neurocli_elm.simulation.simulator import DendriteSimulator, simulate_cell, truth_of

CARD = SimulatorCard(
    name="dendrite", summary="test", implementation="neurocli_elm.simulation.simulator:DendriteSimulator"
)
NOTHING = np.zeros(0, np.int64)
PASSIVE = DendriteConfig(sodium_ms_per_cm2=0, potassium_ms_per_cm2=0, slow_potassium_ms_per_cm2=0)


def changed(config: DendriteConfig, **values: object) -> DendriteConfig:
    return DendriteConfig.model_validate(config.model_dump() | values)


@pytest.fixture(scope="module")
def simulator():
    return DendriteSimulator(CARD)


@pytest.fixture(scope="module")
def quick():
    """Simulations of the defaults, as they stand."""
    config = DendriteConfig()
    recordings = [simulate_cell(config, index) for index in range(16)]
    meta = {"simulator": "dendrite", "parameters": config.model_dump(mode="json")}
    return RecordingSet.of(recordings, meta=meta, truth=truth_of(config))


# ---- the cable

# ---- the input


def test_rates_are_as_asked_for_and_vary_together():
    config = DendriteConfig(duration_ms=40_000, bursts_hz=0)
    tree = cell_of(config).morphology
    actual = [rates_hz(config, tree, np.random.default_rng(seed)) for seed in range(4)]
    mean = np.mean([rates[:, :128].mean() for rates in actual]), np.mean([rates[:, 128:].mean() for rates in actual])
    assert mean == pytest.approx((config.excitatory_hz, config.inhibitory_hz), rel=0.06)
    rates = actual[0]
    basal, apical = np.flatnonzero(tree.kind == BASAL), np.flatnonzero(tree.kind == APICAL)
    assert np.corrcoef(rates[:, basal[0]], rates[:, basal[-1]])[0, 1] > 0.999
    assert abs(np.corrcoef(rates[:, basal[0]], rates[:, apical[0]])[0, 1]) < 0.2
    flat = changed(config, shared_variation=0.0, input_variation=0.0)
    assert np.allclose(rates_hz(flat, tree, np.random.default_rng(0))[:, :128], config.excitatory_hz)


def test_bursts_meet_single_branches():
    config = DendriteConfig(shared_variation=0, input_variation=0, duration_ms=20_000)
    tree = cell_of(config).morphology
    rates = rates_hz(config, tree, np.random.default_rng(3))[:, :128]
    lifted = rates > 1.5 * config.excitatory_hz
    for branch in range(len(tree.branches)):
        assert (lifted[:, tree.branch == branch].all(axis=1) == lifted[:, tree.branch == branch].any(axis=1)).all()
    begins = sum(
        int((np.diff(lifted[:, tree.branch == branch][:, 0].astype(int), prepend=0) == 1).sum())
        for branch in range(len(tree.branches))
    )
    assert begins == pytest.approx(400, rel=0.2)
    assert np.allclose(rates.max(), config.excitatory_hz * (1 + 9 * round(rates.max() / config.excitatory_hz / 9)))


def test_events_are_drawn_with_their_rates_one_at_a_time():
    config = DendriteConfig(duration_ms=20_000, segments=64, shared_variation=0, bursts_hz=0)
    tree = cell_of(config).morphology
    step, channel = draw_events(config, tree, np.random.default_rng(1))
    rates = rates_hz(config, tree, np.random.default_rng(1))  # the same draws come first
    assert (np.diff(step) >= 0).all() and step[-1] < 20_000 and channel.max() == 127
    assert len(np.unique(step.astype(np.int64) * 128 + channel)) == len(step)
    counts = np.bincount(channel, minlength=128)
    expected = rates.sum(axis=0) * 1e-3
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


# ---- the recordings


def test_a_recording_is_laid_out_as_agreed(quick):
    for index, group in enumerate(quick):
        recording = quick[group]
        assert recording.signal.shape == (6000, 1) and recording.signal.dtype == np.float32 and recording.unit == "mV"
        assert recording.channels == ["soma"] and recording.dt_ms == 1.0 and recording.spikes.dt_ms == 1.0
        labels = {"num_inputs": 256, "num_excitatory": 128, "file": "dendrite", "simulation": index, "engine": "numba"}
        assert recording.labels == labels
        times = recording.events["output_spike_ms"]
        assert times.dtype == np.float64 and recording.events["output_spikes"].dtype == np.int32
        assert recording.events["output_spikes"].tolist() == [int(time - 0.5) for time in times]
        high = recording.truth["soma_high_res_mv"].astype(float)
        assert np.abs(high[::8] - recording.signal[:, 0]).max() <= 0.04
        for time in times:  # where a spike is said to be, there is one
            at = round(time * 8)
            assert high[at] > -25 and high[at] >= high[max(at - 2, 0) : at + 3].max()
        arrays = [
            recording.signal,
            recording.spikes.step,
            recording.spikes.channel,
            *recording.events.values(),
            *recording.truth.values(),
        ]
        assert sum(array.nbytes for array in arrays) < 600_000
    truth = quick.truth
    assert truth["input_distance_um"].shape == truth["input_weight_ns"].shape == (256,)
    assert np.array_equal(truth["input_compartment"][:128], truth["input_compartment"][128:])
    assert truth["parent"][0] == -1 and truth["kind"][0] == 0 and len(truth["parent"]) == 129
    assert np.array_equal(truth["is_basal"], truth["kind"][1:] == BASAL)
    assert parameters_of(quick).segments == 128


def test_statistics_are_those_of_the_published_simulations(quick, simulator):
    """Published: rates of 12 and 10 Hz, median -67 mV, sd 2 to 5 mV in a simulation, .8 output spikes per second."""
    claims = simulator.summary(quick, None)[0].claims
    assert 11 < claims["excitatory_hz"] < 13.5 and 8.5 < claims["inhibitory_hz"] < 11.5
    assert -69 < claims["soma_median_mv"] < -65
    assert 2.0 < claims["soma_sd_within_mv"] < 4.5
    assert 0.5 < claims["output_hz"] < 2.2
    assert claims["excluded"] == 0
    voltages = np.concatenate([quick[group].signal[500:, 0] for group in quick])
    assert voltages.min() > -82 and 0 < voltages.max() < 50


def test_a_linear_filter_of_the_input_does_not_explain_the_soma(quick):
    """Ridge on leaky sums of excitation and inhibition explains much of held-out voltage, and leaves a good part of it."""
    inputs, targets = [], []
    for group in quick:
        recording = quick[group]
        sums = np.zeros((recording.steps, 2))
        np.add.at(sums, (recording.spikes.step, (recording.spikes.channel >= 128).astype(int)), 1)
        leaks = [math.exp(-1 / tau) for tau in (1.5, 3, 6, 12, 25, 50, 100)]
        inputs.append(np.hstack([lfilter([1 - leak], [1, -leak], sums, axis=0) for leak in leaks])[500:])
        targets.append(np.minimum(recording.signal[500:, 0], -55.0))
    x, y = np.concatenate(inputs[:11]), np.concatenate(targets[:11])
    middle, spread, mean = x.mean(axis=0), x.std(axis=0), y.mean()
    x = (x - middle) / spread
    weights = np.linalg.solve(x.T @ x + 1e-3 * len(x) * np.eye(x.shape[1]), x.T @ (y - mean))
    held_out = (np.concatenate(inputs[11:]) - middle) / spread
    residual = np.concatenate(targets[11:]) - (held_out @ weights + mean)
    explained = 1 - residual.var() / np.concatenate(targets[11:]).var()
    assert 0.35 < explained < 0.85


def test_a_finer_step_hardly_changes_the_voltage():
    config = DendriteConfig(duration_ms=1500, sodium_ms_per_cm2=0)  # without spikes, whose times are sensitive
    cell = cell_of(config)
    step, channel = draw_events(config, cell.morphology, np.random.default_rng(seed_of(0, 1)))
    coarse = engine_numba.simulate(config, cell, step, channel).soma[::8]
    fine = engine_numba.simulate(changed(config, steps_per_ms=64), cell, step, channel).soma[::64]
    assert np.sqrt(((coarse - fine) ** 2).mean()) < 0.05 * fine.std()


def test_one_and_two_workers_write_the_same_file(simulator, tmp_path):
    config = DendriteConfig(duration_ms=400, segments=64)
    files = []
    for workers in (1, 2):
        files.append(tmp_path / f"{workers}.h5")
        simulate(simulator, config, runs=3, out=files[-1], workers=workers)
    assert files[0].read_bytes() == files[1].read_bytes()
    actual, direct = RecordingSet.open(files[0]), simulate_cell(config, 2)
    assert actual["run-0002"].fingerprint() == direct.fingerprint()
    assert np.array_equal(actual["run-0002"].spikes.channel, direct.spikes.channel)
    assert np.array_equal(actual["run-0002"].truth["nexus_high_res_mv"], direct.truth["nexus_high_res_mv"])
    assert actual["run-0000"].fingerprint() != actual["run-0001"].fingerprint()
    other = simulate_cell(changed(config, seed=1), 2)
    assert other.fingerprint() != direct.fingerprint()


def test_dendritic_voltages_are_kept_where_asked_for():
    config = DendriteConfig(duration_ms=300, segments=64, record_dendrites=True, sodium_ms_per_cm2=0)
    recording = simulate_cell(config, 0)
    dendrites = recording.truth["dendritic_mv"]
    assert dendrites.shape == (300, 64)
    nexus = truth_of(config)["nexus"][0] - 1
    assert np.array_equal(dendrites[:, nexus], recording.truth["nexus_high_res_mv"][::8])
    assert dendrites.max() > recording.signal.max() + 10, "a branch reaches what its soma does not"


def test_brian2_finds_the_same_voltages(tmp_path):
    config = DendriteConfig(duration_ms=1000, segments=BRANCHES, engine="brian2", record_dendrites=True)
    try:
        engine_brian2.program_of(config, tmp_path).prepare()
    except EngineUnavailable as error:
        pytest.skip(error.message)
    cell = cell_of(config)
    step, channel = draw_events(config, cell.morphology, np.random.default_rng(12))
    theirs = engine_brian2.simulate(config, cell, step, channel, tmp_path)
    ours = engine_numba.simulate(config, cell, step, channel)
    assert len(redetected_ms(ours.soma, 1000)) >= 2
    first = int(redetected_ms(ours.soma, 1000)[0] * 8) - 20
    assert np.abs(theirs.soma - ours.soma)[:first].max() < 1e-4  # near threshold, differences grow
    assert np.abs(theirs.segments - ours.segments)[: first // 8].max() < 1e-4
    assert np.abs(theirs.soma - ours.soma).max() < 0.5 and np.abs(theirs.nexus - ours.nexus).max() < 0.05
    messages: list[str] = []
    other_seed = changed(config, seed=5)
    DendriteSimulator(CARD).prepare(other_seed, tmp_path, messages.append)
    assert messages == [], "another seed needs no other program"
    recording = simulate_cell(other_seed, 0, tmp_path)
    assert (
        recording.labels["engine"] == "brian2"
        and recording.fingerprint() == simulate_cell(other_seed, 0, tmp_path).fingerprint()
    )


def test_without_a_compiler_brian2_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(EngineUnavailable, match="no-such-compiler") as caught:
        engine_brian2.program_of(DendriteConfig(engine="brian2"), tmp_path).prepare()
    assert "numba" in caught.value.hint


# ---- presets, summary, example, options


def test_every_preset_resolves(simulator):
    assert preset_names(simulator.presets) == ["published"]
    assert DendriteConfig(**read_preset(simulator.presets, "published")[1]).segments == 639


def test_the_summary_has_its_numbers_and_its_figure(simulator, tmp_path):
    cells = small_cells(4, simulations=3, duration_ms=1200)
    (exhibit,) = simulator.summary(cells, tmp_path)
    assert exhibit.figure is not None and exhibit.figure.stat().st_size > 50_000
    rows = {row[0]: row[1:] for row in exhibit.table.rows}
    assert list(rows) == ["all", *cells.groups]
    recording = cells["run-0001"]
    assert rows["run-0001"][0] == round((recording.spikes.channel < 64).sum() / 64 / 1.2, 2)
    assert rows["run-0001"][2] == len(recording.events["output_spike_ms"])
    clipped = np.minimum(recording.signal[500:, 0].astype(float), -55)
    assert rows["run-0001"][3:] == [round(clipped.mean(), 2), round(clipped.std(), 2)]
    assert exhibit.claims["output_spikes"] == sum(len(cells[group].events["output_spike_ms"]) for group in cells)
    assert simulator.summary(cells, None)[0].figure is None


def test_small_cells_are_whole_and_differ_by_seed():
    cells, others = small_cells(0, duration_ms=600), small_cells(1, simulations=1, duration_ms=600)
    assert len(cells) == 4 and cells.meta["simulator"] == "dendrite"
    assert parameters_of(cells).duration_ms == 600
    assert parameters_of(RecordingSet.of([cells["run-0000"]], meta={"kind": "neuronio"})) is None
    assert cells["run-0000"].fingerprint() != others["run-0000"].fingerprint()
    assert all(np.array_equal(cells.truth[name], others.truth[name]) for name in cells.truth), "the cell is the same"


@pytest.mark.parametrize(
    "wrong",
    [
        {"segments": BRANCHES - 1},
        {"segments": 640},
        {"duration_ms": 0},
        {"steps_per_ms": 1},
        {"nmda_rise_ms": 50.0},
        {"gaba_reversal_mv": -119.0},
        {"leak_ms_per_cm2": 0},
        {"ampa_ns": float("nan")},
        {"engine": "neuron"},
        {"inputs": 3},
    ],
)
def test_impossible_configurations_are_refused(wrong):
    with pytest.raises(ValidationError):
        DendriteConfig(**wrong)


def test_damaged_parameters_in_a_file_are_named():
    cells = small_cells(0, simulations=1, duration_ms=100)
    meta = {"simulator": "dendrite", "parameters": {"segments": "many"}}
    with pytest.raises(DataError, match="segments"):
        parameters_of(RecordingSet.of([cells["run-0000"]], meta=meta))
