"""Graphs among recorded neurons, and that the controls keep what they promise to keep."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pymatreader
import pytest

from neurocli.errors import ConfigError, DataError, MissingDependency
from neurocli_gat_lstm.graph import atlas
from neurocli_gat_lstm.graph.connectome import load_connectome, positions
from neurocli_gat_lstm.graph.graph import KINDS, WEIGHTS, Graph, graph_among
from neurocli_gat_lstm.graph.names import canonical, hermaphrodite
from neurocli_gat_lstm.graph.rewiring import Bundles, rewire

WORMS = Path(os.environ.get("NEUROCLI_REAL_DATA", "")) / "worm"

# The named neurons of four recorded worms.
FIFTY = [
    "AIBL",
    "AIBR",
    "ALA",
    "ASKL",
    "ASKR",
    "AVAL",
    "AVAR",
    "AVBL",
    "AVBR",
    "AVEL",
    "AVER",
    "AVFL",
    "AVFR",
    "AVHL",
    "AVHR",
    "DB1",
    "DB2",
    "OLQDL",
    "OLQDR",
    "OLQVL",
    "OLQVR",
    "RIBL",
    "RIBR",
    "RID",
    "RIFR",
    "RIGL",
    "RIML",
    "RIMR",
    "RIS",
    "RIVL",
    "RIVR",
    "RMED",
    "RMEL",
    "RMER",
    "RMEV",
    "SABD",
    "SABVL",
    "SIADL",
    "SIBDR",
    "SIBVL",
    "SMDDL",
    "SMDDR",
    "SMDVL",
    "SMDVR",
    "URYDL",
    "URYDR",
    "VA1",
    "VB1",
    "VB2",
    "VB3",
]


@pytest.fixture(scope="module")
def cook():
    return load_connectome("cook2019")


def edges(graph: Graph) -> dict[tuple[str, str], tuple[float, ...]]:
    """Features of every edge, by the names of its ends."""
    return {
        (graph.names[i], graph.names[j]): tuple(values)
        for i, j, values in zip(graph.pre, graph.post, graph.features.tolist(), strict=True)
    }


def degrees(graph: Graph) -> dict[str, Counter]:
    """How many connections of each kind and direction every node has."""
    chemical, gap = graph.features[:, 0] > 0, graph.features[:, 1] > 0
    ends = {"pre": graph.pre, "post": graph.post}
    by_kind = {"any": chemical | gap, "chemical": chemical, "gap": gap}
    return {f"{kind} {end}": Counter(ends[end][by_kind[kind]].tolist()) for kind in by_kind for end in ends}


@pytest.mark.realdata
@pytest.mark.skipif("NEUROCLI_REAL_DATA" not in os.environ, reason="NEUROCLI_REAL_DATA is not set")
def test_the_fifty_neurons_are_those_of_the_four_recorded_worms():
    written = [
        name
        for worm in (0, 1, 2, 4)
        for name in pymatreader.read_mat(WORMS / f"Kato2015_worm{worm}.mat")["WT_NoStim"]["NeuronNames"]
    ]
    assert sorted({canonical(name) for name in written} - {None}) == FIFTY


def test_the_real_graph_is_the_connectome_among_the_names(cook):
    graph = graph_among(cook, FIFTY)
    assert (len(graph.names), graph.n_edges) == (50, 374)
    names = cook.neurons
    expected = {
        (names[i], names[j]): (chemical, gap)
        for i, j, chemical, gap in zip(cook.pre, cook.post, cook.chemical.tolist(), cook.gap.tolist(), strict=True)
        if names[i] in FIFTY and names[j] in FIFTY
    }
    joined = edges(graph)
    assert joined.keys() == expected.keys()
    np.testing.assert_allclose([joined[pair] for pair in expected], np.log1p(list(expected.values())), rtol=1e-6)
    assert graph.overlap == 1
    assert graph.features.dtype == np.float32
    assert graph.feature_names == ("log1p chemical", "log1p gap")


def test_all_names_give_the_whole_connectome_with_pre_as_source(cook):
    graph = graph_among(cook, cook.neurons)
    assert graph.n_edges == cook.n_edges == 5099
    joined = edges(graph)
    assert joined["ASEL", "AIYL"][0] == pytest.approx(np.log1p(32))
    assert ("AIYL", "ASEL") not in joined
    at = graph.edge_index.T.tolist().index([graph.names.index("ASEL"), graph.names.index("AIYL")])
    assert tuple(graph.features[at].tolist()) == joined["ASEL", "AIYL"]


@pytest.mark.parametrize("kind", KINDS)
def test_edges_are_sorted_unique_and_without_loops(cook, kind):
    graph = graph_among(cook, FIFTY, kind)
    keys = graph.post * len(FIFTY) + graph.pre
    assert (np.diff(keys) > 0).all()
    assert (graph.pre != graph.post).all()
    assert graph.features.shape == (graph.n_edges, 2)
    assert (graph.pre.dtype, graph.post.dtype) == (np.int64, np.int64)


def test_the_order_of_the_names_changes_the_numbers_and_nothing_else(cook):
    turned = graph_among(cook, FIFTY[::-1])
    assert turned.names == tuple(FIFTY[::-1])
    assert edges(turned) == edges(graph_among(cook, FIFTY))


def test_names_that_the_connectome_lacks_are_isolated(cook):
    graph = graph_among(cook, ["AVAL", "unidentified-3", "AVAR", "CA01", "VB02", "VB1"])
    assert {"unidentified-3", "CA01"} <= set(graph.isolated())
    assert "VB02" not in graph.isolated()
    assert ("VB1", "VB02") in edges(graph)
    full = graph_among(cook, ["AVAL", "unidentified-3", "AVAR"], "full")
    assert full.isolated() == ()
    assert edges(full)["AVAL", "unidentified-3"] == (0, 0)


def test_none_and_full(cook):
    nothing = graph_among(cook, FIFTY, "none")
    assert (nothing.n_edges, nothing.overlap, len(nothing.isolated())) == (0, 0, 50)
    full, real = graph_among(cook, FIFTY, "full"), graph_among(cook, FIFTY)
    assert full.n_edges == 50 * 49
    assert full.overlap == pytest.approx(374 / 2450)
    joined = edges(full)
    assert {pair: values for pair, values in joined.items() if any(values)} == edges(real)


@pytest.mark.parametrize(("weights", "n_edges"), [("both", 374), ("chemical", 243), ("gap", 206)])
def test_only_one_kind_of_connection(cook, weights, n_edges):
    graph = graph_among(cook, FIFTY, weights=weights)
    assert graph.n_edges == n_edges
    chemical, gap = graph.features.T
    if weights == "chemical":
        assert not gap.any()
        assert chemical.all()
    if weights == "gap":
        assert not chemical.any()
        assert {pair[::-1] for pair in edges(graph)} == set(edges(graph))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("names", [FIFTY, hermaphrodite()], ids=["fifty", "all"])
def test_a_shuffle_keeps_every_degree_and_moves_most_edges(cook, names, weights):
    real = graph_among(cook, names, weights=weights)
    shuffled = graph_among(cook, names, "shuffled", weights=weights, seed=3)
    assert shuffled.n_edges == real.n_edges
    assert degrees(shuffled) == degrees(real)
    overlap = len(edges(shuffled).keys() & edges(real).keys()) / real.n_edges
    assert shuffled.overlap == pytest.approx(overlap)
    # Of 50 neurons that are joined by every seventh pair, many pairs meet again by chance.
    assert overlap < (0.4 if names is FIFTY else 0.15)
    assert sorted(shuffled.features.tolist()) == sorted(real.features.tolist())


def test_in_a_shuffle_gap_junctions_stay_symmetric(cook):
    shuffled = edges(graph_among(cook, hermaphrodite(), "shuffled"))
    gap = {pair: values[1] for pair, values in shuffled.items() if values[1]}
    assert gap
    assert {pair[::-1]: weight for pair, weight in gap.items()} == gap


def test_in_a_shuffle_weights_stay_with_the_source_of_a_synapse(cook):
    """Neurons whose synapses have no gap junction beside them keep the weights that they send."""
    real = graph_among(cook, hermaphrodite(), weights="chemical")
    shuffled = graph_among(cook, hermaphrodite(), "shuffled", weights="chemical")
    for node in range(302):
        sent = [sorted(graph.features[graph.pre == node, 0].tolist()) for graph in (real, shuffled)]
        assert sent[0] == sent[1]


def test_a_shuffle_depends_on_its_seed_alone(cook):
    first, again, other = (edges(graph_among(cook, FIFTY, "shuffled", seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.keys() != other.keys()
    shared = len(first.keys() & other.keys()) / len(first)
    assert shared < 0.45


def test_shuffled_edges_are_as_likely_as_the_degrees_say(cook):
    """Over many seeds, a pair is joined about as often as out-degree x in-degree / edges predicts."""
    names = hermaphrodite()
    size = len(names)
    real = graph_among(cook, names, weights="chemical")
    counts = np.zeros((size, size))
    for seed in range(20):
        shuffled = graph_among(cook, names, "shuffled", weights="chemical", seed=seed)
        counts[shuffled.pre, shuffled.post] += 1
    out, into = np.bincount(real.pre, minlength=size), np.bincount(real.post, minlength=size)
    expected = np.outer(out, into) / real.n_edges
    likely = expected[real.pre, real.post].mean()
    assert counts[real.pre, real.post].mean() / 20 == pytest.approx(likely, rel=0.25)


def test_what_cannot_be_swapped_stays():
    """A star leaves nothing to swap, a square of gap junctions has one other form, nothing has none."""
    rng = np.random.default_rng(0)
    none = np.empty(0, dtype=np.int64)
    star = Bundles(np.zeros(4, dtype=np.int64), np.arange(1, 5), mutual=False, turnable=False)
    loose = Bundles(np.array([5, 7]), np.array([6, 8]), mutual=True, turnable=True)
    empty = Bundles(none, none, mutual=True, turnable=True)
    moved = rewire([empty, star, empty, loose, empty], 9, rng)
    assert sorted(zip(moved[1].one.tolist(), moved[1].other.tolist(), strict=True)) == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert sorted([*moved[3].one.tolist(), *moved[3].other.tolist()]) == [5, 6, 7, 8]
    assert [len(sort.one) for sort in moved] == [0, 4, 0, 2, 0]
    assert [len(sort.one) for sort in rewire([empty, empty], 9, rng)] == [0, 0]
    forms = {
        frozenset(
            frozenset(pair)
            for pair in zip(
                *(ends.tolist() for ends in rewire([loose], 9, np.random.default_rng(seed))[0][:2]), strict=True
            )
        )
        for seed in range(20)
    }
    assert len(forms) == 3


@pytest.mark.skipif(positions() is None, reason="wormneuroatlas is not installed")
def test_distance_is_a_third_feature_on_one_scale(cook):
    somata = positions()
    graph = graph_among(cook, [*FIFTY, "unidentified-1"], "full", distance=True)
    assert graph.feature_names == ("log1p chemical", "log1p gap", "distance")
    joined = edges(graph)
    assert joined["AVAL", "AVAR"][2] == joined["AVAR", "AVAL"][2]
    assert joined["AVAL", "unidentified-1"][2] == 0
    every = np.array([np.linalg.norm(np.subtract(somata[a], somata[b])) for a in somata for b in somata if a != b])
    for pair in (("AVAL", "AVAR"), ("AVAL", "VB3"), ("OLQDL", "RIS")):
        distance = np.linalg.norm(np.subtract(*(somata[name] for name in pair)))
        assert joined[pair][2] == pytest.approx((distance - every.mean()) / every.std(), abs=1e-5)
    whole = graph_among(cook, hermaphrodite(), "full", distance=True)
    assert whole.features[:, 2].mean() == pytest.approx(0, abs=1e-4)
    assert whole.features[:, 2].std() == pytest.approx(1, abs=1e-4)


@pytest.mark.skipif(positions() is None, reason="wormneuroatlas is not installed")
def test_a_shuffle_does_not_move_the_somata(cook):
    shuffled = edges(graph_among(cook, FIFTY, "shuffled", distance=True))
    full = edges(graph_among(cook, FIFTY, "full", distance=True))
    assert {pair: values[2] for pair, values in shuffled.items()} == {pair: full[pair][2] for pair in shuffled}


def test_distance_without_positions(cook, monkeypatch):
    monkeypatch.setattr(atlas, "PACKAGE", "no-such-package-is-installed")
    with pytest.raises(MissingDependency) as caught:
        graph_among(cook, FIFTY, distance=True)
    assert 'pip install "neurocli[worm]"' in caught.value.hint


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [[], ["AVAL"], ["unidentified-1", "unidentified-2"]])
def test_hardly_any_neurons(cook, kind, names):
    graph = graph_among(cook, names, kind)
    assert graph.n_edges == (2 if kind == "full" and len(names) == 2 else 0)
    assert graph.features.shape == (graph.n_edges, 2)


def test_what_cannot_be_a_graph(cook):
    with pytest.raises(ConfigError, match="'reel'") as caught:
        graph_among(cook, FIFTY, "reel")
    assert "real" in caught.value.hint
    with pytest.raises(ConfigError, match="'electrical'"):
        graph_among(cook, FIFTY, weights="electrical")
    with pytest.raises(DataError, match="VB02 and VB2, which is the same neuron"):
        graph_among(cook, ["VB2", "VB02"])
    with pytest.raises(DataError, match="AVAL twice"):
        graph_among(cook, ["AVAL", "AVAL"])
    with pytest.raises(DataError, match="full graph"):
        graph_among(cook, [f"unidentified-{k}" for k in range(5000)], "full")
    with pytest.raises(ValueError, match="read-only"):
        graph_among(cook, FIFTY).features[0] = 1
