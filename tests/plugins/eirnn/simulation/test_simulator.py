"""The simulated session: determinism, Dale's law, plausible rates, the task's order, its export."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.engine import simulate
from neurocli_eirnn.data.readers.matfile import read_session
from neurocli_eirnn.data.session import INPUT_NAMES, Session
from neurocli_eirnn.data.trials import classify, event_bins
from neurocli_eirnn.simulation.parameters import ScSessionConfig
from neurocli_eirnn.simulation.simulator import simulate_trial
from neurocli_eirnn.simulation.summary import aligned
from neurocli_eirnn.simulation.teacher import drive_of, teacher_of
from neurocli_eirnn.simulation.trial_plan import plan_trial

CONFIG = ScSessionConfig()


@pytest.fixture(scope="module")
def whole(simulated) -> Session:
    return Session.of(simulated)


def test_a_trial_is_a_function_of_configuration_and_index(session):
    teacher_of.__globals__["_teacher"].cache_clear()
    again = simulate_trial(CONFIG, 7)
    assert np.array_equal(again.rates[0], session.rates[7], equal_nan=True)
    assert np.array_equal(again.inputs[0], session.inputs[7])
    for other in ({"seed": 1}, {"network_seed": 2}, {"gain_sd": 0.0}):
        changed = simulate_trial(CONFIG.model_copy(update=other), 7)
        assert not np.array_equal(changed.rates[0], session.rates[7], equal_nan=True)
    same_task = simulate_trial(CONFIG.model_copy(update={"network_seed": 2}), 7)
    assert np.array_equal(same_task.inputs[0], session.inputs[7])


def test_the_engine_makes_the_same_session(simulator, session, tmp_path):
    made = simulate(simulator, CONFIG, runs=3, out=tmp_path / "s.h5", workers=1)
    assert made.groups == ["trial-0000", "trial-0001", "trial-0002"]
    found = Session.of(made)
    assert found.name == "sc-session"
    assert np.array_equal(found.rates, session.rates[:3], equal_nan=True)
    assert np.array_equal(found.true_rates, session.true_rates[:3], equal_nan=True)
    assert np.array_equal(found.duration_ms, session.duration_ms[:3])
    assert set(found.truth) == {"weights", "unit_type", "recorded_unit"}
    assert Session.of(found.recordings()).trials == 3


def test_the_teacher_obeys_dale():
    for seed in range(3):
        teacher = teacher_of(ScSessionConfig(network_seed=seed))
        assert (teacher.weights[:, teacher.unit_type == 1] >= 0).all()
        assert (teacher.weights[:, teacher.unit_type == 2] <= 0).all()
        assert (np.diag(teacher.weights) == 0).all()
        assert np.abs(np.linalg.eigvals(teacher.weights)).max() == pytest.approx(0.8)
        assert ((teacher.leak > 0) & (teacher.leak < 1)).all()
        types = teacher.neuron_type
        assert (types == 1).sum() == 22 and (types == 2).sum() == 8
        assert (np.diff(types) != 0).sum() > 2  # interleaved


def test_the_rates_are_those_of_a_plain_loop():
    config = ScSessionConfig(gain_sd=0.0)
    teacher, plan, trial = teacher_of(config), plan_trial(config, 3), simulate_trial(config, 3)
    drive = drive_of(plan, trial.time_ms)
    units = len(teacher.unit_type)

    def f(v: float) -> float:
        return float(np.log1p(np.exp(v)))

    state = [float(teacher.input_weights[k] @ drive[0] + teacher.bias[k]) for k in range(units)]
    for t in range(-40, 30):
        rate = [f(v) for v in state]
        push = drive[max(t, 0)]
        state = [
            (1 - teacher.leak[k]) * state[k]
            + teacher.leak[k]
            * (
                sum(teacher.weights[k, j] * rate[j] for j in range(units))
                + teacher.input_weights[k] @ push
                + teacher.bias[k]
            )
            for k in range(units)
        ]
    expected = [
        g * f(state[unit]) + r0
        for unit, g, r0 in zip(teacher.recorded_unit, teacher.gain, teacher.baseline, strict=True)
    ]
    assert np.allclose(trial.true_rates[0, 29], expected, rtol=1e-5)


def test_counts_are_poisson_of_the_true_rates(whole):
    valid = np.isfinite(whole.rates)
    counts, expected = whole.rates[valid] * 0.025, whole.true_rates[valid] * 0.025
    assert np.array_equal(counts, np.rint(counts))
    assert np.array_equal(np.isfinite(whole.true_rates), valid)
    assert counts.mean() == pytest.approx(expected.mean(), rel=0.02)
    assert ((counts - expected) ** 2 / expected).mean() == pytest.approx(1, abs=0.05)


def test_rates_are_like_those_of_the_superior_colliculus(whole):
    means = np.nanmean(whole.rates, axis=(0, 1))
    assert means.min() > 2 and means.max() < 60 and 7 < np.median(means) < 20
    assert np.nanmax(whole.true_rates) < 500
    _, around_go = aligned(whole, whole.true_rates, "go")
    by_location = np.stack([np.nanmean(around_go[whole.labels["location"] == k], axis=0) for k in (1, 2, 3, 4)])
    parted = (by_location.max(axis=0) - by_location.min(axis=0)).max(axis=0) / means
    assert (parted > 1.5).sum() >= 8, "some neurons burst for one location"
    assert (parted < 0.5).sum() >= 2, "some are untuned"


def test_the_psth_can_be_told_from_half_of_the_trials(whole):
    common = slice(0, 90)
    halves = [np.nanmean(whole.rates[start::2, common], axis=0) for start in (0, 1)]
    smooth = [np.apply_along_axis(np.convolve, 0, half, np.ones(5) / 5, mode="valid") for half in halves]
    r = [np.corrcoef(smooth[0][:, n], smooth[1][:, n])[0, 1] for n in range(whole.neurons)]
    assert np.median(r) > 0.7


def test_a_trials_gain_moves_all_neurons(simulated):
    gains = np.array([float(simulated[group].truth["gain"][0]) for group in simulated])
    assert np.log(gains).std() == pytest.approx(0.2, abs=0.03)
    totals = np.array(
        [np.nansum(simulated[group].signal) / np.isfinite(simulated[group].signal).sum() for group in simulated]
    )
    assert np.corrcoef(gains, totals)[0, 1] > 0.8


def test_events_come_in_order_and_in_time(whole):
    assert classify(whole).ordered.all()
    target, go, reward = (event_bins(whole, event) for event in ("target", "go", "reward"))
    assert ((go - target) * 25 >= 275).all() and ((go - target) * 25 <= 825).all()
    assert ((reward - go) * 25 >= 325).all() and ((reward - go) * 25 <= 750).all()
    assert whole.duration_ms.min() > 1000 and whole.duration_ms.max() < 2300
    valid = np.isfinite(whole.rates[:, :, 0]).sum(axis=1)
    assert np.array_equal(valid, np.floor((whole.duration_ms + 700) / 25))
    assert (whole.inputs[:, :, INPUT_NAMES.index("reward_on")].sum(axis=1) == 8).all()


def test_conditions_are_balanced_and_the_inputs_agree_with_the_labels(whole):
    labels = np.stack([whole.labels[name] for name in ("location", "reward", "salience")], axis=1)
    assert np.unique(labels, axis=0, return_counts=True)[1].tolist() == [10] * 24
    on = whole.inputs.max(axis=1)
    assert np.array_equal(on[:, 1:5].argmax(axis=1) + 1, whole.labels["location"])
    assert (on[:, 1:5].sum(axis=1) == 1).all()
    features = on[:, INPUT_NAMES.index("is_face") : INPUT_NAMES.index("is_bullseye") + 1]
    assert np.array_equal(features.argmax(axis=1) + 1, whole.labels["identity"])
    for name, value in (("high_salience", 1), ("low_salience", 2)):
        assert np.array_equal(on[:, INPUT_NAMES.index(name)] == 1, whole.labels["salience"] == value)


def test_the_eyes_go_to_the_target_after_go(whole):
    x, y = (whole.inputs[:, :, INPUT_NAMES.index(name)] for name in ("eye_x", "eye_y"))
    go, reward = event_bins(whole, "go"), event_bins(whole, "reward")
    trials = np.arange(whole.trials)
    assert np.abs(x[trials, go]).max() < 0.3
    quadrant = {(1, 1): 1, (-1, 1): 2, (-1, -1): 3, (1, -1): 4}
    landed = [
        quadrant[int(np.sign(a)), int(np.sign(b))] for a, b in zip(x[trials, reward], y[trials, reward], strict=True)
    ]
    assert landed == whole.labels["location"].tolist()
    assert x.std() == pytest.approx(1, abs=0.1) and abs(x.mean()) < 0.1


def test_the_export_is_the_session(simulator, simulated, whole, tmp_path):
    (path,) = simulator.export(simulated, "mat", tmp_path)
    assert path.name == "rnn_export_sc_session_1_0.mat"
    back = read_session(path)
    assert np.array_equal(back.rates, whole.rates, equal_nan=True)
    assert np.array_equal(back.inputs, whole.inputs)
    assert back.missing == () and back.neuron_ids == whole.neuron_ids


def test_the_summary_has_its_numbers_and_its_figure(simulator, simulated, tmp_path):
    (exhibit,) = simulator.summary(simulated, tmp_path)
    assert exhibit.figure is not None and exhibit.figure.stat().st_size > 20_000
    assert [row[0] for row in exhibit.table.rows] == ["E", "I", "all"]
    assert exhibit.claims["trials"] == 240
    (small,) = simulator.summary(simulated.subset(["trial-0003"]), tmp_path / "one")
    assert small.table.rows[-1][-1] is None, "one trial has one location"


def test_other_sizes_and_bins(simulator, tmp_path):
    config = ScSessionConfig(num_excitatory=3, num_inhibitory=2, hidden_excitatory=0, hidden_inhibitory=0, bin_ms=10.0)
    made = [simulator.simulate(config, index, tmp_path) for index in range(2)]
    for index, recording in enumerate(made):
        recording.group = simulator.group_name(config, index)
    found = Session.of(RecordingSet.of(made, truth=simulator.truth(config)))
    assert found.neurons == 5 and found.bin_ms == 10 and found.time_ms[0] == -195
    assert classify(found).ordered.all()
    assert found.inputs[:, :, INPUT_NAMES.index("reward_on")].sum() == 2 * 20
    scaled = simulate_trial(config.model_copy(update={"rate_scale": 2.0}), 0)
    assert np.allclose(scaled.true_rates[0], 2 * found.true_rates[0], equal_nan=True, rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"bin_ms": 30.0}, {"num_inhibitory": 0}, {"hidden_excitatory": 5000}, {"trials": 3}])
def test_impossible_configurations_are_refused(wrong):
    with pytest.raises(ValidationError):
        ScSessionConfig(**wrong)
