"""Whether the commas of a `.ts` file stand within numbers: `-0,316` would be read as two values, -0 and 316."""

from __future__ import annotations

import re
from collections.abc import Sequence

from neurocli.recordings.notes import Note

_NO_WHOLE_NUMBER = re.compile(r"-0+|[+-]?0\d+")
"""What stands before or behind a decimal comma and is no way to write a whole number: `-0`, `043`."""
_WHOLE = re.compile(r"[+-]?\d+")


class DecimalCommas:
    """Looks at the values of each case as they are written."""

    def __init__(self) -> None:
        self._dotted = False
        self._doubtful: list[str] = []
        self._sure: list[str] = []

    def look(self, channels: Sequence[str], where: str) -> None:
        """One case: the values of each channel, as they stand in its line."""
        if any("." in channel for channel in channels):
            self._dotted = True
            return
        words = [[word.strip() for word in channel.split(",")] for channel in channels]
        if any(len(values) % 2 or not all(map(_WHOLE.fullmatch, values)) for values in words):
            return
        behind = [word for values in words for word in values[1::2]]
        if any(word[0] in "+-" for word in behind) or not any(word.strip("0") for word in behind):
            return
        self._doubtful.append(where)
        if any(_NO_WHOLE_NUMBER.fullmatch(word) for values in words for word in values):
            self._sure.append(where)

    def notes(self, *, equal: bool) -> list[Note]:
        """A doubt, where cases look so: nobody writes whole numbers so, or other cases have decimal points.

        equal: whether all cases have as many steps; one with commas within its numbers would have twice as many.
        """
        cases = self._doubtful if self._dotted and not equal else self._sure
        if not cases:
            return []
        found = f"whole numbers in pairs in {len(cases)} cases: are their commas decimal ones, as in -0,316?"
        return [Note("decimal-comma", cases[0], found, "write decimal points; commas stand between values")]
