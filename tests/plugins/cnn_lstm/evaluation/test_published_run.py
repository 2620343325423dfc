"""Run 0 of the published script, spike for spike."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAST_SPIKES = "9999.100 97\n9999.300 38\n9999.300 85\n9999.400 1\n9999.400 9\n9999.600 49\n9999.700 72\n9999.800 47\n9999.900 40\n"
"""The end of `data/output_raw/run_0_spikes.dat` of github.com/balazsthomay/neuron-voltage-forecasting (commit 691271d)."""


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("g++") is None, reason="Brian2's Cython code needs a compiler: its numpy code sums in another order"
)
def test_run_0_is_the_published_one(tmp_path: Path) -> None:
    """The network is chaotic: a run that ends with the same spikes was the same all along."""
    command = [sys.executable, "-m", "neurocli", "simulate", "brunel", "--preset", "published", "--runs", "1"]
    done = subprocess.run(
        [*command, "--format", "dat", "--out", str(tmp_path / "p.h5")], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.rglob("run_0_spikes.dat")
    text = file.read_text()
    assert len(text) == 347_286
    assert text.count("\n") == 29_451
    assert text.endswith(LAST_SPIKES)
