"""Runs `neuro` commands for the tables, keeps what each printed, and never runs the same command on the same code twice."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


class Laboratory:
    """A folder in which the commands of one recipe run, one after the other, each with `--json`. No `family`: of all.

    A command is known by its arguments, by the code of the core and of its family, and by the commands before it: what they
    made is what it reads. Stopped anywhere, the same recipe goes on with the first command that has not finished.
    """

    def __init__(self, folder: Path, family: str) -> None:
        self.code = code_of("neurocli", f"plugins/neurocli_{family}" if family else "plugins")
        self.folder = folder / self.code[:12]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.commands: list[str] = []
        self.cpu_s = 0.0

    def neuro(self, *arguments: object) -> dict[str, Any]:
        """What `neuro ARGUMENTS --json` gives as `data`. Raises RuntimeError with its error where it fails."""
        command = ["neuro", *map(str, arguments)]
        kept = self._kept(command)
        self.commands.append(" ".join(command))
        if not kept.exists():
            print(f"  {' '.join(command)}", file=sys.stderr, flush=True)
            environment = os.environ | {"NEUROCLI_CACHE": str(self.folder / "cache")}
            done = subprocess.run(
                [sys.executable, "-m", "neurocli", *command[1:], "--json"],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            envelope = json.loads(done.stdout) if done.stdout.strip() else {}
            if done.returncode != 0:
                raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {envelope.get('error')}")
            partial = kept.with_suffix(".partial")
            partial.write_text(json.dumps(envelope["data"]), encoding="utf-8")
            partial.rename(kept)
        data: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        self.cpu_s += data.get("cpu_s") or 0.0
        return data

    def script(self, name: str, *options: str) -> str:
        """What the benchmark `tests/benchmarks/NAME.py` prints."""
        command = ["python", f"tests/benchmarks/{name}.py", *options]
        kept = self._kept(command)
        self.commands.append(" ".join(command))
        if not kept.exists():
            print(f"  {' '.join(command)}", file=sys.stderr, flush=True)
            done = subprocess.run(
                [sys.executable, *command[1:]], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
            )
            kept.write_text(json.dumps({"printed": done.stdout}), encoding="utf-8")
        printed: str = json.loads(kept.read_text(encoding="utf-8"))["printed"]
        return printed

    def made(self, seeds: list[int]) -> dict[str, Any]:
        """With what the values of a recipe were made, kept beside them."""
        places = {f"{self.folder}/": "", os.environ.get("NEUROCLI_REAL_DATA", ""): "$NEUROCLI_REAL_DATA"}
        commands = self.commands
        for place, name in places.items():  # nothing of this machine
            commands = [command.replace(place, name) if place else command for command in commands]
        return {"commit": commit(), "seeds": seeds, "commands": commands, "cpu_s": round(self.cpu_s)}

    def _kept(self, command: list[str]) -> Path:
        chain = json.dumps([*self.commands, command])
        return self.folder / f"{len(self.commands):03d}-{hashlib.sha256(chain.encode()).hexdigest()[:16]}.json"


def code_of(*folders: str) -> str:
    """sha256 over the files of folders of the checkout, as they are now."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".toml", ".csv", ".json"):
                digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def commit() -> str:
    """The commit of the checkout; `+` where code differs from it."""
    say = ["git", "-C", str(ROOT)]
    name = subprocess.run([*say, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=True)
    changed = subprocess.run(
        [*say, "status", "--porcelain", "--", "neurocli", "plugins"], capture_output=True, text=True, check=True
    )
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")
