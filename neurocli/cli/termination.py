"""A signal that is heard even where Python does not listen: within native code its handlers wait until that returns."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

GRACE_S = 4.0
"""Seconds that a command has for closing its files after a signal, before it is ended."""
_EXIT_S = 0.5
_AGAIN_S = 0.02
_WAKE = b"\0"
"""No signal has the number 0."""


@contextlib.contextmanager
def gone_in_time(*numbers: signal.Signals, grace_s: float = GRACE_S) -> Iterator[Callable[[], None]]:
    """Within the block, the process ends `grace_s` after one of the signals at the latest, with the code that a shell gives it.

    Gives a function that has the signal sent again, a moment later, for where what its handler raised was dropped.

    Their handlers should end the block before. Nothing is left half-written by an end at any time: files are written
    beside their place and renamed. To be entered by the main thread. Does nothing on Windows, where a process is ended without
    a signal; native code that keeps the interpreter's lock, which ours does for no longer than a second, is waited for.
    """
    if not hasattr(os, "register_at_fork"):
        yield lambda: None
        return
    watcher = _Watcher(numbers, grace_s)
    before = signal.set_wakeup_fd(watcher.told, warn_on_full_buffer=False)
    watcher.start()
    try:
        yield watcher.again.set
    finally:
        if os.getpid() == watcher.process:
            _hand_back(before)
            watcher.stop()


def leave_in_time(code: int, within_s: float = _EXIT_S) -> None:
    """End the process `within_s` from now, unless it has ended by itself: threads of libraries may keep an interpreter alive."""
    timer = threading.Timer(within_s, os._exit, [code])
    timer.daemon = True
    timer.start()


class _Watcher:
    """A thread that reads the numbers of signals from a pipe, into which the system's handler writes whatever the main thread does."""

    def __init__(self, numbers: tuple[signal.Signals, ...], grace_s: float) -> None:
        self._numbers, self._grace_s = numbers, grace_s
        self._listening, self.told = os.pipe()
        os.set_blocking(self.told, False)
        self._left, self.again = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="waits for signals")
        self.process = os.getpid()

    def start(self) -> None:
        global _forks_are_told
        if not _forks_are_told:
            os.register_at_fork(after_in_child=_forget)
            _forks_are_told = True
        self._thread.start()

    def stop(self) -> None:
        """The block has been left: no end any more."""
        self._left.set()
        # Written, not closed: a forked process may hold the pipe open for longer than we live.
        with contextlib.suppress(BlockingIOError):  # full of signals: the thread wakes up anyway
            os.write(self.told, _WAKE)
        self._thread.join()
        os.close(self.told)
        os.close(self._listening)

    def _watch(self) -> None:
        while not self._left.is_set():
            told = os.read(self._listening, 64)
            received = next((number for number in told if number in self._numbers), None)
            if received is not None:
                deadline = time.monotonic() + self._grace_s
                while not self._left.wait(_AGAIN_S):
                    if time.monotonic() > deadline:
                        os._exit(128 + received)
                    if self.again.is_set():
                        self.again.clear()
                        os.kill(self.process, received)
                return


_forks_are_told = False


def _forget() -> None:
    """In a forked process: its signals are its own, and the thread that would read of them is not there."""
    with contextlib.suppress(ValueError):  # forked by another than the main thread
        signal.set_wakeup_fd(-1)


def _hand_back(before: int) -> None:
    """Let whoever listened before listen again, an event loop for one, where it is still there."""
    try:
        signal.set_wakeup_fd(before)
    except (OSError, ValueError):
        signal.set_wakeup_fd(-1)
