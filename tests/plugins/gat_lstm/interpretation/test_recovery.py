"""Scores against the network that made simulated worms, where the answer is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from neurocli.interpretation.random_weights import with_permuted_weights
from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.interpretation import recovery
from neurocli_gat_lstm.interpretation.edge_scores import FUNCTIONAL, LINEAR, NETWORK, edge_scores
from neurocli_gat_lstm.interpretation.interpret import interpretation_exhibits, permuted_scores
from neurocli_gat_lstm.model.views import views
from neurocli_gat_lstm.simulation.network import network_of
from neurocli_gat_lstm.simulation.parameters import CelegansConfig
from neurocli_gat_lstm.simulation.simulator import NAME, simulate_worm


@pytest.fixture(scope="module")
def trained(worms, make_trained):
    return make_trained(worms)


@pytest.fixture(scope="module")
def scores(trained):
    return edge_scores(views(trained.dataset, trained.network, independent=True))


def test_truth_is_found_by_name(trained, scores):
    shared = trained.dataset.recordings.truth
    truth = recovery.truth_of(scores, shared)
    names = recovery.recorded_names(shared)
    known = {
        (names[a], names[b]): (w, s)
        for a, b, w, s in zip(shared["pre"], shared["post"], shared["weight"], shared["structural"], strict=True)
    }
    pairs = list(zip(truth.pre, truth.post, strict=True))
    assert len(set(pairs)) == len(pairs) and all(a != b for a, b in pairs)
    for k, (a, b) in enumerate(pairs):
        weight, structural = known.get((scores.names[a], scores.names[b]), (0.0, None))
        assert truth.weight[k] == pytest.approx(weight)
        assert (truth.structural[k], truth.added[k]) == (
            structural is not None and bool(structural),
            structural is not None and not structural,
        )
    assert truth.added.sum() and truth.structural.sum() and truth.absent.sum()


def test_the_truth_itself_is_recovered_and_noise_is_not(trained, scores):
    truth = recovery.truth_of(scores, trained.dataset.recordings.truth)
    recovered = recovery.recovered(truth.weight, truth, signed=True)
    assert (recovered.auc.value, recovered.sign) == (1, 1)
    assert recovered.chance.p < 0.01 and recovered.chance.mean < 0.7
    everywhere = recovery.recovered(truth.weight, truth, signed=True, beyond=~truth.structural)
    assert everywhere.added.value == 1 and np.isnan(recovered.added.value)  # the real graph has no pair to find them on
    assert recovery.recovered(-truth.weight, truth, signed=True).sign == 0
    noise = np.random.default_rng(0).normal(size=len(truth.weight))
    random = recovery.recovered(noise, truth, signed=True)
    assert random.auc.low < 0.5 < random.auc.high or np.isnan(random.auc.low)
    assert random.chance.p > 0.05
    edges = truth.structural & truth.joined
    assert random.auc.value == pytest.approx(roc_auc_score(truth.weight[edges] != 0, np.abs(noise)[edges]))


def test_a_pair_that_is_no_edge_scores_nothing(trained, scores):
    truth = recovery.truth_of(scores, trained.dataset.recordings.truth)
    values = recovery.on_pairs(scores, truth, np.ones(scores.n_edges))
    real = set(zip(scores.pre.tolist(), scores.post.tolist(), strict=True))
    assert values.tolist() == [float((a, b) in real) for a, b in zip(truth.pre, truth.post, strict=True)]


def test_other_recordings_have_no_truth(walks, make_trained, trained):
    assert recovery.has_truth(trained.dataset)
    assert not recovery.has_truth(make_trained(walks(3)).dataset)


def test_random_networks_have_the_trained_weights_in_another_order_and_the_same_linear_path(trained, scores):
    blank = with_permuted_weights(trained.network, torch.Generator().manual_seed(0))
    for (name, trained_values), other in zip(trained.network.named_parameters(), blank.parameters(), strict=True):
        np.testing.assert_array_equal(
            np.sort(trained_values.detach(), None), np.sort(other.detach(), None), err_msg=name
        )
        assert trained_values.numel() < 3 or not np.array_equal(trained_values.detach(), other.detach())
    permuted = permuted_scores(trained)
    np.testing.assert_array_equal(permuted.mean(LINEAR), scores.mean(LINEAR))
    assert not np.allclose(np.nan_to_num(permuted.mean(NETWORK)), np.nan_to_num(scores.mean(NETWORK)))
    again = permuted_scores(trained)
    assert np.array_equal(permuted.mean(FUNCTIONAL), again.mean(FUNCTIONAL), equal_nan=True)


def test_a_random_network_can_score_high(trained):
    """Where what carries a signal is what it weighs most; no pair ties."""
    permuted = permuted_scores(trained)
    truth = recovery.truth_of(permuted, trained.dataset.recordings.truth)
    size = np.abs(recovery.on_pairs(permuted, truth, permuted.mean(NETWORK)))
    scored = size[truth.scored]
    assert len(np.unique(scored)) > 0.9 * len(scored)
    strong = dataclasses.replace(truth, weight=np.where(size > np.median(scored), 1.0, 0.0))
    assert recovery.recovered(size, strong, signed=False).auc.value == 1
    assert recovery.recovered(size, strong, signed=False).chance.p < 0.01


def simulated(**options) -> RecordingSet:
    """Twelve worms of thirty neurons."""
    config = CelegansConfig(neurons=30, duration_s=300.0, step_ms=50.0, added=0.1, **options)
    worms = [simulate_worm(config, index) for index in range(12)]
    meta = {"simulator": NAME, "parameters": config.model_dump(mode="json")}
    return RecordingSet.of(worms, meta=meta, truth=network_of(config).truth())


@pytest.fixture(scope="module")
def many() -> RecordingSet:
    """Every neuron is recorded: where the linear path finds what carries a signal almost wherever it is asked."""
    return simulated(hidden=0)


@pytest.fixture(scope="module")
def few_of_many() -> RecordingSet:
    """Eight neurons of nine are never seen, which is how the simulator makes worms by itself."""
    return simulated()


@pytest.fixture(scope="module")
def uncoupled() -> RecordingSet:
    """The same neurons, edges and labels, and next to no signal along any edge: what is found there is no edge."""
    return simulated(coupling=1e-3)


def exhibit_of(recordings, make_trained, figures, **options):
    """With a network that says nothing: the linear path is what is asked about."""
    trained = make_trained(recordings, {f"model.{name}": value for name, value in options.items()})
    for member in trained.network.members:
        member.head.weight.data.zero_()
    return trained, interpretation_exhibits(trained, figures)


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["real", "shuffled", "full"])
def test_functional_edges_are_told_from_silenced_ones_on_the_pairs_that_a_graph_has(
    many, make_trained, graph, tmp_path
):
    trained, shown = exhibit_of(many, make_trained, tmp_path, graph=graph)
    exhibit = shown[-1]
    claims = exhibit.claims
    assert "AUC" in exhibit.table.columns and exhibit.figure is not None
    # A shuffled graph is asked about its own pairs, and finds what carries a signal among them.
    assert claims["auc"] > (0.75 if graph == "shuffled" else 0.8) and claims["p"] < 0.01
    assert claims["auc"] == claims["auc_linear"]  # the ridge regression does all of the work, and that is said
    assert claims["auc"] > claims["auc_structural weight"] + 0.1
    assert ("auc_added" in claims) == (graph == "full")
    if graph == "full":
        assert claims["auc_added"] > 0.75 and claims["added_reached"]
    assert 0.35 < claims["auc_nameless"] < 0.65
    column = list(exhibit.table.columns).index
    row = next(row for row in exhibit.table.rows if row[0] == FUNCTIONAL)
    assert row[column("sign right")] > 0.9
    assert row[column("AUC, permuted weights")] is not None
    pairs = next(e for e in shown if e.name == "controls").claims
    assert 0 < pairs["pairs_within_1"] < pairs["pairs_within_2"] <= 1 or graph == "full"
    edges = trained.dataset.wiring.graph.n_edges
    assert pairs["pairs_within_1"] == pytest.approx(edges / (30 * 29))


@pytest.mark.slow
def test_neurons_that_are_not_recorded_make_edges_harder_to_tell_but_not_to_chance(
    many, few_of_many, make_trained, tmp_path
):
    hard = exhibit_of(few_of_many, make_trained, tmp_path, graph="real")[1][-1].claims
    easy = exhibit_of(many, make_trained, tmp_path, graph="real")[1][-1].claims
    assert 0.65 < hard["auc_linear"] < easy["auc_linear"] - 0.05 and hard["p"] < 0.01


@pytest.mark.slow
def test_where_no_edge_carries_a_signal_none_is_found(uncoupled, make_trained, tmp_path):
    claims = exhibit_of(uncoupled, make_trained, tmp_path)[1][-1].claims
    assert 0.3 < claims["auc_linear"] < 0.65 and claims["p"] > 0.05 and not claims["reached"]
    assert 0.3 < claims["auc_correlation of traces"] < 0.65
