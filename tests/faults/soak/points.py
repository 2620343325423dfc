"""Where a command may be hit by a fault: where one of its stages begins or ends, and before each file is flushed or renamed."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any


class Points:
    """The points that this process passes, by name: `began training`, `epoch`, `rename evaluation.json`.

    fault: [name, which passing, how], where how is a list of numbers of signals that the process sends itself, one after the other, or
    `disk`: the system refuses, for want of space. counts: a file for how often each point was passed.
    """

    def __init__(self, fault: list | None, counts: str | None) -> None:
        self.passed: dict[str, int] = {}
        self.fault, self.counts = fault, counts

    def install(self) -> None:
        if not self.fault and not self.counts:
            return
        from neurocli.workflow.messages import Reporter

        flush, replace, rename, tell = os.fsync, Path.replace, Path.rename, Reporter.tell

        def flushed(handle: int) -> None:
            self.passing(f"flush {_name(Path(f'/proc/self/fd/{handle}').resolve())}")
            flush(handle)

        def renamed(move: Any) -> Any:
            return lambda path, target: (self.passing(f"rename {_name(Path(target))}"), move(path, target))[1]

        def told(reporter: Reporter, event: Any) -> None:
            if event.kind in ("began", "ended", "epoch", "steps"):
                self.passing(
                    f"{event.kind} {event.text.split(' ')[0] if event.kind in ('began', 'ended') else ''}".strip()
                )
            tell(reporter, event)

        os.fsync, Path.replace, Path.rename = flushed, renamed(replace), renamed(rename)
        Reporter.tell = told  # type: ignore[method-assign]

    def passing(self, point: str) -> None:
        self.passed[point] = self.passed.get(point, 0) + 1
        if self.counts:
            Path(self.counts).write_text(json.dumps(self.passed))
        if self.fault and self.fault[:2] == [point, self.passed[point]]:
            if self.fault[2] == "disk":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            for number in self.fault[2]:
                os.kill(os.getpid(), number)
                if number != signal.SIGKILL:
                    time.sleep(0.001)


def _name(path: Path) -> str:
    """A file's name without what changes: numbers of processes, runs and times."""
    return re.sub(r"\d[0-9a-f]{2,}", "N", path.name).strip(".")
