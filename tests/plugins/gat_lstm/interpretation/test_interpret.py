"""What `interpret` measures, against plain references and cases whose answer is known."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy import stats
from torch_geometric.nn import GATConv

from neurocli.recordings import RecordingSet
from neurocli.runs.plain import plain
from neurocli_gat_lstm.evaluation import drawing, worm_statistics
from neurocli_gat_lstm.interpretation import edge_scores, functional_weights, stability
from neurocli_gat_lstm.interpretation.interpret import interpretation_exhibits
from neurocli_gat_lstm.model.rollout import continued
from neurocli_gat_lstm.model.views import views

ALWAYS = ["attention", "attention-matrix", "attention-classes", "functional-weights", "edge-scores", "stability"]
LATER = ["controls", "forecasts", "recovery"]


@pytest.fixture(scope="module")
def three(worms) -> RecordingSet:
    return worms.subset(worms.groups[:3])


@pytest.fixture(scope="module")
def trained(three, make_trained):
    return make_trained(three, {"model.hops": 1})


@pytest.fixture(scope="module")
def view(trained):
    return views(trained.dataset, trained.network)[0]


@pytest.fixture(scope="module")
def scores(trained):
    return edge_scores.edge_scores(views(trained.dataset, trained.network))


def whole(exhibits) -> None:
    for exhibit in exhibits:
        assert exhibit.figure is None or exhibit.figure.stat().st_size > 5000
        if exhibit.table is not None:
            assert exhibit.table.rows
            assert all(len(row) == len(exhibit.table.columns) for row in exhibit.table.rows)
        json.dumps(plain(exhibit), allow_nan=False)


# -- exhibits ---------------------------------------------------------------------------------------------------------


def test_all_exhibits_of_simulated_worms(trained, tmp_path):
    exhibits = interpretation_exhibits(trained, tmp_path)
    assert [e.name for e in exhibits] == [*ALWAYS, *LATER]
    assert all(exhibits[k].figure is not None for k in (0, 1, 3, 5, 7, 8))
    whole(exhibits)


@pytest.mark.parametrize(
    "options",
    [
        {"model.graph": "none"},
        {"model.graph": "full", "model.members": 2},
        {"model.graph": "shuffled", "model.linear": "none", "model.attention": [8, 8]},
        {"model.attention": []},
    ],
)
def test_all_exhibits_of_other_options(three, make_trained, options, tmp_path):
    exhibits = interpretation_exhibits(make_trained(three, options), tmp_path)
    whole(exhibits)
    by_name = {e.name: e for e in exhibits}
    if options.get("model.graph") == "none":
        assert "no edges" in by_name["recovery"].title and by_name["recovery"].table is None
    if options.get("model.members") == 2:
        assert by_name["forecasts"].claims["networks"] == 2
        assert any("two networks of one fold" in row[0] for row in by_name["stability"].table.rows)


def test_the_published_model(three, make_trained, tmp_path):
    trained = make_trained(three, model="gat-lstm-v1")
    exhibits = interpretation_exhibits(trained, tmp_path)
    whole(exhibits)
    assert len(exhibits[0].table.rows) == 4 + 4 + 2  # heads


def test_worms_without_truth_say_so(walks, make_trained, tmp_path):
    exhibits = interpretation_exhibits(make_trained(walks(3)), tmp_path)
    assert "only simulated worms" in exhibits[-1].title and exhibits[-1].table is None
    whole(exhibits)


def test_without_positions_the_circle_says_what_is_missing(trained, tmp_path, monkeypatch):
    for network in (drawing, functional_weights):
        monkeypatch.setattr(network, "positions", lambda: None)
    monkeypatch.setattr(functional_weights, "signal_propagation", lambda: None)
    exhibits = {e.name: e for e in interpretation_exhibits(trained, tmp_path)}
    whole(exhibits.values())
    assert "wormneuroatlas" in exhibits["attention"].table.note
    assert "wormneuroatlas" in exhibits["edge-scores"].claims["missing"]


def test_the_circle_keeps_neurons_apart(monkeypatch):
    monkeypatch.setattr(drawing, "positions", lambda: None)
    at, anatomical = drawing.places(["AVAL", "ASHL", "VB1", "unidentified-1", "AVAR"])
    assert not anatomical
    assert np.allclose(np.linalg.norm(at, axis=1), 1)
    apart = np.linalg.norm(at[:, None] - at[None], axis=2)[~np.eye(5, dtype=bool)]
    assert apart.min() > 0.1


# -- edges ------------------------------------------------------------------------------------------------------------


def test_derivatives_are_those_of_the_forecasts(view):
    """Central differences through the rollout that forecasts are made by."""
    slopes = edge_scores.derivatives(view, steps=3, origins=4)
    x = view.windows(edge_scores.CONTEXT + 1, 4).double()
    network = view.correction.double()
    linear = {name: value.double() for name, value in view.linear.items()}
    graph = dataclasses.replace(view.graph, edge_attr=view.graph.edge_attr.double())
    present = torch.ones(len(x), x.shape[2], dtype=torch.bool)
    step = 1e-5
    try:
        for pre in (0, 3):
            ends = []
            for sign in (1, -1):
                moved = x.clone()
                moved[:, -1, pre] += sign * step
                with torch.no_grad():
                    # Everything before the last frame is context: the LSTM starts `lags` frames in.
                    history = torch.cat((moved[:, :1].expand(-1, view.lags - 1, -1), moved), 1)
                    _, ahead = continued(network, linear, history, view.nodes, graph, present, 3)
                ends.append(torch.stack(ahead))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert slopes.one_step[:, pre] == pytest.approx(slope[0].mean(0).numpy(), abs=2e-4)
            assert slopes.followed[:, pre] == pytest.approx(slope.sum(0).mean(0).numpy(), abs=1e-3)
    finally:
        network.float()


def test_one_step_reaches_neighbours_only(view):
    slopes = edge_scores.derivatives(view, origins=4)
    allowed = np.eye(len(view.worm.names), dtype=bool)
    pre, post = view.graph.edge_index.numpy()
    allowed[post, pre] = True
    assert not slopes.one_step[~allowed].any() and not slopes.network[~allowed].any()
    assert np.abs(slopes.network[post, pre]).min() > 0
    assert (np.abs(slopes.followed) > 0).sum() > allowed.sum()  # steps follow each other along paths


def test_without_its_network_a_forecast_depends_by_the_linear_coefficients(three, make_trained):
    trained = make_trained(three)
    with torch.no_grad():
        for member in trained.network.members:
            member.head.weight.zero_()
    view = views(trained.dataset, trained.network)[0]
    off = ~np.eye(len(view.worm.names), dtype=bool)
    assert np.abs(edge_scores.linear_of(view)).max() > 0.01
    assert edge_scores.derivatives(view).one_step[off] == pytest.approx(edge_scores.linear_of(view)[off], abs=1e-6)


def test_attention_is_that_of_torch_geometric_frame_by_frame(view):
    layer = view.correction.attention[0]
    plain_layer = GATConv(layer.in_channels, layer.out_channels, layer.heads, edge_dim=layer.edge_dim, fill_value=0.0)
    plain_layer.load_state_dict(layer.state_dict())
    frames = view.windows(2, edge_scores.FRAMES)
    total = 0.0
    with torch.no_grad():
        for before, now in frames:
            inputs = torch.cat((now[:, None], 3 * (now - before)[:, None], view.correction.names[view.nodes]), 1)
            _, (edges, weights) = plain_layer(inputs, *view.graph, return_attention_weights=True)
            total = total + weights
    weights, _ = edge_scores.attention_of(view)[0]
    assert weights == pytest.approx((total / len(frames)).numpy(), abs=1e-5)
    into = np.zeros((len(view.worm.names), weights.shape[1]))
    np.add.at(into, edges[1].numpy(), weights)
    assert into == pytest.approx(np.ones_like(into), abs=1e-5)


def test_edges_removed_together_are_edges_removed_one_by_one(view, monkeypatch):
    together = edge_scores.ablated(view)
    assert np.isfinite(together).all() and np.abs(together).max() > 1e-3
    count = len(together)
    monkeypatch.setattr(edge_scores, "rounds", lambda *_: [np.array([edge]) for edge in range(count)])
    assert edge_scores.ablated(view) == pytest.approx(together, abs=1e-6)


def test_rounds_hold_every_edge_once():
    post = np.array([0, 2, 0, 1, 2, 2])
    rounds = edge_scores.rounds(post, 1)
    assert sorted(np.concatenate(rounds).tolist()) == list(range(6))
    assert all(len(set(post[edges])) == len(edges) for edges in rounds)
    assert len(rounds) == 3
    assert all(len(edges) == 1 for edges in edge_scores.rounds(post, 2))
    assert edge_scores.rounds(post[:0], 1) == []


def test_scores_stand_at_their_edges(trained, scores):
    """Edges are those of the connectome; linear coefficients are found by name."""
    data, network = trained.dataset, trained.network
    place = {name: k for k, name in enumerate(data.names)}
    real = {(data.names[a], data.names[b]) for a, b in zip(data.wiring.graph.pre, data.wiring.graph.post, strict=True)}
    edges = {(scores.names[a], scores.names[b]) for a, b in zip(scores.pre, scores.post, strict=True)}
    assert edges <= real and len(edges) == scores.n_edges
    row = next(k for k, v in enumerate(scores.views) if v.fold == 1)
    for edge in range(scores.n_edges):
        pre, post = place[scores.names[scores.pre[edge]]], place[scores.names[scores.post[edge]]]
        value = scores.by_view[edge_scores.LINEAR][row, edge]
        if np.isfinite(value):
            wanted = network.level[1, 0, post, pre] + network.change[1, 0, post, pre]
            assert value == pytest.approx(float(wanted), abs=1e-7)


def test_an_edge_that_no_training_worm_shows_has_no_estimate(worm_of, make_trained):
    rng = np.random.default_rng(0)
    names = ["AVAL", "AVAR", "AVBL", "AVBR", "RIML"]
    worms = [
        worm_of(rng.normal(size=(200, 4)).astype(np.float32), names[:4] if k else names[1:], worm=f"w{k}")
        for k in range(3)
    ]
    trained = make_trained(RecordingSet.of(worms, meta={"kind": "worm"}), {"model.graph": "full"})
    exhibits = edge_scores.edge_scores(views(trained.dataset, trained.network))
    with_rim = np.array(
        [
            exhibits.names[a] == "RIML" or exhibits.names[b] == "RIML"
            for a, b in zip(exhibits.pre, exhibits.post, strict=True)
        ]
    )
    assert with_rim.sum() == 6
    values = exhibits.mean(edge_scores.FUNCTIONAL)  # only worm 0 has RIML, and its network was fitted on the others
    assert np.isnan(values[with_rim]).all() and np.isfinite(values[~with_rim]).all()


def test_independent_views_have_not_seen_their_worm(trained):
    seen = views(trained.dataset, trained.network)
    assert len(seen) == 9 and [view.independent for view in seen] == [True] * 3 + [False] * 6
    for view in seen:
        assert view.independent == (view.worm.group not in trained.dataset.split.folds[view.fold].train)


def test_the_same_network_agrees_with_itself(scores):
    alike = stability.correlations(np.abs(scores.by_view[edge_scores.LINEAR]))
    for a, first in enumerate(scores.views):
        for b, other in enumerate(scores.views):
            if a != b and first.fold == other.fold and np.isfinite(alike[a, b]):
                assert alike[a, b] == pytest.approx(1)


# -- statistics -------------------------------------------------------------------------------------------------------


def test_exact_tests_are_counted_right():
    ordered = np.tile([0.1, 0.2, 0.3], (6, 1)) + np.arange(6)[:, None]
    assert worm_statistics.friedman_exact(ordered) == pytest.approx(6 / 6**6)  # all worms in one of six orders
    assert np.isnan(worm_statistics.friedman_exact(ordered[:5]))  # no p below six worms
    level = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]] * 3)
    assert worm_statistics.friedman_exact(level) == pytest.approx(1)
    many = np.random.default_rng(0).normal((0.0, 0.3, 0.6), size=(30, 3))
    assert worm_statistics.friedman_exact(many) == pytest.approx(stats.friedmanchisquare(*many.T).pvalue, abs=0.02)


def test_holm_corrects_for_the_number_of_tests():
    assert worm_statistics.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    untested = worm_statistics.holm({"a": float("nan"), "b": 0.04})
    assert np.isnan(untested["a"]) and untested["b"] == 0.04
