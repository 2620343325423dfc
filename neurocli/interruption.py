"""Signals are answered at safe points: nothing is raised while a file is written, where an exception may be lost or leave half a file.

HDF5 calls back into Python from C while it writes; what a signal's handler raises there is dropped, and with it the piece
that was being written. So the handlers wait for the end of the write, or for the next `check` within it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from neurocli.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)
HINT = "give the same command again"

_Handler = Callable[[int, FrameType | None], Any] | int | None


class _Waiting:
    """Signals that came within a write of the main thread, and the handlers that will answer them."""

    def __init__(self) -> None:
        self.depth = 0
        self.received: list[int] = []
        self.handlers: dict[int, _Handler] = {}

    def note(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)


_waiting = _Waiting()


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Within the block signals wait; after it, or at a `check` in it, they are answered as they would have been before.

    Blocks may lie in each other. In threads other than the main one it does nothing: Python answers signals in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if _waiting.depth == 0:
        _waiting.handlers = {number: signal.signal(number, _waiting.note) for number in SIGNALS}
    _waiting.depth += 1
    try:
        yield
    finally:
        _waiting.depth -= 1
        if _waiting.depth == 0:
            for number, handler in _waiting.handlers.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            received, _waiting.received = _waiting.received, []
            for number in dict.fromkeys(received):
                signal.raise_signal(number)


def check() -> None:
    """A safe point within `unbroken`: answers a signal that has come, as its handler would. Raises what the handler raises."""
    if not _waiting.received or threading.current_thread() is not threading.main_thread():
        return
    number = _waiting.received.pop(0)
    handler = _waiting.handlers.get(number)
    if callable(handler):
        handler(number, None)
    elif handler != signal.SIG_IGN:
        raise interrupted(number)


def interrupted(number: int, where: str = "neuro") -> Interrupted:
    """The error of a signal that ended a command."""
    return Interrupted(f"stopped by {signal.Signals(number).name}", signal=number, where=where, hint=HINT)
