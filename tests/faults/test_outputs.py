"""Places that cannot be written, and disks that are full: nothing half-written, and no finished number lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ["--runs", "1", "--workers", "1"]


@pytest.fixture
def block(place: Path) -> Path:
    """A file where others want a folder. (Permissions would not stop root.)"""
    path = place / "block"
    path.write_text("mine")
    return path


PATHS = ["block/x.h5", "block/x/y.h5", "/dev/null/x.h5", "x" * 300 + ".h5"]


@pytest.mark.parametrize("out", PATHS)
def test_a_place_that_cannot_be_written(out, block, toy, good, place, refused):
    before = sorted(place.rglob("*"))
    for command in (
        ["simulate", "toy", *SMALL, "--out"],
        ["preprocess", "cnn-lstm", "--data", good, "--out"],
        ["train", "cnn-lstm", "--data", good, "--device", "cpu", "--runs-dir"],
    ):
        done = refused(1, *command, out)
        assert done.error["kind"] == "storage" and "choose another place" in done.error["hint"]
    assert [p for p in sorted(place.rglob("*")) if ".cache" not in p.parts] == before
    assert block.read_text() == "mine"


@pytest.mark.parametrize("out", [".", "folder", "/dev/null", "/dev/full"])
def test_an_output_that_is_a_folder_or_a_device(out, toy, good, place, refused):
    (place / "folder").mkdir()
    refused(2, "simulate", "toy", *SMALL, "--out", out, "--overwrite")
    done = refused(
        2 if Path(out).is_dir() else 1, "preprocess", "cnn-lstm", "--data", good, "--out", out, "--overwrite"
    )
    assert "folder" in done.said or "device" in done.said
    assert out[0] != "/" or Path(out).is_char_device()


def test_a_folder_that_is_not_there_is_made(toy, good, neuro, place):
    assert neuro("simulate", "toy", *SMALL, "--out", "new/deep/x.h5").code == 0
    assert neuro("preprocess", "cnn-lstm", "--data", good, "--out", "other/y.h5").code == 0
    assert (place / "new/deep/x.h5").is_file() and (place / "other/y.h5").is_file()


def test_a_file_that_holds_something_else_stays(toy, good, place, refused, neuro):
    assert neuro("simulate", "toy", *SMALL, "--out", "toy.h5").code == 0
    before = (place / "toy.h5").read_bytes()
    assert "scale: 1.0 → 2.0" in refused(2, "simulate", "toy", *SMALL, "--out", "toy.h5", "--set", "scale=2").said
    assert "--overwrite" in refused(2, "preprocess", "cnn-lstm", "--data", good, "--out", "toy.h5").said
    assert (place / "toy.h5").read_bytes() == before
    content = good.read_bytes()
    done = refused(2, "preprocess", "cnn-lstm", "--data", good, "--out", good, "--overwrite")
    assert "its own input" in done.said and good.read_bytes() == content


def test_figures_that_cannot_be_written_do_not_lose_a_simulation(toy, block, place, refused, monkeypatch):
    from neurocli.plugin.exhibit import Exhibit, Table
    from neurocli.report.figure import saved_figure

    def summary(self, recordings, figures):
        with saved_figure(figures / "x.png"):
            pass
        return [Exhibit("x", "x", Table(["a"], [[7]]), figures / "x.png")]

    monkeypatch.setattr(toy.Toy, "summary", summary)
    done = refused(5, "simulate", "toy", *SMALL, "--out", "toy.h5", "--figures", "block/figures")
    assert done.error["kind"] == "partly-done" and "block" in done.error["where"]
    (exhibit,) = done.envelope["data"]["exhibits"]
    assert exhibit["table"]["rows"] == [[7]] and exhibit["figure"] is None
    assert (place / "toy.h5").is_file()


def test_figures_that_cannot_be_written_do_not_lose_an_evaluation(trained, refused, neuro):
    (trained / "figures").write_text("in the way")
    done = refused(5, "evaluate", "latest")
    assert done.envelope["data"]["scores"] and (trained / "evaluation.json").is_file()
    assert all(exhibit["figure"] is None for exhibit in done.envelope["data"]["exhibits"])
    shown = neuro("evaluate", "latest")
    assert shown.code == 5 and "full-state oracle" in shown.out and shown.err.count("error: ") == 1


def test_figures_that_cannot_be_written_do_not_lose_an_interpretation(trained, refused, monkeypatch):
    from neurocli_cnn_lstm.interpretation import interpret

    # The other exhibits take minutes, and draw in the same way.
    monkeypatch.setattr(interpret, "interpretation_exhibits", lambda family, trained, figures: [interpret._filters(trained, figures)])  # fmt: skip
    (trained / "figures").write_text("in the way")
    done = refused(5, "interpret", "latest")
    (exhibit,) = done.envelope["data"]["exhibits"]
    assert exhibit["figure"] is None and (trained / "interpretation.json").is_file()


def test_a_result_file_that_cannot_be_written_does_not_lose_the_numbers(trained, refused):
    (trained / "evaluation.json").mkdir()
    done = refused(5, "evaluate", "latest")
    assert done.envelope["data"]["scores"] and "evaluation.json" in done.error["where"]


# -- full disks --------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(place: Path):
    """A disk of 64 kB, where this user may mount one."""
    folder = place / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk(small_disk, toy, good, refused):
    full = small_disk / "filler"
    refused(1, "preprocess", "cnn-lstm", "--data", good, "--out", small_disk / "x.h5")
    refused(1, "simulate", "toy", *SMALL, "--out", small_disk / "y.h5", "--set", "steps=20000", "--set", "unit=pA")
    assert [p for p in small_disk.rglob("*.h5") if p.is_file()] == []
    full.write_bytes(b"x" * 40_000)
    done = refused(1, "train", "cnn-lstm", "--data", good, "--device", "cpu", "--runs-dir", small_disk / "runs")
    assert "the disk is full" in done.said and "free some space" in done.error["hint"]
    assert not list(small_disk.rglob("*.tmp"))


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
from neurocli.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_file_that_may_not_grow(good, place):
    before = sorted(path.name for path in place.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "preprocess", "cnn-lstm", "--data", "good.h5", "--out", "x.h5"],
        cwd=place, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.startswith("error: cannot write") and "Traceback" not in done.stderr
    assert sorted(path.name for path in place.iterdir()) == before
