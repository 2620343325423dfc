"""Figures are drawn without touching what a notebook draws with."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurocli.report.figure import saved_figure


def test_a_figure_leaves_the_backend_of_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot

    before = matplotlib.get_backend()
    matplotlib.pyplot.switch_backend("svg")
    try:
        with saved_figure(tmp_path / "a.png") as (_, axes):
            axes.plot([1, 2])
        assert matplotlib.get_backend() == "svg" and (tmp_path / "a.png").stat().st_size > 1000
    finally:
        matplotlib.pyplot.switch_backend(before)
