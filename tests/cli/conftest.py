"""The tutorials are run as they are written, each in a file of its own so that they can run side by side."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def _outputs_of(page: str, folder: Path) -> list[str]:
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


@pytest.fixture
def outputs_of():
    """`outputs_of(page, folder)`: see `_outputs_of`."""
    return _outputs_of
