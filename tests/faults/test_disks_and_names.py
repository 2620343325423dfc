"""Full and read-only disks, folders that go away, clocks that are set back, and names that are no text."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from neurocli.errors import StorageError
from neurocli.runs.folder import RunFolder, list_runs
from neurocli.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

FULL = "[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"  # torch's words for /dev/full


def one(value: float) -> Checkpoint:
    return Checkpoint({"w": torch.tensor([value])}, {"schema": 1})


def test_a_full_disk_under_torch_is_called_so(place, monkeypatch):
    save_checkpoint(place / "last", one(1.0))

    def full(*_: Any) -> None:
        raise RuntimeError(FULL)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StorageError, match="the disk is full"):
        save_checkpoint(place / "last", one(2.0))
    assert [path.name for path in place.glob("[!.]*")] == ["last"]
    assert float(load_checkpoint(place / "last").weights["w"]) == 1.0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_torch_says_of_a_full_disk_what_we_take_it_to_say():
    with pytest.raises(RuntimeError, match="unexpected pos"):
        torch.save({"a": torch.zeros(100_000)}, "/dev/full")


LIMITED = """
import resource, signal, sys, torch
from pathlib import Path
from neurocli.errors import StorageError
from neurocli.training.checkpoint import Checkpoint, save_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for weights, state in ((10, 100_000), (100_000, 10)):
    try:
        save_checkpoint(Path(sys.argv[1]), Checkpoint({"w": torch.zeros(weights)}, {"a": torch.zeros(state)}))
    except StorageError as error:
        print(error.message)
"""


def test_weights_and_state_that_do_not_fit_leave_nothing_behind(place):
    done = subprocess.run([sys.executable, "-c", LIMITED, str(place / "last")], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "cannot write: the disk is full",
        "cannot write: the file is larger than this system allows",
    ], done.stderr
    assert list(place.glob("[!.]*")) == []


@pytest.mark.parametrize(
    ("command", "kept"), [("evaluate", "scores"), ("interpret", "exhibits"), ("diagnose", "findings")]
)
def test_a_read_only_run_shows_its_numbers(command, kept, trained, neuro, monkeypatch):
    real_access, real_sync = os.access, __import__("neurocli.runs.atomic", fromlist=["sync"]).sync
    inside = str(trained)

    def access(path: Any, mode: int, **kwargs: Any) -> bool:
        return not (mode & os.W_OK and str(path).startswith(inside)) and real_access(path, mode, **kwargs)

    def sync(path: Path) -> None:
        if str(path).startswith(inside):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        real_sync(path)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr("neurocli.runs.atomic.sync", sync)
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()}
    done = neuro(command, trained, "--json")
    assert done.code == 5 and done.envelope["data"][kept], done
    assert "read-only" in done.error["message"] and inside in done.error["where"]
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()} == before


def test_runs_that_are_removed_during_a_training_end_it(good, place, neuro, monkeypatch):
    from neurocli.training import callbacks

    def removed(*_: Any) -> None:
        shutil.rmtree(place / "runs")

    monkeypatch.setattr(callbacks, "append_row", removed)
    done = neuro("train", "cnn-lstm", "--data", good, "--device=cpu", "--set=train.epochs=2", "--set=train.steps_per_epoch=2", "--json")  # fmt: skip
    assert done.code == 1 and done.error["kind"] == "storage", done
    assert str(place / "runs") in done.error["where"]
    assert not list(place.rglob("run.json")) and not list(place.rglob("metrics.json"))


def test_a_run_folder_that_is_gone_is_not_made_again(trained):
    run = RunFolder(trained)
    run.must_exist()
    shutil.rmtree(trained)
    with pytest.raises(StorageError, match="removed while it was in use"):
        run.must_exist()


def made(root: Path, day: str, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run made on a day of the year."""
    import datetime

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime.datetime:
            return datetime.datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=tz)

    monkeypatch.setattr("neurocli.runs.folder.datetime.datetime", Clock)
    return RunFolder.create(root, "toy", {}, {}, {})


def test_latest_is_right_after_the_clock_was_set_back(place, monkeypatch):
    runs = [made(place / "runs", day, monkeypatch) for day in ("2026-05-03", "2026-05-01", "2026-05-02")]
    assert list_runs(place / "runs") == runs[::-1]
    assert RunFolder.find(place / "runs", "latest") == runs[-1]


def test_latest_does_not_pass_over_a_damaged_run(place, monkeypatch, refused, neuro):
    old, new = (made(place / "runs", day, monkeypatch) for day in ("2026-05-01", "2026-05-02"))
    (new.checkpoints / "last").mkdir(parents=True)
    new.info.unlink()
    assert list_runs(place / "runs") == [new, old]
    assert str(new.info) in refused(3, "evaluate", "latest").error["where"]
    assert str(new.info) in refused(3, "evaluate", new.path).error["where"]
    first, _ = neuro("runs", "--json").envelope["data"]["runs"]
    assert first["status"].startswith("damaged")
    # A later one is the latest again.
    assert RunFolder.find(place / "runs", "latest") != made(place / "runs", "2026-05-03", monkeypatch)
    assert list_runs(place / "runs")[0].path.name.startswith("20260503")


def test_what_killed_writes_left_is_swept_by_the_next(trained, neuro):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    left = trained / f".evaluation.json.{gone.pid}.tmp"
    left.write_text("{")
    running = trained / f".evaluation.json.{os.getppid()}.tmp"
    running.write_text("{")
    half = trained / "checkpoints" / ".last.tmp"
    half.mkdir()
    assert neuro("evaluate", trained).code == 0
    assert not left.exists() and running.exists()
    running.unlink()
    save_checkpoint(trained / "checkpoints" / "last", one(1.0))
    assert not half.exists()


def test_a_checkpoint_in_a_folder_whose_name_is_not_text(place):
    folder = place / os.fsdecode(b"\xff\xfe") / "last"
    save_checkpoint(folder, one(1.0))
    assert float(load_checkpoint(folder).weights["w"]) == 1.0


NAMES = {"not UTF-8": b"\xff\xfe", "spaces": b" a  b ", "a newline": b"a\nb", "a quote": b'it\'s "x"'}


def neuro_in(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """`neuro` as a process of its own, in that folder: its streams are real ones."""
    line = [sys.executable, "-m", "neurocli", *map(str, words)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, errors="replace")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_commands_work_in_a_folder_of_any_name(name, good, place):
    folder = place / os.fsdecode(NAMES[name])
    folder.mkdir()
    shutil.move(good, folder / "good.h5")
    fast = ("--device=cpu", "--set=train.epochs=1", "--set=train.steps_per_epoch=2", "--set=evaluate.horizons_ms=[1.0]", "--set=evaluate.oracle_branches=2")  # fmt: skip
    commands: list[tuple[object, ...]] = [
        ("info", folder / "good.h5"),
        ("diagnose", "cnn-lstm", "--data", folder / "good.h5"),
        ("preprocess", "cnn-lstm", "--data", folder / "good.h5", "--out", folder / "again.h5"),
        ("train", "cnn-lstm", "--data", folder / "good.h5", *fast),
        ("train", "--resume", "latest"),
        *((verb, "latest") for verb in ("evaluate", "interpret", "diagnose", "report")),
        ("runs", "--runs-dir", folder / "runs"),
    ]
    for words in commands:
        for form in ([], ["--json"]) if words[0] in ("info", "runs", "evaluate") else ([],):
            done = neuro_in(folder, *words, *form)
            assert done.returncode in (0, 4) and "Traceback" not in done.stderr, (words, done)
            if form:
                assert json.loads(done.stdout)["ok"]
