"""The controls of `interpret` are high in worlds where they must be, and low where they must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet, Split
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.interpretation import interpret
from neurocli_elm.interpretation.impulse_responses import kernels_of
from neurocli_elm.interpretation.interpret import random_scores, scores_of
from neurocli_elm.interpretation.random_neuron import random_neuron
from neurocli_elm.interpretation.recovery import (
    DISTANCE,
    EFFECT,
    RESPONSE,
    RIVAL,
    SPIKES,
    WEIGHT,
    recovery_exhibit,
)
from neurocli_elm.simulation.example import small_cells
from neurocli_elm.simulation.parameters import DendriteConfig
from neurocli_elm.simulation.simulator import NAME, simulate_cell, truth_of

KINDS = ("excitatory", "inhibitory")


@pytest.fixture(scope="module")
def cells():
    return small_cells(0, simulations=4, duration_ms=1500)


def neuron_of(cells, version=2):
    """(neuron whose weights differ from synapse to synapse, its data)."""
    config = registry().family(f"elm-v{version}").Config()
    config.model.num_memory, config.model.num_branch = 6, 8
    names = cells.groups
    data = SimulationData(cells, config, Split(tuple(names[:2]), (), tuple(names[2:]), "given"))
    network = registry().family(f"elm-v{version}").untrained(config, data.spec, 0)
    with torch.no_grad():
        network._proto_w_s.copy_(0.5 + torch.rand(len(network._proto_w_s), generator=torch.Generator().manual_seed(1)))
    return network, data


@pytest.mark.parametrize("version", [1, 2])
def test_random_weights_are_the_trained_ones_dealt_out_within_their_kind(cells, version):
    network, data = neuron_of(cells, version)
    dealt = random_neuron(network, data.exciting, 3)
    valid, exciting = network.valid_indices_mask, network.synapse_channels < data.excitatory
    for kind in (exciting & valid, ~exciting & valid):
        first, second = network._proto_w_s[kind], dealt._proto_w_s[kind]
        assert not torch.equal(first, second) and torch.equal(first.sort().values, second.sort().values)
    assert torch.equal(network._proto_w_s[~valid], dealt._proto_w_s[~valid])
    for mine, theirs in zip((*network.mlp.linears, network.w_y), (*dealt.mlp.linears, dealt.w_y), strict=True):
        assert not torch.equal(mine.weight, theirs.weight)
        assert torch.equal(mine.weight.flatten().sort().values, theirs.weight.flatten().sort().values)
    assert torch.equal(network.tau_m, dealt.tau_m)
    assert not torch.equal(dealt._proto_w_s, random_neuron(network, data.exciting, 4)._proto_w_s)
    assert torch.equal(dealt._proto_w_s, random_neuron(network, data.exciting, 3)._proto_w_s)


def claims_of(data, scores, nulls, monkeypatch, tmp_path, **truths):
    monkeypatch.setattr("neurocli_elm.interpretation.recovery.truths_of", lambda data: truths)
    return recovery_exhibit(data, scores, nulls, tmp_path).claims


def test_random_weights_score_high_where_routing_alone_tells_and_low_where_it_does_not(cells, monkeypatch, tmp_path):
    """Inputs with more synapses do more, whatever the weights: in such a world a good rank says nothing of learning."""
    network, data = neuron_of(cells)
    nulls = random_scores(network, data, "test", [])
    scores = scores_of(kernels_of(network, data, "test", 8), None)
    synapses = np.bincount(network.synapse_channels[network.valid_indices_mask].numpy(), minlength=data.channels)
    random = np.random.default_rng(0)
    truths = {WEIGHT: synapses + 0.1 * random.random(data.channels), EFFECT: random.random(data.channels)}
    claims = claims_of(data, scores, nulls, monkeypatch, tmp_path, **truths)
    for kind in KINDS:
        key = f"{RESPONSE}, {kind}"
        assert claims[f"{key}, {WEIGHT}, random weights"] > 0.12
        assert abs(claims[f"{key}, {EFFECT}, random weights"]) < 0.06
        assert claims[f"{key}, {WEIGHT}, p"] > 0.05, "an untrained neuron is no better than its control"


@pytest.mark.parametrize("world", ["distance", "weights"])
def test_the_rival_is_high_where_distance_tells_and_low_where_weights_do(cells, world, monkeypatch, tmp_path):
    _, data = neuron_of(cells)
    random = np.random.default_rng(1)
    distance, weight = random.random((2, data.channels))
    effect = (-distance if world == "distance" else weight) + 0.02 * random.random(data.channels)
    score = {RESPONSE: effect + 0.1 * random.random(data.channels), SPIKES: np.full(data.channels, np.nan)}
    claims = claims_of(data, score, {}, monkeypatch, tmp_path, **{EFFECT: effect, DISTANCE: distance})
    for kind in KINDS:
        rival, left = claims[f"{RIVAL}, {kind}, {EFFECT}"], claims[f"{RESPONSE}, {kind}, {EFFECT}, given distance"]
        assert claims[f"{RESPONSE}, {kind}, {EFFECT}"] > 0.9
        if world == "distance":
            assert rival > 0.99 and left < 0.5
        else:
            assert abs(rival) < 0.3 and left > 0.9


# -- a neuron that was trained on a world without the structure ------------------------------------------------------

CELL = {"segments": 54, "duration_ms": 2500}
POINT = {"axial_ohm_cm": 0.01, "weight_spread": 0.0}
"""No resistance inside the dendrite, all synapses alike: every input does the same, wherever it is."""


def simulated(**options):
    config = DendriteConfig(**CELL, **options)
    meta = {"simulator": NAME, "parameters": config.model_dump(mode="json")}
    return RecordingSet.of([simulate_cell(config, n) for n in range(24)], meta=meta, truth=truth_of(config))


def taught(cells, steps=500):
    family = registry().family("elm-v2")
    config = family.Config()
    config.model.num_memory, config.model.num_branch, config.data.window = 10, 16, 300
    names = cells.groups
    data = SimulationData(cells, config, Split(tuple(names[:18]), (), tuple(names[18:]), "given"))
    network = registry().family("elm-v2").untrained(config, data.spec, 0).train()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    schedule = CosineAnnealingLR(optimiser, steps)
    done = 0
    for epoch in range(steps):
        for batch in data.batches("train", seed=0, epoch=epoch):
            optimiser.zero_grad()
            family.loss(network, batch, config).total.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            if done == steps:
                return TrainedModel(network.eval(), config, data, 0, [], None, family)
    raise AssertionError


@pytest.mark.slow
def test_distance_is_found_in_a_cell_that_has_one_and_not_in_a_point(monkeypatch, tmp_path):
    monkeypatch.setattr(interpret, "CHEAP_NULLS", 19)
    exhibit = {}
    for name, options in (("tree", {}), ("point", POINT)):
        trained = taught(simulated(**options))
        network, data = trained.network, trained.dataset
        scores, nulls = scores_of(kernels_of(network, data, "test"), None), random_scores(network, data, "test", [])
        exhibit[name] = recovery_exhibit(data, scores, nulls, tmp_path).claims
    key = f"{RESPONSE}, excitatory, {DISTANCE}"
    assert exhibit["tree"][key] < -0.5 and exhibit["tree"][f"{key}, p"] == 0.05
    assert exhibit["point"][key] > -0.35
