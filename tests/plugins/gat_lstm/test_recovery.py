"""Scores against the network that made simulated worms, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from neurocli.recordings import RecordingSet
from neurocli_gat_lstm import recovery
from neurocli_gat_lstm.edge_scores import ATTRIBUTION, edge_scores
from neurocli_gat_lstm.interpret import interpretation_exhibits, untrained_scores
from neurocli_gat_lstm.network import network_of
from neurocli_gat_lstm.parameters import CelegansConfig
from neurocli_gat_lstm.simulator import NAME, simulate_worm
from neurocli_gat_lstm.views import views


@pytest.fixture(scope="module")
def trained(worms, make_trained):
    return make_trained(worms)


@pytest.fixture(scope="module")
def scores(trained):
    return edge_scores(views(trained.data, trained.module, independent=True))


def test_truth_is_found_by_name(trained, scores):
    shared = trained.data.recordings.truth
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
    truth = recovery.truth_of(scores, trained.data.recordings.truth)
    found = recovery.recovered(truth.weight, truth, signed=True)
    assert (found.auc.value, found.added.value, found.sign) == (1, 1, 1)
    assert recovery.recovered(-truth.weight, truth, signed=True).sign == 0
    noise = np.random.default_rng(0).normal(size=len(truth.weight))
    random = recovery.recovered(noise, truth, signed=True)
    assert random.auc.low < 0.5 < random.auc.high
    edges = truth.structural
    assert random.auc.value == pytest.approx(roc_auc_score(truth.weight[edges] != 0, np.abs(noise)[edges]))


def test_a_pair_that_is_no_edge_scores_nothing(trained, scores):
    truth = recovery.truth_of(scores, trained.data.recordings.truth)
    values = recovery.on_pairs(scores, truth, np.ones(scores.n_edges))
    real = set(zip(scores.pre.tolist(), scores.post.tolist(), strict=True))
    assert values.tolist() == [float((a, b) in real) for a, b in zip(truth.pre, truth.post, strict=True)]


def test_other_recordings_have_no_truth(walks, make_trained, trained):
    assert recovery.has_truth(trained.data)
    assert not recovery.has_truth(make_trained(walks(3)).data)


def test_untrained_networks_have_no_linear_path_and_differ_from_nothing(trained):
    found = untrained_scores(trained)
    assert not np.nan_to_num(found.mean("linear path")).any()
    assert np.nan_to_num(found.mean(ATTRIBUTION)).any()
    again = untrained_scores(trained)
    assert np.array_equal(found.mean(ATTRIBUTION), again.mean(ATTRIBUTION), equal_nan=True)


@pytest.fixture(scope="module")
def many() -> RecordingSet:
    """Twelve worms of thirty neurons."""
    config = CelegansConfig(neurons=30, duration_s=300.0, step_ms=50.0, added=0.1)
    made = [simulate_worm(config, index) for index in range(12)]
    meta = {"simulator": NAME, "parameters": config.model_dump(mode="json")}
    return RecordingSet.of(made, meta=meta, truth=network_of(config).truth())


@pytest.mark.parametrize("graph", ["real", "shuffled", "full"])
def test_functional_edges_are_told_from_silenced_ones_by_the_right_graph(many, make_trained, graph, tmp_path):
    """The linear path is fitted; the network's answer is taken away, since it has not been trained."""
    trained = make_trained(many, {"model.graph": graph})
    for member in trained.module.members:
        member.head.weight.data.zero_()
    found = interpretation_exhibits(trained, tmp_path)[-1]
    claims = found.claims
    assert "AUC" in found.table.columns and found.figure is not None
    if graph == "shuffled":
        assert 0.3 < claims["auc"] < 0.7 and not claims["reached"]
        return
    assert claims["auc"] > 0.8
    assert claims["auc"] > claims["auc_structural weight"] + 0.1
    assert 0.25 < claims["auc_untrained"] < 0.75
    assert ("auc_added" in claims) == (graph == "full")
    if graph == "full":
        assert claims["auc_added"] > 0.75 and claims["added_reached"]
    sign = next(row for row in found.table.rows if row[0] == ATTRIBUTION)[found.table.columns.index("sign right")]
    assert sign > 0.9
