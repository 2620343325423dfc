"""gat-lstm-v2 against its equations as a plain loop in float64, and what its forecasts must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurocli_gat_lstm.config import V2Config, V2Model
from neurocli_gat_lstm.data.linear.path import LinearPath
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.model.rollout import continued
from neurocli_gat_lstm.model.v2 import GatLstm, build_v2, linear_change

NODES, LAGS = 6, 3
EDGES = [(0, 1), (1, 0), (1, 2), (3, 2), (4, 2), (2, 5), (5, 4)]  # node 3 hears nobody


def made(widths=(8,), heads=2, names=9, seed=0):
    torch.manual_seed(seed)
    options = V2Model(lags=LAGS, embedding=3, attention=list(widths), heads=heads, hidden=5, dropout=0.5)
    network = GatLstm(names, 2, (1,), 2, options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape))
        for buffer in network.buffers():
            buffer.copy_(0.05 * torch.randn(buffer.shape))
    return network.eval()


@pytest.fixture(scope="module")
def graph():
    torch.manual_seed(1)
    return GraphTensors(torch.tensor(EDGES).t().contiguous(), torch.rand(len(EDGES), 2))


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(2).normal(size=(4, LAGS + 14, NODES)).astype(np.float32)


def network_on_worm(network, x, graph, nodes, present=None, steps=5, fold=1):
    x = torch.as_tensor(x)
    present = torch.ones(len(x), x.shape[2], dtype=torch.bool) if present is None else torch.as_tensor(present)
    linear = network.linear_of(fold, nodes)
    with torch.no_grad():
        after, ahead = continued(network.members_of(fold)[0], linear, x, nodes, graph, present, steps)
    return after.numpy(), torch.stack(ahead, 1).numpy()


NODE = torch.tensor([4, 0, 8, 2, 9, 6])  # 9 is for unknown names


@pytest.mark.parametrize(("widths", "heads"), [((8,), 2), ((6, 4), 1), ((5, 8, 2), 2)])
def test_all_chunks_at_once_are_the_plain_loop(plain_v2, graph, windows, widths, heads):
    network = made(widths, heads)
    after, ahead = network_on_worm(network, windows, graph, NODE)
    for k, window in enumerate(windows):
        plain = plain_v2(network.members_of(1)[0], network.linear_of(1, NODE), NODE, graph)
        expected_after, expected_ahead = plain.forecasts(window, 5)
        np.testing.assert_allclose(after[k], expected_after, atol=1e-5)
        np.testing.assert_allclose(ahead[k], expected_ahead, atol=1e-5)
    assert np.abs(after - windows[:, LAGS:]).max() > 0.1


def test_with_absent_neurons_too(plain_v2, graph, windows):
    network = made()
    present = np.ones((4, NODES), bool)
    present[1, 2] = present[2, [0, 4]] = present[3, 1] = False
    x = np.where(present[:, None], windows, np.float32(0))
    after, ahead = network_on_worm(network, x, graph, NODE, present)
    for k in range(4):
        plain = plain_v2(network.members_of(1)[0], network.linear_of(1, NODE), NODE, graph, present[k])
        expected_after, expected_ahead = plain.forecasts(x[k], 5)
        np.testing.assert_allclose(after[k][:, present[k]], expected_after[:, present[k]], atol=1e-5)
        np.testing.assert_allclose(ahead[k], expected_ahead, atol=1e-5)
        assert (ahead[k][:, ~present[k]] == 0).all()


def test_an_absent_neuron_is_as_if_it_had_never_been_there(graph, windows):
    network = made()
    gone, remaining = 2, [0, 1, 3, 4, 5]
    present = np.ones((4, NODES), bool)
    present[:, gone] = False
    first = network_on_worm(network, np.where(present[:, None], windows, np.float32(0)), graph, NODE, present)
    place = {old: new for new, old in enumerate(remaining)}
    used = [k for k, (a, b) in enumerate(EDGES) if gone not in (a, b)]
    edges = torch.tensor([[place[a], place[b]] for a, b in (EDGES[k] for k in used)]).t().contiguous()
    other = network_on_worm(
        network, windows[:, :, remaining], GraphTensors(edges, graph.edge_attr[used]), NODE[remaining]
    )
    for a, b in zip(first, other, strict=True):
        np.testing.assert_allclose(a[..., remaining], b, atol=1e-6)


def test_the_order_of_neurons_is_of_no_matter(graph, windows):
    network = made((6, 4), 2)
    order = np.array([3, 5, 0, 2, 4, 1])
    place = np.argsort(order)
    edges = torch.from_numpy(place)[graph.edge_index]
    shuffled = GraphTensors(edges, graph.edge_attr)
    base = network_on_worm(network, windows, graph, NODE)
    other = network_on_worm(network, windows[:, :, order], shuffled, NODE[torch.from_numpy(order)])
    for a, b in zip(base, other, strict=True):
        np.testing.assert_allclose(a[..., order], b, atol=1e-5)


def test_the_order_of_edges_is_of_no_matter(graph, windows):
    network = made((6, 4), 2)
    order = torch.tensor([6, 2, 0, 4, 1, 5, 3])
    other = GraphTensors(graph.edge_index[:, order], graph.edge_attr[order])
    for a, b in zip(
        network_on_worm(network, windows, graph, NODE), network_on_worm(network, windows, other, NODE), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_nothing_depends_on_the_rest_of_the_batch(graph, windows):
    network = made()
    present = np.ones((4, NODES), bool)
    present[2, 3] = False
    x = np.where(present[:, None], windows, np.float32(0))
    whole = network_on_worm(network, x, graph, NODE, present)
    for chosen in ([1], [2], [3, 0], [2, 2, 2, 1, 0]):
        part = network_on_worm(network, x[chosen], graph, NODE, present[chosen])
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_allclose(a[chosen], b, atol=1e-6)


@pytest.mark.parametrize("changed_at", [LAGS + 3, LAGS + 8, LAGS + 13])
def test_nothing_at_a_time_depends_on_what_comes_after(graph, windows, changed_at):
    network = made((6, 4), 2)
    other = windows.copy()
    other[:, changed_at:] = np.random.default_rng(0).normal(size=other[:, changed_at:].shape)
    (first, _), (two, _) = (network_on_worm(network, x, graph, NODE) for x in (windows, other))
    at = changed_at - LAGS
    assert (first[:, :at] == two[:, :at]).all()
    assert (first[:, at] != two[:, at]).all()


def test_a_name_that_no_training_worm_shows_uses_the_last_embedding_and_the_shared_past(graph, windows):
    network = made(names=4)
    path = LinearPath(
        ("A", "B", "C", "D"),
        *(np.random.default_rng(k).normal(size=s) for k, s in enumerate(((4, LAGS), (LAGS,), (4, 4), (4, 4)))),
    )
    network.set_linear(0, {1: path})
    nodes = torch.tensor([0, 4, 2, 4, 1, 3])
    linear = network.linear_of(0, nodes)
    np.testing.assert_allclose(linear["own"][[1, 3]], np.tile(path.shared, (2, 1)), rtol=1e-6)
    known = nodes < 4
    # What the other weights of unknown names hold came from `made`: a new model has zeros there.
    fresh = build_v2(
        V2Config(model={"lags": LAGS}, evaluate={"horizons": [1]}),
        {"names": list("ABCD"), "folds": 1, "edge_features": 2},
    )
    fresh.set_linear(0, {1: path})
    level = fresh.linear_of(0, nodes)["level"]
    assert not level[~known].any() and not level[:, ~known].any()
    expected = path.among(("A", "?", "C", "?", "B", "D"))
    np.testing.assert_allclose(level, expected.level, rtol=1e-6)
    correction = network.members_of(0)[0]
    before = network_on_worm(network, windows, graph, nodes, fold=0)[0]
    with torch.no_grad():
        correction.names[4] += 1.0
    after = network_on_worm(network, windows, graph, nodes, fold=0)[0]
    hears = {1, 3} | {post for pre, post in EDGES if pre in (1, 3)}
    moved = {k for k in range(NODES) if (before[..., k] != after[..., k]).any()}
    assert moved == hears


def test_linear_change_is_the_sum_that_it_stands_for():
    rng = np.random.default_rng(4)
    past, own_past, level, change = (rng.normal(size=s) for s in ((3, 2, 7, 5), (5, 3), (5, 5), (5, 5)))
    coefficients = {"own": own_past, "level": level, "change": change}
    change_found = linear_change(torch.from_numpy(past), {k: torch.from_numpy(v) for k, v in coefficients.items()})
    for chunk, t, i in np.ndindex(2, 7, 5):
        expected = sum(own_past[i, lag] * past[lag, chunk, t, i] for lag in range(3))
        expected += sum(level[i, j] * past[0, chunk, t, j] for j in range(5))
        expected += sum(change[i, j] * (past[0, chunk, t, j] - past[1, chunk, t, j]) for j in range(5))
        assert float(change_found[chunk, t, i]) == pytest.approx(expected)


def test_training_starts_from_the_linear_path(worms):
    """An untrained network, prepared, is the linear baseline along the graph's edges, at every horizon."""
    from neurocli.plugin.family import TrainedModel
    from neurocli.plugin.registry import registry

    family = registry().family("gat-lstm-v2")
    config = family.Config(model={"members": 2})
    data = family.adapt(worms, config)
    network = family.build(config, data.spec).eval()
    assert len(network.members) == 10
    family.prepare(network, data, config)
    trained = TrainedModel(network, config, data, 0, [])
    (baseline,) = [p for p in family.baselines(data, config) if p.name == "ridge, graph"]
    for target in family.targets(data, config):
        ours, theirs = family.predict(trained, target).values, baseline.predict(target).values
        for group in target.groups:
            np.testing.assert_allclose(ours[group], theirs[group], atol=2e-4)


def test_a_fold_has_networks_of_its_own(worms):
    network = made()
    assert [network.members_of(f)[0] is network.members[f] for f in (0, 1)] == [True, True]
    options = V2Model(members=3, lags=2, embedding=1, attention=[4], heads=1, hidden=2, dropout=0.0)
    three = GatLstm(4, 2, (1,), 2, options)
    assert [m for f in (0, 1) for m in three.members_of(f)] == list(three.members)
    weights = [member.lstm.weight_ih_l0 for member in three.members]
    assert all(not torch.equal(weights[0], other) for other in weights[1:])
