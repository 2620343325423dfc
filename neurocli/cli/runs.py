"""`neuro runs`: the runs of a folder, newest first."""

from __future__ import annotations

import os
from typing import Any

from neurocli.cli.options import RUNS, Json, RunsDir
from neurocli.cli.output import LEAKY, Output


def runs(runs_dir: RunsDir = RUNS, json: Json = False) -> None:
    """List runs with their status, split and best validation loss."""
    with Output("runs", json=json) as output:
        from neurocli.runs.folder import list_runs

        known_runs = [_row(run, output) for run in list_runs(runs_dir)]
        rows = [row for row, _, _ in known_runs]
        output.data["runs"] = rows
        if not rows:
            output.say(f"there are no runs in {runs_dir}; train one with: neuro train MODEL")
            return
        table_rows = [
            (
                r["name"],
                status,
                LEAKY if r["leaky"] else r["split"],
                r["epochs"],
                r["best_validation_loss"],
                skill,
                r["created"],
            )
            for r, status, skill in known_runs
        ]
        columns = ("run", "status", "split", "epochs", "best validation loss", "skill", "created")
        output.table(f"runs in {runs_dir}", columns, table_rows, leaky=any(r["leaky"] for r in rows))


def _row(run: Any, output: Output) -> tuple[dict[str, Any], str, str]:
    """(what is known of a run, its status in words, its skill in words); a damaged one is listed as such."""
    from neurocli.errors import DataError
    from neurocli.workflow.unfinished import state_of

    try:
        info = run.read_info()
        run.read_config()  # notices that run.json is another run's
    except DataError as error:
        status = f"damaged: {error.message}"
        output.warn(f"{error.where or run.path}: {error.message}")
        return {
            "name": run.name, "path": str(run.path), "model": run.path.parent.name, "control_of": None, "status": status, "created": None,
            "split": None, "leaky": False, "epochs": None, "best_validation_loss": None, "skill": None,
        }, status, "–"  # fmt: skip
    finished = info.get("status") == "finished"
    metrics = _optional(run.metrics_json, output, expected=finished)
    evaluation = _optional(run.path / "evaluation.json", output)
    skill = evaluation.get("skill")
    split = info.get("split") or {}
    state = state_of(run, info)
    row = {
        "name": run.name,
        "path": str(run.path),
        "model": info.get("model"),
        "control_of": info.get("control_of"),
        "status": state.status,
        "created": info.get("created"),
        "split": split.get("split"),
        "leaky": bool(split.get("leaky")),
        "epochs": metrics.get("epochs", state.epochs),
        "best_validation_loss": metrics.get("best_validation_loss"),
        "skill": skill.get("value") if isinstance(skill, dict) else None,
    }
    status_text = f"{state.in_words}, control: {info['control']}" if info.get("control") else state.in_words
    return row, status_text, _skill_words(evaluation)


def _skill_words(evaluation: dict[str, Any]) -> str:
    from neurocli.evaluation.wording import in_words

    skill = evaluation.get("skill")
    try:
        assert isinstance(skill, dict)
        return in_words(skill)
    except (AssertionError, LookupError, TypeError, AttributeError):  # a damaged file, or one of an earlier version
        return "–"


def _optional(path: Any, output: Output, *, expected: bool = False) -> dict[str, Any]:
    """A result of a run; empty, with a warning, where it is damaged, or missing and expected."""
    from neurocli.errors import DataError
    from neurocli.runs.records import read_record

    try:
        return read_record(path)
    except DataError as error:
        if expected or os.path.lexists(path):
            output.warn(f"{path}: {error.message}")
        return {}
