"""Recovery of the wiring and its controls, each on a world where it must be high and on one where it must be low."""

from pathlib import Path

import numpy as np
import pytest
import torch

from neurocli.config import resolve
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli_cnn_lstm.config import V1Model
from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.evaluation.baselines import wiring
from neurocli_cnn_lstm.interpretation import recovery
from neurocli_cnn_lstm.interpretation.connectivity import connectivity_exhibit, scored
from neurocli_cnn_lstm.model.v1 import PublishedCnnLstm
from neurocli_cnn_lstm.model.v2 import StructuredCnnLstm
from neurocli_cnn_lstm.simulation.example import small_network

NEURONS = 30
EXCITATORY = np.arange(NEURONS) < 24


def adapted(network: str, *sets: str) -> VoltageData:
    recordings: RecordingSet = small_network(3, runs=8, duration_ms=4000.0, neurons=NEURONS, network=network)
    family = registry().family("cnn-lstm-v2")
    config = resolve(family.Config, sets=("data.test=0.4", "data.validation=0.12", *sets)).config
    data = family.adapt(recordings, config)
    assert isinstance(data, VoltageData) and len(data.split.test) == 3
    return data


def networks(data: VoltageData, groups: tuple[str, ...]) -> list[np.ndarray]:
    return [wiring(data, group, NEURONS) for group in groups]


def trained(data: VoltageData, steps: int = 150) -> TrainedModel:
    """A short training by the family's own loss."""
    family = registry().family("cnn-lstm-v2")
    config = resolve(family.Config, sets=(f"train.steps_per_epoch={steps}",)).config
    data.steps_per_epoch = steps
    torch.manual_seed(0)
    network = family.build(config, data.spec)
    optimiser = torch.optim.Adam(network.parameters(), 3e-2, betas=(0.9, 0.99))
    for batch in data.batches("train", seed=0, epoch=0):
        optimiser.zero_grad()
        family.loss(network, batch, config).total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    return TrainedModel(network.eval(), config, data, 0, [])


@pytest.fixture(scope="module")
def fixed() -> VoltageData:
    return adapted("fixed")


@pytest.fixture(scope="module")
def redrawn() -> VoltageData:
    return adapted("redraw")


@pytest.mark.parametrize("measure", [recovery.triggered_change, recovery.spike_correlation])
def test_what_needs_no_model_knows_the_network_that_it_has_seen_and_no_other(
    fixed: VoltageData, redrawn: VoltageData, measure
) -> None:  # type: ignore[no-untyped-def]
    seen = scored(measure(fixed, list(fixed.split.train)), networks(fixed, fixed.split.test[:1]), EXCITATORY)
    assert seen["auc_I"][0] > 0.95 and seen["auc_E"][0] > 0.75
    matrix = measure(redrawn, list(redrawn.split.train))
    unseen = scored(matrix, networks(redrawn, redrawn.split.test), EXCITATORY)
    assert 0.35 < unseen["auc_I"][0] < 0.65 and 0.4 < unseen["auc_E"][0] < 0.6
    [own] = redrawn.split.train[:1]  # of a redrawn network too, it is high on the run that it was taken from
    assert scored(measure(redrawn, [own]), networks(redrawn, (own,)), EXCITATORY)["auc_I"][0] > 0.75


def test_the_published_models_control_has_its_weights_in_other_places() -> None:
    network = PublishedCnnLstm(6, V1Model(window=8, lstm_hidden=4))
    other = recovery.with_weights_elsewhere(network, np.arange(6) < 4, np.random.default_rng(0))
    for (name, one), (_, two) in zip(network.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(one.flatten().sort().values, two.flatten().sort().values)
        if one.detach().unique().numel() > 2:
            assert not torch.equal(one, two), name


@pytest.mark.slow
def test_the_model_beats_its_control_where_there_is_a_network_to_learn(fixed: VoltageData, tmp_path: Path) -> None:
    model = trained(fixed)
    exhibit = connectivity_exhibit(model, tmp_path)
    claims = exhibit.claims
    assert claims["auc_I_model"] > 0.9 and claims["auc_E_model"] > 0.65
    assert claims["p_auc_I_model"] <= 0.02 and claims["p_auc_E_model"] <= 0.05
    assert 0.4 < claims["auc_I_shuffled_weights"] < 0.6
    assert claims["auc_I_shuffled_weights_low"] < claims["auc_I_shuffled_weights_high"] < claims["auc_I_model"]
    assert claims["auc_I_spike_triggered_change"] > 0.95
    # The control is no chance by construction: against the network that its own weights describe, it is high.
    network = model.network
    assert isinstance(network, StructuredCnnLstm)
    control = recovery.with_weights_elsewhere(network, EXCITATORY, np.random.default_rng(1))
    weight = control.synapse.weight.detach().numpy()
    strongest = np.where(EXCITATORY, weight, -weight) > np.quantile(np.abs(weight), 0.9)
    own = np.where(strongest, np.where(EXCITATORY, 0.5, -2.75), 0.0)
    assert scored(recovery.influence(control, fixed, 0), [own], EXCITATORY)["auc_I"][0] > 0.9


@pytest.mark.slow
def test_a_model_of_redrawn_networks_knows_none_that_it_has_not_seen(redrawn: VoltageData, tmp_path: Path) -> None:
    exhibit = connectivity_exhibit(trained(redrawn), tmp_path)
    claims = exhibit.claims
    for kind, least in (("E", 0.4), ("I", 0.35)):
        assert least < claims[f"auc_{kind}_model"] < 1 - least
        assert claims[f"p_auc_{kind}_model"] > 0.02
    assert exhibit.table is not None and "[" in str(exhibit.table.rows[0][1])  # an interval over three networks
    # Trained on one of them, it knows that one: nothing but the networks keeps it from being high.
    one = adapted("redraw")
    one.split = type(one.split)(one.split.train[:1], one.split.validation, one.split.test)
    known = recovery.influence(trained(one).network, one, 0)
    assert scored(known, networks(one, one.split.train), EXCITATORY)["auc_I"][0] > 0.8


def test_intervals_say_what_they_speak_for(fixed: VoltageData, redrawn: VoltageData) -> None:
    assert "one network" in fixed.scope() and "one network" not in redrawn.scope()
    plain = RecordingSet({g: (lambda g=g: fixed.recordings[g]) for g in fixed.recordings}, meta={})
    family = registry().family("cnn-lstm-v2")
    assert "network" in family.adapt(plain, family.Config()).scope()
