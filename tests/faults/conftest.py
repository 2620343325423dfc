"""What all tests of bad input share: the command line in this process, one small recording file, one trained run."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neurocli.cli.main import run
from neurocli.plugin.registry import Plugin, registry

FAST = [
    "--device=cpu",
    "--set=train.epochs=2",
    "--set=train.steps_per_epoch=2",
    "--set=evaluate.horizons_ms=[1.0]",
    "--set=evaluate.oracle_branches=2",
]


@dataclass
class Done:
    """How a command ended: exit code, stdout, stderr, and what its envelope holds under --json."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        return self.envelope["error"]

    @property
    def said(self) -> str:
        """Message, place and hint in one."""
        return " | ".join(str(self.error[key]) for key in ("message", "where", "hint"))


def neuro(*words: object) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(word) for word in words])
    assert "Traceback" not in out.getvalue() + err.getvalue()
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder with a cache of its own, in which no command may leave a half-written file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / ".cache"))
    yield tmp_path
    assert list(tmp_path.rglob("*.tmp")) == []


@pytest.fixture(name="neuro")
def _neuro() -> Callable[..., Done]:
    """`neuro("train", ...)` runs a command in this process."""
    return neuro


@pytest.fixture
def refused() -> Callable[..., Done]:
    """`refused(code, "train", ...)`: the command must end with `code` and one envelope that says what, where, what to do."""

    def ask(code: int, *words: object) -> Done:
        done = neuro(*words, "--json")
        envelope = done.envelope
        assert (done.code, envelope["ok"], envelope["schema"]) == (code, False, 1), done
        assert set(envelope["error"]) == {"kind", "message", "where", "hint", "exit"}
        assert envelope["error"]["exit"] == code and envelope["error"]["kind"] != "bug"
        assert all(envelope["error"][key] for key in ("message", "where", "hint")), envelope
        return done

    return ask


@pytest.fixture(scope="session")
def _recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from neurocli_cnn_lstm.simulation.example import small_network

    path = tmp_path_factory.mktemp("recorded") / "good.h5"
    small_network(0, runs=4, duration_ms=1500.0, neurons=20).save(path)
    return path


@pytest.fixture
def good(_recorded: Path, place: Path) -> Path:
    """A sound file of four runs, this test's own."""
    return Path(shutil.copy(_recorded, place / "good.h5"))


@pytest.fixture(scope="session")
def _trained(_recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained") / "runs"
    done = neuro("train", "cnn-lstm", "--data", _recorded, "--runs-dir", root, *FAST)
    assert done.code == 0, done
    return root


@pytest.fixture
def trained(_trained: Path, place: Path) -> Path:
    """The folder of a finished run under ./runs, this test's own."""
    shutil.copytree(_trained, place / "runs")
    (info,) = (place / "runs").glob("*/*/run.json")
    return info.parent


@pytest.fixture(scope="session")
def _pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `runs` and `others`: in each one run on recordings in memory, with every result in it."""
    import neurocli
    from neurocli_cnn_lstm.simulation.example import small_network

    root = tmp_path_factory.mktemp("pair")
    for name, seed in (("runs", 0), ("others", 1)):
        recordings = small_network(0, runs=4, duration_ms=1500.0, neurons=20)
        sets = [word.removeprefix("--set=") for word in FAST if word.startswith("--set=")]
        run = neurocli.train("cnn-lstm", data=recordings, sets=sets, device="cpu", seed=seed, runs_dir=root / name)
        for command in ("evaluate", "interpret", "diagnose"):
            assert neuro(command, run.path).code == 0
    return root


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the simulator `toy` (random walks, no compiler), registered for this test."""
    # The path is given on to the worker processes, which import it too.
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "core"))
    import toy_simulator

    plugin = Plugin("toy", "toy_simulator", "toy", "1", [toy_simulator.CARD])
    monkeypatch.setattr(registry(), "plugins", [*registry().plugins, plugin])
    return toy_simulator


@pytest.fixture(scope="session")
def laboratory() -> Any:
    """The module that writes a small sound file of each format."""
    spec = importlib.util.spec_from_file_location("laboratory", Path(__file__).with_name("laboratory.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
