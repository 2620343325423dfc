"""The examples: configurations that resolve, and notebooks that run as they are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neurocli.config.resolve import resolve
from neurocli.plugin.cards import ModelCard
from neurocli.plugin.registry import registry
from neurocli.workflow.demo_models import families_shown, model_of

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
CONFIGS = sorted((EXAMPLES / "configs").glob("*.toml"))
LARGEST = 300_000
# What a notebook holds by accident: a path of a machine, a traceback, a warning.
STRAY = re.compile(r"/(home|Users|root|tmp|var|mnt)/|[A-Z]:\\\\|Traceback|Warning:|\x1b\[")


def cells(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text(encoding="utf-8"))["cells"])


def code(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]


def test_every_family_has_a_notebook_and_a_configuration() -> None:
    ours = {card.family for card in registry().cards(ModelCard) if card.implementation.startswith("neurocli_")}
    assert ours <= set(families_shown())
    assert ours == {path.stem for path in CONFIGS} and ours <= {path.stem for path in NOTEBOOKS}
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"({path.name})" in listed for path in NOTEBOOKS)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_resolves(path: Path) -> None:
    resolved = resolve(registry().family(model_of(path.stem).name).Config, file=path)
    assert str(path) in resolved.origins.values()
    assert f"--config examples/configs/{path.name}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_executed_and_clean(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    found = cells(path)
    assert [c["execution_count"] for c in found if c["cell_type"] == "code"] == list(range(1, len(code(path)) + 1))
    outputs = [output for cell in found for output in cell.get("outputs", [])]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    without_pictures = [
        {**output, "data": {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}}
        for output in outputs
    ]
    text = json.dumps([[cell["source"] for cell in found], without_pictures], ensure_ascii=False)
    assert not STRAY.search(text), STRAY.search(text)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    """Its cells in order, in a fresh process and an empty folder."""
    script = "scope = {'__name__': '__main__'}\n" + "\n".join(
        f"exec(compile({cell!r}, 'cell {number}', 'exec'), scope)" for number, cell in enumerate(code(path), 1)
    )
    environment = os.environ | {"MPLBACKEND": "Agg"}
    # By -c and not from a file: workers of a simulation must not import what they came from, as in a notebook.
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
