"""Edge lists of one's own as CSV and GraphML, and every way in which they can be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_gat_lstm.graph.connectome import Connectome, load_connectome


def pairs(connectome: Connectome, kind: str) -> dict[tuple[str, str], float]:
    """Weight of every ordered pair of names that has one."""
    weights = getattr(connectome, kind)
    names = connectome.neurons
    return {
        (names[i], names[j]): weight
        for i, j, weight in zip(connectome.pre, connectome.post, weights.tolist(), strict=True)
        if weight
    }


def written(tmp_path, text: str, name: str = "edges.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_an_edge_list_in_the_columns_of_the_tables(tmp_path):
    path = written(tmp_path, "# a comment\npre,post,chemical,gap\nASEL,AIYL,32,0\nAVAL,AVAR,0,2\nVB02,vb1,1.5,3\n")
    connectome = load_connectome(path)
    assert set(connectome.neurons) == {"ASEL", "AIYL", "AVAL", "AVAR", "VB2", "VB1"}
    assert pairs(connectome, "chemical") == {("ASEL", "AIYL"): 32, ("VB2", "VB1"): 1.5}
    assert pairs(connectome, "gap") == {
        ("AVAL", "AVAR"): 2,
        ("AVAR", "AVAL"): 2,
        ("VB1", "VB2"): 3,
        ("VB2", "VB1"): 3,
    }
    assert connectome.name == "edges"
    assert connectome.unit == "weights"


def test_an_edge_list_with_a_column_of_types(tmp_path):
    text = (
        "Source\tTarget\tType\tSynapses\nASEL\tAIYL\tchemical\t3\nASEL\tAIYL\tchemical\t4\nAVAL\tAVAR\telectrical\t2\n"
    )
    connectome = load_connectome(written(tmp_path, text, "edges.tsv"))
    assert pairs(connectome, "chemical") == {("ASEL", "AIYL"): 7}
    assert pairs(connectome, "gap") == {("AVAL", "AVAR"): 2, ("AVAR", "AVAL"): 2}


@pytest.mark.parametrize(
    "text", ["pre;post\nASEL;AIYL\n\nASEL;AIYL\n", "\ufeffpre,post,note\nASEL,AIYL,x\nASEL,AIYL,y\n"]
)
def test_lines_without_a_weight_count_one_each(tmp_path, text):
    assert pairs(load_connectome(written(tmp_path, text)), "chemical") == {("ASEL", "AIYL"): 2}


def test_muscles_glia_and_self_connections_are_dropped_and_counted(tmp_path):
    text = "pre,post,weight\nASEL,AIYL,1\nVB2,MDL01,3\nVB2,dBWML2,3\nVB2,hyp,1\nAVAL,AVAL,2\nAVAL,AVAL,3\n"
    connectome = load_connectome(written(tmp_path, text))
    assert connectome.dropped == {"muscle": 2, "other": 1, "self": 1}
    assert pairs(connectome, "chemical") == {("ASEL", "AIYL"): 1}
    assert "VB2" in connectome.neurons


def test_gap_junctions_with_two_weights_take_the_larger_and_say_so(tmp_path):
    text = "pre,post,gap\nAVAL,AVAR,2\nAVAR,AVAL,5\nASEL,ASER,1\nASER,ASEL,1\n"
    connectome = load_connectome(written(tmp_path, text))
    assert pairs(connectome, "gap")["AVAL", "AVAR"] == pairs(connectome, "gap")["AVAR", "AVAL"] == 5
    assert pairs(connectome, "gap")["ASEL", "ASER"] == 1
    assert connectome.notes == ("1 gap junctions have two weights, one each way: the larger is taken",)


def test_other_nodes_when_they_are_given(tmp_path):
    path = written(tmp_path, "pre,post\nn1,n2\nn2,n3\n")
    connectome = load_connectome(path, nodes=["n3", "n2", "n1", "n0"])
    assert connectome.neurons == ("n3", "n2", "n1", "n0")
    assert set(pairs(connectome, "chemical")) == {("n1", "n2"), ("n2", "n3")}
    with pytest.raises(DataError, match="not among the nodes"):
        load_connectome(path, nodes=["n1", "n2"])
    with pytest.raises(DataError, match="listed twice"):
        load_connectome(path, nodes=["n1", "n1"])


GOOD = "pre,post,weight\nASEL,AIYL,1\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (GOOD + "ASEL,XYZ,1\n", 3, "'XYZ' is no neuron"),
        (GOOD + "ASEL,unidentified-3,1\n", 3, "is no neuron"),
        (GOOD + "# c\n\nASEL,,1\n", 5, "'' is no neuron"),
        (GOOD + "ASEL,AIYR,nan\n", 3, "not a number"),
        (GOOD + "ASEL,AIYR,inf\n", 3, "not a number"),
        (GOOD + "ASEL,AIYR,-2\n", 3, "is -2.0"),
        (GOOD + "ASEL,AIYR,1e300\n", 3, "is 1e+300"),
        (GOOD + "ASEL,AIYR,many\n", 3, "'many', not a number"),
        (GOOD + "ASEL,AIYR,__import__('os')\n", 3, "not a number"),
        (GOOD + "ASEL,AIYR,\n", 3, "is empty"),
        (GOOD + "ASEL,AIYR\n", 3, "2 columns, the header 3"),
        (GOOD + "ASEL,AIYR,1,2\n", 3, "4 columns, the header 3"),
        (GOOD + 'ASEL,"AIYR"x,1\n', 3, "cannot be cut"),
        (GOOD + "ASEL," + "A" * 200_000 + ",1\n", 3, "field larger than"),
        ("a,b,weight\nASEL,AIYL,1\n", 1, "no column is called pre"),
        ("pre,b\nASEL,AIYL\n", 1, "no column is called post"),
        ("ASEL,AIYL,1\n", 1, "no column is called pre"),
        ("pre,post,weight,synapses\nASEL,AIYL,1,1\n", 1, "2 columns could be chemical"),
        ("pre,post,type,gap\nASEL,AIYL,chemical,1\n", 1, "column of types and one of gap"),
        ("pre,post,type\nASEL,AIYL,functional\n", 2, "neither chemical nor electrical"),
        ("pre,post,weight\nASEL,AIYL,0\n", None, "no edge between two neurons"),
        ("pre,post,weight\nASEL,ASEL,4\n", None, "no edge between two neurons"),
        ("pre,post,weight\n", None, "no edge between two neurons"),
        ("# only a comment\n", None, "no lines"),
    ],
)
def test_bad_edge_lists_name_the_line(tmp_path, text, line, says):
    path = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        load_connectome(path)
    assert says in caught.value.message
    assert caught.value.where == (str(path) if line is None else f"{path}:{line}")
    assert caught.value.hint
    assert len(caught.value.message) < 200


def test_bad_files(tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "binary.csv").write_bytes(b"pre,post\nASEL,AIYL\nASEL,\xff\xfe\n")
    (tmp_path / "folder.csv").mkdir()
    for name, says in [
        ("missing.csv", "does not exist"),
        ("empty.csv", "empty"),
        ("binary.csv", "is no neuron"),
        ("folder.csv", "folder"),
    ]:
        with pytest.raises(DataError, match=says):
            load_connectome(tmp_path / name)


def graphml(body: str, *, directed: str = "directed", head: str = "") -> str:
    return (
        f'<?xml version="1.0"?>{head}\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
        '<key id="w" for="edge" attr.name="weight" attr.type="double"/>\n'
        '<key id="t" for="edge" attr.name="synapse_type" attr.type="string"><default>C</default></key>\n'
        '<key id="n" for="node" attr.name="cell_name" attr.type="string"/>\n'
        f'<graph edgedefault="{directed}">\n{body}\n</graph></graphml>\n'
    )


NODES = (
    '<node id="n0"><data key="n">ASEL</data></node><node id="AIYL"/><node id="n2"><data key="n">VB02</data></node>\n'
)


def test_graphml(tmp_path):
    body = (
        NODES + '<edge source="n0" target="AIYL"><data key="w">3</data></edge>\n'
        '<edge source="AIYL" target="n2"><data key="t">E</data><data key="w">2</data></edge>\n<edge source="n2" target="n0"/>'
    )
    connectome = load_connectome(written(tmp_path, graphml(body), "edges.graphml"))
    assert pairs(connectome, "chemical") == {("ASEL", "AIYL"): 3, ("VB2", "ASEL"): 1}
    assert pairs(connectome, "gap") == {("AIYL", "VB2"): 2, ("VB2", "AIYL"): 2}


def test_graphml_as_networkx_writes_it(tmp_path):
    networkx = pytest.importorskip("networkx")
    connectome = load_connectome("witvliet2021-8")
    graph = networkx.DiGraph()
    graph.add_nodes_from(connectome.neurons)
    names = connectome.neurons
    for i, j, chemical, gap in zip(
        connectome.pre, connectome.post, connectome.chemical.tolist(), connectome.gap.tolist(), strict=True
    ):
        graph.add_edge(names[i], names[j], chemical=chemical, gap=gap)
    networkx.write_graphml(graph, tmp_path / "edges.graphml")
    read = load_connectome(tmp_path / "edges.graphml")
    assert read.neurons == connectome.neurons
    for values in ("pre", "post", "chemical", "gap"):
        np.testing.assert_array_equal(getattr(read, values), getattr(connectome, values))


BILLION = '<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
EDGE = '<edge source="n0" target="AIYL"/>\n'


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (graphml(NODES + EDGE, head=BILLION), 1, "document type"),
        (graphml(NODES + '<edge source="n0" target="n9"/>'), 8, "'n9', which the file does not list"),
        (graphml('<node id="XYZ"/>' + NODES + EDGE), 7, "'XYZ' is no neuron"),
        (graphml(NODES + '<edge source="n0" target="AIYL"><data key="w">NaN</data></edge>'), 8, "not a number"),
        (graphml(NODES + '<edge source="n0" target="AIYL"><data key="w">-1</data></edge>'), 8, "is -1.0"),
        (graphml(NODES + '<edge source="n0" target="AIYL"><data key="t">X</data></edge>'), 8, "neither chemical"),
        (graphml(NODES + '<edge source="n0"/>'), 8, "lacks the attribute target"),
        (graphml(NODES + EDGE, directed="undirected"), 8, "without direction"),
        (graphml(NODES + NODES + EDGE), 8, "listed twice"),
        (graphml(NODES), None, "no edge between two neurons"),
        (graphml(NODES + EDGE + "</graph><graph>"), 9, "more than one graph"),
        (graphml(NODES + f'<edge source="n0" target="AIYL"><data key="w">{"1" * 20_000}</data></edge>'), 8, "too long"),
        (graphml(NODES + EDGE)[:-15], 10, "XML is damaged"),
        ("pre,post\nASEL,AIYL\n", 1, "XML is damaged"),
    ],
)
def test_bad_graphml_names_the_line(tmp_path, text, line, says):
    path = written(tmp_path, text, "edges.graphml")
    with pytest.raises(DataError) as caught:
        load_connectome(path)
    assert says in caught.value.message
    assert caught.value.where == (str(path) if line is None else f"{path}:{line}")
    assert caught.value.hint


LIST = "pre,post,weight\nASEL,AIYL,3\nAVAL,AVBL,2\n"


@pytest.mark.parametrize(
    "content",
    [
        LIST.encode("utf-16"),
        LIST.encode("utf-8-sig"),
        LIST.replace("\n", "\r").encode(),
        LIST.replace("\n", "\r\n").encode(),
        LIST.replace(",", ";").replace("3", "3,0").encode(),
        LIST.replace(",", "  ").encode(),
        LIST.replace(",", "\t").encode(),
        ("# Müller\n% by hand\n" + LIST).encode("cp1252"),
        LIST.replace("pre,post,weight", "Origin,Target,Count").encode(),
        LIST.replace("pre,post,weight", "pre,post,weight,line")
        .replace(",3\n", ",3,1\n")
        .replace(",2\n", ",2,2\n")
        .encode(),
    ],
)
def test_every_way_of_writing_an_edge_list_gives_the_same_edges(tmp_path, content):
    path = tmp_path / "edges.csv"
    path.write_bytes(content)
    connectome = load_connectome(path)
    assert pairs(connectome, "chemical") == {("ASEL", "AIYL"): 3, ("AVAL", "AVBL"): 2} and not connectome.doubts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "pre,post,contacts\nASEL,AIYL,3\nAVAL,AVBL,3\n",
            "no weight is there, but numbers under another name: contacts",
        ),
        (
            "pre,post,weight,class\nASEL,AIYL,3,chemical\nAVAL,AVBL,2,gap\n",
            "'class' seems to say which synapses are chemical",
        ),
        ("ASEL,AIYL,3\nAVAL,AVBL,2\n", "nothing says which is presynaptic"),
        (",ASEL,AIYL,AVAL\nASEL,0,3,0\n", "looks like a matrix"),
        ("a,b,weight\nASEL,AIYL,3\n", "there are a, b, weight"),
    ],
)
def test_columns_that_are_not_understood_are_named(tmp_path, text, says):
    with pytest.raises(DataError) as caught:
        load_connectome(written(tmp_path, text))
    assert says in caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (LIST + "ASEL,AIYL,3\n", "1 entries stand there again"),
        (LIST + "AVAL?,AVBR,3\n", "1 names are marked as uncertain, and taken as certain: AVAL?"),
        (LIST.replace("3", "0.003").replace("2", "0.002"), "the largest weight is 0.003"),
        (LIST.replace("3", "3000").replace("2", "2000"), "the median weight is 2500"),
        ("pre,post,weight,gaps\nASEL,AIYL,3,1\nAVAL,AVBL,2,1\n", "numbers that are not read: gaps"),
    ],
)
def test_what_is_doubtful_in_an_edge_list_is_a_finding(tmp_path, text, doubt):
    from neurocli_gat_lstm.diagnosis.graph import connectome_finding

    connectome = load_connectome(written(tmp_path, text))
    finding = connectome_finding(connectome)
    assert (
        [said for said in connectome.doubts if doubt in said] and finding.verdict == "WARN" and doubt in finding.advice
    )


def test_what_was_left_out_or_put_together_is_told(tmp_path):
    from neurocli_gat_lstm.diagnosis.graph import connectome_finding

    text = LIST + "ASEL,AIYL,4\nVB2,MDL01,3\nVB02,AVBL,0\n"
    finding = connectome_finding(load_connectome(written(tmp_path, text)))
    assert finding.verdict == "PASS"
    for said in ("1 of muscles", "1 pairs have several entries", "1 entries have the weight 0", "VB02 as VB2"):
        assert said in finding.value


def test_exchanged_columns_are_seen_by_the_published_synapses(tmp_path):
    table = load_connectome("cook2019")
    names = table.neurons
    lines = [
        f"{names[i]},{names[j]},{w:.0f}"
        for i, j, w in zip(table.pre[:400], table.post[:400], table.chemical[:400].tolist(), strict=True)
        if w
    ]
    assert not load_connectome(written(tmp_path, "\n".join(["pre,post,weight", *lines]))).doubts
    [doubt] = load_connectome(written(tmp_path, "\n".join(["post,pre,weight", *lines]))).doubts
    assert "are pre and post exchanged?" in doubt


def test_packed_edge_lists_and_other_names_are_refused_by_name(tmp_path):
    import gzip

    for name in ("edges.csv.gz", "edges.csv"):
        (tmp_path / name).write_bytes(gzip.compress(LIST.encode()))
        with pytest.raises(DataError, match="packed") as caught:
            load_connectome(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
    with pytest.raises(DataError, match="the name of an edge list ends in"):
        load_connectome(written(tmp_path, LIST, "edges.txt"))


def test_graphml_with_two_attributes_for_one_thing_or_two_nodes_of_one_name(tmp_path):
    body = NODES + '<edge source="n0" target="AIYL"><data key="w">2</data><data key="t">3</data></edge>'
    two = graphml(body).replace('attr.name="synapse_type"', 'attr.name="synapses"')
    with pytest.raises(DataError, match="2 attributes could be chemical"):
        load_connectome(written(tmp_path, two, "a.graphml"))
    again = NODES + '<node id="n7"><data key="n">ASEL</data></node>\n' + EDGE
    [doubt] = load_connectome(written(tmp_path, graphml(again), "b.graphml")).doubts
    assert "have one name, ASEL" in doubt
