"""Every connectome that the package cect (the ConnectomeToolbox of OpenWorm) can read."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.metadata
import io
import pkgutil
from typing import Any

import numpy as np

from neurocli.errors import DataError, MissingDependency, nearest_hint
from neurocli_gat_lstm.graph.edges import EdgeCollector, Edges
from neurocli_gat_lstm.graph.names import is_neuron

GAP = "Generic_GJ"
CHEMICAL = "Generic_CS"

_UNITS = {
    "Cook2019": "EM sections",
    "White": "synapses",
    "Varshney": "synapses",
    "Durbin": "synapses",
    "Witvliet": "synapses",
}


def unit_of(reader: str) -> str:
    """What the weights of a reader count; "weights" where sets of that kind have no common unit."""
    return next((unit for start, unit in _UNITS.items() if reader.startswith(start)), "weights")


def read_toolbox(reader: str) -> tuple[Edges, str]:
    """Edges among the neurons of one reader of cect, and the sentence to cite.

    Where a set splits its chemical synapses by transmitter they are added up. Raises MissingDependency without cect,
    DataError for a reader that there is not, that has no stored data or neither synapses nor gap junctions.
    """
    where = f"cect:{reader}"
    _check_reader(reader, where)
    try:
        # The readers print what they open, some of them when they are imported.
        with contextlib.redirect_stdout(io.StringIO()):
            reader_module = importlib.import_module(f"cect.readers.{reader}")
            data = reader_module.get_instance(from_cache=True)
    except (AttributeError, TypeError, FileNotFoundError) as error:
        raise DataError(
            f"the reader {reader} of cect has no data set stored with the package",
            where=where,
            hint="take another reader, or write its edges to a .csv file",
        ) from error
    matrices, left_out = _matrices(data, where)
    collector = EdgeCollector(where)
    size = len(data.nodes)
    for kind, matrix in matrices:
        if matrix.shape != (size, size):
            raise DataError(f"{kind} is not a matrix over the {size} nodes", where=where, hint="install cect again")
    for index in np.flatnonzero([is_neuron(node) for node in data.nodes]):
        collector.add_node(data.nodes[index])
    for kind, matrix in matrices:
        for i, j in np.argwhere(matrix != 0).tolist():
            weight = float(matrix[i, j])
            chemical, gap = (0.0, weight) if kind == GAP else (weight, 0.0)
            collector.add(data.nodes[i], data.nodes[j], chemical, gap)
    edges = collector.edges()
    version = importlib.metadata.version("cect")
    notes = (*edges.notes, *([f"left out: {', '.join(left_out)}"] if left_out else []))
    citation = f"{getattr(reader_module, 'DATASET_DESCRIPTION', reader)} Read with cect {version}, {reader}."
    return dataclasses.replace(edges, notes=notes), citation


def _check_reader(reader: str, where: str) -> None:
    """Nothing is imported that is not one of the readers of the package. Raises MissingDependency, DataError."""
    try:
        readers = importlib.import_module("cect.readers")
    except ImportError as error:
        raise MissingDependency.package("cect", f"the connectome {where[:60]}", extra="worm") from error
    known = [entry.name for entry in pkgutil.iter_modules(readers.__path__)]
    if reader not in known:
        raise DataError(
            f"cect has no reader called {reader[:60]!r}", where=where[:60], hint=nearest_hint(reader[:60], known)
        )


def _matrices(data: Any, where: str) -> tuple[list[tuple[str, Any]], list[str]]:
    """Matrices [pre, post] of chemical synapses and gap junctions by class, and the classes that are left out."""
    from cect.Neurotransmitters import CHEMICAL_SYN_TYPE, ELECTRICAL_SYN_TYPE, get_syn_type_from_synclass

    neurons, left_out = [], []
    for name, matrix in data.connections.items():
        wanted = get_syn_type_from_synclass(name) in (CHEMICAL_SYN_TYPE, ELECTRICAL_SYN_TYPE)
        if wanted:
            neurons.append((name, np.asarray(matrix, dtype=np.float64)))
        else:
            left_out.append(name)
    if not {CHEMICAL, GAP} & {name for name, _ in neurons}:
        raise DataError(
            f"the set has neither synapses nor gap junctions: it has {', '.join(map(str, data.connections)) or 'nothing'}",
            where=where,
            hint="take an anatomical connectome, for example cect:Cook2019HermReader",
        )
    return neurons, left_out
