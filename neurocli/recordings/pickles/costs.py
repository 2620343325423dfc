"""What the operations of a pickle take in memory, in bytes and rather too much: one byte of a file can make an object of a hundred.

Counted beside these is what depends on a size in the file: texts, bytes, tuples, entries of dicts, numbers in runs.
"""

from __future__ import annotations

from pathlib import Path

from neurocli.recordings.files.memory import SMALLEST

SLOT, OBJECT, ENTRY = 10, 64, 100
"""A place in a list or tuple; a small object; an entry of a dict as it grows."""
_FIRST_ENTRY = 240

_HIGHEST, _FREELY, _AT_LEAST = 32.0, 2**29, 4.0


def expansion(path: Path) -> float:
    """How many bytes each byte of a pickle may become.

    Real ones take less than twice their size, and numbers that are written one by one up to 25 times. Large ones are arrays and runs
    of numbers.
    """
    return min(_HIGHEST, max(_AT_LEAST, _FREELY / max(path.stat().st_size, SMALLEST // 32)))


def _costs() -> list[int]:
    costs = [SLOT] * 256
    costs[ord("]")] = costs[ord("l")] = 2 * OBJECT
    costs[ord("}")] = costs[ord("d")] = OBJECT + SLOT
    costs[ord("(")] = 2 * OBJECT
    costs[ord("s")] = costs[ord("u")] = _FIRST_ENTRY
    for code in (ord("t"), 0x85, 0x86, 0x87):
        costs[code] = OBJECT + SLOT
    for code in (ord("I"), ord("L"), ord("J"), ord("F"), ord("G"), 0x8A, 0x8B):
        costs[code] = OBJECT // 2 + SLOT
    for code in (ord("q"), ord("r"), ord("p"), 0x94):  # an entry of the memory, and its number
        costs[code] = ENTRY + OBJECT // 2
    for code in (ord("c"), 0x93):
        costs[code] = 3 * OBJECT
    return costs


COSTS = _costs()
"""Bytes by the code of an operation."""
