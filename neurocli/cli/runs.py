"""`neuro runs`: the runs of a folder, newest first."""

from __future__ import annotations

from typing import Any

from neurocli.cli.options import RUNS, Json, Root
from neurocli.cli.output import LEAKY, Output


def runs(root: Root = RUNS, json: Json = False) -> None:
    """List runs with their status, split and best validation loss."""
    with Output("runs", json=json) as output:
        from neurocli.runs.folder import list_runs

        rows = [_row(run) for run in list_runs(root)]
        output.data["runs"] = rows
        if not rows:
            output.say(f"there are no runs in {root}; neuro train MODEL makes one")
            return
        shown = [
            (
                r["name"],
                r["status"],
                LEAKY if r["leaky"] else r["split"],
                r["epochs"],
                r["best_validation_loss"],
                r["skill"],
                r["created"],
            )
            for r in rows
        ]
        columns = ("run", "status", "split", "epochs", "best validation loss", "skill", "created")
        output.table(f"runs in {root}", columns, shown, leaky=any(r["leaky"] for r in rows))


def _row(run: Any) -> dict[str, Any]:
    """What is known of a run; a damaged one is listed as such."""
    from neurocli.errors import DataError

    try:
        info = run.read_info()
    except DataError as error:
        return {
            "name": run.name, "path": str(run.path), "model": run.path.parent.name, "status": f"damaged: {error.message}", "created": None,
            "split": None, "leaky": False, "epochs": None, "best_validation_loss": None, "skill": None,
        }  # fmt: skip
    metrics, evaluation = _optional(run.metrics_json), _optional(run.path / "evaluation.json")
    skill = evaluation.get("skill")
    split = info.get("split") or {}
    return {
        "name": run.name,
        "path": str(run.path),
        "model": info.get("model"),
        "status": info.get("status"),
        "created": info.get("created"),
        "split": split.get("split"),
        "leaky": bool(split.get("leaky")),
        "epochs": metrics.get("epochs"),
        "best_validation_loss": metrics.get("best_validation_loss"),
        "skill": skill.get("value") if isinstance(skill, dict) else None,
    }


def _optional(path: Any) -> dict[str, Any]:
    from neurocli.errors import DataError
    from neurocli.runs.folder import read_json

    try:
        return read_json(path)
    except DataError:
        return {}
