"""Gives mutants that can be read to `neuro diagnose`: `python diagnosing.py LIST FIRST`, with LIST a JSON file of [model, files, options].

One process for all formats, since torch is loaded only once. Each line of stdout is one command as JSON: its number, and what became
of it: its exit code, or what must not be.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import sys
from pathlib import Path

TIME_S = 60
ALLOWED = {0, 3, 4, 6}


def main(tasks: Path, first: int) -> None:
    from neurocli.cli.main import run

    for number, (model, files, options) in enumerate(json.loads(tasks.read_text())):
        if number < first:
            continue
        print(json.dumps({"number": number}), flush=True)
        words = ["diagnose", model, "--json"]
        for file in files:
            words += ["--data", file]
        for option in options:
            words += ["--set", option]
        out, err = io.StringIO(), io.StringIO()
        faulthandler.dump_traceback_later(TIME_S, exit=True)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words)
        faulthandler.cancel_dump_traceback_later()
        became = f"exit {code}"
        if code not in ALLOWED or "Traceback" in out.getvalue() + err.getvalue():
            became += f": {(out.getvalue() + err.getvalue())[-1500:]}"
        print(json.dumps({"number": number, "became": became}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
