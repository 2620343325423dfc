"""A signal that is heard even where Python does not listen: within native code its handlers wait until that returns."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

GRACE_S = 4.0
"""Seconds that a command has for closing its files after a signal, before it is ended."""


@contextlib.contextmanager
def gone_in_time(number: signal.Signals, grace_s: float = GRACE_S) -> Iterator[None]:
    """Within the block, the process ends `grace_s` after the signal at the latest, with the code that a shell gives it.

    The signal's handler should end the block before. Nothing is left half-written by an end at any time: files are written
    beside their place and renamed. To be entered by the main thread.
    """
    listening, told = os.pipe()
    os.set_blocking(told, False)
    left = threading.Event()

    def watch() -> None:
        # The byte is written by the operating system's handler, whatever the main thread does.
        while received := os.read(listening, 64):
            if number in received:
                if not left.wait(grace_s):
                    os._exit(128 + number)
                return

    process = os.getpid()

    def forget() -> None:
        if os.getpid() != process:  # a forked worker's signals are not ours
            signal.set_wakeup_fd(-1)

    os.register_at_fork(after_in_child=forget)
    before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, daemon=True, name=f"waits for {number.name}")
    watcher.start()
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(before)
        os.close(told)
        watcher.join()
        os.close(listening)
