"""The tutorial is run as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "brunel.md"


def test_every_command_of_the_tutorial_works(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert len(blocks) >= 5
    # The command that belongs to this interpreter, whatever is on the path.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    outputs = []
    for block in blocks:
        done = subprocess.run(
            ["bash", "-e", "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        outputs.append(done.stdout)
    simulated, diagnosed, trained, evaluated, interpreted = outputs
    assert "rate_hz" in simulated and "leak" in diagnosed and "best_epoch" in trained
    assert "full-state oracle" in evaluated and "skill" in evaluated and "hindsight" in evaluated
    assert "untrained" in interpreted
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 8 and all(f.stat().st_size > 2000 for f in figures)
