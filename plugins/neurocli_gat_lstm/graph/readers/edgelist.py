"""An edge list as text: one connection per line, from a neuron to a neuron."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import check_file
from neurocli_gat_lstm.graph.edges import EdgeCollector, Edges, read_weight

LARGEST_FILE_BYTES = 512 * 2**20

PRE = frozenset({"pre", "source", "from", "presynaptic", "pre_cell", "pre_neuron"})
POST = frozenset({"post", "target", "to", "postsynaptic", "post_cell", "post_neuron"})
CHEMICAL = frozenset({"chemical", "weight", "synapses", "number"})
GAP = frozenset({"gap", "gap_junctions", "electrical"})
TYPE = frozenset({"type", "synapse_type", "edge_type"})

CHEMICAL_TYPES = frozenset({"chemical", "chem", "synapse", "cs", "c", "generic_cs"})
GAP_TYPES = frozenset({"electrical", "electric", "gap", "gap_junction", "gapjunction", "gj", "ej", "e", "generic_gj"})

_EXAMPLE = "the first line names the columns, for example pre,post,chemical,gap or pre,post,type,synapses"


def read_edge_list(path: Path, nodes: Sequence[str] | None = None, *, alone: Sequence[str] = ()) -> Edges:
    """Edges of a .csv or .tsv file.

    Columns: pre and post, then chemical (or weight, synapses) and gap; or one weight and a type, which says chemical
    or electrical; without any weight a line counts one. Other columns are passed over, lines that start with # too.
    Entries of the same pair add up; a gap junction may stand in one direction or both. alone: neurons that belong to
    the connectome without an edge. Raises DataError with the line.
    """
    collector = EdgeCollector(str(path), nodes)
    for name in alone:
        collector.add_node(name)
    lines = _lines(path)
    header = next(lines, None)
    if header is None:
        raise DataError("the edge list has no lines", where=str(path), hint=_EXAMPLE)
    columns = _columns(header[1], f"{path}:{header[0]}")
    for number, cells in lines:
        if len(cells) != columns.width:
            raise DataError(
                f"the line has {len(cells)} columns, the header {columns.width}",
                where=f"{path}:{number}",
                hint="write the same columns in every line",
            )
        weights = _weights(columns, cells, str(path), number)
        collector.add(cells[columns.pre].strip(), cells[columns.post].strip(), *weights, line=number)
    return collector.edges()


class _Columns(NamedTuple):
    """Position of each column; None where there is none."""

    width: int
    pre: int
    post: int
    chemical: int | None
    gap: int | None
    type: int | None


def _columns(header: list[str], where: str) -> _Columns:
    """Which column is what."""
    candidates = {
        what: _only_column(what, names, header, where)
        for what, names in (("pre", PRE), ("post", POST), ("chemical", CHEMICAL), ("gap", GAP), ("type", TYPE))
    }
    pre, post = candidates["pre"], candidates["post"]
    if pre is None or post is None:
        raise DataError(f"no column is called {'pre' if pre is None else 'post'}", where=where, hint=_EXAMPLE)
    if candidates["type"] is not None and candidates["gap"] is not None:
        raise DataError("there are a column of types and one of gap junctions", where=where, hint="keep one of the two")
    return _Columns(len(header), pre, post, candidates["chemical"], candidates["gap"], candidates["type"])


def _only_column(what: str, names: frozenset[str], header: list[str], where: str) -> int | None:
    positions = [index for index, name in enumerate(header) if plain(name) in names]
    if len(positions) > 1:
        raise DataError(f"{len(positions)} columns could be {what}", where=where, hint="keep one of them")
    return positions[0] if positions else None


def _weights(columns: _Columns, cells: list[str], source: str, line: int) -> tuple[float, float]:
    """Chemical weight and gap-junction weight of a line."""

    def weight(position: int | None, column: str, default: float) -> float:
        return default if position is None else read_weight(cells[position], column, source, line)

    if columns.type is None:
        alone = columns.gap is None
        return weight(columns.chemical, "the chemical weight", float(alone)), weight(columns.gap, "the gap weight", 0.0)
    return by_type(cells[columns.type], weight(columns.chemical, "the weight", 1.0), source, line)


def by_type(kind: str, weight: float, source: str, line: int) -> tuple[float, float]:
    """Chemical weight and gap-junction weight of an edge whose type is written out. Raises DataError for another type."""
    if plain(kind) in CHEMICAL_TYPES:
        return weight, 0.0
    if plain(kind) in GAP_TYPES:
        return 0.0, weight
    raise DataError(
        f"the type {kind[:40]!r} is neither chemical nor electrical",
        where=f"{source}:{line}",
        hint="write chemical or electrical, and leave other kinds of connection out",
    )


def plain(name: str) -> str:
    """The name of a column or a type without case, and with _ for the spaces and hyphens in it."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that holds something and is no comment."""
    check_size(path)
    with path.open("rb") as file:
        text = _Text(path, file)
        first = next(text, None)
        if first is None:
            return
        separator = "\t" if path.suffix.casefold() == ".tsv" else max(",;\t", key=first.count)
        rows = csv.reader(itertools.chain([first], text), delimiter=separator, strict=True)
        try:
            for cells in rows:
                yield text.number, cells
        except csv.Error as error:
            raise DataError(
                f"the line cannot be cut into columns: {error}", where=f"{path}:{text.number}", hint=_EXAMPLE
            ) from None


class _Text:
    """Lines of a text file without the empty ones and the comments; `number` is that of the line given last."""

    def __init__(self, path: Path, file: Iterable[bytes]) -> None:
        self.path = path
        self.number = 0
        self._lines = enumerate(file, start=1)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, raw in self._lines:
            self.number = number
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise DataError(
                    "the line is not text in UTF-8", where=f"{self.path}:{self.number}", hint="save the file as UTF-8"
                ) from None
            if line.strip(" \t\r\n,;") and not line.startswith("#"):
                return line
        raise StopIteration


def check_size(path: Path) -> None:
    """Raise DataError unless this is a file with something in it and of a size that can be an edge list."""
    check_file(path)
    size = path.stat().st_size
    if size > LARGEST_FILE_BYTES:
        raise DataError(
            f"the file has {size / 2**20:.0f} MiB, an edge list at most {LARGEST_FILE_BYTES / 2**20:.0f}",
            where=str(path),
            hint="keep the columns of pairs and weights only",
        )
