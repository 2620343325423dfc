"""The pictures of a report: two that it draws itself, and the figures of a run, all as text inside of the page."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import statistics
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from neurocli.report.figure import inline_figure
from neurocli.report.words import clean, with_interval

LARGEST_FIGURE = 32 * 1024**2
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_COLOURS = {"model": "#0b6bcb", "baseline": "#6b7280", "control": "#b45309", "ceiling": "#15803d"}
_LETTER = 0.067
"""Width of a letter of the pictures' small font, in inches, rather too much than too little."""
_FAR = 5.0
"""What lies further from the model than this many times the median distance of its references is drawn at the edge."""


def kept_figure(
    folder: Path, named: str, digest: str | None = None, room: str = "figures"
) -> tuple[str | None, str | None]:
    """(data URI, None) of a figure that a result names, or (None, why there is none); digest: its sha256, where the result keeps it.

    Only PNG files inside of the run's own figures/, or another `room`, are taken, wherever the run was when the path was written down: a run
    may have been moved, and a result must not bring other files of the machine into a page.
    """
    path_parts = PurePath(named).parts
    if room not in path_parts:
        return None, "the figure is not among the run's own"
    last = len(path_parts) - 1 - path_parts[::-1].index(room)
    path = folder.joinpath(room, *path_parts[last + 1 :])
    try:
        if not path.resolve().is_relative_to((folder / room).resolve()):
            return None, "the figure is not among the run's own"
        if not path.is_file():
            return None, f"the figure {path.name} no longer exists"
        if path.stat().st_size > LARGEST_FIGURE:
            return None, f"the figure {path.name} is too large for a page"
        picture = path.read_bytes()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have; links in a circle
        return None, f"the figure {path.name} cannot be read"
    if not (picture.startswith(_PNG_START) and picture.endswith(_PNG_END)):
        return None, f"the figure {path.name} is damaged"
    if digest is not None and hashlib.sha256(picture).hexdigest() != digest:
        return None, f"the figure {path.name} is not the one that was drawn with these numbers"
    return as_uri(picture), None


WATCHED = {"memory.png": "Memory over the steps", "sequences.png": "Predictions over the steps"}
"""Figures of a watched epoch, and what they are called."""


def watched_figures(folder: Path) -> tuple[int, list[tuple[str, str | None, str | None]]]:
    """(the last epoch of a run that was watched, [title, address, why there is none]); 0 where there is none."""
    epochs = [path for path in folder.glob("watch/epoch-*") if path.name.removeprefix("epoch-").isdigit()]
    for epoch in sorted(epochs, key=lambda path: int(path.name.removeprefix("epoch-")), reverse=True):
        shown = [name for name in WATCHED if (epoch / name).exists()]
        if shown:
            figures = [
                (WATCHED[name], *kept_figure(folder, f"watch/{epoch.name}/{name}", room="watch")) for name in shown
            ]
            return int(epoch.name.removeprefix("epoch-")), figures
    return 0, []


def as_uri(picture: bytes) -> str:
    """A PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def forest(scores: Sequence[dict[str, Any]], title: str) -> str | None:
    """Dots with their intervals, one line per predictor in the order given; None where no score is known."""
    known = [(s, _numbers(s)) for s in scores if isinstance(s["value"], (int, float)) and math.isfinite(s["value"])]
    if not known:
        return None
    low, high = _window([(s["kind"], numbers) for s, numbers in known])
    picture, height = io.BytesIO(), 0.65 + 0.27 * len(known)
    names = [_short(s["name"]) for s, _ in known]
    texts = [with_interval(s["value"], s["low"], s["high"]) for s, _ in known]
    left, right = (0.2 + _LETTER * max(map(len, labels)) for labels in (names, texts))
    width = left + 3.6 + right
    with inline_figure(picture, width=width, height=height) as (figure, axes):
        figure.subplots_adjust(left / width, 0.47 / height, 1 - right / width, 1 - 0.1 / height)
        for line, (score, (value, below, above)) in enumerate(known):
            colour = _COLOURS.get(score["kind"], _COLOURS["baseline"])
            if low <= value <= high:
                axes.plot([max(below, low), min(above, high)], [line, line], color=colour, linewidth=2)
                axes.plot(value, line, marker="D" if score["kind"] == "ceiling" else "o", color=colour, markersize=6)
            else:
                edge, arrow = (low, "<") if value < low else (high, ">")
                axes.plot(edge, line, marker=arrow, color=colour, markersize=7)
            if score["kind"] in ("model", "ceiling"):
                axes.axvline(value, color=colour, linewidth=0.8, linestyle=":", zorder=0)
            place = {"xycoords": ("axes fraction", "data"), "va": "center"}
            axes.annotate(texts[line], (1.02, line), **place, fontsize=8, color=colour)
        axes.set_yticks(range(len(known)), names, fontsize=8, parse_math=False)
        axes.set_ylim(len(known) - 0.5, -0.5)
        pad = 0.04 * (high - low)
        axes.set_xlim(low - pad, high + pad)
        axes.tick_params(axis="x", labelsize=8)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(title, fontsize=9, parse_math=False)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(axis="x", color="#e5e7eb", linewidth=0.7)
        axes.set_axisbelow(True)
    return as_uri(picture.getvalue())


def training_curve(rows: Sequence[dict[str, float]], best: int | None) -> str | None:
    """Training and validation loss per epoch, in panels of their own: they need not be of one kind. None without any."""
    panels = [(key, title) for key, title in (("train_loss", "training loss"), ("validation_loss", "validation loss"))
              if any(math.isfinite(row.get(key, math.nan)) for row in rows)]  # fmt: skip
    if not panels:
        return None
    picture = io.BytesIO()
    width, height = 3.4 * len(panels), 2.4
    with inline_figure(picture, ncols=len(panels), width=width, height=height) as (figure, axes):
        figure.subplots_adjust(0.6 / width, 0.5 / height, 1 - 0.15 / width, 1 - 0.3 / height, wspace=0.3)
        for (key, title), panel in zip(panels, [axes] if len(panels) == 1 else axes, strict=True):
            at = [row.get("epoch", number) for number, row in enumerate(rows, 1)]
            losses = [row.get(key, math.nan) for row in rows]
            panel.plot(
                at, losses, color=_COLOURS["model"], linewidth=1.6, marker="o" if len(rows) < 40 else "", markersize=3
            )
            if best is not None:
                panel.axvline(best, color=_COLOURS["ceiling"], linewidth=1, linestyle="--", label=f"best epoch: {best}")
                panel.legend(fontsize=8, frameon=False)
            panel.set_xlabel("epoch", fontsize=9)
            panel.set_title(title, fontsize=9)
            panel.tick_params(labelsize=8)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.spines[["top", "right"]].set_visible(False)
    return as_uri(picture.getvalue())


def _numbers(score: dict[str, Any]) -> tuple[float, float, float]:
    """A score and its interval; one without an interval is a point."""
    value = float(score["value"])
    ends = [math.nan if score[key] is None else float(score[key]) for key in ("low", "high")]
    low, high = (end if math.isfinite(end) else value for end in ends)
    return value, low, high


def _window(known: Sequence[tuple[str, tuple[float, float, float]]]) -> tuple[float, float]:
    """What part of the axis is drawn: all, unless a predictor is so far off that the others could not be told apart."""
    centre = next((numbers[0] for kind, numbers in known if kind == "model"), known[0][1][0])
    distances = [abs(numbers[0] - centre) for kind, numbers in known if kind != "model"]
    room = _FAR * statistics.median(distances) if distances else 0.0
    near = [end for kind, numbers in known if kind in ("model", "ceiling") for end in numbers] or [centre]
    ends = [end for _, numbers in known for end in numbers]
    low, high = max(min(ends), min(*near, centre - room)), min(max(ends), max(*near, centre + room))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _short(name: object) -> str:
    text = clean(name).replace("\n", " ")
    return text if len(text) <= 48 else text[:47] + "…"
