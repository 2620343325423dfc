"""Writes the tables of this folder from the readers of the package cect 0.3.5.

Run it where cect is installed (the tables are part of the repository, so nobody has to):

    python plugins/neurocli_gat_lstm/tables/make_tables.py

Edges between two neurons are kept, those with muscles and glia are not. A line of an edge table is one ordered pair
`pre,post` with the weights as cect gives them; gap junctions therefore stand in both directions. Self connections stay
in the tables.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

COOK = "Cook et al., Whole-animal connectomes of both Caenorhabditis elegans sexes, Nature 571:63 (2019), doi 10.1038/s41586-019-1352-7"
WITVLIET = "Witvliet et al., Connectomes across development reveal principles of brain maturation, Nature 596:257 (2021), doi 10.1038/s41586-021-03778-8"

EDGE_TABLES = {
    "cook2019": ("Cook2019HermReader", COOK, "adult hermaphrodite; weights are EM sections"),
    "witvliet2021-7": ("WitvlietDataReader7", WITVLIET, "adult, data set 7, brain; weights are synapses"),
    "witvliet2021-8": ("WitvlietDataReader8", WITVLIET, "adult, data set 8, brain; weights are synapses"),
}


def main() -> None:
    """Writes every table."""
    write_neurons()
    write_other_cells()
    for name, (reader, citation, what) in EDGE_TABLES.items():
        write_edges(name, reader, citation, what)


def write_neurons() -> None:
    """`neurons.csv`: name, class and sex of the 302 neurons of the hermaphrodite and the 90 that only males have."""
    from cect import Cells

    classes = {
        "sensory": [
            *Cells.SENSORY_NEURONS_COOK,
            *Cells.MALE_HEAD_SENSORY_NEURONS,
            *Cells.MALE_NON_HEAD_SENSORY_NEURONS,
        ],
        "inter": [*Cells.INTERNEURONS_COOK, *Cells.MALE_HEAD_INTERNEURONS, *Cells.MALE_NON_HEAD_INTERNEURONS],
        "motor": list(Cells.MOTORNEURONS_COOK),
    }
    class_of = {name: kind for kind, names in classes.items() for name in names}
    hermaphrodite = set(Cells.PREFERRED_HERM_NEURON_NAMES)
    rows = [
        (name, class_of.get(name, "other"), "hermaphrodite" if name in hermaphrodite else "male")
        for name in Cells.ALL_PREFERRED_NEURON_NAMES
    ]
    header = [
        "Neurons of C. elegans: the hermaphrodite's 302 (males have most of them too), then those that only males have.",
        f"Class: {COOK}.",
        "In no class of that paper, so other: CANL, CANR, MCL, MCR, MI, NSML, NSMR.",
        source("Cells.py"),
    ]
    write("neurons.csv", header, ("name", "class", "sex"), rows)


def write_other_cells() -> None:
    """`other_cells.csv`: name and kind of the cells that connectomes hold beside neurons."""
    from cect import Cells

    neurons = set(Cells.ALL_PREFERRED_NEURON_NAMES)
    muscles = {*Cells.PREFERRED_MUSCLE_NAMES, *Cells.PHARYNGEAL_MUSCLE_NAMES, *Cells.MALE_SPECIFIC_MUSCLES}
    rows = [
        (name, "muscle" if name in muscles else "other")
        for name in Cells.ALL_PREFERRED_CELL_NAMES
        if name not in neurons
    ]
    header = [
        "Cells of C. elegans that are no neurons: muscles, and glia, glands, epithelium, organs.",
        source("Cells.py"),
    ]
    write("other_cells.csv", header, ("name", "kind"), rows)


def write_edges(name: str, reader: str, citation: str, what: str) -> None:
    """`NAME.csv`: pre, post, chemical, gap of every ordered pair of neurons with a connection."""
    from cect import Cells

    data: Any = importlib.import_module(f"cect.readers.{reader}").get_instance(from_cache=True)
    neurons = set(Cells.ALL_PREFERRED_NEURON_NAMES)
    indexed = [(index, node) for index, node in enumerate(data.nodes) if node in neurons]
    chemical, gap = data.connections["Generic_CS"], data.connections["Generic_GJ"]
    rows = [
        (pre, post, f"{chemical[i, j]:g}", f"{gap[i, j]:g}")
        for i, pre in sorted(indexed, key=lambda pair: pair[1])
        for j, post in sorted(indexed, key=lambda pair: pair[1])
        if chemical[i, j] or gap[i, j]
    ]
    connected = {end for row in rows for end in row[:2]}
    alone = [node for _, node in indexed if node not in connected]
    header = [
        f"{citation}.",
        f"C. elegans {what}. One line for each ordered pair of neurons; gap junctions are in both directions.",
        f"Neurons without a connection: {' '.join(sorted(alone)) or 'none'}",
        source(f"cache/{reader}.json"),
    ]
    write(f"{name}.csv", header, ("pre", "post", "chemical", "gap"), rows)


def source(file: str) -> str:
    """The sentence that says from which file of which version of cect a table comes."""
    cect = importlib.metadata.distribution("cect")
    digest = hashlib.sha256(Path(str(cect.locate_file(f"cect/{file}"))).read_bytes()).hexdigest()
    return f"Made from cect {cect.version} (PyPI, MIT; github.com/openworm/ConnectomeToolbox), cect/{file}, sha256 {digest}."


def write(name: str, header: list[str], columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table with its header as comment lines."""
    with (FOLDER / name).open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in header)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
