"""Fixtures of the core tests: a toy family, and a process that forks trainings which may be killed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

TOY = Path(__file__).with_name("toy_family.py")


@pytest.fixture(scope="session")
def toy():
    """The module toy_family."""
    spec = importlib.util.spec_from_file_location("toy_family", TOY)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_family"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_run(toy, tmp_path):
    """`make_run(epochs=3, model={...}, **train)` → a new RunFolder of the toy."""
    from neurocli.runs.folder import RunFolder

    def make(model=None, **train):
        config = toy.ToyConfig(train={"device": "cpu", "epochs": 4, **train}, model=model or {})
        return RunFolder.create(tmp_path / "runs", "toy-v1", {}, config.model_dump(mode="json"), {})

    return make


class Trainings:
    """Trainings in processes of their own."""

    def __init__(self, server: subprocess.Popen) -> None:
        self.server = server

    def _ask(self, request) -> int:
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def start(self, run) -> int:
        """Begin or resume a training; returns the process id."""
        return self._ask({"run": str(run.path)})

    def wait(self, pid: int) -> int:
        """The exit code, or minus the signal."""
        return self._ask({"wait": pid})


@pytest.fixture(scope="session")
def trainings():
    server = subprocess.Popen([sys.executable, str(TOY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    yield Trainings(server)
    server.stdin.close()
    server.wait(10)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with one file per simulated run; the cache is the test's own."""
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "log"
    folder.mkdir()
    monkeypatch.setenv("TOY_LOG", str(folder))
    return folder
