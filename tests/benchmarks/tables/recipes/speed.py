"""The tables of docs/benchmarks.md: what the scripts of tests/benchmarks print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from laboratory import Laboratory

FAMILY = ""
SEEDS: list[int] = []
REAL_DATA = False
SCRIPTS = {"brunel": [], "startup": [], "eirnn": [], "worm": [], "elm": ["--markdown"]}


def run(lab: Laboratory, data: Path | None) -> dict[str, Any]:
    return {"printed": {name: lab.script(name, *options) for name, options in SCRIPTS.items()}}


def show(kept: dict[str, Any]) -> dict[str, str]:
    return {f"speed-{name}": text for name, text in kept["printed"].items()}
