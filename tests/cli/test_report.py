"""`neuro report`, from a training to the page, and `neuro diagnose` keeping what it found."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neurocli.cli.main import run as command
from neurocli.runs.folder import RunFolder

FAST = [
    "--device=cpu", "--set=train.epochs=2", "--set=train.steps_per_epoch=2", "--set=evaluate.horizons_ms=[1.0]",
    "--set=evaluate.oracle_branches=2", "--set=data.test=0.45",
]  # fmt: skip


def neuro(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command([str(word) for word in words])
    assert "Traceback" not in out.getvalue() + err.getvalue()
    return code, out.getvalue(), err.getvalue()


def asked(code: int, *words: object) -> dict[str, Any]:
    """The envelope of a command that must end with `code`."""
    found, out, err = neuro(*words, "--json")
    assert found == code, (out, err)
    return json.loads(out)


@pytest.fixture(scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from neurocli_cnn_lstm.simulation.example import small_network

    place = tmp_path_factory.mktemp("report")
    small_network(0, runs=7, duration_ms=1500.0, neurons=20).save(place / "good.h5")
    assert neuro("train", "cnn-lstm", "--data", place / "good.h5", "--runs-dir", place / "runs", *FAST)[0] == 0
    return place / "runs"


@pytest.fixture
def trained(_trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A finished run under ./runs, this test's own."""
    shutil.copytree(_trained, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    (info,) = (tmp_path / "runs").glob("*/*/run.json")
    return RunFolder(info.parent)


def test_from_a_training_to_the_page(trained: RunFolder) -> None:
    data = asked(0, "report", "latest")["data"]
    assert data["run"] == str(trained.path) and data["files"] == [str(trained.path / "report.html")]
    assert [one["name"] for one in data["missing"]] == ["evaluation", "interpretation", "diagnosis"]
    for one in data["missing"]:
        assert neuro(*one["command"].split()[1:])[0] == 0
    code, out, _ = neuro("report", trained.name)
    assert code == 0 and out == f"written to {trained.path / 'report.html'}\n"
    text = (trained.path / "report.html").read_text(encoding="utf-8")
    assert "Not there yet" not in text and "No picture" not in text and text.count("<img") > 6
    shown = neuro("evaluate", "latest")[1]
    assert next(line for line in shown.splitlines() if line.startswith(("skill", "no skill"))) in text.replace(
        "&#39;", "'"
    )


def test_diagnose_keeps_what_it_found(trained: RunFolder) -> None:
    kept = trained.path / "diagnosis.json"
    data = asked(4, "diagnose", "latest", "--strict")["data"]  # two epochs of two steps are not better than a baseline
    found = json.loads(kept.read_text())
    assert data["files"] == [str(kept)] and found["findings"] == data["findings"] and found["count"]["FAIL"] > 0
    assert asked(0, "report", "latest")["data"]["missing"][-1]["name"] == "interpretation"
    assert "FAIL" in (trained.path / "report.html").read_text(encoding="utf-8")


def test_a_diagnosis_that_cannot_be_kept_is_shown_all_the_same(trained: RunFolder) -> None:
    (trained.path / "diagnosis.json").mkdir()
    code, out, err = neuro("diagnose", "latest")
    assert code == 5 and "FAIL" in out and "diagnosis.json" in err
    code, _, err = neuro("diagnose", "latest", "--strict")
    assert code == 4 and "diagnosis.json" in err


def test_it_is_light(trained: RunFolder) -> None:
    code = (
        "import sys; from neurocli.cli.main import run; assert run(['report', 'latest']) == 0\n"
        "assert not {'torch', 'scipy', 'h5py', 'lightning', 'brian2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_another_place(trained: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "new" / "page.html"
    for _ in range(2):  # a report is written over
        assert asked(0, "report", trained.path, "--out", out)["data"]["files"] == [str(out)]
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not (trained.path / "report.html").exists()
    assert asked(0, "report", "latest", "--runs-dir", tmp_path / "runs")["ok"]


def test_the_commands_that_it_names_find_the_run_from_elsewhere(
    trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    data = asked(0, "report", trained.path)["data"]
    assert data["missing"][0]["command"] == f"neuro evaluate {shlex.quote(str(trained.path))}"


def test_places_that_cannot_be(trained: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "data.h5").write_bytes(b"\x89HDF data")
    before = trained.info.read_bytes()
    for code, out in ((2, tmp_path), (2, "data.h5"), (2, trained.info), (1, "data.h5/page.html"), (1, "x" * 300)):
        error = asked(code, "report", "latest", "--out", out)["error"]
        assert error["message"] and error["hint"] and str(out) in error["where"]
    assert trained.info.read_bytes() == before and (tmp_path / "data.h5").read_bytes() == b"\x89HDF data"
    assert list(tmp_path.rglob("*.tmp")) == []


def test_runs_that_are_not_there(trained: RunFolder, tmp_path: Path) -> None:
    assert asked(2, "report", "latets")["error"]["kind"] == "unknown-name"
    assert "neuro train" in asked(2, "report", "latest", "--runs-dir", tmp_path / "none")["error"]["hint"]
    assert "no run.json" in asked(2, "report", tmp_path)["error"]["message"]


def test_a_damaged_result(trained: RunFolder) -> None:
    path = trained.path / "evaluation.json"
    path.write_text('{"scores": [')
    error = asked(3, "report", "latest")["error"]
    assert error["where"] == str(path) and error["hint"].endswith(f": neuro evaluate {trained.name}")
    assert not (trained.path / "report.html").exists()


def test_a_run_that_did_not_finish(trained: RunFolder) -> None:
    trained.metrics_json.unlink()
    trained.update_info(status="running")
    assert neuro("report", "latest")[0] == 0
    text = (trained.path / "report.html").read_text(encoding="utf-8")
    assert "Unfinished.</strong> the training did not finish (2 of 2 epochs)" in text and "interrupted" in text
