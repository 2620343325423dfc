"""Figures: one way to make them, without a display, closed whatever happens, whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurocli.runs.atomic import replacing


@contextlib.contextmanager
def saved_figure(
    path: Path, *, nrows: int = 1, ncols: int = 1, width: float = 6.0, height: float = 4.0
) -> Iterator[tuple[Any, Any]]:
    """Give (figure, axes) as `plt.subplots` does; the figure is written to `path` (PNG) when the block ends."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    axes = figure.subplots(nrows, ncols)
    yield figure, axes
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
