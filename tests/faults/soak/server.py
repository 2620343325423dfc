"""A process that has done every command once and forks further ones, so that hundreds of them can be started and killed.

Requests and answers are lines of JSON. {"run": [argv, ...], "folder": ...} runs commands in this process, one after the other, and
gives the first exit code that is not 0: what they import and compile, all later ones have. {"start": argv, "folder": ...} gives the
process id of a command in a process and session of its own, which writes into `.out` and `.err` of its folder; {"wait": id} its exit
code, or minus the signal, and the CPU-seconds that it took. For {"fault": ...} and {"counts": file} see points.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from soak.points import Points

PRESETS = Path(__file__).with_name("presets")
GROUPS = {"brunel": 4, "sc-session": 20, "celegans": 4, "dendrite": 4}
"""Of a small set of a simulator, as `neuro demo` makes it."""
STOPS = (signal.SIGINT, signal.SIGTERM)


def _with_tiny_presets() -> None:
    """The presets of all models and simulators are those beside this file: seconds become tenths of them."""
    from neurocli.plugin.cards import SimulatorCard
    from neurocli.plugin.family import ModelFamily
    from neurocli.plugin.registry import registry
    from neurocli.plugin.task import Task
    from neurocli.simulation.simulator import Simulator

    for kind in (ModelFamily, Task, Simulator):
        kind.presets = property(lambda owner: PRESETS / owner.card.name)  # type: ignore[method-assign]
    for plugin in registry().plugins:
        for number, card in enumerate(plugin.cards):
            if isinstance(card, SimulatorCard) and card.name in GROUPS:
                plugin.cards[number] = dataclasses.replace(card, runs=GROUPS[card.name], demo_runs=GROUPS[card.name])


def _run_here(request: dict) -> tuple[int, str]:
    from neurocli.cli.main import run

    os.chdir(request["folder"])
    for argv in request["run"]:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = run(argv)
        if code:
            return code, f"{argv}\n{said.getvalue()}"
    return 0, ""


def _start(request: dict) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    gc.collect()
    gc.freeze()  # a collection in the child would copy all pages
    process = os.fork()
    if process == 0:
        _be_a_command(request)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    return process


def _be_a_command(request: dict) -> None:
    from neurocli.cli.main import run

    code = 70
    try:
        os.setsid()
        os.chdir(request["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
        if request.get("forks"):
            _workers_are_forked()
        Points(request.get("fault"), request.get("counts")).install()
        sys.argv = ["neuro", *request["start"]]
        for number in STOPS:  # as `neurocli.__main__` does
            signal.signal(number, lambda received, _: os._exit(128 + received))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        code = run(request["start"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _workers_are_forked() -> None:
    """Workers of a simulation that need no two seconds for imports."""
    context = multiprocessing.get_context
    multiprocessing.get_context = lambda method=None: context("fork")  # type: ignore[assignment]


def _wait(process: int) -> tuple[int, float]:
    _, status, usage = os.wait4(process, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def _serve() -> None:
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            request = json.loads(line)
            answer: Any = (
                _run_here(request)
                if "run" in request
                else _start(request)
                if "start" in request
                else _wait(request["wait"])
            )
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    _with_tiny_presets()
    _serve()
