"""Signals while a training runs: the batch under way ends, then `Interrupted`; the last epoch's checkpoint is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from neurocli.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Remembers SIGINT and SIGTERM; `check()` raises Interrupted between batches, a second signal at once."""

    def __init__(self, describe: Callable[[], str] = lambda: "stopped") -> None:
        self.received: int | None = None
        self.describe = describe

    def check(self) -> None:
        """Raise Interrupted when a signal has come."""
        if self.received is not None:
            raise self.error()

    def error(self) -> Interrupted:
        number = self.received or signal.SIGINT
        return Interrupted(
            f"stopped by {signal.Signals(number).name}; {self.describe()}",
            signal=int(number),
            where="train",
            hint="resume it with: neuro train --resume RUN",
        )

    def install(self) -> None:
        """Become the handler of both signals, where the caller is the main thread (no other may do so)."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._receive)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """`install` for the time of the block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.install()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = self.received is not None
        self.received = number
        if again:
            raise self.error()
