"""The tree of the simulated cell: unbranched cylinders, cut into segments, on a soma.

Basal dendrites come first, then the apical one, each with its subtree behind it: neighbours in the numbering are neighbours on
the cell, as in the published one. Half of a segment's axial resistance lies on either side of its middle; where branches
meet is a point without a membrane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli_elm.simulation.parameters import BASAL_STEMS, OBLIQUES, TRUNK_PIECES

SOMA, BASAL, APICAL = 0, 1, 2
SOMA_DIAMETER_UM = 20.0
_LENGTH_SPREAD = 0.2


@dataclass(frozen=True)
class Branch:
    """A cylinder. parent: number of the branch whose end it grows from, -1 for the soma."""

    parent: int
    kind: int
    length_um: float
    diameter_um: float
    segments: int = 1


@dataclass(frozen=True)
class Morphology:
    """Branches with parents before children, and what follows for segments, which are numbered along them.

    All [segment]: branch, kind, length_um, diameter_um, distance_um (of the middle from the soma, along the tree) and
    parent, the compartment next to it towards the soma: 0 is the soma, k + 1 segment k.
    """

    branches: tuple[Branch, ...]
    branch: NDArray[np.int32]
    kind: NDArray[np.int8]
    length_um: NDArray[np.float64]
    diameter_um: NDArray[np.float64]
    distance_um: NDArray[np.float64]
    parent: NDArray[np.int32]
    soma_diameter_um: float = SOMA_DIAMETER_UM

    @property
    def segments(self) -> int:
        return len(self.branch)

    @property
    def nexus(self) -> int:
        """The last segment of the apical trunk, where the tuft begins; the first one of a cell without a trunk."""
        trunk = _trunk(self.branches)
        return int(np.flatnonzero(self.branch == trunk[-1])[-1]) if trunk else 0

    @classmethod
    def of(cls, branches: Sequence[Branch], soma_diameter_um: float = SOMA_DIAMETER_UM) -> Morphology:
        """Cut every branch into its segments. Parents must come before their children."""
        columns: dict[str, list[Any]] = {
            name: [] for name in ("branch", "kind", "length", "diameter", "distance", "parent")
        }
        last: list[int] = []
        end: list[float] = []
        for number, branch in enumerate(branches):
            if not -1 <= branch.parent < number:
                raise ValueError(f"branch {number} grows from branch {branch.parent}, which does not come before it")
            start, before = (0.0, 0) if branch.parent < 0 else (end[branch.parent], last[branch.parent])
            length = branch.length_um / branch.segments
            for piece in range(branch.segments):
                columns["branch"].append(number)
                columns["kind"].append(branch.kind)
                columns["length"].append(length)
                columns["diameter"].append(branch.diameter_um)
                columns["distance"].append(start + (piece + 0.5) * length)
                columns["parent"].append(before)
                before = len(columns["branch"])
            last.append(before)
            end.append(start + branch.length_um)
        return cls(
            tuple(branches),
            np.array(columns["branch"], np.int32),
            np.array(columns["kind"], np.int8),
            np.array(columns["length"], np.float64),
            np.array(columns["diameter"], np.float64),
            np.array(columns["distance"], np.float64),
            np.array(columns["parent"], np.int32),
            soma_diameter_um,
        )


def pyramidal_cell(segments: int, seed: int) -> Morphology:
    """The cell in so many segments; the seed decides how long its branches are, within a fifth or so."""
    branches = _branches(np.random.default_rng(seed))
    if segments < len(branches):
        raise ValueError(f"{segments} segments do not cover {len(branches)} branches")
    lengths = np.array([branch.length_um for branch in branches])
    counts = np.ones(len(branches), int)
    while counts.sum() < segments:  # the longest segment is cut next
        counts[np.argmax(lengths / counts)] += 1
    return Morphology.of(
        [
            Branch(branch.parent, branch.kind, branch.length_um, branch.diameter_um, int(count))
            for branch, count in zip(branches, counts, strict=True)
        ]
    )


def _branches(random: np.random.Generator) -> list[Branch]:
    """Nine forked basal dendrites of 4.6 mm together; a trunk of .6 mm with eight obliques, and a tuft of 14 branches."""
    branches: list[Branch] = []

    def grow(parent: int, kind: int, length_um: float, diameter_um: float) -> int:
        factor = float(np.exp(_LENGTH_SPREAD * random.standard_normal()))
        branches.append(Branch(parent, kind, length_um * factor, diameter_um))
        return len(branches) - 1

    for _ in range(BASAL_STEMS):
        stem = grow(-1, BASAL, 50.0, 1.6)
        for _ in range(2):
            grow(stem, BASAL, 230.0, 1.0)
    trunk = -1
    for piece in range(TRUNK_PIECES):
        trunk = grow(trunk, APICAL, 120.0, 3.2 - 0.3 * piece)
        if piece < TRUNK_PIECES - 1:
            for _ in range(OBLIQUES):
                grow(trunk, APICAL, 220.0, 1.0)
    for _ in range(2):
        thick = grow(trunk, APICAL, 110.0, 1.6)
        for _ in range(2):
            thin = grow(thick, APICAL, 160.0, 1.2)
            for _ in range(2):
                grow(thin, APICAL, 220.0, 0.9)
    return branches


def _trunk(branches: Sequence[Branch]) -> list[int]:
    """From the soma along the thickest apical branch at each fork, as long as it is alone in being thickest."""
    trunk: list[int] = []
    parent = -1
    while True:
        children = [
            number for number, branch in enumerate(branches) if branch.kind == APICAL and branch.parent == parent
        ]
        if not children:
            return trunk
        thickest = max(branches[number].diameter_um for number in children)
        chosen = [number for number in children if branches[number].diameter_um == thickest]
        if len(chosen) > 1:
            return trunk
        parent = chosen[0]
        trunk.append(parent)
