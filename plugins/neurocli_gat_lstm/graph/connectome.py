"""Connectomes: neurons and the synapses and gap junctions between them, from a table, a package or a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError, nearest_hint
from neurocli.recordings.files.hdf5 import check_path
from neurocli_gat_lstm.graph.atlas import MISSING_POSITIONS, SignalPropagation, positions, signal_propagation
from neurocli_gat_lstm.graph.edges import Edges
from neurocli_gat_lstm.graph.readers.cect import read_toolbox, unit_of
from neurocli_gat_lstm.graph.readers.edgelist import check_size, read_edge_list
from neurocli_gat_lstm.graph.readers.graphml import read_graphml

__all__ = [
    "MISSING_POSITIONS",
    "TABLES",
    "Connectome",
    "SignalPropagation",
    "load_connectome",
    "positions",
    "signal_propagation",
]

TOOLBOX = "cect:"
FEWEST_SHARED = 20
"""Synapses that an edge list shares with the published table from which its direction can be judged."""
SUFFIXES = (".csv", ".tsv", ".graphml")


class Table(NamedTuple):
    """A connectome that comes with this package. alone: its neurons without any connection."""

    unit: str
    citation: str
    alone: tuple[str, ...] = ()


_COOK = "Cook et al., Nature 571:63 (2019), doi 10.1038/s41586-019-1352-7"
_WITVLIET = "Witvliet et al., Nature 596:257 (2021), doi 10.1038/s41586-021-03778-8"
TABLES = {
    "cook2019": Table("EM sections", f"{_COOK}: adult hermaphrodite"),
    "witvliet2021-7": Table("synapses", f"{_WITVLIET}: adult, data set 7", alone=("CANR",)),
    "witvliet2021-8": Table("synapses", f"{_WITVLIET}: adult, data set 8"),
}


@dataclass(frozen=True, eq=False)
class Connectome:
    """Neurons and the connections between them, each ordered pair once, sorted by pre, then post.

    pre, post: int64 [edge], positions in `neurons`. chemical, gap: float32 [edge], weights >= 0 in `unit` ("EM
    sections", "synapses" or "weights"); a chemical synapse goes one way, a gap junction stands in both directions with
    one weight. No neuron is connected to itself. dropped: what the source has beside that, by kind: entries with a
    "muscle" or another cell that is no neuron ("other"), neurons connected to themselves ("self"). notes: what was decided on the way;
    doubts: what somebody who knows the source should look at.
    """

    name: str
    neurons: tuple[str, ...]
    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    chemical: NDArray[np.float32]
    gap: NDArray[np.float32]
    unit: str
    citation: str
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for values in (self.pre, self.post, self.chemical, self.gap):
            values.setflags(write=False)

    @property
    def n_edges(self) -> int:
        """Ordered pairs of neurons with a connection."""
        return len(self.pre)


def load_connectome(source: str | Path, *, nodes: Sequence[str] | None = None) -> Connectome:
    """The connectome of that name: one of TABLES, "cect:READER" for one of the package cect, or the path of a file.

    nodes: for a file, the nodes that it may name, when they are not the neurons of C. elegans. Raises DataError for
    what cannot be read, MissingDependency when cect is asked for and not installed.
    """
    name = str(source)
    if name in TABLES:
        return _table(name)
    if name.startswith(TOOLBOX):
        reader = name.removeprefix(TOOLBOX)
        edges, citation = read_toolbox(reader)
        return _connectome(name, edges, unit_of(reader), citation)
    path = Path(name)
    if path.suffix.casefold() not in SUFFIXES and os.path.isfile(path):  # noqa: PTH113 (a name may be too long for pathlib)
        check_size(path)
        raise DataError(
            "the name of an edge list ends in " + ", ".join(SUFFIXES), where=str(path), hint="rename or export it"
        )
    if path.suffix.casefold() not in SUFFIXES:
        known = [*TABLES, "cect:Cook2019HermReader"]
        raise DataError(
            f"no connectome is called {name[:60]!r}",
            where=name[:60] or "connectome",
            hint=f"{nearest_hint(name[:60], known)} An edge list is a file that ends in {', '.join(SUFFIXES)}",
        )
    check_path(path)
    edges = read_graphml(path, nodes) if path.suffix.casefold() == ".graphml" else read_edge_list(path, nodes)
    connectome = _connectome(path.stem, edges, "weights", f"edge list {path.name}")
    doubt = _direction(connectome) if nodes is None else None
    return replace(connectome, doubts=(*connectome.doubts, doubt)) if doubt else connectome


def _direction(connectome: Connectome) -> str | None:
    """What speaks for presynaptic and postsynaptic neurons being exchanged: more synapses of Cook et al. the other way round."""
    known = _table("cook2019")
    forward = _chemical_pairs(known)
    pairs = _chemical_pairs(connectome)
    along = len(pairs & forward)
    against = len({(post, pre) for pre, post in pairs} & forward)
    if against < FEWEST_SHARED or against < 1.5 * along:
        return None
    return f"{against} of {len(pairs)} synapses are known the other way round, {along} this way: are pre and post exchanged?"


def _chemical_pairs(connectome: Connectome) -> set[tuple[str, str]]:
    names = connectome.neurons
    ends = zip(connectome.pre.tolist(), connectome.post.tolist(), (connectome.chemical > 0).tolist(), strict=True)
    return {(names[pre], names[post]) for pre, post, is_synapse in ends if is_synapse}


@cache
def _table(name: str) -> Connectome:
    """A connectome of this package."""
    table = TABLES[name]
    with as_file(files("neurocli_gat_lstm") / "tables" / f"{name}.csv") as path:
        edges = read_edge_list(path, alone=table.alone)
    return _connectome(name, edges, table.unit, table.citation)


def _connectome(name: str, edges: Edges, unit: str, citation: str) -> Connectome:
    return Connectome(
        name,
        edges.nodes,
        edges.pre,
        edges.post,
        edges.chemical,
        edges.gap,
        unit,
        citation,
        edges.dropped,
        edges.notes,
        edges.doubts,
    )
