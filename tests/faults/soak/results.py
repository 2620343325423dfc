"""What must be the same whenever it is made: sums of files, and results without times and the names of runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

TIMES = ("cpu", "wall", "seconds", "created", "sum", "run", "state.pt", "figure", "file", "subject", "notes", "sources")
# A checkpoint before the last one may be of the same epoch, where that was repeated; the page of a report names times.
CHANGING = (".previous", "run.log", ".lock", "provenance.json", "run.json", "report.html", "tensorboard")


def of_file(path: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}


def of_runs(runs: Path, without: str = "") -> dict[str, str]:
    """Of the runs that are finished; `without` is the name of one that is not looked at."""
    content: dict[str, str] = {}
    for run in sorted(path.parent for path in runs.glob("*/*/metrics.json") if path.parent.name != without):
        for path in sorted(path for path in run.rglob("*") if path.is_file()):
            name = str(path.relative_to(run))
            if not any(part in name for part in CHANGING):
                assert name not in content, f"two finished runs in {runs}"
                content[name] = _of(path, run)
    return content


def of_text(text: str, folder: Path) -> str:
    return text.replace(str(folder), "FOLDER")


def _of(path: Path, run: Path) -> str:
    """Sum of a file; of a file with times, numbers or the name of its run, what it holds beside."""
    if path.name == "state.pt":
        import torch

        return str(_timeless(torch.load(path, weights_only=True)))
    if path.suffix == ".toml":
        return "".join(line for line in path.read_text().splitlines(True) if not line.startswith(("# sum ", "# run ")))
    if path.suffix == ".json":
        text = path.read_text().replace(run.name, "RUN").replace(str(run.parents[2]), "FOLDER")
        return json.dumps(_timeless(json.loads(text)), sort_keys=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _timeless(value: Any) -> Any:
    """A result without what depends on when and where it was made. Of arrays, sums."""
    if isinstance(value, dict):
        if {"columns", "rows"} <= value.keys():
            kept = [k for k, heading in enumerate(value["columns"]) if "CPU" not in heading]
            value = value | {"rows": [[row[k] for k in kept] for row in value["rows"]]}
        return {k: _timeless(v) for k, v in value.items() if not any(part in str(k) for part in TIMES)}
    if hasattr(value, "numpy"):
        return hashlib.sha256(value.numpy().tobytes()).hexdigest()
    return [_timeless(item) for item in value] if isinstance(value, list | tuple) else value
