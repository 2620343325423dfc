"""A process that has everything imported and forks commands of `neuro`, so that hundreds of them can be started and killed.

Requests and answers are lines: {"argv": [...], "folder": ..., "said": file} gives the process id, {"wait": id} the exit code, or
minus the signal.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import sys


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
