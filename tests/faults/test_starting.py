"""Signals while the interpreter starts and everything is imported, by the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc tells which signals are caught"),
]
WITHIN_S = 5.0
AFTER_START_MS = (10, 30, 60, 100, 150, 200, 300)
AFTER_FIRST_LINE_MS = (0, 20, 60, 150, 300)


def catches(process: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    (mask,) = [line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("SigCgt")]
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def started(*words: object, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "neurocli", *map(str, words)]
    env = {**os.environ, "NEUROCLI_CACHE": str(cwd / ".cache")}
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=as_in_a_terminal,
    )


def as_in_a_terminal() -> None:
    """What a shell starts in the background ignores SIGINT, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_at_any_moment_after_the_start(good, place, number):
    """143 or 130 without a traceback, once our first line has been reached: it catches SIGTERM, which Python itself does not.

    Before it, while the interpreter starts and looks for us, the signal is the interpreter's to answer: SIGTERM ends it (-15); SIGINT
    ends it (-2), with a KeyboardInterrupt out of its own start, or 1 where that start fails for it. None of our code has run then.
    """
    ours = 0
    for since, wait_ms in [("start", ms) for ms in AFTER_START_MS] + [("first line", ms) for ms in AFTER_FIRST_LINE_MS]:
        process = started("train", "cnn-lstm", "--data", good, cwd=place)
        while since == "first line" and not catches(process.pid, signal.SIGTERM):
            time.sleep(0.001)
        time.sleep(wait_ms / 1000)
        caught = catches(process.pid, signal.SIGTERM)  # what is caught now is so when the signal comes
        start = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert time.monotonic() - start < WITHIN_S
        if caught:
            assert (process.returncode, "Traceback" in err) == (128 + number, False), (since, wait_ms, err)
            ours += 1
            continue
        allowed = (-number, 128 + number) if number == signal.SIGTERM else (-number, 128 + number, 1)
        assert process.returncode in allowed, (since, wait_ms, err)
        assert "Traceback" not in err or (number == signal.SIGINT and "KeyboardInterrupt" in err), (since, wait_ms, err)
    assert ours >= len(AFTER_FIRST_LINE_MS)
