"""Connectomes: counts and identity against the toolbox that the tables come from, and the orientation of an edge."""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.resources
import sys

import numpy as np
import pytest

from neurocli.errors import DataError, MissingDependency
from neurocli_gat_lstm.graph.connectome import TABLES, Connectome, load_connectome
from neurocli_gat_lstm.graph.names import neurons

READERS = {
    "cook2019": "Cook2019HermReader",
    "witvliet2021-7": "WitvlietDataReader7",
    "witvliet2021-8": "WitvlietDataReader8",
}


def pairs(connectome: Connectome, kind: str) -> dict[tuple[str, str], float]:
    """Weight of every ordered pair of names that has one."""
    weights = getattr(connectome, kind)
    names = connectome.neurons
    return {
        (names[i], names[j]): weight
        for i, j, weight in zip(connectome.pre, connectome.post, weights.tolist(), strict=True)
        if weight
    }


@pytest.mark.parametrize(
    ("name", "n_neurons", "chemical", "gap", "union", "to_itself"),
    [
        ("cook2019", 302, 3709, 2196, 5146, 47),
        ("witvliet2021-7", 181, 1944, 528, 2364, 16),
        ("witvliet2021-8", 180, 1933, 600, 2371, 8),
    ],
)
def test_counts_are_those_of_the_published_sets(name, n_neurons, chemical, gap, union, to_itself):
    """The published counts hold neurons connected to themselves, which a connectome drops."""
    connectome = load_connectome(name)
    assert len(connectome.neurons) == n_neurons
    assert connectome.dropped == {"self": to_itself}
    assert connectome.n_edges == union - to_itself
    text = (importlib.resources.files("neurocli_gat_lstm") / "tables" / f"{name}.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert len(rows) == union
    assert sum(row["pre"] == row["post"] for row in rows) == to_itself
    for kind, count in (("chemical", chemical), ("gap", gap)):
        connected = [row for row in rows if float(row[kind]) > 0]
        assert len(connected) == count
        assert len(pairs(connectome, kind)) == sum(row["pre"] != row["post"] for row in connected)


@pytest.mark.parametrize("name", TABLES)
def test_every_edge_is_that_of_the_toolbox(name):
    reader = READERS[name]
    data = pytest.importorskip(f"cect.readers.{reader}").get_instance(from_cache=True)
    connectome = load_connectome(name)
    neurons_kept = [index for index, node in enumerate(data.nodes) if node in neurons()]
    assert set(connectome.neurons) == {data.nodes[index] for index in neurons_kept}
    for kind, key in (("chemical", "Generic_CS"), ("gap", "Generic_GJ")):
        matrix = np.asarray(data.connections[key])
        expected = {
            (data.nodes[i], data.nodes[j]): matrix[i, j]
            for i in neurons_kept
            for j in neurons_kept
            if i != j and matrix[i, j] != 0
        }
        assert pairs(connectome, kind) == expected


def test_orientation_a_synapse_goes_from_pre_to_post():
    chemical = pairs(load_connectome("cook2019"), "chemical")
    assert chemical["ASEL", "AIYL"] == 32
    assert ("AIYL", "ASEL") not in chemical


@pytest.mark.parametrize("name", TABLES)
def test_gap_junctions_go_both_ways_and_nothing_to_itself(name):
    connectome = load_connectome(name)
    gap = pairs(connectome, "gap")
    assert gap
    assert {(post, pre): weight for (pre, post), weight in gap.items()} == gap
    assert (connectome.pre != connectome.post).all()
    keys = connectome.pre * len(connectome.neurons) + connectome.post
    assert (np.diff(keys) > 0).all()
    assert ((connectome.chemical > 0) | (connectome.gap > 0)).all()


def test_a_neuron_without_an_edge_stays():
    connectome = load_connectome("witvliet2021-7")
    alone = connectome.neurons.index("CANR")
    assert alone not in connectome.pre
    assert alone not in connectome.post


def test_types_units_and_citations():
    for name in TABLES:
        connectome = load_connectome(name)
        assert (connectome.pre.dtype, connectome.chemical.dtype) == (np.int64, np.float32)
        assert connectome.unit == ("EM sections" if name == "cook2019" else "synapses")
        assert "doi" in connectome.citation
    with pytest.raises(ValueError, match="read-only"):
        load_connectome("cook2019").pre[0] = 1


@pytest.mark.parametrize(
    ("reader", "n_neurons", "n_edges", "to_itself"),
    [("Cook2019HermReader", 302, 5146, 47), ("White_whole", 300, 3145, 6), ("VarshneyDataReader", 280, 2993, 3)],
)
def test_any_set_of_the_toolbox(reader, n_neurons, n_edges, to_itself):
    pytest.importorskip("cect")
    connectome = load_connectome(f"cect:{reader}")
    assert (len(connectome.neurons), connectome.n_edges) == (n_neurons, n_edges - to_itself)
    assert connectome.dropped["self"] == to_itself
    assert connectome.dropped["muscle"] > 0
    assert reader in connectome.citation


def test_the_table_and_the_toolbox_give_the_same_connectome():
    pytest.importorskip("cect")
    table, toolbox = load_connectome("cook2019"), load_connectome("cect:Cook2019HermReader")
    assert table.neurons == toolbox.neurons
    assert table.unit == toolbox.unit
    for values in ("pre", "post", "chemical", "gap"):
        np.testing.assert_array_equal(getattr(table, values), getattr(toolbox, values))


def test_a_set_of_the_toolbox_with_gap_junctions_of_two_weights():
    pytest.importorskip("cect")
    connectome = load_connectome("cect:UpdatedSpreadsheetDataReader")
    assert "12 gap junctions have two weights" in connectome.notes[0]
    gap = pairs(connectome, "gap")
    assert {(post, pre): weight for (pre, post), weight in gap.items()} == gap


@pytest.mark.parametrize(
    ("reader", "says"),
    [
        ("Cook2019Herm", "Cook2019HermReader"),
        ("White_A", "no data set stored"),
        ("WitvlietDataReader", "no data set stored"),
        ("BrittinDataReader", "neither synapses nor gap junctions"),
        ("os", "no reader called 'os'"),
        ("..Cells", "no reader called"),
        ("", "no reader called"),
    ],
)
def test_readers_of_the_toolbox_that_cannot_be_used(reader, says, capsys):
    pytest.importorskip("cect")
    with pytest.raises(DataError) as caught:
        load_connectome(f"cect:{reader}")
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert capsys.readouterr().out == ""


def test_without_the_toolbox_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cect", None)
    monkeypatch.setitem(sys.modules, "cect.readers", None)
    with pytest.raises(MissingDependency) as caught:
        load_connectome("cect:Cook2019HermReader")
    assert caught.value.exit_code == 6
    assert caught.value.hint == 'pip install "neurocli[worm]"'


@pytest.mark.parametrize("name", ["cook2018", "__import__('os').system('true')", "", "cook2019.xlsx", "x" * 10_000])
def test_an_unknown_connectome(name):
    with pytest.raises(DataError) as caught:
        load_connectome(name)
    assert caught.value.hint
    assert len(caught.value.where) < 100
