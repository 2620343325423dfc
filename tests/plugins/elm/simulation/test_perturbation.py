"""The effect of single events in the simulator, and what ranks inputs without a neuron."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet, Split
from neurocli.recordings.recording import Spikes
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.interpretation.recovery_rivals import AVERAGE, RIDGE, recovery_rivals
from neurocli_elm.simulation import engine_numba, perturbation
from neurocli_elm.simulation.example import small_cells
from neurocli_elm.simulation.inputs import draw_events
from neurocli_elm.simulation.parameters import DendriteConfig
from neurocli_elm.simulation.perturbation import RunningCell, event_effects

AT, LENGTH = 300, 80


def test_a_cell_that_is_stopped_copied_and_perturbed_is_the_simulator_to_the_last_bit():
    config = DendriteConfig(segments=64, duration_ms=AT + LENGTH)
    running = RunningCell(config)
    ms, channel = draw_events(config, running.cell.morphology, np.random.default_rng(3))
    before = ms < AT
    state = running.at_rest()
    early = running.advance(state, ms[before], channel[before], AT)
    inputs = np.array([-1, 10, 64 + 30])
    late = running.advance(state.copies(3), ms[~before] - AT, channel[~before], LENGTH, inputs)
    for copy, number in enumerate(inputs):
        at = np.searchsorted(ms, AT)
        more = (ms, channel) if number < 0 else (np.insert(ms, at, AT), np.insert(channel, at, number))
        whole = engine_numba.simulate(config, running.cell, *more).soma[:: config.steps_per_ms]
        np.testing.assert_array_equal(np.concatenate([early[:, 0], late[:, copy]]), whole)
    assert late[:, 1].sum() > late[:, 0].sum() > late[:, 2].sum()


def test_effects_have_the_sign_of_their_kind_and_fall_with_distance():
    config = DendriteConfig(segments=54)
    effects = event_effects(config, simulations=3, moments=1)
    assert effects.shape == (3, 108)
    np.testing.assert_array_equal(effects, event_effects(config, simulations=3, moments=1))
    mean, distance = effects.mean(0), RunningCell(config).cell.morphology.distance_um
    assert (mean[:54] > 0).mean() > 0.95 and (mean[54:] < 0).mean() > 0.9
    assert stats.spearmanr(mean[:54], distance)[0] < -0.5 and stats.spearmanr(mean[54:], distance)[0] > 0.5


def test_without_background_the_effect_is_that_of_one_event_at_rest(monkeypatch):
    quiet = DendriteConfig(segments=54, excitatory_hz=0.0, inhibitory_hz=0.0, bursts_hz=0.0, gaba_reversal_mv=-70.0)
    monkeypatch.setattr(perturbation, "SETTLING_MS", 20)
    actual = event_effects(quiet, simulations=1, moments=1)[0]
    short = quiet.model_copy(update={"duration_ms": 20 + perturbation.LENGTH_MS})
    cell, nothing = RunningCell(quiet).cell, np.zeros(0, np.int64)
    rest = engine_numba.simulate(short, cell, nothing, nothing).soma
    for number in (0, 40, 54 + 7):
        soma = engine_numba.simulate(short, cell, np.array([20]), np.array([number])).soma
        assert actual[number] == pytest.approx((soma - rest)[:: short.steps_per_ms].sum(), rel=1e-9)


# -- rivals ------------------------------------------------------------------------------------------------------------

CHANNELS, EXCITATORY, STEPS = 12, 8, 3000


@pytest.fixture
def linear_world(tmp_path, monkeypatch):
    """(data, what an event of each input adds, in mV ms) of a point that sums its inputs with a 10-ms trace."""
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path))
    random = np.random.default_rng(0)
    size = np.where(np.arange(CHANNELS) < EXCITATORY, 1, -1) * (0.1 + 0.05 * np.arange(CHANNELS)) * 0.1
    [like] = [small_cells(0, simulations=1, duration_ms=600)["run-0000"]]
    recordings = []
    for number in range(6):
        step, channel = np.nonzero(random.random((STEPS, CHANNELS)) < 0.02)
        into = np.bincount(step, size[channel], STEPS)
        trace = np.convolve(into, np.exp(-np.arange(200) / 10))[:STEPS]
        recordings.append(
            dataclasses.replace(
                like,
                group=f"run-{number}",
                signal=(-65 + trace + 0.01 * random.standard_normal(STEPS)).astype(np.float32)[:, None],
                spikes=Spikes(step.astype(np.int32), channel.astype(np.int32), 1.0),
                events={name: values[:0] for name, values in like.events.items()},
                labels={**like.labels, "num_inputs": CHANNELS, "num_excitatory": EXCITATORY},
                truth={},
            )
        )
    cells = RecordingSet.of(recordings)
    config = registry().family("elm-v2").Config()
    names = cells.groups
    return SimulationData(cells, config, Split(tuple(names[:4]), (names[4],), (names[5],), "given")), size * 10.5


def test_rivals_find_what_inputs_do_in_a_linear_world(linear_world):
    data, effect = linear_world
    actual = recovery_rivals(data)
    assert list(actual) == [RIDGE, AVERAGE]
    (ridge, cost), (average, _) = actual.values()
    np.testing.assert_allclose(ridge, np.abs(effect), rtol=0.25)
    assert cost.parameters == 2 * CHANNELS and cost.cpu_s >= 0
    for chosen in (slice(0, EXCITATORY), slice(EXCITATORY, None)):
        assert stats.spearmanr(average[chosen], np.abs(effect)[chosen])[0] > 0.7


def test_they_are_fitted_on_training_simulations_alone(linear_world):
    data, _ = linear_world
    test = data.recordings[data.split.test[0]]
    other = dataclasses.replace(test, signal=test.signal + 5)
    cells = RecordingSet.of([other if g == test.group else data.recordings[g] for g in data.recordings])
    config = registry().family("elm-v2").Config()
    again = recovery_rivals(SimulationData(cells, config, data.split))
    for changed, (values, _) in zip(recovery_rivals(data).values(), again.values(), strict=True):
        np.testing.assert_array_equal(changed[0], values)
