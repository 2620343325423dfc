"""A process that has everything imported and forks commands of `neuro`, so that hundreds of them can be started and killed.

Requests and answers are lines: {"argv": [...], "folder": ..., "said": file} gives the process id, {"wait": id} the exit code, or
minus the signal. With {"fault": [point, count, how]} the command meets a fault when it passes a point for the count-th time; with
{"counts": file} it writes there how often it passed each.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import pkgutil
import signal
import sys
from pathlib import Path


def _import_everything() -> None:
    import lightning.pytorch
    import matplotlib.pyplot
    import torch

    import neurocli
    import neurocli_gat_lstm

    for package in (neurocli, neurocli_gat_lstm):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if "__main__" not in module.name:
                importlib.import_module(module.name)
    torch.set_num_threads(1)
    assert matplotlib.pyplot and lightning.pytorch


class Points:
    """Where a command may be hit: before what it writes is flushed or renamed, and where one of its stages begins or ends.

    how: a number of a signal that the process sends itself, or `disk`: the system refuses, for want of space.
    """

    def __init__(self, fault: list | None, counts: str | None) -> None:
        self.passed: dict[str, int] = {}
        self.fault, self.counts = fault, counts

    def install(self) -> None:
        from neurocli.workflow.messages import Reporter

        flush, replace, rename, tell = os.fsync, Path.replace, Path.rename, Reporter.tell
        os.fsync = lambda handle: (self.passing("flush"), flush(handle))[1]
        Path.replace = lambda path, target: (self.passing("rename"), replace(path, target))[1]
        Path.rename = lambda path, target: (self.passing("rename"), rename(path, target))[1]
        Reporter.tell = lambda reporter, event: (
            self.passing("stage") if event.kind in ("began", "ended", "epoch", "steps") else None,
            tell(reporter, event),
        )[1]

    def passing(self, point: str) -> None:
        self.passed[point] = self.passed.get(point, 0) + 1
        if self.counts:
            Path(self.counts).write_text(json.dumps(self.passed))
        if self.fault and self.fault[:2] == [point, self.passed[point]]:
            if self.fault[2] == "disk":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.kill(os.getpid(), self.fault[2])


def _serve() -> None:
    from neurocli.cli.main import run

    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            print(os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1]), flush=True)
            continue
        child = os.fork()
        if child == 0:
            for number in (signal.SIGINT, signal.SIGTERM):  # as `neurocli.__main__` does
                signal.signal(number, lambda received, _: os._exit(128 + received))
            os.chdir(request["folder"])
            said = os.open(request["said"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            sys.argv = ["neuro", *request["argv"]]
            Points(request.get("fault"), request.get("counts")).install()
            code = 70
            try:
                code = run(request["argv"])
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    _import_everything()
    _serve()
