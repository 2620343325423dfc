"""Mutants of a file: its bytes changed as a bad disk, a cut transfer, an editor or an attacker would change them.

Each mutant depends on the seed and its number alone, so that one which was found can be made again.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

HUGE = (0x7FFFFFFF, 0xFFFFFFFF, 1 << 31, 1 << 24, (1 << 63) - 1, (1 << 64) - 1, 1 << 40, 0)
CANARY = "canary-was-executed"
"""The file that the planted code would write."""
CODE = b"cos\nsystem\n(S'touch %s'\ntR." % CANARY.encode()
"""A pickle that runs a command."""
_LANDMARK = re.compile(rb"[A-Za-z_#/]{3,}")
_DIGITS = re.compile(rb"\d+")
_NUMBERS = (
    b"-1",
    b"0",
    b"1e308",
    b"-1e-320",
    b"nan",
    b"inf",
    b"99999999999999999999",
    b"1,5",
    b"0x10",
    b"",
    b"--",
    b"1_0",
)
"""What stands in the place of a number in a text."""


class Mutator:
    """Mutants of one content. is_text: whether numbers and lines are changed rather than lengths and bytes."""

    def __init__(self, content: bytes, seed: str, *, is_text: bool) -> None:
        self.content, self.seed = content, seed
        self._landmarks = [match.start() for match in _LANDMARK.finditer(content)] or [0]
        self._digits = [match.span() for match in _DIGITS.finditer(content)] if is_text else []
        binary: list[Callable[[random.Random, bytearray], bytearray]] = [
            _flipped, _flipped, _flipped, _length, _length, _length, _cut, _copied, _zeroed, _inserted, _planted
        ]  # fmt: skip
        text = [self._renumbered, self._renumbered, self._renumbered, _line, _line]
        self._ways = binary if not is_text else [*text, _flipped, _cut, _copied, _zeroed, _inserted]

    def mutant(self, number: int) -> tuple[str, bytes]:
        """(how it was made, its content)."""
        rng = random.Random(f"{self.seed} {number}")
        content, ways = bytearray(self.content), []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            way = rng.choice(self._ways)
            ways.append(way.__name__.strip("_"))
            content = way(_Near(rng, self._landmarks), content) if content else content
        return "+".join(ways), bytes(content)

    def _renumbered(self, rng: random.Random, content: bytearray) -> bytearray:
        """A number of the text becomes another."""
        if not self._digits:
            return content
        start, end = rng.choice(self._digits)
        return content[:start] + rng.choice(_NUMBERS) + content[end:]


class _Near(random.Random):
    """Draws as `rng` does; half of its positions are near words and signatures, where containers keep their structure."""

    def __new__(cls, *_: object) -> _Near:
        return super().__new__(cls)

    def __init__(self, rng: random.Random, landmarks: list[int]) -> None:
        super().__init__(rng.random())
        self.landmarks = landmarks

    def place(self, content: bytearray) -> int:
        if self.random() < 0.5:
            return self.randrange(len(content))
        return min(max(self.choice(self.landmarks) + self.randrange(-48, 48), 0), len(content) - 1)


def _flipped(rng: _Near, content: bytearray) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 4))):
        content[rng.place(content)] = rng.choice((rng.randrange(256), 0, 255, 1 << rng.randrange(8)))
    return content


def _length(rng: _Near, content: bytearray) -> bytearray:
    """Four or eight bytes, which may be a length, become a large number."""
    form = rng.choice(("<I", "<Q", ">I", "<H"))
    size = struct.calcsize(form)
    at = rng.place(content) // size * size
    value = rng.choice(HUGE) & (256**size - 1)
    return content[:at] + struct.pack(form, value) + content[at + size :]


def _cut(rng: _Near, content: bytearray) -> bytearray:
    return content[: rng.place(content)]


def _copied(rng: _Near, content: bytearray) -> bytearray:
    """A block is written over another."""
    size = rng.choice((4, 16, 64, 512))
    source, target = rng.place(content), rng.place(content)
    block = content[source : source + size]
    return content[:target] + block + content[target + len(block) :]


def _zeroed(rng: _Near, content: bytearray) -> bytearray:
    at, size = rng.place(content), rng.choice((4, 64, 512, 4096))
    block = content[at : at + size]
    return content[:at] + bytes(len(block)) + content[at + len(block) :]


def _inserted(rng: _Near, content: bytearray) -> bytearray:
    at = rng.place(content)
    return content[:at] + rng.randbytes(rng.choice((1, 4, 100))) + content[at:]


def _planted(rng: _Near, content: bytearray) -> bytearray:
    """Code that would run if the file were unpickled."""
    at = rng.choice((0, 2, rng.place(content)))
    return content[:at] + CODE + content[at + rng.choice((0, len(CODE))) :]


def _line(rng: _Near, content: bytearray) -> bytearray:
    """A line is lost, doubled, moved or split."""
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    what = rng.randrange(4)
    if what == 0:
        lines[at : at + 1] = []
    elif what == 1:
        lines.insert(at, lines[at])
    elif what == 2:
        lines.insert(rng.randrange(len(lines)), lines.pop(at))
    else:
        middle = rng.randrange(len(lines[at]) + 1)
        lines[at : at + 1] = [lines[at][:middle], lines[at][middle:]]
    return bytearray(b"\n".join(lines))
