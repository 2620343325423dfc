"""Hundreds of mutants of a small file of every format: read, or refused with place and advice; no crash, hang, bomb, or code run.

`mutants/` makes them and reads them, in processes of their own that a mutant may end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MUTANTS = Path(__file__).with_name("mutants")
# Not imported as a module of this folder: the scripts there are run as programs.
sys.path.insert(0, str(MUTANTS))
from formats import FORMATS, Format  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("mutants"),
]  # one worker reads them, and diagnoses what was read
MOST_ENDS = 5
"""Mutants that end the process: after so many there is no point in going on."""
FEWER = 6
"""Mutants of each format of sessions that are diagnosed: a session takes two seconds, anything else a twentieth of one."""

Results = Callable[[Format], dict[int, tuple[str, str]]]


def script(name: str, *words: object, cwd: Path) -> tuple[list[dict[str, Any]], str]:
    """(lines of a script in `mutants/`, how it ended, empty where it came to its end)."""
    environment = {**os.environ, "NEUROCLI_CACHE": str(cwd / "cache"), "PYTHONFAULTHANDLER": "1"}
    command = [sys.executable, str(MUTANTS / name), *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return lines, "" if done.returncode == 0 else f"exit {done.returncode}: {done.stderr[-1500:]}"


def all_of(name: str, before: list[object], after: list[object], cwd: Path, count: int) -> dict[int, tuple[str, str]]:
    """Number → (how it was made, what became of it), over as many processes as the mutants end."""
    results: dict[int, tuple[str, str]] = {}
    first = 0
    for _ in range(MOST_ENDS):
        lines, ended = script(name, *before, first, *([count - first] if after else []), cwd=cwd)
        results |= {line["number"]: (line.get("made", ""), line["became"]) for line in lines if "became" in line}
        if not ended:
            break
        if not lines:
            pytest.fail(ended)
        last = lines[-1]
        results[last["number"]] = (last.get("made", ""), ended)
        first = last["number"] + 1
    return results


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound file of every format."""
    root = tmp_path_factory.mktemp("mutants")
    _, ended = script("originals.py", root, cwd=root)
    assert not ended, ended
    return root


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    """`results(format)` → what became of its mutants, which are read once."""
    known: dict[str, dict[int, tuple[str, str]]] = {}

    def ask(chosen: Format) -> dict[int, tuple[str, str]]:
        if chosen.name not in known:
            place = folder / chosen.name
            known[chosen.name] = all_of("reading.py", [chosen.name, place], ["count"], folder, chosen.count)
        return known[chosen.name]

    return ask


@pytest.mark.parametrize("chosen", FORMATS, ids=lambda chosen: chosen.name)
def test_a_mutant_is_read_or_refused(chosen: Format, results: Results) -> None:
    outcomes = results(chosen)
    wrong = {number: result for number, result in outcomes.items() if result[1] not in ("read", "refused")}
    assert not wrong, "\n".join(f"mutant {n} ({made}): {became}" for n, (made, became) in list(wrong.items())[:5])
    assert len(outcomes) == chosen.count and Counter(became for _, became in outcomes.values())["refused"] > 20


def test_what_is_read_of_mutants_is_diagnosed(folder: Path, results: Results) -> None:
    tasks: list[tuple[str, list[str], list[str]]] = []
    for chosen in FORMATS:
        results(chosen)
        if chosen.model != "checkpoint":
            kept = sorted(folder.glob(f"{chosen.name}-[0-9]*"))
            tasks += [_task(chosen, place, folder) for place in kept[: FEWER if chosen.model == "eirnn" else None]]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    outcomes = all_of("diagnosing.py", [folder / "tasks.json"], [], folder, len(tasks))
    wrong = {number: became for number, (_, became) in outcomes.items() if ":" in became}
    assert not wrong, "\n".join(f"{tasks[n]}: {became}" for n, became in list(wrong.items())[:5])
    assert len(outcomes) == len(tasks) > 300


def _task(chosen: Format, kept: Path, folder: Path) -> tuple[str, list[str], list[str]]:
    """(model, files, options) of one command."""
    if chosen.model == "connectome":
        worms = sorted(map(str, (folder / "worm-json").glob("*")))
        return "gat-lstm", worms, [f"model.connectome={kept / chosen.file}"]
    files = sorted(kept.glob(chosen.all)) if chosen.all else [kept / (chosen.given or chosen.file)]
    return chosen.model, [str(file) for file in files], []
