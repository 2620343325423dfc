"""Signals at any moment, most of them while something is written: no wrong file, no wrong exit, and the same bytes after all."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600), pytest.mark.xdist_group("signals")]  # one server for all
SERVER = Path(__file__).with_name("command_server.py")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LONGEST_END_S = 5.0
RESULTS = ("evaluation.json", "diagnosis.json", "interpretation.json")
TIMES = ("cpu", "wall", "created", "sum", "figure", "file", "subject", "notes", "sources")
# A checkpoint before the last one may be of the same epoch, where that was repeated.
CHANGING = (".previous", "run.log", "figures", ".lock", "provenance.json", "run.json", "metrics.json", "recordings")


class Commands:
    """Commands of `neuro` in processes of their own."""

    def __init__(self, server: subprocess.Popen) -> None:
        self.server = server

    def _ask(self, request: dict) -> int:
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def start(self, argv: list[str], folder: Path, **more: Any) -> int:
        """more: a `fault` that the command is to meet, or a file for its `counts` (see command_server.py)."""
        return self._ask({"argv": argv, "folder": str(folder), "said": str(folder / ".said"), **more})

    def wait(self, process: int) -> int:
        return self._ask({"wait": process})

    def run(self, argv: list[str], folder: Path, **more: Any) -> tuple[int, str]:
        return self.wait(self.start(argv, folder, **more)), (folder / ".said").read_text(errors="replace")


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    environment = {**os.environ, "NEUROCLI_CACHE": str(tmp_path_factory.mktemp("cache"))}
    server = subprocess.Popen(
        [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert server.stdout.readline() == "ready\n"
    yield Commands(server)
    server.stdin.close()
    server.wait(20)


WORLD = ["--set=neurons=8", "--set=duration_s=120", "--set=hidden=0"]
SMALL = ["--set=train.epochs=2", "--set=train.steps_per_epoch=3", "--device=cpu"]
TRAIN = ["train", "gat-lstm", "--data", "worms.h5", "--preset", "quick", *SMALL]
# command, what it makes (a file, or a folder with a run), the command that finishes it after an interruption
CASES = {
    "simulate": (["simulate", "celegans", "--runs", "3", "--out", "s.h5", "--workers", "1", *WORLD], "s.h5", None),
    "preprocess": (["preprocess", "gat-lstm", "--data", "worms.h5", "--out", "p.h5"], "p.h5", None),
    "train": (TRAIN, "runs", ["train", "--resume", "latest"]),
    "evaluate": (["evaluate", "latest"], "runs", None),
    "diagnose": (["diagnose", "latest"], "runs", None),
    "interpret": (["interpret", "latest"], "runs", None),
    "report": (["report", "latest"], "runs", None),
}


@pytest.fixture(scope="module")
def prepared(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with worms.h5 and one trained run."""
    folder = tmp_path_factory.mktemp("prepared")
    code, said = commands.run(["simulate", "celegans", "--runs", "4", "--out", "worms.h5", *WORLD], folder)
    assert code == 0, said
    code, said = commands.run(TRAIN, folder)
    assert code == 0, said
    return folder


def content(place: Path) -> dict[str, str]:
    """Sums of the files that must be the same whenever they are made; times and names of runs differ."""
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    sums = {}
    for path in files:
        name = path.name if place.is_file() else "/".join(path.relative_to(place).parts[2:])
        if name in RESULTS:
            sums[name] = json.dumps(timeless(json.loads(path.read_text())), sort_keys=True)
            continue
        if name == "config.toml":  # the remarks name the run
            sums[name] = "".join(line for line in path.read_text().splitlines(True) if not line.startswith("#"))
            continue
        if any(part in name for part in CHANGING) or name.endswith((".html", ".json", "metrics.csv", "state.pt")):
            continue
        sums[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return sums


def timeless(value: Any) -> Any:
    """A result without what depends on when and where it was made."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not any(part in k for part in TIMES)}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def furnish(prepared: Path, folder: Path, case: str) -> None:
    """What a command needs, in a folder of its own."""
    shutil.copy(prepared / "worms.h5", folder)
    if case in ("evaluate", "diagnose", "interpret", "report"):
        shutil.copytree(prepared / "runs", folder / "runs")


def begun(folder: Path) -> bool:
    """Whether a file is being written below a folder."""
    return any(path.name.endswith(".tmp") for path in (folder, *folder.rglob("*")) if path.name.startswith("."))


def one(commands: Commands, prepared: Path, folder: Path, case: str, draw: random.Random, *, aimed: bool) -> str:
    """What went wrong after one signal; nothing where all is right."""
    argv, *_ = CASES[case]
    furnish(prepared, folder, case)
    process = commands.start(argv, folder)
    start, delay = time.monotonic(), draw.random() * (0.05 if aimed else 1.5)
    while aimed and not begun(folder) and time.monotonic() - start < 20 and Path(f"/proc/{process}").exists():
        time.sleep(0.001)
        if Path(f"/proc/{process}/stat").read_text().split()[2] == "Z":
            break
    time.sleep(delay)
    number = draw.choice(SIGNALS)
    os.kill(process, number)
    if draw.random() < 0.3:
        time.sleep(0.01)
        os.kill(process, number)
    sent = time.monotonic()
    code = commands.wait(process)
    took = time.monotonic() - sent
    said = (folder / ".said").read_text(errors="replace")
    faults = [f"gone after {took:.1f} s"] if took > LONGEST_END_S else []
    faults += aftermath(commands, folder, case, code, (0, -number, 128 + number), said)
    return ", ".join(faults) and f"{case} {number.name} {delay:.3f} s: {', '.join(faults)}\n{said[-300:]}"


def aftermath(commands: Commands, folder: Path, case: str, code: int, allowed: tuple[int, ...], said: str) -> list[str]:
    """What is wrong with the end of a command, and with the command that is given after it; the latter makes what is missing."""
    argv, made, finish = CASES[case]
    faults = [] if code in allowed else [f"exit {code}"]
    if "Traceback" in said:
        faults.append("traceback: " + said[said.index("Traceback") :][-1500:])
    if code == 0 and not (folder / made).exists():
        faults.append("exit 0 without a result")
    again = finish if finish and code != 0 and list((folder / "runs").glob("*/*/run.json")) else argv
    if code != 0 or made != "runs":
        if case == "preprocess" and (folder / made).exists():
            again = [*argv, "--overwrite"]
        second, text = commands.run(again, folder)
        if second != 0:
            faults.append(f"the command after it ends with {second}: {text[-300:]}")
    if list(folder.rglob(".*.tmp")):
        faults.append(f"left behind: {[p.name for p in folder.rglob('.*.tmp')]}")
    return faults


@pytest.fixture(scope="module")
def references(commands: Commands, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What each case makes undisturbed."""
    made = {}
    for case, (argv, place, _) in CASES.items():
        folder = tmp_path_factory.mktemp(f"reference-{case}")
        furnish(prepared, folder, case)
        code, said = commands.run(argv, folder)
        assert code == 0, said
        made[case] = content(folder / place)
    return made


def soak(commands, prepared, references, tmp_path, *, count: int, aimed: bool, seed: int) -> list[str]:
    draw, faults = random.Random(seed), []
    for number in range(count):
        case = list(CASES)[number % len(CASES)]
        folder = tmp_path / f"{number}"
        folder.mkdir()
        fault = one(commands, prepared, folder, case, draw, aimed=aimed)
        fault = fault or differing(folder, case, references)
        if fault:
            faults.append(fault)
        shutil.rmtree(folder)
    return faults


def differing(folder: Path, case: str, references: dict[str, dict]) -> str:
    """In what a result differs from the undisturbed one; nothing where it is the same."""
    made, reference = content(folder / CASES[case][1]), references[case]
    names = sorted(name for name in made.keys() | reference.keys() if made.get(name) != reference.get(name))
    return f"{case}: not the same: {names[:5]}" if names else ""


@pytest.mark.parametrize(("aimed", "count"), [(True, 21), (False, 7)])
def test_signals_at_writes_and_at_random(commands, prepared, references, tmp_path, aimed: bool, count: int) -> None:
    """`NEUROCLI_SOAK=12 pytest -m slow tests/faults/test_signals.py` sends twelve times as many."""
    count *= int(os.environ.get("NEUROCLI_SOAK", "1"))
    assert soak(commands, prepared, references, tmp_path, count=count, aimed=aimed, seed=1 + aimed) == []


@pytest.mark.parametrize("case", CASES)
def test_faults_at_every_point(commands, prepared, references, tmp_path, case: str) -> None:
    """At points of every kind that the command passes: killed, stopped, or refused by the disk. `NEUROCLI_SOAK`: how many of a kind."""
    folder, counts = tmp_path / "counted", tmp_path / "counts.json"
    folder.mkdir()
    furnish(prepared, folder, case)
    assert commands.run(CASES[case][0], folder, counts=str(counts))[0] == 0
    draw, faults = random.Random(case), []
    for point, passed in json.loads(counts.read_text()).items():
        chosen = draw.sample(range(1, passed + 1), min(passed, int(os.environ.get("NEUROCLI_SOAK", "1"))))
        for count in chosen:
            how = draw.choice([*map(int, SIGNALS), "disk"]) if point != "stage" else draw.choice([*map(int, SIGNALS)])
            folder = tmp_path / f"{point}-{count}"
            folder.mkdir()
            furnish(prepared, folder, case)
            code, said = commands.run(CASES[case][0], folder, fault=[point, count, how])
            allowed = (0, 1, 5) if how == "disk" else (0, -how, 128 + how)
            found = aftermath(commands, folder, case, code, allowed, said)
            if found or (difference := differing(folder, case, references)):
                faults.append(f"{case} {point} {count} of {passed}, {how}: {found or difference}\n{said[-300:]}")
    assert faults == []
