"""An edge list as GraphML, the XML that graph programs exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from neurocli.errors import DataError
from neurocli_gat_lstm.graph.edges import LARGEST_EDGES, LARGEST_NODES, EdgeCollector, Edges, read_weight
from neurocli_gat_lstm.graph.readers.edgelist import CHEMICAL, GAP, TYPE, Passed, by_type, check_size, plain

LABELS = ("cell_name", "neuron", "name", "label")
"""Attributes of a node that may hold its name; without one of them the node's id is the name."""

LONGEST_TEXT = 10_000
_BLOCK_BYTES = 2**20
_REMAKE = "write the graph again with the program that made it"


def read_graphml(path: Path, nodes: Sequence[str] | None = None) -> Edges:
    """Edges of a .graphml file.

    Attributes of an edge are those of an edge list: chemical (or weight, synapses) and gap; or one weight and a type;
    without any weight an edge counts one. Chemical synapses need directed edges. Raises DataError with the line.
    A file with a document type is refused, since entities declared there can grow without end.
    """
    check_size(path)
    content = _Content(path)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = content.refuse_doctype
    parser.StartElementHandler = content.start
    parser.EndElementHandler = content.end
    parser.CharacterDataHandler = content.text
    content.parser = parser
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                parser.Parse(block, False)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise DataError(
            f"the XML is damaged: {expat.ErrorString(error.code)}", where=f"{path}:{error.lineno}", hint=_REMAKE
        ) from None
    return content.edges(nodes)


@dataclass
class _Key:
    """An attribute that the file declares."""

    name: str
    default: str | None = None
    of_edges: bool = True


@dataclass
class _Item:
    """A node or an edge with the attributes that it has."""

    line: int
    ends: tuple[str, ...]
    directed: bool = True
    data: dict[str, str] = field(default_factory=dict)


class _Content:
    """What the file says so far; the parser calls `start`, `text` and `end` as it goes."""

    parser: expat.XMLParserType

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: dict[str, _Key] = {}
        self.nodes: dict[str, _Item] = {}
        self.links: list[_Item] = []
        self._directed: bool | None = None
        self._item: _Item | None = None
        self._declared: _Key | None = None
        self._data_key: str | None = None
        self._text: str | None = None

    def refuse_doctype(self, *_: object) -> None:
        raise self._error("the file declares a document type", "take the DOCTYPE out of the file")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rsplit(" ", 1)[-1]:
            case "key":
                of_edges = attributes.get("for", "all") in ("edge", "all")
                self._declared = _Key(plain(attributes.get("attr.name", "")), of_edges=of_edges)
                self.keys[self._attribute(attributes, "id")] = self._declared
            case "graph":
                if self._directed is not None:
                    raise self._error("there is more than one graph in the file", "write each graph to its own file")
                self._directed = attributes.get("edgedefault", "directed") == "directed"
            case "node":
                self._start_node(self._attribute(attributes, "id"))
            case "edge":
                ends = self._attribute(attributes, "source"), self._attribute(attributes, "target")
                directed = {"true": True, "false": False}.get(attributes.get("directed", ""), bool(self._directed))
                self._item = _Item(self.parser.CurrentLineNumber, ends, directed)
                self.links.append(self._item)
                if len(self.links) > LARGEST_EDGES:
                    raise self._error(f"there are more than {LARGEST_EDGES} edges", "write fewer")
            case "hyperedge":
                raise self._error(
                    "there is an edge with more than two ends", "write a synapse for each pair of neurons"
                )
            case "data":
                self._data_key, self._text = attributes.get("key"), ""
            case "default":
                self._text = ""

    def text(self, text: str) -> None:
        if self._text is not None:
            self._text += text
            if len(self._text) > LONGEST_TEXT:
                raise self._error("an attribute is too long for a name or a number", _REMAKE)

    def end(self, tag: str) -> None:
        match tag.rsplit(" ", 1)[-1]:
            case "data" if self._item is not None and self._data_key in self.keys:
                self._item.data[self.keys[self._data_key].name] = self._text or ""
            case "default" if self._declared is not None:
                self._declared.default = self._text
            case "key":
                self._declared = None
            case "node" | "edge":
                self._item = None
        if not tag.endswith("desc"):
            self._text = None

    def edges(self, nodes: Sequence[str] | None) -> Edges:
        """The edges, with nodes under their names."""
        collector = EdgeCollector(str(self.path), nodes)
        name_of = {node: self._name(node, item) for node, item in self.nodes.items()}
        for node, item in self.nodes.items():
            collector.add_node(name_of[node], item.line)
        defaults = {key.name: key.default for key in self.keys.values() if key.default is not None and key.of_edges}
        names: dict[str, str] = {}
        for node, name in name_of.items():
            if names.setdefault(name, node) != node:
                collector.doubts.append(
                    f"the nodes {names[name][:20]!r} and {node[:20]!r} have one name, {name[:20]}: they are taken as one"
                )
        used = {attribute for link in self.links for attribute in link.data} | set(defaults)
        self._refuse_two_names(used)
        others = Passed()
        for link in self.links:
            for end in link.ends:
                if end not in name_of:
                    raise DataError(
                        f"an edge names the node {end[:40]!r}, which the file does not list",
                        where=f"{self.path}:{link.line}",
                        hint=_REMAKE,
                    )
            chemical, gap = self._weights(link, defaults)
            for attribute, value in link.data.items():
                if attribute not in CHEMICAL | GAP | TYPE:
                    others.value(attribute, value)
            pre, post = (name_of[end] for end in link.ends)
            collector.add(pre, post, chemical, gap, line=link.line)
        others.judge(collector, has_weight=bool(used & (CHEMICAL | GAP)), has_type=bool(used & (TYPE | GAP)))
        return collector.edges()

    def _refuse_two_names(self, used: set[str]) -> None:
        """Raise DataError where two attributes of the edges could be the same thing."""
        keys = [key.name for key in self.keys.values() if key.of_edges and key.name in used]
        for what, known in (("chemical", CHEMICAL), ("gap", GAP), ("type", TYPE)):
            if sum(name in known for name in keys) > 1:
                message = f"{sum(name in known for name in keys)} attributes could be {what}"
                raise DataError(message, where=str(self.path), hint="keep one of them")
        if used & TYPE and used & GAP:
            message = "there are an attribute of types and one of gap junctions"
            raise DataError(message, where=str(self.path), hint="keep one of the two")

    def _start_node(self, name: str) -> None:
        if name in self.nodes:
            raise self._error(f"the node {name[:40]!r} is listed twice", "give every node its own id")
        self._item = self.nodes[name] = _Item(self.parser.CurrentLineNumber, (name,))
        if len(self.nodes) > LARGEST_NODES:
            raise self._error(f"there are more than {LARGEST_NODES} nodes", "write fewer")

    def _weights(self, link: _Item, defaults: dict[str, str]) -> tuple[float, float]:
        data = {**defaults, **link.data}
        kind, gap = (next((data[name] for name in data if name in names), None) for names in (TYPE, GAP))
        weight = next((data[name] for name in data if name in CHEMICAL), None)
        where = str(self.path), link.line
        alone = 1.0 if kind is not None or gap is None else 0.0
        chemical = alone if weight is None else read_weight(weight, "the weight", *where)
        if kind is not None:
            weights = by_type(kind, chemical, *where)
        else:
            weights = chemical, 0.0 if gap is None else read_weight(gap, "the gap weight", *where)
        if weights[0] and not link.directed:
            raise DataError(
                "a chemical synapse stands as an edge without direction",
                where=f"{self.path}:{link.line}",
                hint='write the graph with edgedefault="directed"',
            )
        return weights

    def _name(self, node: str, item: _Item) -> str:
        return next((item.data[label] for label in LABELS if item.data.get(label, "").strip()), node).strip()

    def _attribute(self, attributes: dict[str, str], name: str) -> str:
        if name not in attributes:
            raise self._error(f"an element lacks the attribute {name}", _REMAKE)
        return attributes[name]

    def _error(self, message: str, hint: str) -> DataError:
        return DataError(message, where=f"{self.path}:{self.parser.CurrentLineNumber}", hint=hint)
