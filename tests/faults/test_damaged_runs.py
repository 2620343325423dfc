"""Damage of every kind to every file of a run, under every command: an error that names the file, or a fallback that is said.

Never a number other than the undamaged run's without a word, and never a traceback.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurocli.runs.records import write_record

# -- what is done to a file --------------------------------------------------------------------------------------


def flipped(path: Path, other: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def garbage(path: Path, other: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def a_folder(path: Path, other: Path) -> None:
    path.unlink()
    path.mkdir()


def unreadable(path: Path, other: Path) -> None:
    # Permissions do not stop root; a link in a circle stops everybody.
    path.unlink()
    path.symlink_to(path.name)


KINDS: dict[str, Callable[[Path, Path], Any]] = {
    "emptied": lambda path, other: path.write_bytes(b""),
    "truncated": lambda path, other: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "flipped": flipped,
    "garbage": garbage,
    "removed": lambda path, other: path.unlink(),
    "another": lambda path, other: shutil.copy(other, path),
    "a folder": a_folder,
    "unreadable": unreadable,
}

# -- which commands read it --------------------------------------------------------------------------------------

ASKING = ("evaluate", "interpret", "diagnose", "compare")
EVERY = (*ASKING, "report", "resume", "runs")
READ_BY = {
    "run.json": EVERY,
    "config.toml": EVERY,
    "provenance.json": ("report",),
    "metrics.csv": ("diagnose", "report", "resume"),
    "metrics.json": ("evaluate", "report", "resume-finished", "runs"),
    "evaluation.json": ("report", "runs"),
    "diagnosis.json": ("report",),
    "interpretation.json": ("report",),
    "recordings.h5": (*ASKING, "resume"),
    "figures/evaluation/*.png": ("report",),
    **{f"checkpoints/best/{name}": ASKING for name in ("weights.safetensors", "state.pt", "manifest.json")},
    **{f"checkpoints/last/{name}": ("resume",) for name in ("weights.safetensors", "state.pt", "manifest.json")},
}
# Both runs were trained on the same recordings, as `compare` wants it; other ones are in test_changed_data.py.
CASES = [(file, kind) for file in READ_BY for kind in KINDS if (file, kind) != ("recordings.h5", "another")]
# The cheapest command that reads the file.
QUICK = {file: next(c for c in ("runs", "report", "resume", "evaluate") if c in commands or c == "evaluate") for file, commands in READ_BY.items()}  # fmt: skip


class Bench:
    """Copies of a run, and what a command says of one: exit code, numbers, words."""

    def __init__(self, root: Path, place: Path, neuro: Any) -> None:
        self.root, self.place, self.neuro = root, place, neuro
        (self.other,) = (root / "others").glob("*/*")

    def copy(self, command: str) -> Path:
        shutil.rmtree(self.place / "runs", ignore_errors=True)
        shutil.copytree(self.root / "runs", self.place / "runs", symlinks=True)
        (run,) = (self.place / "runs").glob("*/*")
        if command == "resume":  # as a kill after the first of two epochs leaves it
            info = json.loads((run / "run.json").read_text())
            write_record(run / "run.json", {**info, "status": "running"})
            (run / "metrics.json").unlink()
            shutil.rmtree(run / "checkpoints/last")
            (run / "checkpoints/last.previous").rename(run / "checkpoints/last")
        return run

    def ask(self, command: str, run: Path) -> tuple[int, str, str]:
        """(exit code, numbers, all that was said)"""
        page = self.place / "page.html"
        page.unlink(missing_ok=True)
        words: dict[str, Iterable[Any]] = {
            "compare": ("compare", run, self.other),
            "report": ("report", run, "--out", page),
            "resume": ("train", "--resume", run),
            "resume-finished": ("train", "--resume", run),
            "runs": ("runs", "--runs-dir", self.place / "runs"),
        }
        done = self.neuro(*words.get(command, (command, run)), "--json")
        data = done.envelope.get("data") or {}
        if command == "resume":
            weights = run / "checkpoints/last/weights.safetensors"
            data = {"weights": hashlib.sha256(weights.read_bytes()).hexdigest() if done.code == 0 else ""}
        elif command == "resume-finished":
            data = data.get("metrics") or {}
        elif command == "report":
            data = {"page": page.read_text() if done.code == 0 else ""}
        data = {key: value for key, value in data.items() if key not in ("warnings", "cpu_s", "wall_s")}
        return done.code, json.dumps(data, sort_keys=True), done.out + done.err + str(data.get("page", ""))


@pytest.fixture
def bench(_pair: Path, place: Path, neuro: Any) -> Bench:
    return Bench(_pair, place, neuro)


_undamaged: dict[str, str] = {}


def numbers_of_undamaged(bench: Bench, command: str) -> str:
    if command not in _undamaged:
        run = bench.copy(command)
        code, numbers, said = bench.ask(command, run)
        assert code == 0, said
        _undamaged[command] = without_places(numbers, bench.place)
    return _undamaged[command]


def without_places(text: str, place: Path) -> str:
    """Numbers are compared, not folders nor what a training takes."""
    return re.sub(r'"(cpu_s|wall_s)": [-+.e\d]+', "", text.replace(str(place), "PLACE"))


def check(bench: Bench, file: str, kind: str, command: str) -> None:
    expected = numbers_of_undamaged(bench, command)
    run = bench.copy(command)
    if not any(run.glob(file)):  # an unfinished run has no metrics.json
        pytest.skip(f"{file} is not there")
    path = next(iter(sorted(run.glob(file))))
    KINDS[kind](path, bench.other / path.relative_to(run))
    code, numbers, said = bench.ask(command, run)
    names = [path.parent.name if "checkpoints" in file else path.name]
    if kind == "removed" and file in ("evaluation.json", "diagnosis.json", "interpretation.json"):
        names.append(f'"name": "{path.stem}"')  # among what is missing, as in a run that was never asked
    named = any(name in said for name in names)
    if code == 0 or code == 5:
        assert without_places(numbers, bench.place) == expected or named, (code, said)
    else:
        # What must be written in the place of a folder cannot be.
        assert code == 3 or (code == 1 and "the path is a folder" in said), (code, said)
        assert named, said


@pytest.mark.parametrize(("file", "kind"), CASES)
@pytest.mark.slow
def test_every_command_notices_every_damage(file, kind, bench):
    """Each damage under one of the commands, in turn; under all of them where NEUROCLI_SOAK is above 1."""
    commands = READ_BY[file]
    turn = list(KINDS).index(kind) % len(commands)
    for command in commands if float(os.environ.get("NEUROCLI_SOAK", "1")) > 1 else commands[turn : turn + 1]:
        check(bench, file, kind, command)


@pytest.mark.parametrize("kind", ["another"])
@pytest.mark.parametrize("file", READ_BY)
def test_damage_is_noticed(file, kind, bench):
    check(bench, file, kind, QUICK[file])
