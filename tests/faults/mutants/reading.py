"""Reads the mutants of one format, one after the other, in this process: `python reading.py FORMAT FOLDER FIRST COUNT`.

FOLDER holds the sound files, and is where the mutants are written; of those that are read, some are kept in FOLDER-NUMBER. Each line of stdout is one mutant as JSON: its number, how it
was made, and what became of it: "read", "refused", or what must not be. A line that begins is written before the mutant is read,
so that whoever started this process knows which one ended it.

The limit of memory is 2 GB of address space above what the process has once the sound file has been read: that is 0.5 to 3 GB,
for the libraries reserve space that they never use.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from formats import FORMATS, Format
from mutating import CANARY, Mutator

LIMIT_BYTES, PEAK_BYTES = 2 * 10**9, 10**9
KEPT = 25
"""Mutants that are read and kept, for `diagnosing.py`."""
TIME_S = 20
"""A mutant that takes longer hangs."""


def main(name: str, folder: Path, first: int, count: int) -> None:
    (chosen,) = (one for one in FORMATS if one.name == name)
    os.chdir(folder)  # relative paths, and a canary that a mutant writes is seen
    path, sound = Path(chosen.file), Path(f"../{name}.sound")
    if not sound.exists():  # a process before this one may have left a mutant
        shutil.copyfile(path, sound)
    original = sound.read_bytes()
    path.write_bytes(original)
    mutator = Mutator(chosen.unpack(original) if chosen.unpack else original, name, is_text=chosen.is_text)
    read = reader_of(chosen)
    read(Path(chosen.given or chosen.file))
    if chosen.model != "checkpoint" and "torch" in sys.modules:
        say({"number": -1, "made": "the sound file", "became": "torch was imported to read it"})
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_BYTES, resource.RLIM_INFINITY))
    peak, kept = peak_bytes(), 0
    for number in range(first, first + count):
        made, content = mutator.mutant(number)
        path.write_bytes(chosen.pack(original, content) if chosen.pack else content)
        say({"number": number, "made": made})
        faulthandler.dump_traceback_later(TIME_S, exit=True)
        became = outcome(lambda: read(Path(chosen.given or chosen.file)))
        faulthandler.cancel_dump_traceback_later()
        if Path(CANARY).exists():
            became = "code in the file was executed"
            Path(CANARY).unlink()
        if peak_bytes() > peak + PEAK_BYTES:
            became = f"{became}, with {peak_bytes() - peak} bytes more than the sound file"
            peak = peak_bytes()
        elif became == "read" and kept < KEPT:
            kept += 1
            keep(Path(f"../{name}-{number}"))
        say({"number": number, "made": made, "became": became})
    path.write_bytes(original)


def outcome(read: Callable[[], Any]) -> str:
    """What became of one mutant."""
    from neurocli.errors import NeuroError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except NeuroError as error:
        return "refused" if error.where and error.hint and error.message else f"no place or hint: {error!r}"
    except BaseException as error:
        lines = traceback.format_exception(error)
        return f"{type(error).__name__}: {error} | {' '.join(''.join(lines[-3:]).split())[-600:]}"
    return "read"


def reader_of(chosen: Format) -> Callable[[Path], Any]:
    """What reads everything that is in a file of a format."""
    if chosen.model == "connectome":
        from neurocli_gat_lstm.graph.connectome import load_connectome

        return load_connectome
    if chosen.model == "checkpoint":
        from neurocli_elm.model.checkpoint import read_checkpoint

        return lambda path: read_checkpoint(path).neuron(compiled=False)
    from neurocli.workflow.data.sources import open_recordings

    def read(path: Path) -> None:
        recordings = open_recordings(path)
        for group in recordings:
            recordings[group].fingerprint()
        dict(recordings.truth)

    return read


def keep(folder: Path) -> None:
    """A copy of this folder, mutant and sound files, in `folder`."""
    folder.mkdir(exist_ok=True)
    for file in Path().iterdir():
        shutil.copyfile(file, folder / file.name)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def say(line: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
