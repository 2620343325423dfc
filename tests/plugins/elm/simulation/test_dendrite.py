"""The simulated dendrite: cable and synapses against closed forms and scipy, its statistics, determinism, both engines."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurocli.plugin.cards import SimulatorCard
from neurocli.recordings.recordingset import RecordingSet
from neurocli_elm.data.spike_times import redetected_ms
from neurocli_elm.simulation import engine_numba
from neurocli_elm.simulation.compartments import Circuit, cell_of, circuit_of
from neurocli_elm.simulation.morphology import APICAL, BASAL, Branch, Morphology, pyramidal_cell
from neurocli_elm.simulation.parameters import BRANCHES, DendriteConfig
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


def steady(config: DendriteConfig, morphology: Morphology, current_pa: float) -> tuple[float, np.ndarray]:
    """(mV above rest at the soma, the same [segment]) for a current into the soma, once nothing changes any more."""
    config = changed(config, duration_ms=600, record_dendrites=True)
    circuit = circuit_of(config, morphology)
    injected = np.zeros(len(circuit.parent))
    injected[0] = current_pa
    weights = np.zeros((3, morphology.segments))
    actual = engine_numba.run(config, circuit, weights, NOTHING, NOTHING, injected_pa=injected)
    assert actual.soma[0] == config.rest_mv
    return actual.soma[-1] - config.rest_mv, actual.segments[-1] - config.rest_mv


def length_constant_um(config: DendriteConfig, diameter_um: float) -> float:
    """sqrt(d / (4 Ra g)), by hand: d in cm, Ra in ohm cm, g in S/cm2."""
    d_cm, leak = diameter_um * 1e-4, config.leak_ms_per_cm2 * 1e-3
    return math.sqrt(d_cm / (4 * config.axial_ohm_cm * leak)) * 1e4


def endless_ns(config: DendriteConfig, diameter_um: float) -> float:
    """Input conductance of an endless cable: pi/2 d^1.5 sqrt(g / Ra)."""
    d_cm, leak = diameter_um * 1e-4, config.leak_ms_per_cm2 * 1e-3
    return math.pi / 2 * d_cm**1.5 * math.sqrt(leak / config.axial_ohm_cm) * 1e9


def soma_ns(config: DendriteConfig, diameter_um: float) -> float:
    return math.pi * (diameter_um * 1e-4) ** 2 * config.leak_ms_per_cm2 * 1e6


def test_a_sealed_cable_attenuates_as_the_closed_form_says():
    length, diameter = 700.0, 1.5
    tree = Morphology.of([Branch(-1, APICAL, length, diameter, 300)])
    soma, segments = steady(PASSIVE, tree, 50.0)
    constant = length_constant_um(PASSIVE, diameter)
    expected = np.cosh((length - tree.distance_um) / constant) / math.cosh(length / constant)
    assert np.allclose(segments / soma, expected, rtol=2e-4)
    assert expected[-1] < 0.75, "there is something to see"
    total = soma_ns(PASSIVE, 20.0) + endless_ns(PASSIVE, diameter) * math.tanh(length / constant)
    assert soma == pytest.approx(50.0 / total, rel=1e-3)


def test_a_tree_of_ralls_law_is_one_cylinder():
    """Daughters whose diameters to the power of 3/2 add up to the parent's continue it, at equal electrotonic lengths."""
    thick, thin = 2.0, 2.0 / 2 ** (2 / 3)
    constants = length_constant_um(PASSIVE, thick), length_constant_um(PASSIVE, thin)
    branches = [Branch(-1, APICAL, 300, thick, 150), *(Branch(0, APICAL, 250, thin, 150) for _ in range(2))]
    tree = Morphology.of(branches)
    soma, segments = steady(PASSIVE, tree, 40.0)
    total = 300 / constants[0] + 250 / constants[1]
    place = np.where(
        tree.branch == 0, tree.distance_um / constants[0], 300 / constants[0] + (tree.distance_um - 300) / constants[1]
    )
    assert np.allclose(segments / soma, np.cosh(total - place) / math.cosh(total), rtol=2e-4)
    conductance = soma_ns(PASSIVE, 20.0) + endless_ns(PASSIVE, thick) * math.tanh(total)
    assert soma == pytest.approx(40.0 / conductance, rel=1e-3)


def test_a_soma_alone_charges_with_its_time_constant():
    config = changed(PASSIVE, duration_ms=40, steps_per_ms=200)
    circuit = isopotential(config)
    actual = engine_numba.run(config, circuit, np.zeros((3, 1)), NOTHING, NOTHING, injected_pa=np.array([10.0])).soma
    tau = config.soma_uf_per_cm2 / config.leak_ms_per_cm2
    time = np.arange(len(actual)) / 200
    end = 10.0 / circuit.leak_ns[0]
    assert np.allclose(actual - config.rest_mv, end * (1 - np.exp(-time / tau)), atol=2e-3 * end)


# ---- synapses and spikes on one compartment, against scipy


def isopotential(config: DendriteConfig) -> Circuit:
    """The soma alone, with a pair of synapses on it."""
    circuit = circuit_of(config, Morphology.of([Branch(-1, BASAL, 10, 1)]))
    first = slice(0, 1)
    return dataclasses.replace(
        circuit,
        parent=circuit.parent[first],
        axial_ns=circuit.axial_ns[first],
        capacitance_pf=circuit.capacitance_pf[first],
        leak_ns=circuit.leak_ns[first],
        synapse_node=np.zeros(1, np.int64),
    )


@pytest.mark.parametrize("which", ["ampa", "nmda", "gaba", "all"])
def test_one_event_gives_the_potential_that_scipy_gives(which):
    config = changed(PASSIVE, duration_ms=120, steps_per_ms=200, rest_mv=-65.0)
    circuit = isopotential(config)
    peaks = {name: (2.0 if which in (name, "all") else 0.0) for name in ("ampa", "nmda", "gaba")}
    weights = np.array([[peaks["ampa"]], [peaks["nmda"]], [peaks["gaba"]]])
    event_ms, event_input = np.array([5, 20]), np.array([0, 1])
    actual = engine_numba.run(config, circuit, weights, event_ms, event_input).soma
    # What arrives in a millisecond acts from its first step on.
    start, late = 5 + 1 / 200, 20 + 1 / 200
    at_peak = math.log(43 / 2) * 2 * 43 / 41
    scale = math.exp(-at_peak / 43) - math.exp(-at_peak / 2)

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        v, since, after = y[0], t - start, t - late
        ampa = peaks["ampa"] * math.exp(-since / 1.7) if since >= 0 else 0.0
        nmda = peaks["nmda"] * (math.exp(-since / 43) - math.exp(-since / 2)) / scale if since >= 0 else 0.0
        gaba = peaks["gaba"] * math.exp(-after / config.gaba_tau_ms) if after >= 0 else 0.0
        block = 1 / (1 + math.exp(-0.062 * v) / 3.57)
        current = circuit.leak_ns[0] * (-65 - v) - (ampa + nmda * block) * v + gaba * (-75.0 - v)
        return np.array([current / circuit.capacitance_pf[0]])

    time = np.arange(len(actual)) / 200
    expected, y = np.empty(len(actual)), np.array([-65.0])
    for begin, end in ((0.0, start), (start, late), (late, time[-1] + 1e-9)):
        part = solve_ivp(slope, (begin, end), y, rtol=1e-9, atol=1e-9, dense_output=True)
        inside = (time >= begin) & (time <= end)
        expected[inside], y = part.sol(time[inside])[0], part.y[:, -1]
    size = np.abs(expected + 65).max()
    assert size > 0.3
    assert np.abs(actual - expected).max() < 0.01 * size


@pytest.mark.parametrize("v", [-85.0, -70.0, -55.0, -41.0])
def test_magnesium_blocks_nmda_as_jahr_and_stevens_say(v):
    """The current's slope at the first step of a membrane too large to move, with magnesium and without."""
    rises = []
    for magnesium in (1.0, 2.0, 0.0):
        config = changed(PASSIVE, duration_ms=20, rest_mv=v, magnesium_mm=magnesium, gaba_reversal_mv=v)
        circuit = dataclasses.replace(isopotential(config), capacitance_pf=np.array([1e7]), leak_ns=np.zeros(1))
        weights = np.array([[0.0], [1.0], [0.0]])
        actual = engine_numba.run(config, circuit, weights, np.array([2]), np.array([0])).soma
        rises.append(actual[-1] - v)
    assert rises[2] > 0
    for rise, magnesium in zip(rises, (1.0, 2.0), strict=False):
        assert rise / rises[2] == pytest.approx(1 / (1 + magnesium / 3.57 * math.exp(-0.062 * v)), rel=1e-4)


def test_spikes_of_the_soma_alone_are_those_that_scipy_finds():
    config = DendriteConfig(duration_ms=60, steps_per_ms=200)
    circuit = isopotential(config)
    sodium, potassium, slow = circuit.soma_ns

    def rates(v: float) -> list[tuple[float, float]]:
        u = v - config.spike_shift_mv
        middle = 1 / (1 + math.exp(-(v + 20) / 6))
        speed = (3.3 * math.exp((v + 20) / 20) + math.exp(-(v + 20) / 20)) / config.slow_potassium_tau_ms
        return [
            (-0.32 * (u - 13) / (math.exp(-(u - 13) / 4) - 1), 0.28 * (u - 40) / (math.exp((u - 40) / 5) - 1)),
            (0.128 * math.exp(-(u - 17) / 18), 4 / (1 + math.exp(-(u - 40) / 5))),
            (-0.032 * (u - 15) / (math.exp(-(u - 15) / 5) - 1), 0.5 * math.exp(-(u - 10) / 40)),
            (speed * middle, speed * (1 - middle)),
        ]

    def slope(_: float, y: np.ndarray) -> list[float]:
        v, m, h, n, p = y
        current = circuit.leak_ns[0] * (config.rest_mv - v) + 400.0
        current += sodium * m**3 * h * (50 - v) + (potassium * n**4 + slow * p) * (-90 - v)
        gates = [rise * (1 - x) - fall * x for x, (rise, fall) in zip(y[1:], rates(v), strict=True)]
        return [current / circuit.capacitance_pf[0], *gates]

    start = [config.rest_mv, *(rise / (rise + fall) for rise, fall in rates(config.rest_mv))]
    time = np.arange(60 * 200) / 200
    expected = solve_ivp(slope, (0, 60), start, t_eval=time, rtol=1e-8, atol=1e-8, max_step=0.05).y[0]
    actual = engine_numba.run(config, circuit, np.zeros((3, 1)), NOTHING, NOTHING, injected_pa=np.array([400.0])).soma
    theirs, ours = redetected_ms(expected, 60), redetected_ms(actual, 60)
    assert len(theirs) == len(ours) >= 2
    assert np.abs(theirs - ours).max() < 0.2
    assert expected.max() > 10 and actual.max() == pytest.approx(expected.max(), abs=1.0)


def test_neighbouring_events_on_a_thin_branch_add_up_to_more_than_their_sum():
    """NMDA's block gives way where several synapses of a branch are active: the nonlinearity that the data is about."""

    def predict(times: int, magnesium: float) -> float:
        config = changed(
            DendriteConfig(),
            duration_ms=250,
            rest_mv=-68.0,
            magnesium_mm=magnesium,
            sodium_ms_per_cm2=0,
            weight_spread=0,
        )
        cell = cell_of(config)
        tip = int(np.argmax(np.where(cell.morphology.kind == BASAL, cell.morphology.distance_um, 0)))
        when = 20 + 2 * np.arange(times)
        actual = engine_numba.simulate(config, cell, when, np.full(times, tip)).soma
        return float((actual - actual[:100].mean()).max())

    assert predict(8, 1.0) > 1.4 * 8 * predict(1, 1.0)
    assert predict(8, 0.0) < 0.6 * 8 * predict(1, 0.0), "without the block, the driving force shrinks"


# ---- the tree


@pytest.mark.parametrize("segments", [BRANCHES, 128, 639])
def test_the_tree_is_whole_and_its_numbering_runs_along_it(segments):
    tree = pyramidal_cell(segments, 1)
    assert tree.segments == segments and len(tree.branches) == BRANCHES
    assert (tree.parent <= np.arange(segments)).all() and (np.diff(tree.branch) >= 0).all()
    assert (np.diff(tree.kind) >= 0).all() and set(tree.kind) == {BASAL, APICAL}
    distance = np.concatenate([[0.0], tree.distance_um])
    length = np.concatenate([[0.0], tree.length_um])
    step = tree.distance_um - distance[tree.parent]
    assert np.allclose(step, (tree.length_um + length[tree.parent]) / 2)
    total = sum(branch.length_um for branch in tree.branches)
    assert tree.length_um.sum() == pytest.approx(total) and 8_000 < total < 14_000
    if segments > BRANCHES:  # 262 of the published cell's 639 segments are basal
        assert (tree.kind == BASAL).mean() == pytest.approx(262 / 639, abs=0.12)
    nexus = tree.distance_um[tree.nexus]
    assert tree.kind[tree.nexus] == APICAL and 300 < nexus < 1000 and tree.distance_um.max() > nexus + 200
    assert np.array_equal(pyramidal_cell(segments, 1).length_um, tree.length_um)
    assert not np.array_equal(pyramidal_cell(segments, 2).length_um, tree.length_um)


def test_a_branch_before_its_parent_and_too_few_segments_are_refused():
    with pytest.raises(ValueError, match="does not come before"):
        Morphology.of([Branch(1, BASAL, 10, 1), Branch(-1, BASAL, 10, 1)])
    with pytest.raises(ValueError, match="do not cover"):
        pyramidal_cell(BRANCHES - 1, 1)


def test_drive_and_membrane_do_not_depend_on_the_number_of_segments():
    few, many = (cell_of(DendriteConfig(segments=segments, weight_spread=0)) for segments in (64, 639))
    for name in ("ampa_ns", "nmda_ns", "gaba_ns"):
        assert getattr(few, name).sum() == pytest.approx(getattr(many, name).sum())
    assert few.circuit.capacitance_pf.sum() == pytest.approx(many.circuit.capacitance_pf.sum())
    spread = cell_of(DendriteConfig(segments=639)).ampa_ns
    assert spread.mean() == pytest.approx(0.3, rel=0.05)
    assert np.log(spread).std() == pytest.approx(0.3, rel=0.1)
