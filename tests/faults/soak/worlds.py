"""Each family's commands in a tiny world: what they need, what they make, and what that is when nobody disturbs them."""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from soak import results
from soak.commands import Commands, Watch

FAMILIES = {
    "cnn_lstm": ("cnn-lstm-v2", "brunel", 4),
    "eirnn": ("eirnn-v2", "sc-session", 20),
    "gat_lstm": ("gat-lstm-v3", "celegans", 4),
    "elm": ("elm-v2", "dendrite", 4),
}
"""Model, simulator, and groups of recordings."""


@dataclass(frozen=True)
class Case:
    """One command. needs: the folder of a world that it begins with; makes: a file, `runs`, or `text`; keeps: what was done before an
    interruption is not done again."""

    argv: list[str]
    needs: str
    makes: str
    keeps: bool = False


@dataclass
class Reference:
    """What a command makes undisturbed, in how many seconds, with how many temporary files, and which points it passes how often."""

    content: dict[str, str]
    seconds: float
    temporary: int
    points: dict[str, int]


@dataclass
class World:
    """A family's recordings and runs in folders, from which commands begin."""

    commands: Commands
    family: str
    folder: Path
    first_run: str = ""
    references: dict[str, Reference] = field(default_factory=dict)

    @property
    def cases(self) -> dict[str, Case]:
        model, simulator, groups = FAMILIES[self.family]
        simulate = ["simulate", simulator, "--preset", "quick", "--runs", str(groups), "--workers", "1"]
        train = ["train", model, "--data", "d.h5", "--preset", "quick"]
        return {
            "simulate": Case([*simulate, "--out", "s.h5"], "nothing", "s.h5", keeps=True),
            "preprocess": Case(
                ["preprocess", model, "--preset", "quick", "--data", "d.h5", "--out", "p.h5"], "recordings", "p.h5"
            ),
            "train": Case(train, "recordings", "runs", keeps=True),
            "train --resume": Case(["train", "--resume", "latest"], "interrupted", "runs", keeps=True),
            "evaluate": Case(["evaluate", "latest"], "trained", "runs"),
            "diagnose": Case(["diagnose", "latest"], "trained", "runs"),
            "interpret": Case(["interpret", "latest"], "trained", "runs"),
            "compare": Case(["compare", "latest", f"{model}/{self.first_run}"], "trained", "text"),
            "report": Case(["report", "latest"], "results", "runs"),
            "runs": Case(["runs"], "results", "text"),
            "info": Case(["info", "d.h5"], "recordings", "text"),
            "models": Case(["models", "show", model], "nothing", "text"),
            "explain": Case(["explain", "skill"], "nothing", "text"),
            "demo": Case(["demo", self.family.replace("_", "-")], "nothing", "runs", keeps=True),
        }

    def build(self) -> World:
        """Every command once, in the server itself; a training that was interrupted, and recordings, for later ones to begin with."""
        for name in ("nothing", "recordings", "trained", "interrupted"):
            (self.folder / name).mkdir()
        cases = self.cases
        simulate, train = cases["simulate"].argv, cases["train"].argv
        data = str(self.folder / "recordings" / "d.h5")
        train = [data if word == "d.h5" else word for word in train]
        self.commands.run_in_server([[*simulate[:-1], data]], self.folder)
        self.commands.run_in_server([[*train, "--seed", "1"]], self.folder / "trained")
        (first,) = (self.folder / "trained").glob("runs/*/*/run.json")
        self.first_run = first.parent.name
        cases = self.cases
        self.commands.run_in_server([train], self.folder / "trained")
        shutil.copytree(self.folder / "trained", self.folder / "results")
        later = ["evaluate", "diagnose", "interpret", "compare", "report", "runs", "models", "explain"]
        self.commands.run_in_server([cases[name].argv for name in later], self.folder / "results")
        warm = shutil.copytree(self.folder / "recordings", self.folder / "warm")
        self.commands.run_in_server([cases[name].argv for name in ("preprocess", "info", "demo")], warm)
        fault = ["epoch", 2, [signal.SIGTERM]]
        assert self.commands.run(train, self.folder / "interrupted", fault=fault).code == 143
        return self

    def furnish(self, case: str, folder: Path) -> Path:
        """A folder with what a command needs."""
        return shutil.copytree(self.folder / self.cases[case].needs, folder)

    def content(self, case: str, folder: Path, out: str) -> dict[str, str]:
        """What a command made that must be the same every time."""
        makes = self.cases[case].makes
        if makes == "text":
            return {"stdout": results.of_text(out, folder)}
        if makes == "runs":
            return results.of_runs(folder / "runs", without=self.first_run)
        return results.of_file(folder / makes)

    def reference(self, case: str) -> Reference:
        if case not in self.references:
            folder, counts = self.furnish(case, self.folder / f"reference {case}"), self.folder / "counts.json"
            counts.write_text("{}")
            watch, start = Watch(folder), time.monotonic()
            command = self.commands.start(self.cases[case].argv, folder, counts=str(counts), forks=True)
            names: list[str] = []
            while not watch.wait(command):
                names += watch.appeared()
            seconds, ended = time.monotonic() - start, command.end()
            names += watch.appeared()
            watch.close()
            assert (ended.code, ended.orphans) == (0, []), ended
            content = self.content(case, folder, ended.out)
            assert content, f"{case} has made nothing"
            temporary = sum(name.endswith(".tmp") for name in names)
            self.references[case] = Reference(content, seconds, temporary, json.loads(counts.read_text()))
        return self.references[case]
