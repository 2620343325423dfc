"""Edges used are the connectome's edges, on every path: what a neuron's forecast depends on is measured, not looked up."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pytest
import torch

from neurocli_gat_lstm.config import GraphConfig
from neurocli_gat_lstm.graph.tensors import GraphTensors
from neurocli_gat_lstm.graph.wiring import Wiring
from neurocli_gat_lstm.interpretation.edge_scores import ABLATION, attention_of, derivatives, edge_scores
from neurocli_gat_lstm.model.loss_v2 import loss_terms
from neurocli_gat_lstm.model.rollout import continued, rolled_out
from neurocli_gat_lstm.model.views import views

NAMES = ("AIBL", "ASEL", "AVAL", "AVAR", "AVBL", "AVEL", "DB1", "RIML", "RIMR", "VB2", "a cell")


def connectome() -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """(chemical, gap) edges (pre, post) of the table of Cook et al., read here."""
    text = (files("neurocli_gat_lstm") / "tables" / "cook2019.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    by_kind = [{(r["pre"], r["post"]) for r in rows if float(r[kind] or 0) > 0} for kind in ("chemical", "gap")]
    return by_kind[0], by_kind[1]


def among(names, pairs):
    return {(pre, post) for pre, post in pairs if pre in names and post in names and pre != post}


def named(names, graph):
    edges = [(names[pre], names[post]) for pre, post in graph.edge_index.t().tolist()]
    assert len(set(edges)) == len(edges)
    return set(edges)


def reach(names, edges, sources, hops):
    """Neurons at most `hops` edges downstream, the sources among them."""
    reached = set(sources)
    for _ in range(hops):
        reached |= {post for pre, post in edges if pre in reached}
    return reached & set(names)


def test_edges_among_names_are_those_of_the_table_and_gap_junctions_go_both_ways():
    chemical, gap = (among(NAMES, pairs) for pairs in connectome())
    for synapses, expected in (("both", chemical | gap), ("chemical", chemical), ("gap", gap)):
        assert named(NAMES, Wiring(GraphConfig(synapses=synapses), NAMES).among(NAMES)) == expected
    assert gap and all((post, pre) in gap for pre, post in gap)
    one_way = {(pre, post) for pre, post in chemical if (post, pre) not in chemical | gap}
    assert one_way
    both = named(NAMES, Wiring(GraphConfig(), NAMES).among(NAMES))
    assert not {(post, pre) for pre, post in one_way} & both


def test_a_subset_in_any_order_and_unknown_neurons_get_the_edges_among_them():
    chemical, gap = connectome()
    wiring = Wiring(GraphConfig(), NAMES)
    for names in (NAMES[::-1], NAMES[3:8], ("RIML", "unidentified-7", "AVAL"), ("AVAL", "AVDL", "AVDR", "AVAR")):
        assert named(names, wiring.among(names)) == among(names, chemical | gap)


def test_features_travel_with_their_edges():
    whole = Wiring(GraphConfig(), NAMES)
    names = NAMES[::-1][2:]
    features = {}
    for order in (NAMES, names):
        graph = whole.among(order)
        pairs = [(order[pre], order[post]) for pre, post in graph.edge_index.t().tolist()]
        features[order] = dict(zip(pairs, map(tuple, graph.edge_attr.tolist()), strict=True))
    assert features[names] == {e: v for e, v in features[NAMES].items() if set(e) <= set(names)}
    with (files("neurocli_gat_lstm") / "tables" / "cook2019.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        weights = {(r["pre"], r["post"]): (float(r["chemical"] or 0), float(r["gap"] or 0)) for r in rows}
    for edge, values in features[NAMES].items():
        np.testing.assert_allclose(values, np.log1p(weights[edge]), rtol=1e-6)


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_what_the_linear_path_may_use_is_at_most_so_many_edges_away(hops):
    chemical, gap = connectome()
    edges = among(NAMES, chemical | gap)
    allowed = Wiring(GraphConfig(), NAMES).allowed(hops)
    for k, pre in enumerate(NAMES):
        downstream = {NAMES[post] for post in np.flatnonzero(allowed[:, k])}
        assert downstream == reach(NAMES, edges, {pre}, hops) - {pre}
    assert not Wiring(GraphConfig(graph="none"), NAMES).allowed(hops).any()
    assert (Wiring(GraphConfig(graph="full"), NAMES).allowed(hops) == ~np.eye(len(NAMES), dtype=bool)).all()


def test_a_shuffle_is_one_graph_whoever_is_looked_at():
    wiring = Wiring(GraphConfig(graph="shuffled", graph_seed=3), NAMES)
    whole = named(NAMES, wiring.among(NAMES))
    assert named(NAMES[2:9], wiring.among(NAMES[2:9])) == among(NAMES[2:9], whole)
    assert named(("AVDL", *NAMES[2:9]), wiring.among(("AVDL", *NAMES[2:9]))) == among(NAMES[2:9], whole)
    assert whole != named(NAMES, Wiring(GraphConfig(), NAMES).among(NAMES))


@pytest.fixture(scope="module")
def looked_at(worms, make_trained):
    """A model whose linear path reads a neuron's own past alone, so that attention is the only way between neurons."""
    return make_trained(worms, {"model.linear": "own"})


def moved(forecast, z, last):
    """[post, pre]: whose forecast changes, in any bit, when a neuron's last frame does."""
    base = forecast(z)
    changed = np.zeros((z.shape[1],) * 2, bool)
    for pre in range(z.shape[1]):
        other = z.copy()
        other[last, pre] += 2.5
        changed[:, pre] = forecast(other) != base
    return changed


def pairs_of(names, matrix):
    assert matrix.diagonal().all()
    return {(names[pre], names[post]) for post, pre in np.argwhere(matrix) if pre != post}


def edges_on_every_path(trained, group):
    """Path → edges that carry something there, as (pre, post)."""
    data, network = trained.dataset, trained.network
    worm = data.worms[group]
    fold = data.folds_for(group)[0]
    nodes, graph = data.nodes_of(worm), data.graph_of(worm)
    node = torch.from_numpy(nodes)
    linear, correction = network.linear_of(fold, node), network.members_of(fold)[0]
    n, names, lags = len(worm.names), worm.names, network.lags
    last, context = 60, 20
    origins = np.array([last])
    everyone = torch.ones(1, n, dtype=torch.bool)

    def batched(z):
        x = torch.from_numpy(z[last - lags - context + 1 : last + 1])[None]
        with torch.no_grad():
            return continued(correction, linear, x, node, graph, everyone, 1)[1][0][0].numpy()

    def cached(z):
        return rolled_out(correction, linear, z, nodes, graph, origins, context + lags, [1])[1][0]

    # Of a rollout: how the second forecast depends on the first one, which has taken the place of a recorded frame.
    x = torch.from_numpy(worm.z[last - lags - context + 1 : last + 1])[None]
    with torch.no_grad():
        features = correction.embed(x[:, lags:], x[:, lags - 1 : -1], node, graph, everyone)
        _, state = correction.advance(features)

    def rolled(z):
        now, before = torch.from_numpy(z[last : last + 1])[None], torch.from_numpy(z[last - 1 : last])[None]
        with torch.no_grad():
            return correction.advance(correction.embed(now, before, node, graph, everyone), state)[0][0, 0].numpy()

    (view,) = [v for v in views(data, network, [group]) if v.independent]
    slopes = derivatives(view, steps=1, origins=4)
    weights, _ = attention_of(view)[0]
    looked = named(names, view.graph)
    assert (weights[: len(looked)] > 0).all() and len(weights) == len(looked) + n
    by_path = {
        what: pairs_of(names, moved(path, worm.z, last))
        for what, path in (("batched", batched), ("cached", cached), ("rollout", rolled))
    }
    by_path["derivatives"] = pairs_of(names, slopes.network != 0)
    by_path["attention"] = looked
    by_path["batch"] = named(names, graph)
    scores = edge_scores([view])
    by_path["edge scores"] = {(scores.names[a], scores.names[b]) for a, b in zip(scores.pre, scores.post, strict=True)}
    assert np.isfinite(scores.by_view[ABLATION]).all()
    return by_path


def test_every_path_uses_the_edges_of_the_connectome_and_no_other(worms, looked_at):
    chemical, gap = connectome()
    group = looked_at.dataset.split.test[1]
    names = looked_at.dataset.worms[group].names
    expected = among(names, chemical | gap)
    assert len(expected) > 15
    by_path = edges_on_every_path(looked_at, group)
    assert len(by_path) == 7
    for path, edges in by_path.items():
        assert edges == expected, path


def test_every_training_batch_carries_the_edges_of_its_worm(looked_at):
    chemical, gap = connectome()
    data = looked_at.dataset
    seen = set()
    for batch in data.batches("train", seed=1, epoch=0):
        worm = next(
            w
            for w in data.worms.values()
            if len(w.names) == batch["x"].shape[2]
            and any(
                (w.z[s : s + data.span] == batch["x"][0].numpy()).all(0).any() for s in range(w.frames - data.span + 1)
            )
        )
        assert named(worm.names, GraphTensors(batch["edge_index"], batch["edge_attr"])) == among(
            worm.names, chemical | gap
        )
        seen.add(worm.group)
        gone = (~batch["present"]).any(0)
        assert gone.any()
    assert seen == set(data.worms)


def test_the_gradient_of_the_loss_follows_the_edges(worms, make_trained):
    """Of one neuron's one-step errors, with that neuron alone known: through attention, what is not upstream adds nothing."""
    trained = make_trained(worms, {"model.linear": "own", "loss.rollout": 0, "loss.neuron_dropout": 0.0})
    batch = next(iter(trained.dataset.batches("train", seed=0, epoch=0)))
    edges = set(map(tuple, batch["edge_index"].t().tolist()))
    n = batch["x"].shape[2]
    for post in range(n):
        inputs = dict(batch)
        inputs["x"] = batch["x"].clone().requires_grad_()
        inputs["known"] = torch.zeros_like(batch["known"])
        inputs["known"][..., post] = True
        sum(loss_terms(trained.network, inputs, trained.config.loss).values()).backward()
        upstream = {pre for pre in range(n) if inputs["x"].grad[..., pre].abs().max() > 0}
        assert upstream == {post, *(pre for pre, to in edges if to == post)}


@pytest.mark.realdata
def test_the_four_kato_worms_have_374_edges_among_50_neurons_on_every_path(kato, make_trained):
    chemical, gap = connectome()
    trained = make_trained(kato, {"model.linear": "own"})
    data = trained.dataset
    assert len(data.names) == 50 and data.wiring.graph.n_edges == 374
    assert named(data.names, data.wiring.among(data.names)) == among(data.names, chemical | gap)
    for group, count in zip(data.split.test, (221, 313, 250, 228), strict=True):
        edges = named(data.worms[group].names, data.graph_of(data.worms[group]))
        assert edges == among(data.worms[group].names, chemical | gap) and len(edges) == count
    by_path = edges_on_every_path(trained, "Kato2015-worm4")
    assert {len(edges) for edges in by_path.values()} == {228}
    assert all(edges == by_path["batch"] for edges in by_path.values())


@pytest.mark.parametrize(("layers", "hops"), [([16], 1), ([16], 2), ([16, 8], 1), ([8, 8], 3)])
def test_a_neuron_moves_only_its_downstream_neurons_and_more_with_every_step(worms, make_trained, layers, hops):
    """k = the larger of attention layers and hops; the linear path counts hops over all neurons of the run."""
    trained = make_trained(worms, {"model.attention": layers, "model.hops": hops})
    data, network = trained.dataset, trained.network
    k = max(len(layers), hops)
    group = data.split.test[0]
    worm, run_edges = data.worms[group], {(a, b) for a, b in named(data.names, data.wiring.among(data.names))}
    fold, nodes = data.folds_for(group)[0], data.nodes_of(worm)
    linear = network.linear_of(fold, torch.from_numpy(nodes))
    assert bool(linear["level"].any())

    def forecasts(z):
        inputs = (nodes, data.graph_of(worm), np.array([60]), 50, [1, 2, 3])
        return rolled_out(network.members_of(fold)[0], linear, z, *inputs)

    base, some_stay, grows = forecasts(worm.z), False, False
    for column, name in enumerate(worm.names):
        z = worm.z.copy()
        z[60, column] += 3
        before = {name}
        for step, values in forecasts(z).items():
            changed = {worm.names[i] for i in np.flatnonzero(values[0] != base[step][0])}
            assert changed <= reach(worm.names, run_edges, {name}, k * step)
            assert reach(worm.names, named(worm.names, data.graph_of(worm)), {name}, step) <= changed
            some_stay |= len(changed) < len(worm.names)
            grows |= step > 1 and before < changed
            before = changed
    assert some_stay and (grows or k > 2)
