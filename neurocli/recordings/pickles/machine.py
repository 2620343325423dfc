"""The operations of a pickle, followed one by one; what they build are plain values, and nothing is called or imported."""

from __future__ import annotations

import codecs
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import REMAKE
from neurocli.recordings.pickles.costs import COSTS, ENTRY, OBJECT, SLOT
from neurocli.recordings.pickles.runs import Runs
from neurocli.recordings.pickles.values import (
    ALLOWED,
    SHARED,
    Array,
    Buffer,
    Dtype,
    Global,
    Refused,
    Stored,
    build,
)

LONG = 1024
"""Texts and bytes from this length on are left in the file, as `Stored`."""
_NUMBERS = {code: struct.Struct(f"<{code}") for code in "BHIQi"}
_GRANT = 2**18
"""Bytes that are taken from the file's budget at a time."""


class Forgotten(Exception):
    """A value is asked for that was skipped over."""


class Reached(Exception):
    """The text at which to stop."""


class Machine:
    """Follows the operations of one pickle.

    allowed: the global names that it may use, and what each builds; build: what calling one of them gives.
    """

    allowed: Mapping[tuple[str, str], str] = ALLOWED
    build = staticmethod(build)

    def __init__(self, content: Buffer, path: Path, *, fast: bool, stop_at: str | None = None) -> None:
        self.content, self.path, self.end = content, path, len(content)
        self.at = 0
        self.stack: list[Any] = []
        self.frames: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.stop_at = stop_at
        self.runs = Runs(content, self._recall_of) if fast else None
        self.passed = False  # whether a run was read at once, and its values not remembered
        self.uncounted = 0  # values of such runs that protocol 4 counts among those remembered
        self.spent = self.granted = 0  # bytes that the values take, and those that the file's budget has given

    def value(self) -> Any:
        operation, content, costs, operations = 0, self.content, COSTS, _OPERATIONS
        try:
            while True:
                operation = self.at
                code = content[operation]
                self.at = operation + 1
                self.spent += costs[code]
                if self.spent > self.granted:
                    self.spend(0)
                if code == 0x2E:  # STOP
                    if self.frames or len(self.stack) != 1:
                        raise Refused("it ends in the middle of a value")
                    return self.stack[0]
                follow = operations.get(code)
                if follow is None:
                    what = _REFUSED.get(code)
                    raise Refused(
                        f"{what} is not accepted" if what else f"{bytes([code])!r} is no operation of a pickle"
                    )
                follow(self)
        except Refused as error:
            raise self._error(str(error), operation) from None
        except IndexError:
            if self.at >= self.end:
                raise self._error("the pickle is truncated", self.end) from None
            raise self._error("the pickle is damaged: a value is missing", operation) from None
        except (ValueError, TypeError, KeyError, struct.error, OverflowError) as error:
            reason = (str(error).splitlines() or [""])[0][:80]
            raise self._error(f"the pickle is damaged: {reason}", operation) from None

    def _error(self, message: str, at: int) -> DataError:
        return DataError(message, where=f"{self.path}, byte {at}", hint=REMAKE)

    def spend(self, size: int) -> None:
        """Count what a value takes beside the flat cost of its operation. Raises DataError where the budget has no more."""
        self.spent += size
        missing = self.spent - self.granted
        if missing > 0:
            grant = max(missing, _GRANT)
            memory.take(grant, f"{self.path}, byte {self.at}")
            self.granted += grant

    # -- reading -------------------------------------------------------------------------------------------------

    def number(self, code: str) -> Any:
        """A number of `struct` code; "<" is implied."""
        number = _NUMBERS[code]
        return number.unpack(self.take(number.size))[0]

    def span(self, size: int) -> tuple[int, int]:
        """(start, stop) of the next `size` bytes. Raises IndexError where the file has fewer."""
        start = self.at
        if size < 0:
            raise Refused(f"a length of {size} bytes")
        if size > self.end - start:
            self.at = self.end
            raise IndexError
        self.at = start + size
        return start, self.at

    def take(self, size: int) -> bytes:
        start, stop = self.span(size)
        return self.content[start:stop]

    def line(self) -> bytes:
        stop = self.content.find(b"\n", self.at)
        if stop < 0:
            self.at = self.end
            raise IndexError
        self.spend(4 * (stop - self.at))
        text = self.content[self.at : stop]
        self.at = stop + 1
        return text

    # -- texts and bytes -----------------------------------------------------------------------------------------

    def push_text(self, text: str) -> None:
        self.spend(sys.getsizeof(text))
        self.stack.append(text)
        if text == self.stop_at:
            raise Reached

    def unicode(self, size: int) -> None:
        start, stop = self.span(size)
        if size < LONG:
            self.push_text(self.content[start:stop].decode("utf-8", "surrogatepass"))
        else:
            self.spend(OBJECT)
            self.stack.append(Stored(self.content, start, stop, utf8=True))

    def string(self, size: int) -> None:
        """A `str` of Python 2: text or bytes, which only its use can tell."""
        start, stop = self.span(size)
        if size < LONG:
            self.push_text(self.content[start:stop].decode("latin-1"))
        else:
            self.spend(OBJECT)
            self.stack.append(Stored(self.content, start, stop))

    def raw(self, size: int) -> None:
        start, stop = self.span(size)
        self.spend(OBJECT + (size if size < LONG else 0))
        self.stack.append(self.content[start:stop] if size < LONG else Stored(self.content, start, stop))

    def quoted(self) -> None:
        text = self.line()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
            raise Refused("a text without quotation marks")
        self.push_text(codecs.escape_decode(text[1:-1])[0].decode("latin-1"))

    # -- containers ----------------------------------------------------------------------------------------------

    def mark(self) -> None:
        self.frames.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.frames.pop()
        return items

    def push(self, value: Any) -> None:
        self.stack.append(value)  # of the stack as it is after the value has been made

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise Refused("something is appended to what is no list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise Refused("an entry is set in what is no dict")
        self.spend(ENTRY * (len(items) // 2))
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, bytes):
                self.spend(len(key) + OBJECT)
                key = key.decode("latin-1")
            if not isinstance(key, str | int | float):
                raise Refused("the key of a dict is neither text nor number")
            if isinstance(key, int) and key.bit_length() > 64:  # many of one hash would take hours
                raise Refused("the key of a dict is a whole number of more than 64 bits")
            target[key] = value

    def make_dict(self) -> None:
        items = self.since_mark()
        self.stack.append({})
        self.set_items(items)

    def tuple_since_mark(self) -> None:
        items = self.since_mark()
        self.spend(SLOT * len(items))
        self.stack.append(tuple(items))

    def make_tuple(self, size: int) -> None:
        if len(self.stack) < size:
            raise IndexError
        self.stack[-size:] = [tuple(self.stack[-size:])]

    # -- memory --------------------------------------------------------------------------------------------------

    def recall(self, index: int) -> Any:
        if index not in self.memo:
            if self.passed:
                raise Forgotten
            raise Refused(f"value {index} is asked for, and was never made")
        return self.memo[index]

    def _recall_of(self, get: bytes) -> Any:
        return self.memo.get(int.from_bytes(get[1:], "little"))

    def get(self, index: int, length: int) -> None:
        """Push a remembered value; where it begins a run of integers, all of them."""
        value = self.recall(index)
        if self.runs is not None and isinstance(value, Global) and value.builds == "scalar":
            run = self.runs.at(self.at - length)
            if run is not None:
                self.spend(run.size)
                self.stack += run.numbers
                self.at, self.passed = run.end, True
                self.uncounted += run.memoized
                return
        self.stack.append(value)

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self) -> None:
        self.put(len(self.memo) + self.uncounted)

    # -- what is built -------------------------------------------------------------------------------------------

    def name(self, module: Any, name: Any) -> None:
        """Push a global. Raises Refused for any but the few that are known; nothing is imported."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise Refused("the pickle asks for something whose name is no text")
        builds = self.allowed.get((module, name))
        if builds is None:
            raise Refused(f"the pickle asks for {module[:60]}.{name[:60]}, which is not accepted")
        self.stack.append(Global(builds))

    def name_on_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(module, name)

    def name_in_lines(self) -> None:
        module, name = self.line().decode("utf-8"), self.line().decode("utf-8")
        self.name(module, name)

    def refuse_instance(self) -> None:
        module, name = self.line().decode("latin-1"), self.line().decode("latin-1")
        raise Refused(f"the pickle asks for {module[:60]}.{name[:60]}, which is not accepted")

    def reduce(self) -> None:
        arguments, what = self.stack.pop(), self.stack.pop()
        value = self.build(what, arguments)
        self.spend(sys.getsizeof(value) if isinstance(value, bytes | str | int | float) else 2 * OBJECT)
        self.stack.append(value)

    def set_state(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Array | Dtype):
            raise Refused("a state is set on what has none")
        target.set_state(state)

    def whole_line(self) -> None:
        text = self.line()
        self.stack.append({b"00": False, b"01": True}[text] if text in (b"00", b"01") else int(text))

    def small(self, number: int) -> None:
        """A whole number of two bytes: one object each, however often it is named."""
        self.stack.append(SHARED[number])

    def reference(self) -> None:
        """What is kept outside the pickle, of which the value on the stack tells the place."""
        raise Refused("a reference out of the file is not accepted")

    def long(self, size: int) -> None:
        if size > LONG:
            raise Refused(f"a whole number of {size} bytes")
        self.spend(max(size, 0))
        self.stack.append(int.from_bytes(self.take(size), "little", signed=True))

    def check_protocol(self) -> None:
        protocol = self.number("B")
        if protocol > 5:
            raise Refused(f"protocol {protocol} is not known")


_Operation = Callable[[Machine], object]
_NAMED: dict[int | str, _Operation] = {
    0x80: Machine.check_protocol,
    0x95: lambda m: m.number("Q"),
    "(": Machine.mark,
    "0": lambda m: m.stack.pop() if m.stack else m.since_mark(),
    "1": lambda m: m.since_mark(),
    "2": lambda m: m.stack.append(m.stack[-1]),
    "N": lambda m: m.stack.append(None),
    0x88: lambda m: m.stack.append(True),
    0x89: lambda m: m.stack.append(False),
    "I": Machine.whole_line,
    "L": lambda m: m.stack.append(int(m.line().rstrip(b"L"))),
    "J": lambda m: m.stack.append(m.number("i")),
    "K": lambda m: m.stack.append(m.number("B")),
    "M": lambda m: m.small(m.number("H")),
    0x8A: lambda m: m.long(m.number("B")),
    0x8B: lambda m: m.long(m.number("i")),
    "F": lambda m: m.stack.append(float(m.line())),
    "G": lambda m: m.stack.append(struct.unpack(">d", m.take(8))[0]),
    "S": Machine.quoted,
    "T": lambda m: m.string(m.number("i")),
    "U": lambda m: m.string(m.number("B")),
    "V": lambda m: m.push_text(m.line().decode("raw-unicode-escape")),
    "X": lambda m: m.unicode(m.number("I")),
    0x8C: lambda m: m.unicode(m.number("B")),
    0x8D: lambda m: m.unicode(m.number("Q")),
    "B": lambda m: m.raw(m.number("I")),
    "C": lambda m: m.raw(m.number("B")),
    0x8E: lambda m: m.raw(m.number("Q")),
    0x96: lambda m: m.raw(m.number("Q")),
    "]": lambda m: m.stack.append([]),
    "l": lambda m: m.push(m.since_mark()),
    "a": lambda m: m.extend([m.stack.pop()]),
    "e": lambda m: m.extend(m.since_mark()),
    "}": lambda m: m.stack.append({}),
    "d": Machine.make_dict,
    "s": lambda m: m.set_items([m.stack.pop(-2), m.stack.pop()]),
    "u": lambda m: m.set_items(m.since_mark()),
    ")": lambda m: m.stack.append(()),
    "t": Machine.tuple_since_mark,
    0x85: lambda m: m.make_tuple(1),
    0x86: lambda m: m.make_tuple(2),
    0x87: lambda m: m.make_tuple(3),
    "g": lambda m: m.stack.append(m.recall(int(m.line()))),
    "h": lambda m: m.get(m.number("B"), 2),
    "j": lambda m: m.get(m.number("I"), 5),
    "p": lambda m: m.put(int(m.line())),
    "q": lambda m: m.put(m.number("B")),
    "r": lambda m: m.put(m.number("I")),
    0x94: Machine.memoize,
    "c": Machine.name_in_lines,
    0x93: Machine.name_on_stack,
    "i": Machine.refuse_instance,
    "Q": lambda m: m.reference(),
    "R": lambda m: m.reduce(),
    "b": lambda m: m.set_state(),
}
_OPERATIONS = {code if isinstance(code, int) else ord(code): follow for code, follow in _NAMED.items()}
_REFUSED = {
    **dict.fromkeys((ord("o"), 0x81, 0x92), "the instance of a class"),
    ord("P"): "a reference out of the file",
    **dict.fromkeys((0x82, 0x83, 0x84), "a name by its number"),
    **dict.fromkeys((0x8F, 0x90, 0x91), "a set"),
    **dict.fromkeys((0x97, 0x98), "an array that is kept outside the file"),
}
