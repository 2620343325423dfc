"""Reading NeuronIO files as recordings, one file in memory at a time."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings.notes import Note
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_elm.data.readers.neuronio import SIMULATIONS, Cell, group_name, read_cell, read_file

META = {"kind": "neuronio"}
"""The meta of every set of such simulations: sets with another cannot be joined to it."""

_HEAD = 512
_NEAR = 4096
_KEYS = (
    "Params",
    "Results",
    SIMULATIONS,
    "numSimulations",
    "allSegmentsType",
    "somaVoltageLowRes",
    "exInputSpikeTimes",
    "inhInputSpikeTimes",
    "outputSpikeTimes",
)
_STARTS = (b"\x80", b"(d", b"}")


class NeuronIoReader(Reader):
    """Reads `.p` files; what they hold is looked at when a recording is asked for."""

    def can_read(self, path: Path) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD)
        return head.startswith(_STARTS) and any(name in head for name in (b"Params", b"Results", SIMULATIONS.encode()))

    def lacks(self, path: Path) -> str | None:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(_NEAR)
        if not head.startswith(_STARTS):
            return None
        small = head.lower()
        near = next((name for name in _KEYS if name.lower().encode() in small), None)
        if near is None:
            return None
        at = small.index(near.lower().encode())
        there = head[at : at + len(near)].decode("latin-1")
        spelled = f"there is {there}" if there != near else f"it begins with {near}"
        return f"Params and Results are missing at its top; {spelled}"

    def read(self, paths: list[Path]) -> RecordingSet:
        """All simulations of the files, in the order of the files. Raises DataError."""
        loaders: dict[str, Callable[[], Recording]] = {}
        cells = {path: read_cell(path) for path in paths}
        _check_alike(cells)
        for path, cell in cells.items():
            count = cell.simulations or len(_simulations(path))
            for number in range(count):
                group = group_name(path, number)
                if group in loaders:
                    raise DataError(
                        f"two files hold a simulation {group}",
                        where=str(path),
                        hint="name each file once; rename one where they have the same random seed",
                    )
                loaders[group] = functools.partial(_simulation, path, number)
        truths = [cell.truth for cell in cells.values()]
        same = all(_equal(truths[0], truth) for truth in truths)
        return RecordingSet(
            loaders,
            meta=META,
            truth=truths[0] if same else {},
            sources=[str(path) for path in paths],
            notes=[_unknown_types(path, cell) for path, cell in cells.items() if cell.unknown],
        )


def _unknown_types(path: Path, cell: Cell) -> Note:
    return Note(
        "segment-types",
        f"{path}:Params/allSegmentsType",
        f"segments are of type {', '.join(cell.unknown[:6])}, and not all basal or apical: their types are left out",
        "call each segment basal or apical",
    )


def _check_alike(cells: dict[Path, Cell]) -> None:
    first_path, first = next(iter(cells.items()))
    for path, cell in cells.items():
        if cell.segments != first.segments:
            raise DataError(
                f"the files are of different cells: {first.segments} and {cell.segments} segments",
                where=f"{first_path}, {path}",
                hint="a model is of one cell: name files of one with --data",
            )


def _equal(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def _simulation(path: Path, number: int) -> Recording:
    recordings = _simulations(path)
    # A recording of its own, which may be renamed; its arrays are shared.
    return dataclasses.replace(recordings[number])


def _simulations(path: Path) -> list[Recording]:
    """All simulations of a file, kept until another file is asked for: recordings are loaded file by file."""
    try:
        about = path.stat()
    except OSError:
        return read_file(path)  # says what is wrong
    key = (path, about.st_mtime_ns, about.st_size)
    recordings = _KEPT.get(key)
    if recordings is None:
        _KEPT.clear()  # before the next one is read: never two in memory
        recordings = _KEPT[key] = read_file(path)
    return recordings


_KEPT: dict[tuple[Path, int, int], list[Recording]] = {}
