"""What `diagnose` says of a neuron, against plain loops, finite differences and faults put in on purpose."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli.runs.plain import plain
from neurocli_elm.config import ElmConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.diagnosis.flow import input_gradients, memory_updates
from neurocli_elm.diagnosis.model import neuron_findings, timescale_findings
from neurocli_elm.model.cell import ELMCell, ElmState
from neurocli_elm.model.mlp import TANH_HEIGHT, TANH_SLOPE
from neurocli_elm.model.neuron import ElmNeuron
from neurocli_elm.model.probe import some_windows
from neurocli_elm.simulation.example import small_cells


@pytest.fixture(scope="module")
def cells() -> RecordingSet:
    return small_cells(0, simulations=5, duration_ms=1200)


def trained_on(cells: RecordingSet, version: int = 2, **options: Any) -> TrainedModel:
    config = ElmConfig()
    for key, value in ({"num_memory": 6, "num_branch": 8} | options).items():
        setattr(config.model, key, value)
    config.data.window = 200
    data = SimulationData(cells, config)
    family = registry().family(f"elm-v{version}")
    return TrainedModel(family.untrained(config, data.spec, 0), config, data, 0, [], None, family)


def found(trained: TrainedModel) -> dict[str, Any]:
    every = trained.family.diagnose_model(trained)
    json.dumps(plain([finding.as_dict() for finding in every]))
    return {finding.check: finding for finding in every}


def neuron(trained: TrainedModel) -> ElmNeuron:
    assert isinstance(trained.network, ElmNeuron)
    return trained.network


@pytest.mark.parametrize("version", [1, 2])
def test_a_new_neuron_has_no_fault(cells, version):
    every = found(trained_on(cells, version))
    assert {f.check for f in every.values() if f.verdict != "PASS"} <= {"test-spikes"}
    assert every["dead-synapses"].value == 0
    assert every["timescales"].value.startswith("6 fixed: 1, ")


def test_no_branch_is_left_without_an_input(cells):
    trained = trained_on(cells, num_branch=45)
    every = {f.check: f for f in neuron_findings(trained.untrained(), trained.dataset, trained.config, "untrained")}
    # 128 inputs, three on each branch: the 43rd branch has the last two, and there are no more.
    assert every["dead-branches"].verdict == "PASS" and neuron(trained).options.branches == 43


def test_synapses_and_branches_that_have_died(cells):
    trained = trained_on(cells)
    weights, per_branch = neuron(trained)._proto_w_s, neuron(trained).options.num_synapse_per_branch
    valid = neuron(trained).valid_indices_mask
    with torch.no_grad():
        weights[2 * per_branch : 3 * per_branch] = -0.1
        weights[3 * per_branch] = 0
    every = found(trained)
    assert (every["dead-branches"].verdict, every["dead-branches"].value) == ("WARN", "1 of 8: 2")
    dead = int((valid & (weights <= 0)).sum()) / int(valid.sum())
    assert every["dead-synapses"].value == pytest.approx(dead)
    with torch.no_grad():
        neuron(trained).mlp.linears[0].weight[:, 5] = 0  # nothing reads it
    assert found(trained)["dead-branches"].value == "2 of 8: 2, 5"
    with torch.no_grad():
        weights[: len(weights) // 2] = -1
    assert found(trained)["dead-synapses"].verdict == "WARN"
    with torch.no_grad():
        weights[:] = -1
    every = found(trained)
    assert every["dead-synapses"].verdict == every["dead-branches"].verdict == "FAIL"
    assert every["inputs-without-synapse"].value.startswith("128 of 128")


@pytest.mark.parametrize("version", [1, 2])
def test_memory_updates_are_those_of_the_plain_loop(cells, version):
    trained = trained_on(cells, version)
    network, windows = neuron(trained), some_windows(trained.dataset, "test", 2, 60)
    x = torch.from_numpy(windows.dense())
    k, _ = network.memory_decay()
    cell = ELMCell.of(network)
    state: ElmState = network.initial_state(2)
    expected = []
    with torch.no_grad():
        for t in range(60):
            after = cell(x[:, t], state)
            trace = after.trace
            expected.append(TANH_HEIGHT * torch.tanh(TANH_SLOPE * network.mlp(torch.cat((trace, k * state.memory), 1))))
            state = after
    np.testing.assert_allclose(memory_updates(network, windows), torch.stack(expected, 1), atol=2e-5)


def test_saturated_memory(cells):
    trained = trained_on(cells)
    with torch.no_grad():
        neuron(trained).mlp.linears[-1].bias[:3] = 50
    finding = found(trained)["saturated-memory"]
    assert finding.verdict == "WARN" and finding.value == pytest.approx(0.5, abs=0.05)
    with torch.no_grad():
        neuron(trained).mlp.linears[-1].bias[:] = 50
    assert found(trained)["saturated-memory"].verdict == "FAIL"


def test_gradients_against_lag_are_finite_differences(cells):
    trained = trained_on(cells, mlp_activation="silu")
    network, windows = neuron(trained), some_windows(trained.dataset, "test", 2, 50)
    curves = input_gradients(network, windows)
    plain_module = ElmNeuron(network.options, compiled=False).double()
    plain_module.load_state_dict(network.state_dict())
    plain_module.double()
    x, size = torch.from_numpy(windows.dense()).double(), 1e-5
    for lag in (0, 7, 49):
        norms = np.zeros((2, 2))
        for channel in range(trained.dataset.channels):
            nudged = x.clone()
            nudged[:, 49 - lag, channel] += size
            with torch.no_grad():
                norms += (((plain_module(nudged) - plain_module(x))[:, -1] / size) ** 2).numpy()
        expected = np.sqrt(norms).mean(0)
        for output in (0, 1):
            assert float(curves[output][lag]) == pytest.approx(expected[output], rel=2e-3)


def test_an_output_that_forgets_at_once(cells):
    trained = trained_on(cells, memory_tau_max=2.0, tau_value=1.0)
    assert found(trained)["gradient-against-lag-soma"].verdict == "WARN"


def test_timescales_at_bounds_and_beyond_the_window(cells):
    network = neuron(trained_on(cells, learn_memory_tau=True))
    every = {f.check: f for f in timescale_findings(network, 200, "x")}
    assert (every["timescales-at-bounds"].verdict, every["longest-timescale"].verdict) == ("PASS", "PASS")
    with torch.no_grad():
        network._proto_tau_m[[0, 1, 2]] = -40
    every = {f.check: f for f in timescale_findings(network, 100, "x")}
    assert every["timescales-at-bounds"].verdict == every["longest-timescale"].verdict == "WARN"
    assert every["timescales-at-bounds"].value == "3 at 1 ms, 1 at 150 ms"


def test_loss_terms_and_gradients(cells):
    trained = trained_on(cells)
    every = found(trained)
    assert every["loss-terms"].verdict == every["gradients"].verdict == "PASS"
    trained.config.loss.soma = 1e-4
    finding = found(trained)["loss-terms"]
    assert finding.verdict == "WARN" and "spike makes up nearly all" in finding.advice
    trained.config.loss.soma = 0.5
    with torch.no_grad():
        neuron(trained).w_y.weight[:] = float("nan")
    every = found(trained)
    assert every["loss-terms"].verdict == every["gradients"].verdict == "FAIL"
    assert every["gradient-against-lag-spike"].verdict == "FAIL"


def test_the_split_of_the_run_is_what_is_checked(cells):
    twice = RecordingSet.of([cells[group] for group in cells], meta=cells.meta, truth=cells.truth)
    first = cells[cells.groups[0]]
    import dataclasses

    copy = dataclasses.replace(first, group="copy")
    trained = trained_on(RecordingSet.of([*(twice[g] for g in twice), copy]))
    split = trained.dataset.split
    part_of = {g: part for part in ("train", "validation", "test") for g in split.groups(part)}
    verdict = found(trained)["split-overlap"].verdict
    assert verdict == ("FAIL" if part_of["copy"] != part_of[first.group] else "PASS")
