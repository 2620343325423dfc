"""Run folders: found by name, locked by one writer, whole or not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib

import pytest

from neurocli.errors import DataError, UnknownName, UsageError
from neurocli.runs import toml
from neurocli.runs.folder import RunFolder, list_runs
from neurocli.runs.lock import locked
from neurocli.runs.provenance import provenance

CONFIG = {
    "train": {"epochs": 3, "gradient_clip": None},
    "data": {"channels": [1, 2], "name": 'a "b"\n\\', "deep": {"x": 1e-9}},
}


def make(root, model="toy-v1"):
    return RunFolder.create(root, model, {"seed": 1}, CONFIG, {"train.epochs": "flag"})


def test_config_round_trip(tmp_path):
    run = make(tmp_path)
    assert run.read_config() == CONFIG
    info = run.read_info()
    assert (
        info["seed"] == 1 and info["origins"] == {"train.epochs": "flag"} and info["unset"] == ["train.gradient_clip"]
    )
    assert run.update_info(status="running")["status"] == run.read_info()["status"] == "running"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "é😀\x00\x1f\x7f\t",
        "'''",
        0,
        -5,
        10**15,
        True,
        False,
        0.1,
        1e300,
        5e-324,
        -0.0,
        float("inf"),
        [],
        [1, [2, 3]],
        ["a", "b"],
        [{"k": 1}],
    ],
)
def test_toml_values(value):
    table = {"top": value, "a table": {"key.dot": value, "sub": {"é": value}}, "later": {"x": value}}
    assert tomllib.loads(toml.dumps(table)) == table


def test_names(tmp_path):
    runs = [make(tmp_path) for _ in range(3)] + [make(tmp_path, "other-v1")]
    assert list_runs(tmp_path) == runs[::-1]
    assert RunFolder.find(tmp_path, "latest") == runs[-1]
    first = runs[0]
    for name in (first.name, first.path.name, str(first.path)):
        assert RunFolder.find(tmp_path, name) == first
    with pytest.raises(UnknownName) as caught:
        RunFolder.find(tmp_path, first.path.name[:-1] + "z")
    assert first.path.name[:15] in caught.value.hint
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="not a run"):
        RunFolder.find(tmp_path, str(tmp_path / "empty"))
    with pytest.raises(UnknownName, match="no run yet"):
        RunFolder.find(tmp_path / "nowhere", "latest")
    for odd in ("", "../..", "a" * 5000, "nul\0"):
        with pytest.raises(UsageError):
            RunFolder.find(tmp_path, odd)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", "[" * 100_000])
def test_damaged_info(tmp_path, text):
    run = make(tmp_path)
    run.info.write_text(text)
    with pytest.raises(DataError):
        run.read_info()


def test_one_writer_and_a_killed_one_lets_go(tmp_path):
    run = make(tmp_path)
    with locked(run), locked(run):  # the same process may hold it twice
        pass
    code = (
        "import sys, time; from pathlib import Path; from neurocli.runs.folder import RunFolder\n"
        "from neurocli.runs.lock import locked\n"
        "with locked(RunFolder(Path(sys.argv[1]))): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=str(holder.pid)), locked(run):
            pass
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    with locked(run):
        assert (run.path / ".lock").read_text() == f"{os.getpid()}\n"


def test_provenance(tmp_path):
    file = tmp_path / "data.bin"
    file.write_bytes(b"abc")
    found = provenance([file, tmp_path / "gone"])
    assert found["data"][0]["bytes"] == 3 and found["data"][0]["sha256"].startswith("ba7816bf")
    assert "missing" in found["data"][1]
    assert {"neurocli", "torch"} <= set(found["versions"])
    json.dumps(found)
