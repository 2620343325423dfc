"""Reading pairs of papers (AAN) of the Long Range Arena: `new_aan_pairs.{train,eval,test}.tsv`, without a header.

label (0 or 1: whether one cites the other), first and second identifier, first and second text, by tabs
Source: Radev et al. (2013); Tay et al. (2021), github.com/google-research/long-range-arena.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.text import encoding_of
from neurocli.recordings.notes import Note
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers.cases import STEP, Cases, case, order_of, part_of
from neurocli_sequences.data.readers.lines import Table, read_table

CLASSES = ["unrelated", "cited"]
_FIELDS = 5
_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_LOOKED_AT = 2**16
_SHORTEST = 20
"""Bytes of a text, where a file is not called as the published ones are."""


class PairsReader(Reader):
    """Reads the three files."""

    def can_read(self, path: Path) -> bool:
        if not path.is_file() or encoding_of(path) is None:
            return False
        with path.open("rb") as file:
            first = file.readline(_LOOKED_AT).split(b"\t")
        if path.name.lower().startswith("new_aan_pairs"):
            return True
        is_label = first[0].decode("latin-1") in _LABELS
        return is_label and len(first) == _FIELDS and min(map(len, first[3:])) >= _SHORTEST

    def read(self, paths: list[Path]) -> RecordingSet:
        """All pairs of the files, part after part. Raises DataError."""
        cases, notes = Cases(), list[Note]()
        for path in sorted(paths, key=lambda path: order_of(part_of(path.name))):
            table = read_table(path, _FIELDS, header=False)
            labels = _labels(table)
            part = part_of(path.name)
            cases.add(part, path.stem, len(table), functools.partial(_case, table, labels, part), str(path))
            notes += table.notes
        meta = {"kind": "pairs", "name": "aan", **STEP, "classes": list(CLASSES)}
        return RecordingSet(cases.loaders, meta=meta, sources=[str(path) for path in paths], notes=notes)


def _labels(table: Table) -> NDArray[np.int64]:
    labels = np.empty(len(table), np.int64)
    for line in range(len(table)):
        word = table.text(line, 0)
        if word not in _LABELS:
            raise DataError(
                f"the label is {word[:20]!r}, not 0 or 1", where=table.where(line), hint="bring the file as published"
            )
        labels[line] = _LABELS[word]
    return labels


def _case(table: Table, classes: NDArray[np.int64], part: str | None, number: int, group: str) -> Recording:
    first, second = table.field(number, 3), table.field(number, 4)
    labels = {
        "class": int(classes[number]),
        "first": len(first),
        "first_id": table.text(number, 1),
        "second_id": table.text(number, 2),
    }
    return case(group, np.concatenate([first, second])[:, None], "byte", part, labels)
