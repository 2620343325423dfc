"""An edge list as text: one connection per line, from a neuron to a neuron."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.files.packing import packed_how
from neurocli.recordings.files.text import read_text
from neurocli_gat_lstm.graph.edges import EdgeCollector, Edges, read_weight
from neurocli_gat_lstm.graph.names import is_neuron

LARGEST_FILE_BYTES = 64 * 2**20

PRE = frozenset({"pre", "source", "from", "origin", "presynaptic", "pre_cell", "pre_neuron", "presynaptic_neuron"})
POST = frozenset({"post", "target", "to", "postsynaptic", "post_cell", "post_neuron", "postsynaptic_neuron"})
CHEMICAL = frozenset(
    {"chemical", "weight", "synapses", "number", "count", "n_synapses", "num_synapses", "number_of_connections"}
)
GAP = frozenset({"gap", "gap_junctions", "gap_junction", "electrical"})
TYPE = frozenset({"type", "synapse_type", "edge_type", "connection_type", "synapse_class", "kind"})

CHEMICAL_TYPES = frozenset({"chemical", "chem", "synapse", "cs", "c", "generic_cs", "send"})
GAP_TYPES = frozenset({"electrical", "electric", "gap", "gap_junction", "gapjunction", "gj", "ej", "e", "generic_gj"})

ANIMALS = frozenset(
    {
        "dataset",
        "data_set",
        "animal",
        "worm",
        "specimen",
        "series",
        "individual",
        "subject",
        "sex",
        "stage",
        "source_dataset",
    }
)
"""Columns by which the lines of a table are of several connectomes."""
_LONGEST_NUMBER = 12

_EXAMPLE = "the first line names the columns, for example pre,post,chemical,gap or pre,post,type,synapses"


def read_edge_list(path: Path, nodes: Sequence[str] | None = None, *, alone: Sequence[str] = ()) -> Edges:
    """Edges of a .csv or .tsv file, in any encoding of text.

    Columns: pre and post, then chemical (or weight, synapses) and gap; or one weight and a type, which says chemical
    or electrical; without any weight a line counts one. Cells are separated by commas, semicolons, tabs or blanks; where not by
    commas, a number may have a decimal comma. Other columns are passed over, and told of where they hold numbers; lines that start
    with # or % too. Entries of the same pair add up; a gap junction may stand in one direction or both. alone: neurons that
    belong to the connectome without an edge. Raises DataError with the line.
    """
    collector = EdgeCollector(str(path), nodes)
    for name in alone:
        collector.add_node(name)
    text = _Text(path)
    lines = _lines(text)
    header = next(lines, None)
    if header is None:
        raise DataError("the edge list has no lines", where=str(path), hint=_EXAMPLE)
    columns = _columns(header[1], f"{path}:{header[0]}")
    others = Passed.over(header[1], [k for k in range(columns.width) if k not in columns[1:]])
    decimal_comma = text.separator != ","
    for number, cells in lines:
        if len(cells) != columns.width:
            raise DataError(
                f"the line has {len(cells)} columns, the header {columns.width}",
                where=f"{path}:{number}",
                hint="write the same columns in every line",
            )
        others.look_at(cells)
        weights = _weights(columns, cells, str(path), number, decimal_comma)
        collector.add(cells[columns.pre].strip(), cells[columns.post].strip(), *weights, line=number)
    others.judge(
        collector,
        has_weight=columns.chemical is not None or columns.gap is not None,
        has_type=columns.type is not None or columns.gap is not None,
    )
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
        missing = f"no column is called {'pre' if pre is None else 'post'}"
        neurons = [name for name in header if is_neuron(name)]
        if len(neurons) > 2:
            missing += ": this looks like a matrix with the names of neurons in its first line"
        elif len(neurons) == 2:
            missing += ": the first line names two neurons, and nothing says which is presynaptic"
        else:
            missing += f", there are {', '.join(name.strip()[:20] for name in header[:6])}"
        raise DataError(missing, where=where, hint=_EXAMPLE)
    if candidates["type"] is not None and candidates["gap"] is not None:
        raise DataError("there are a column of types and one of gap junctions", where=where, hint="keep one of the two")
    return _Columns(len(header), pre, post, candidates["chemical"], candidates["gap"], candidates["type"])


def _only_column(what: str, names: frozenset[str], header: list[str], where: str) -> int | None:
    positions = [index for index, name in enumerate(header) if plain(name) in names]
    if len(positions) > 1:
        raise DataError(f"{len(positions)} columns could be {what}", where=where, hint="keep one of them")
    return positions[0] if positions else None


def _weights(columns: _Columns, cells: list[str], source: str, line: int, decimal_comma: bool) -> tuple[float, float]:
    """Chemical weight and gap-junction weight of a line."""

    def weight(position: int | None, column: str, default: float) -> float:
        if position is None:
            return default
        text = cells[position].replace(",", ".") if decimal_comma else cells[position]
        return read_weight(text, column, source, line)

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


class Passed:
    """Columns, or attributes of edges, that are not read: by name, whether all their values are numbers, or types of synapses.

    Whole numbers that rise by one number the lines, and are nobody's weights.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self._numbers: dict[str, bool] = {}
        self._types: dict[str, bool] = {}
        self._numbering: dict[str, int | None] = {}
        self._kinds: dict[str, set[str]] = {}

    @classmethod
    def over(cls, header: Sequence[str], positions: Iterable[int]) -> Passed:
        """Those columns of a table."""
        passed = cls()
        passed.names = {k: header[k].strip() or f"column {k + 1}" for k in positions}
        return passed

    def look_at(self, cells: Sequence[str]) -> None:
        """The cells of a line."""
        for position, name in self.names.items():
            self.value(name, cells[position])

    def value(self, name: str, text: str) -> None:
        """One value of a column or an attribute."""
        if self._numbers.get(name, True):
            self._numbers[name] = _is_number(text)
        last = self._numbering.get(name, -1)
        if last is not None:
            number = int(text) if text.strip().isdecimal() and len(text) < _LONGEST_NUMBER else -1
            self._numbering[name] = number if number == last + 1 or (last == -1 and number >= 0) else None
        if plain(name) in ANIMALS and len(kinds := self._kinds.setdefault(name, set())) < 2:
            kinds.add(text.strip())
        if self._types.get(name, True):
            self._types[name] = plain(text) in CHEMICAL_TYPES | GAP_TYPES

    def judge(self, collector: EdgeCollector, *, has_weight: bool, has_type: bool) -> None:
        """Raise DataError where weights or types stand under another name; other numbers are a doubt."""
        numbers = [name for name, are in self._numbers.items() if are and self._numbering[name] is None]
        types = [name for name, are in self._types.items() if are and name not in numbers]
        if types and not has_type:
            raise DataError(
                f"{types[0][:40]!r} seems to say which synapses are chemical, and is not read under that name",
                where=collector.source,
                hint="call it type, or leave it out",
            )
        if numbers and not has_weight:
            raise DataError(
                f"no weight is there, but numbers under another name: {', '.join(name[:40] for name in numbers[:5])}",
                where=collector.source,
                hint="call the weights weight (or chemical and gap), or leave the numbers out: each line counts one then",
            )
        several = [name for name, kinds in self._kinds.items() if len(kinds) > 1]
        if several:
            collector.doubts.append(
                f"the lines are of several kinds by the column {several[0][:40]}, which is not read: all are added up"
            )
        if numbers:
            collector.doubts.append(f"numbers that are not read: {', '.join(name[:40] for name in numbers[:5])}")


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _lines(text: _Text) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that holds something and is no comment."""
    first = next(text, None)
    if first is None:
        return
    text.separator = max(",;\t", key=first.count)
    lines = itertools.chain([first], text)
    if text.separator not in first:
        text.separator = " "
        yield from ((text.number, line.split()) for line in lines)
        return
    try:
        for cells in csv.reader(lines, delimiter=text.separator, strict=True):
            yield text.number, cells
    except csv.Error as error:
        raise DataError(
            f"the line cannot be cut into columns: {error}", where=f"{text.path}:{text.number}", hint=_EXAMPLE
        ) from None


class _Text:
    """Lines of a text file without the empty ones and the comments; `number` is that of the line given last."""

    def __init__(self, path: Path) -> None:
        check_size(path)
        self.path = path
        self.number = 0
        self.separator = ","
        self._lines = enumerate(io.StringIO(read_text(path)), start=1)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._lines:
            self.number = number
            if line.strip(" \t\r\n,;") and not line.startswith(("#", "%", '"#')):
                return line
        raise StopIteration


def check_size(path: Path) -> None:
    """Raise DataError unless this is a file with something in it and of a size that can be an edge list."""
    check_file(path)
    packed = packed_how(path)
    if packed is not None:
        hint = f"unpack it first: {packed.command(path)}; a table of a spreadsheet has to be saved as .csv"
        raise DataError(f"the file is packed ({packed.name})", where=str(path), hint=hint)
    size = path.stat().st_size
    if size > LARGEST_FILE_BYTES:
        raise DataError(
            f"the file has {size / 2**20:.0f} MiB, an edge list at most {LARGEST_FILE_BYTES / 2**20:.0f}",
            where=str(path),
            hint="keep the columns of pairs and weights only",
        )
