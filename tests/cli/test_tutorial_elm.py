"""The tutorial docs/elm.md is run as it is written."""

from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_elm_tutorial(outputs_of, tmp_path: Path) -> None:
    simulated, diagnosed, trained, evaluated, interpreted = outputs_of("elm.md", tmp_path)
    assert "soma" in simulated and "spikes" in diagnosed and "best epoch" in trained
    assert "linear filter per branch" in evaluated and "published" in evaluated
    assert "memory" in interpreted
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 4 and all(f.stat().st_size > 2000 for f in figures)
