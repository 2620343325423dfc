"""SIGINT and SIGTERM while a command runs: they end it with 130 or 143, wherever it is, and nothing swallows them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from neurocli.cli.termination import gone_in_time
from neurocli.errors import Interrupted
from neurocli.interruption import SIGNALS, interrupted


@contextlib.contextmanager
def answering_signals() -> Iterator[None]:
    """Within the block SIGINT and SIGTERM raise `Interrupted`; where something drops it on its way, it is raised at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process, received = os.getpid(), list[Interrupted]()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a forked worker dies as it would have without us
            os._exit(128 + number)
        received.append(interrupted(number))
        raise received[-1]

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        with gone_in_time(*SIGNALS) as send_again, _not_dropped(received, send_again):
            yield
        if received:
            raise received[-1]
    except Exception as error:  # code between may have taken the signal for an error of its own: "the file is damaged"
        if received:
            raise received[-1] from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


@contextlib.contextmanager
def _not_dropped(received: list[Interrupted], send_again: Callable[[], None]) -> Iterator[None]:
    """Within the block, what is raised where Python can only drop it (a destructor, a callback of a weak reference, of a C library)
    is not shown with its traceback, but raised once more, elsewhere."""
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if any(unraisable.exc_value is error for error in received):
            send_again()
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
