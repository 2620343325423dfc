"""A text of one or two files in sections: there are too few files to be dealt out whole."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from neurocli.recordings.notes import Note
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers.text import TextReader

SECTIONS, SHORTEST = 20, 500
"""Sections of a file, or as many as are that many bytes long; three at least."""
_NEWLINE = 10
_CONTINUES, _BYTE_KIND = 0x80, 0xC0
"""A byte of UTF-8 continues a character where its two highest bits are 10."""


class SectionedTextReader(Reader):
    """Reads as `TextReader` does, and cuts at line breaks what has fewer than three files to deal out.

    A section is a recording of its own, called after its file, with the labels `file` and `section`, its number from 1.
    """

    def __init__(self) -> None:
        self._whole = TextReader()

    def can_read(self, path: Path) -> bool:
        return self._whole.can_read(path)

    def can_read_archive(self, path: Path) -> bool:
        return self._whole.can_read_archive(path)

    def read(self, paths: list[Path]) -> RecordingSet:
        """The texts, in sections where there are too few of them. Raises DataError."""
        return in_sections(self._whole.read(paths))


def in_sections(texts: RecordingSet) -> RecordingSet:
    """Texts as they are, where there are enough of them to deal out; otherwise in sections.

    Where parts are told, the training text is cut if nothing else could choose an epoch.
    """
    parts = {group: texts[group].labels.get("part") for group in texts}
    told = set(parts.values())
    if "test" in told:
        training = [group for group, part in parts.items() if part == "train"]
        cut = training if "validation" not in told and len(training) == 1 else []
    else:
        cut = list(texts) if len(texts) < 3 else []
    if not cut:
        return texts
    loaders, notes = {}, []
    for group in texts:
        recording = texts[group]
        if group not in cut:
            loaders[group] = functools.partial(texts.__getitem__, group)
            continue
        places = borders(recording.signal[:, 0])
        width = len(str(len(places) - 1))
        for number in range(1, len(places)):
            name = f"{group}:{number:0{width}d}"
            loaders[name] = functools.partial(_section, recording, name, number, places[number - 1], places[number])
        found = f"{len(places) - 1} sections, cut at line breaks: those of validation and test are whole blocks"
        notes.append(Note("sections", group, found))
    return texts.with_loaders(loaders).with_notes(notes)


def borders(text: np.ndarray) -> list[int]:
    """First bytes of the sections of a text uint8 [byte], and its length: behind line breaks, or between characters where there are none."""
    steps = len(text)
    count = min(SECTIONS, max(3, steps // SHORTEST))
    breaks = np.flatnonzero(text[:-1] == _NEWLINE) + 1
    if len(breaks) < 4 * count:  # long lines, or none
        breaks = np.flatnonzero((text[1:] & _BYTE_KIND) != _CONTINUES) + 1
    wanted = np.arange(1, count) * steps / count
    at = np.searchsorted(breaks, wanted).clip(0, max(len(breaks) - 1, 0))
    inner = sorted({int(place) for place in breaks[at]}) if len(breaks) else []
    return [0, *inner, steps]


def _section(whole: Recording, name: str, number: int, start: int, stop: int) -> Recording:
    labels = {**whole.labels, "file": whole.group, "section": number}
    return Recording(name, whole.signal[start:stop], whole.dt_ms, whole.unit, labels=labels)
