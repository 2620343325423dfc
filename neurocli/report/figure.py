"""Figures: one way to make them, without a display, closed whatever happens, whole or not at all."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from neurocli.errors import StorageError
from neurocli.runs.atomic import replacing

_failed: ContextVar[list[StorageError] | None] = ContextVar("failed", default=None)


@contextlib.contextmanager
def figures_may_fail() -> Iterator[list[StorageError]]:
    """During the block a figure that cannot be written is noted in the list, and the work goes on to its numbers."""
    failed: list[StorageError] = []
    token = _failed.set(failed)
    try:
        yield failed
    finally:
        _failed.reset(token)


@contextlib.contextmanager
def saved_figure(
    path: Path, *, nrows: int = 1, ncols: int = 1, width: float = 6.0, height: float = 4.0
) -> Iterator[tuple[Any, Any]]:
    """Give (figure, axes) as `plt.subplots` does; the figure is written to `path` (PNG) when the block ends."""
    figure, axes = _subplots(nrows, ncols, width, height, layout="constrained")
    yield figure, axes
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png")
    except StorageError as error:
        failed = _failed.get()
        if failed is None:
            raise
        failed.append(error)
        with contextlib.suppress(OSError):  # one of an earlier time would show other numbers
            path.unlink()


@contextlib.contextmanager
def inline_figure(
    picture: io.BytesIO, *, nrows: int = 1, ncols: int = 1, width: float = 6.0, height: float = 4.0
) -> Iterator[tuple[Any, Any]]:
    """As `saved_figure`, but the PNG goes into `picture`, and the margins are the caller's: finding them takes half of the time."""
    figure, axes = _subplots(nrows, ncols, width, height)
    yield figure, axes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font does not have is drawn as a box
        figure.savefig(picture, format="png")


def _subplots(nrows: int, ncols: int, width: float, height: float, layout: Any = None) -> tuple[Any, Any]:
    # A canvas of its own: the backend of whoever calls us from a notebook stays as it is.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout, dpi=130)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(nrows, ncols)
