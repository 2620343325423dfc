"""What the readers of a file did and doubt, among the findings."""

from __future__ import annotations

from collections.abc import Sequence

from neurocli.diagnosis.finding import WARN, Finding
from neurocli.diagnosis.words import information
from neurocli.recordings import Note


def note_findings(notes: Sequence[Note]) -> list[Finding]:
    """A finding for each note: WARN with its advice where there is a doubt."""
    return [
        Finding(note.check, note.where, WARN, note.found, "none", note.advice)
        if note.is_doubt
        else information(note.check, note.where, note.found)
        for note in notes
    ]
