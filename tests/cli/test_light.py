"""What must be quick loads nothing heavy, and says so to a subprocess's sys.modules."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "scipy", "h5py", "brian2", "matplotlib", "lightning", "sklearn", "numba"}
_CODE = """
import sys
from neurocli.cli.main import run
code = run(sys.argv[1:])
import json
sys.stderr.write("\\n" + json.dumps([code, sorted(m for m in sys.modules if "." not in m)]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["models"],
        ["models", "--json"],
        ["plugins"],
        ["plugins", "--json"],
        ["runs"],
        ["train", "--help"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded(arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=True
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == (2 if arguments == ["nonsense"] else 0)
    assert HEAVY & set(modules) == set()


def test_help_goes_to_stdout(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "neurocli", "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=True,
    )
    for command in (
        "simulate",
        "preprocess",
        "train",
        "diagnose",
        "evaluate",
        "interpret",
        "models",
        "plugins",
        "runs",
        "doctor",
    ):
        assert command in done.stdout
    assert done.stderr == ""
