"""The tutorial docs/eirnn.md is run as it is written."""

from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_eirnn_tutorial(outputs_of, tmp_path: Path) -> None:
    simulated, diagnosed, trained, evaluated, interpreted = outputs_of("eirnn.md", tmp_path)
    assert "PSTH range" in simulated and "event-order" in diagnosed and "best epoch" in trained
    assert "true rates" in evaluated and "train PSTH" in evaluated and "target-aligned" in evaluated
    assert "weights" in interpreted
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 6 and all(f.stat().st_size > 2000 for f in figures)
