"""The tutorial docs/worm.md is run as it is written."""

from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_worm_tutorial(outputs_of, tmp_path: Path) -> None:
    simulated, diagnosed, trained, evaluated, interpreted = outputs_of("worm.md", tmp_path)
    assert "silenced" in simulated and "coverage" in diagnosed and "best epoch" in trained
    assert "persistence" in evaluated and "ridge, all pairs" in evaluated and "one worm is left out" in evaluated
    assert "attention" in interpreted.lower()
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 5 and all(f.stat().st_size > 2000 for f in figures)
