"""What `interpret` measures, against plain loops, the simulated cell itself and cases whose answer is known."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet, Split
from neurocli.runs.plain import plain
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.events import InputEvents
from neurocli_elm.interpretation import ablation, attribution, interpret
from neurocli_elm.interpretation.ablation import mean_memory, parts_of, score, without
from neurocli_elm.interpretation.attribution import attribution_of, spike_places
from neurocli_elm.interpretation.impulse_responses import kernels_of
from neurocli_elm.interpretation.interpret import interpretation_exhibits
from neurocli_elm.interpretation.memory_spectrum import moves
from neurocli_elm.interpretation.recovery import (
    DISTANCE,
    EFFECT,
    RESPONSE,
    RIVAL,
    SPIKES,
    WEIGHT,
    recovery_exhibit,
    truths_of,
)
from neurocli_elm.model.build import config_of
from neurocli_elm.model.cell import ELMCell
from neurocli_elm.model.checkpoint import read_checkpoint
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.probe import (
    branch_gradients,
    branch_traces,
    event_attribution,
    events_before,
    some_windows,
)
from neurocli_elm.simulation import perturbation
from neurocli_elm.simulation.example import small_cells

NAMES = ["kernels", "timescales", "attribution", "dendrite", "ablation"]


@pytest.fixture(scope="module")
def cells() -> RecordingSet:
    return small_cells(0, simulations=5, duration_ms=2500)


def trained_on(cells: RecordingSet, version: int = 2, split: Split | None = None, **options: Any) -> TrainedModel:
    """A neuron whose every weight is drawn anew, so that no part does nothing."""
    config = ElmConfig()
    for key, value in ({"num_memory": 6, "num_branch": 8, "mlp_activation": "silu"} | options).items():
        setattr(config.model, key, value)
    names = cells.groups
    usual = Split(tuple(names[:2]), (names[2],), tuple(names[3:]))
    data = SimulationData(cells, config, split or usual)
    network = registry().family(f"elm-v{version}").untrained(config, data.spec, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        network._proto_w_s.copy_(torch.rand(len(network._proto_w_s), generator=generator) - 0.1)
        for layer in (*network.mlp.linears, network.w_y):
            layer.weight.mul_(2)
    return TrainedModel(network, config, data, 0, [], None, registry().family(f"elm-v{version}"))


def parts(trained: TrainedModel) -> tuple[ElmNeuron, SimulationData]:
    assert isinstance(trained.network, ElmNeuron) and isinstance(trained.dataset, SimulationData)
    return trained.network, trained.dataset


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_outputs_of_branch_traces_are_those_of_the_neuron(cells, version, activation):
    network, data = parts(trained_on(cells, version, mlp_activation=activation))
    events = some_windows(data, "test", 3, 120).input_events()
    with torch.no_grad():
        expected = network.forward_events(events)
        actual = network.output_of(branch_traces(network, events)).transpose(0, 1)
    torch.testing.assert_close(actual, expected, atol=2e-5, rtol=1e-4)
    x = events.dense(data.channels)
    sent = (x @ network.branch_weights())[0]
    torch.testing.assert_close(branch_traces(network, events)[0], sent, atol=1e-5, rtol=1e-4)


def test_input_before_a_step_is_the_end_of_the_simulation_until_then(cells):
    _, data = parts(trained_on(cells))
    group = data.split.test[0]
    events = events_before(data, [(group, 700), (group, 30)], 100)
    dense = events.dense(data.channels).transpose(0, 1).numpy()
    spikes = data.load(group).spikes
    expected = np.zeros((2500, data.channels))
    for step, channel in zip(spikes.step, spikes.channel, strict=True):
        expected[step, channel] = 1 if channel < data.excitatory else -1
    np.testing.assert_array_equal(dense[0], expected[601:701])
    np.testing.assert_array_equal(dense[1], np.concatenate([np.zeros((69, data.channels)), expected[:31]]))


@pytest.mark.parametrize("version", [1, 2])
def test_gradients_of_events_are_those_of_dense_input(cells, version):
    network, data = parts(trained_on(cells, version))
    events = some_windows(data, "test", 3, 80).input_events()
    x = events.dense(data.channels).transpose(0, 1).requires_grad_()
    for output in (0, 1):
        (expected,) = torch.autograd.grad(network(x)[:, -1, output].sum(), x)
        gradients = branch_gradients(network, branch_traces(network, events), output)
        actual = event_attribution(events, gradients, network.branch_weights())
        want = (expected * x)[events.sample, events.step, events.channel]
        torch.testing.assert_close(actual, want.detach(), atol=1e-5, rtol=1e-3)


def test_integrated_gradients_add_up(cells, monkeypatch):
    network, data = parts(trained_on(cells))
    spikes, others = spike_places(data, "test")
    for places in (spikes[:4], others[:4]):
        rough = attribution_of(network, data, places)
        monkeypatch.setattr(attribution, "POINTS", 512)
        actual = attribution_of(network, data, places)
        monkeypatch.undo()
        difference = actual.logit - actual.silent
        assert abs(actual.by_lag.sum() - difference) < 0.02
        assert abs(rough.by_lag.sum() - difference) < 0.3
        assert actual.gap == pytest.approx(abs(actual.by_lag.sum() - difference) / abs(difference))
        assert actual.by_lag.sum() == pytest.approx(actual.by_input.sum(), rel=1e-4)
        events = events_before(data, places, 500)
        assert actual.events.sum() == pytest.approx(len(events.sign) / len(places))
        with torch.no_grad():
            logits = network.forward_events(events)[:, -1, 0]
        assert actual.logit == pytest.approx(float(logits.mean()), abs=1e-4)


def test_places_of_spikes_and_of_none(cells):
    _, data = parts(trained_on(cells))
    spikes, others = spike_places(data, "test")
    known = {(g, int(s)) for g in data.split.test for s in data.load(g).events["output_spikes"] if s >= 500}
    assert set(spikes) == known and spikes
    assert all(step >= 500 for _, step in others)
    for group, step in others:
        assert np.abs(data.load(group).events["output_spikes"] - step).min(initial=999) > 50


def test_kernels_tell_what_one_event_more_does(cells):
    network, data = parts(trained_on(cells))
    kernels = kernels_of(network, data, "test")
    windows = some_windows(data, "test", 48, 400)
    events = windows.input_events()
    exact = ElmNeuron(network.options, compiled=False)
    exact.load_state_dict(network.state_dict())
    exact.double()
    x = events.dense(data.channels, torch.float64).transpose(0, 1).contiguous()
    with torch.no_grad():
        before = exact(x)[:, -1, 1]
        for channel, lag in ((3, 0), (40, 9), (data.excitatory + 7, 4), (data.excitatory + 60, 30)):
            more = x.clone()
            more[:, 399 - lag, channel] += 1e-4 * kernels.sign[channel]
            change = 10 * (exact(more)[:, -1, 1] - before).mean() / 1e-4
            assert kernels.of_input[lag, channel] == pytest.approx(float(change), rel=5e-3, abs=1e-5)
    exciting = kernels.weights[: data.excitatory, 2]
    assert kernels.mean_weight(True)[2] == pytest.approx(exciting[exciting > 0].mean())
    np.testing.assert_allclose(kernels.of_branch(False), -kernels.unit * kernels.mean_weight(False))


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("version", [1, 2])
def test_a_neuron_without_units_is_one_whose_units_are_set_in_every_step(cells, version, held):
    network, data = parts(trained_on(cells, version))
    on = ablation.tested(network, data, "test")
    mean = mean_memory(network, on)
    units = np.array([1, 4])
    cut_off = without(network, units, mean if held else None)
    windows = some_windows(data, "test", 2, 60)
    x = torch.from_numpy(windows.dense())
    cell, state = ELMCell.of(network), network.initial_state(2)
    expected = []

    def fixed(memory: torch.Tensor) -> torch.Tensor:
        memory = memory.clone()
        memory[:, units] = mean[units] if held else 0
        return memory

    with torch.no_grad():
        for t in range(60):
            state = cell(x[:, t], state._replace(memory=fixed(state.memory)))
            expected.append(network.w_y(fixed(state.memory)))
        actual = cut_off(x)
    torch.testing.assert_close(actual, torch.stack(expected, 1), atol=2e-5, rtol=1e-4)
    states = [network.forward_states(_whole(data, group)).memory[0, 500:].mean(0) for group in data.split.test]
    torch.testing.assert_close(mean, torch.stack(states).mean(0).detach(), atol=1e-5, rtol=1e-4)


def _whole(data: SimulationData, group: str) -> InputEvents:
    return events_before(data, [(group, data.lengths[group] - 1)], data.lengths[group])


def test_ablation_scores_are_rmse_and_auc(cells):
    network, data = parts(trained_on(cells, split=Split((), (), tuple(cells.groups), "given")))
    actual = score(network, ablation.tested(network, data, "test"))
    errors, truth, prediction = [], [], []
    for group in data.split.test:
        with torch.no_grad():
            spike, soma = network.neuronio_output(_whole(data, group))
        recording = data.load(group)
        target = np.minimum(recording.signal[500:, 0], -55) + 67.7
        errors.append(soma[0, 500:].numpy() - target)
        truth.append(np.isin(np.arange(500, 2500), recording.events["output_spikes"]))
        prediction.append(spike[0, 500:].numpy())
    assert float(ablation._RMSE.value(actual.rmse.sum(0))) == pytest.approx(
        np.sqrt(np.mean(np.square(errors))), rel=1e-4
    )
    auc = roc_auc_score(np.concatenate(truth), np.concatenate(prediction))
    assert float(ablation._AUC.value(actual.auc.sum(0))) == pytest.approx(auc, abs=2e-3)


def test_bands_hold_every_unit_once():
    tau = np.geomspace(1, 1500, 12)
    every = dict(parts_of(tau))
    bands = [units for name, units in every.items() if not name.startswith(("unit", "all"))]
    assert sorted(np.concatenate(bands).tolist()) == list(range(12))
    assert "1000 ms and more" in every and "unit 0 (1 ms)" in every
    assert not any(name.startswith("unit") for name, _ in parts_of(np.geomspace(1, 150, 100)))


def test_what_a_unit_moves_is_its_readout_times_its_spread(cells):
    network, data = parts(trained_on(cells))
    windows = some_windows(data, "test", 16)
    with torch.no_grad():
        memory = network.forward_states(windows.input_events()).memory[:, 150:].flatten(0, 1).numpy()
        weight = network.w_y.weight.abs().numpy()
    actual = moves(network, data, "test")
    np.testing.assert_allclose(actual[0], weight[0] * memory.std(0, ddof=1), rtol=1e-3)
    np.testing.assert_allclose(actual[1], 10 * weight[1] * memory.std(0, ddof=1), rtol=1e-3)


# ---- the dendrite


def test_a_neuron_that_has_found_the_dendrite_and_one_that_has_not(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(perturbation, "SIMULATIONS", 2)
    _, data = parts(trained_on(cells))
    truths = truths_of(data)
    assert list(truths) == [EFFECT, WEIGHT, DISTANCE]
    actual = {RESPONSE: 2 * truths[EFFECT], SPIKES: -truths[DISTANCE]}
    nulls = dict.fromkeys(actual, np.random.default_rng(0).normal(size=(99, data.channels)))
    claims = recovery_exhibit(data, actual, nulls, tmp_path).claims
    for kind in ("excitatory", "inhibitory"):
        assert claims[f"{RESPONSE}, {kind}, {EFFECT}"] == pytest.approx(1)
        assert claims[f"{SPIKES}, {kind}, {DISTANCE}"] == pytest.approx(-1)
        assert claims[f"response over true effect, {kind}"] == pytest.approx(2)
        assert abs(claims[f"{RESPONSE}, {kind}, {EFFECT}, random weights"]) < 0.05
        assert claims[f"{RESPONSE}, {kind}, {EFFECT}, p"] == claims[f"{SPIKES}, {kind}, {DISTANCE}, p"] == 0.01
        assert claims[f"{RESPONSE}, {kind}, {EFFECT}, given distance"] == pytest.approx(1)
        rival = claims[f"{RIVAL}, {kind}, {EFFECT}"]
        assert rival == pytest.approx(claims[f"{SPIKES}, {kind}, {EFFECT}"]) and 0.3 < rival < 1


# ---- everything together


@pytest.mark.parametrize("version", [1, 2])
def test_every_exhibit_has_numbers_and_a_figure(cells, tmp_path, version, monkeypatch):
    monkeypatch.setattr(interpret, "CHEAP_NULLS", 4)
    monkeypatch.setattr(perturbation, "SIMULATIONS", 1)
    trained = trained_on(cells, version)
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    exhibits = interpretation_exhibits(trained, tmp_path)
    assert [exhibit.name for exhibit in exhibits] == NAMES
    for exhibit in exhibits:
        assert exhibit.figure is not None and exhibit.figure.stat().st_size > 10_000
        assert exhibit.table is not None and exhibit.claims
        assert all(len(row) == len(exhibit.table.columns) for row in exhibit.table.rows)
        json.dumps(plain(exhibit.as_dict()), allow_nan=False)
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.network.state_dict().items())


def test_what_cannot_be_shown_is_said(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(interpret, "CHEAP_NULLS", 4)
    silent = []
    for group in cells:
        recording = cells[group]
        events = {name: values[:0] for name, values in recording.events.items()}
        silent.append(dataclasses.replace(recording, events=events))
    exhibits = {e.name: e for e in interpretation_exhibits(trained_on(RecordingSet.of(silent)), tmp_path)}
    assert "no output spike" in exhibits["attribution"].title and exhibits["attribution"].table is None
    assert "unknown" in exhibits["dendrite"].title
    assert exhibits["ablation"].claims["auc"] is None
    for exhibit in exhibits.values():
        json.dumps(plain(exhibit.as_dict()), allow_nan=False)


@pytest.mark.slow
def test_a_published_neuron_has_found_the_dendrite(tmp_path):
    if "NEUROCLI_REAL_DATA" not in os.environ:
        pytest.skip("NEUROCLI_REAL_DATA is not set")
    from neurocli_elm.data.readers.reader import NeuronIoReader

    folder = Path(os.environ["NEUROCLI_REAL_DATA"]) / "elm"
    recordings = NeuronIoReader().read(sorted(folder.glob("*.p")))
    actual = read_checkpoint(folder / "checkpoints" / "num_memory_15" / "neuronio_best_model_state.pt", version=1)
    config = config_of(actual.options)
    data = SimulationData(recordings, config, Split((), (), tuple(recordings.groups), "given"))
    trained = TrainedModel(actual.neuron(), config, data, 0, [], None, registry().family("elm-v1"))
    exhibits = {e.name: e for e in interpretation_exhibits(trained, tmp_path)}
    claims = exhibits["dendrite"].claims
    assert claims[f"{RESPONSE}, excitatory, {DISTANCE}"] < -0.5
    assert claims[f"{RESPONSE}, inhibitory, {DISTANCE}"] < -0.5
    assert abs(claims[f"{RESPONSE}, excitatory, {DISTANCE}, random weights"]) < 0.2
    assert claims[f"{RESPONSE}, excitatory, {DISTANCE}, p"] == 0.01
    assert exhibits["kernels"].claims["inputs_of_right_sign"] > 0.9
    assert exhibits["attribution"].claims["excitatory_excess"] > 1
    assert exhibits["ablation"].claims["rmse_mv"] < 0.7
