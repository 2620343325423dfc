"""What every model does on small data with seed 0, as numbers: weights to the bit, scores, findings, exhibits.

python tests/behaviour/record.py [MODEL ...]     writes behaviour.json beside this file, for all models or for these

A change that means to leave behaviour alone is held against the file by `test_behaviour.py`. Names may change in such a change, and
then change in the file too; numbers may not.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import sys
import tempfile
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("behaviour.json")
STEPS = 6
MODELS = (
    "cnn-lstm-v1",
    "cnn-lstm-v2",
    "eirnn-v1",
    "eirnn-v2",
    "elm-v1",
    "elm-v2",
    "gat-lstm-v1",
    "gat-lstm-v2",
    "gat-lstm-v3",
)


def machine() -> str:
    """What decides the last bit of a sum: another processor may add in another order."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags")
    found = [next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "") for key in wanted]
    return f"{found[0]} {hashlib.sha256(found[1].encode()).hexdigest()[:8]}"


def behaviour(model: str) -> dict[str, Any]:
    """Numbers of one model, taken through every command on its own example in a folder of its own."""
    from neurocli.plugin.registry import registry
    from neurocli.runs.folder import RunFolder
    from neurocli.training.checkpoint import load_checkpoint

    with tempfile.TemporaryDirectory(prefix="neurocli-behaviour-") as folder, chdir(folder):
        registry().family(model).example(0).save(Path("example.h5"))
        run = command("train", model, "--data", "example.h5", "--seed", "0", "--set", f"train.max_steps={STEPS}")
        weights = load_checkpoint(RunFolder(Path(run["run"])).best).weights
        evaluation = command("evaluate", "latest")
        return {
            "weights": {
                name: hashlib.sha256(value.numpy().tobytes()).hexdigest()[:16] for name, value in weights.items()
            },
            "history": numbers({key: value for key, value in run["metrics"].items() if not key.endswith("_s")}),
            "scores": [
                [s["name"], s["metric"], s["subset"], *(s[key] for key in ("value", "low", "high"))]
                for s in evaluation["scores"]
            ],
            "skills": [numbers(skill) for skill in evaluation["skills"]],
            "exhibits": exhibits(evaluation["exhibits"]),
            "findings": [
                [f["check"], f["subject"], f["verdict"], numbers(f["value"])]
                for f in command("diagnose", "latest")["findings"]
            ],
            "interpretation": exhibits(command("interpret", "latest")["exhibits"]),
        }


def command(*argv: str) -> dict[str, Any]:
    """The data of one command's JSON."""
    from neurocli.cli.main import run

    out = io.StringIO()
    with redirect_stdout(out):
        code = run([*argv, "--json"])
    found = json.loads(out.getvalue().splitlines()[-1])
    if code or not found["ok"]:
        raise RuntimeError(f"neuro {' '.join(argv)} ended with {code}: {found.get('error')}")
    return dict(found["data"])


def exhibits(shown: list[dict[str, Any]]) -> list[Any]:
    """[name, numbers of the claims, numbers of the table] of each, without the columns that say how long something took."""
    return [[e["name"], numbers(e.get("claims")), numbers(_timeless(e.get("table")))] for e in shown]


def _timeless(table: dict[str, Any] | None) -> list[Any]:
    if table is None:
        return []
    kept = [n for n, column in enumerate(table["columns"]) if not column.startswith("CPU")]
    return [[row[n] for n in kept if n < len(row)] for row in table["rows"]]


def numbers(value: Any) -> Any:
    """All numbers of a structure, in order, without their names."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return []
    if isinstance(value, (int, float)):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    return [number for item in items for number in numbers(item)]


def main(models: list[str]) -> None:
    """Record these models anew, and keep what is there of the others."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {"models": {}}
    if kept["models"] and models and kept.get("machine") != machine():
        sys.exit("the file was recorded on another processor: record all models")
    for model in models or MODELS:
        kept["models"][model] = behaviour(model)
        print(model)
    kept["machine"] = machine()
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    KEPT.write_text(compact(text) + "\n", encoding="utf-8")


def compact(text: str) -> str:
    """JSON with one innermost list to a line."""
    import re

    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s*\n\s*", " ", m[1]) + "]", text)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(sys.argv[1:])
