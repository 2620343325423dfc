"""Edge lists with one change that someone may make: read to the same connectome, refused, or doubted; never read to another in silence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocli.errors import DataError
from neurocli_gat_lstm.graph.connectome import Connectome, load_connectome

Row = tuple[str, str, str, str]


class EdgeList(NamedTuple):
    """rows: pre, post, chemical, gap, as text."""

    rows: list[Row]
    header: tuple[str, str, str, str] = ("pre", "post", "chemical", "gap")
    order: tuple[int, ...] = (0, 1, 2, 3)
    separator: str = ","
    newline: str = "\n"
    encoding: str = "utf-8"
    name: str = "edges.csv"
    top: str = ""
    headed: bool = True
    packed: bool = False
    directed: str = "directed"


def small(number: int = 120) -> EdgeList:
    """Some edges of the published table."""
    table = load_connectome("cook2019")
    rows = []
    for k in np.random.default_rng(0).choice(table.n_edges, number, replace=False).tolist():
        pre, post = table.neurons[table.pre[k]], table.neurons[table.post[k]]
        rows.append((pre, post, f"{table.chemical[k]:.0f}", f"{table.gap[k]:.0f}"))
    return EdgeList(rows)


def as_text(edges: EdgeList) -> str:
    lines = [edges.separator.join(edges.header[k] for k in edges.order)] * edges.headed
    lines += [edges.separator.join(row[k] for k in edges.order) for row in edges.rows]
    return edges.top + "\n".join(lines) + "\n"


def as_graphml(edges: EdgeList) -> str:
    names = list(dict.fromkeys(name for row in edges.rows for name in row[:2]))
    lines = ['<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    lines += [f'<key id="k{k}" for="edge" attr.name="{escape(edges.header[k])}" attr.type="double"/>' for k in (2, 3)]
    lines.append(f'<graph edgedefault="{edges.directed}">')
    lines += [f'<node id="{escape(name)}"/>' for name in names]
    for row in edges.rows:
        data = "".join(f'<data key="k{k}">{escape(row[k])}</data>' for k in edges.order if k > 1)
        lines.append(f'<edge source="{escape(row[0])}" target="{escape(row[1])}">{data}</edge>')
    return "\n".join([*lines, "</graph></graphml>"])


def written(edges: EdgeList, folder: Path, form: str) -> Path:
    folder.mkdir(parents=True)
    text = as_text(edges)
    name = edges.name
    if form == "graphml":
        declared = {"utf-8-sig": "utf-8", "cp1252": "windows-1252"}.get(edges.encoding, edges.encoding)
        text = f'<?xml version="1.0" encoding="{declared}"?>\n' + as_graphml(edges)
        name = edges.name.replace("csv", "graphml").replace("CSV", "GRAPHML")
    content = text.replace("\n", edges.newline).encode(edges.encoding)
    path = folder / name
    path.write_bytes(gzip.compress(content) if edges.packed else content)
    return path


def rows(edges: EdgeList, change: Callable[[Row], Row]) -> EdgeList:
    return edges._replace(rows=[change(row) for row in edges.rows])


def weights(edges: EdgeList, change: Callable[[float], object]) -> EdgeList:
    return rows(edges, lambda r: (r[0], r[1], str(change(float(r[2]))), str(change(float(r[3])))))


def names(edges: EdgeList, change: Callable[[str], str]) -> EdgeList:
    return rows(edges, lambda r: (change(r[0]), change(r[1]), r[2], r[3]))


def renamed(edges: EdgeList, old: str, new: str) -> EdgeList:
    return edges._replace(header=tuple(new if name == old else name for name in edges.header))  # type: ignore[arg-type]


FILES = st.builds(
    lambda encoding, newline, separator, top: (
        lambda e: e._replace(encoding=encoding, newline=newline, separator=separator, top=top)
    ),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.sampled_from([",", ";", "\t", " ", "  ", ", ", "|"]),
    st.sampled_from(["", "# from a paper\n", "\n", "% made by hand\n"]),
)
WEIGHTS = st.sampled_from(
    [
        lambda e: weights(e, lambda w: w),
        lambda e: weights(e, lambda w: f"{w:.3e}"),
        lambda e: weights(e, lambda w: f"{w:.1f}".replace(".", ","))._replace(separator=";"),
        lambda e: weights(e, lambda w: f"{w:.1f}".replace(".", ",")),
        lambda e: weights(e, lambda w: f'"{w:.0f}"'),
        lambda e: weights(e, lambda w: w / 1e4),
        lambda e: weights(e, lambda w: w * 1e4),
        lambda e: weights(e, lambda w: -w),
        lambda e: weights(e, lambda w: w or ""),
        lambda e: weights(e, lambda w: w or "nan"),
        lambda e: weights(e, lambda w: w or "-"),
        lambda e: e._replace(rows=[*e.rows, *e.rows]),
        lambda e: e._replace(rows=[*e.rows, *e.rows[:7]]),
        lambda e: e._replace(rows=e.rows[::-1]),
        lambda e: e._replace(rows=[*e.rows, ("AVAL", "AVBL", "0", "0")]),
        lambda e: e._replace(rows=[*e.rows, ("AVAL", "AVAL", "5", "0")]),
        lambda e: e._replace(rows=[*e.rows, ("AVAL", "MDL01", "5", "0")]),
        lambda e: e._replace(rows=[*e.rows, ("AVAL", "XYZQ", "5", "0")]),
    ]
)
COLUMNS = st.one_of(
    st.permutations([0, 1, 2, 3]).map(lambda order: lambda e: e._replace(order=tuple(order))),
    st.builds(
        lambda old, new: lambda e: renamed(e, old, new),
        st.sampled_from(["pre", "post", "chemical", "gap"]),
        st.sampled_from(
            ["Source", "TO", "weight", "n", "Electrical", "size", "type", "id", "Gap Junctions", "strength"]
        ),
    ),
    st.sampled_from(
        [
            lambda e: e._replace(headed=False),
            lambda e: e._replace(header=("post", "pre", "chemical", "gap")),
            lambda e: rows(e, lambda r: (r[1], r[0], r[2], r[3])),
            lambda e: e._replace(header=("Source", "Target", "Synapses", "Gap-Junctions")),
            lambda e: e._replace(header=("PRE", "POST", "CHEMICAL", "GAP")),
            lambda e: e._replace(directed="undirected"),
        ]
    ),
)
NAMES = st.sampled_from(
    [
        lambda e: names(e, str.lower),
        lambda e: names(e, str.title),
        lambda e: names(e, lambda n: f" {n} "),
        lambda e: names(e, lambda n: n + "?"),
        lambda e: names(e, lambda n: n.replace("AVAL", "AVAL?")),
        lambda e: names(e, lambda n: n[:-1]),
        lambda e: names(e, lambda n: f"{n[:-1]}_{n[-1]}"),
        lambda e: names(e, lambda n: f'"{n}"'),
        lambda e: names(e, lambda n: n[:2] + "0" + n[2:] if n[-1].isdigit() and n[-2].isalpha() else n),
        lambda e: e._replace(name="EDGES.CSV"),
        lambda e: e._replace(name="edges.csv.gz", packed=True),
        lambda e: e._replace(packed=True),
        lambda e: e._replace(name="edges.txt"),
    ]
)


def edges_of(connectome: Connectome) -> dict[tuple[str, str], tuple[float, float]]:
    names = connectome.neurons
    return {
        (names[i], names[j]): (chemical, gap)
        for i, j, chemical, gap in zip(
            connectome.pre, connectome.post, connectome.chemical.tolist(), connectome.gap.tolist(), strict=True
        )
    }


def became(base: Connectome, path: Path) -> str:
    try:
        read = load_connectome(path)
    except DataError as error:
        assert error.where and error.hint and error.message
        return "refused"
    first, second = edges_of(base), edges_of(read)
    if first.keys() == second.keys() and np.allclose(list(first.values()), [second[pair] for pair in first]):
        return "same"
    return "flagged" if read.doubts else "silent"


def draw(examples: int, folder: Path) -> None:
    count = iter(range(10**6))
    before = small()
    base = {form: load_connectome(written(before, folder / form, form)) for form in ("csv", "graphml")}
    assert not any(connectome.doubts for connectome in base.values())

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.one_of(FILES, WEIGHTS, COLUMNS, NAMES), st.sampled_from(["csv", "graphml"]))
    def every(change, form) -> None:  # type: ignore[no-untyped-def]
        path = written(change(before), folder / str(next(count)), form)
        assert became(base[form], path) != "silent"

    every()


def test_no_change_of_an_edge_list_is_read_to_another_connectome_in_silence(tmp_path) -> None:
    draw(40, tmp_path)


@pytest.mark.slow
def test_no_change_of_an_edge_list_is_read_to_another_connectome_in_silence_at_length(tmp_path) -> None:
    draw(1000, tmp_path)
