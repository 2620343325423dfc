"""The tutorial docs/brunel.md is run as it is written."""

from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_brunel_tutorial(outputs_of, tmp_path: Path) -> None:
    simulated, diagnosed, trained, evaluated, interpreted, reported = outputs_of("brunel.md", tmp_path)
    assert "rate (Hz)" in simulated and "leak" in diagnosed and "best epoch" in trained
    assert "full-state oracle" in evaluated and "skill" in evaluated and "hindsight" in evaluated
    assert "spike-triggered change" in interpreted
    assert "report.html" in reported and "yet" not in reported
    figures = list(tmp_path.rglob("*.png"))
    assert len(figures) >= 8 and all(f.stat().st_size > 2000 for f in figures)
