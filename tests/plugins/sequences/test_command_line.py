"""From a task on the command line to scores, and back from the run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neurocli.cli.main import run

SMALL = ["--set", "data.most=200", "--set", "train.epochs=2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture
def neuro(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`neuro ... --json`: (exit code, data, error)."""
    monkeypatch.setenv("NEUROCLI_CACHE", str(place / "cache"))
    monkeypatch.chdir(place)

    def call(*arguments: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
        code = run([*arguments, "--json"])
        envelope = json.loads(capsys.readouterr().out)
        return code, envelope.get("data") or {}, envelope.get("error") or {}

    return call


def test_a_task_from_training_to_comparison(neuro: Any) -> None:
    """Two models on one task, without any file; a run keeps its task."""
    names = []
    for model in ("gru", "linear"):
        code, trained, _ = neuro("train", model, "--task", "digits", *SMALL)
        assert code == 0
        names.append(trained["name"])
        code, evaluated, _ = neuro("evaluate", trained["name"])
        assert code == 0
        scores = {s["name"]: s["value"] for s in evaluated["scores"] if s["metric"] == "accuracy"}
        assert scores["logistic regression"] > 0.8 > 0.2 > scores["most frequent class"]
        assert scores[model] > scores["most frequent class"]
        assert evaluated["protocol"]["split"] == "by case" and not evaluated["protocol"]["leaky"]
    assert json.loads(Path("runs", *names[0].split("/"), "run.json").read_text())["task"] == "digits"
    code, compared, _ = neuro("compare", *names)
    assert code == 0 and compared
    code, resumed, _ = neuro("train", "--resume", names[0])
    assert code == 0 and resumed["metrics"]["epochs"] == 2
    code, _, error = neuro("train", "--resume", names[0], "--task", "mnist")
    assert code == 2 and "digits" in error["message"]


def test_data_are_diagnosed_without_a_model(neuro: Any) -> None:
    code, diagnosed, _ = neuro("diagnose", "--task", "digits")
    assert code == 0 and {"class-balance", "near-copies", "usable"} <= {f["check"] for f in diagnosed["findings"]}


def test_what_cannot_be_says_what_can(neuro: Any) -> None:
    code, _, error = neuro("train", "lstm", "--task", "mnits")
    assert code == 2 and "mnist" in error["hint"]
    code, _, error = neuro("train", "cnn-lstm", "--task", "mnist")
    assert code == 2 and "elm-v2" in error["hint"] and "lstm" in error["hint"]
    code, _, error = neuro("train", "lstm", "--task", "mnist")
    assert code == 3 and "neuro fetch mnist" in error["hint"]
    code, _, error = neuro("diagnose")
    assert code == 2 and "--task" in error["message"]


def test_models_and_their_tasks_are_listed(neuro: Any) -> None:
    code, listed, _ = neuro("models")
    assert code == 0 and {"digits", "mnist", "timeseries", "text", "shd", "neuronio"} <= {
        t["name"] for t in listed["tasks"]
    }
    assert {m["name"]: m["task"] for m in listed["models"]}["elm-v2"] == "neuronio"
    code, shown, _ = neuro("models", "show", "elm-v2", "--task", "mnist")
    keys = {option["key"]: option["default"] for option in shown["options"]}
    assert code == 0 and keys["task.order"] == "rows" and keys["model.num_memory"] == 100
