"""The tutorial is run as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def outputs_of(page: str, folder: Path) -> list[str]:
    """What the `sh` blocks of a page print, run in order in `folder`."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.S | re.M)
    assert len(blocks) >= 5
    # The command that belongs to this interpreter, whatever is on the path.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    outputs = []
    for block in blocks:
        done = subprocess.run(["bash", "-e", "-c", block], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        outputs.append(done.stdout)
    return outputs


def test_the_brunel_tutorial(tmp_path: Path) -> None:
    simulated, diagnosed, trained, evaluated, interpreted = outputs_of("brunel.md", tmp_path)
    assert "rate_hz" in simulated and "leak" in diagnosed and "best_epoch" in trained
    assert "full-state oracle" in evaluated and "skill" in evaluated and "hindsight" in evaluated
    assert "untrained" in interpreted
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 8 and all(f.stat().st_size > 2000 for f in figures)


def test_the_eirnn_tutorial(tmp_path: Path) -> None:
    simulated, diagnosed, trained, evaluated, interpreted = outputs_of("eirnn.md", tmp_path)
    assert "psth_range_hz" in simulated and "event-order" in diagnosed and "best_epoch" in trained
    assert "true rates" in evaluated and "train PSTH" in evaluated and "target-aligned" in evaluated
    assert "weights" in interpreted
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 6 and all(f.stat().st_size > 2000 for f in figures)


def test_the_worm_tutorial(tmp_path: Path) -> None:
    simulated, diagnosed, trained, evaluated, interpreted = outputs_of("worm.md", tmp_path)
    assert "silenced" in simulated and "coverage" in diagnosed and "best_epoch" in trained
    assert (
        "persistence" in evaluated and "VAR ridge" in evaluated and "leave one worm out" in evaluated.lower() + trained
    )
    assert "attention" in interpreted.lower()
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 5 and all(f.stat().st_size > 2000 for f in figures)


def test_the_elm_tutorial(tmp_path: Path) -> None:
    simulated, diagnosed, trained, evaluated, interpreted = outputs_of("elm.md", tmp_path)
    assert "soma" in simulated and "spikes" in diagnosed and "best_epoch" in trained
    assert "linear filter per branch" in evaluated and "published" in evaluated
    assert "memory" in interpreted
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 4 and all(f.stat().st_size > 2000 for f in figures)
