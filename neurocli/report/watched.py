"""What is kept of a sequence model in one epoch: its states, trajectories of its memory, predictions beside what is true."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.report.figure import saved_figure
from neurocli.runs.atomic import replacing

CASES, STEPS = 4, 4096
"""Most cases that are watched, and most steps of each, from its beginning."""
_UNITS = 12
_TRUE, _MODEL, _OTHER = "#1b1f24", "#0b6bcb", "#b45309"


@dataclass(frozen=True)
class Panel:
    """Curves over the steps of a case, each [time].

    model: label → what the model says; other: label → what it says of another class; true: label → what is true; marks: steps that
    are marked below; limits: of the axis, where they are known.
    """

    quantity: str
    model: Mapping[str, NDArray[Any]]
    true: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    other: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    marks: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Watched:
    """A few cases as a network sees them.

    names, lengths: of the cases; states: name → [case, time, unit], the memory first; timescales: [unit] of the memory, in steps;
    panels: of each case; step, unit: length of a step, `step` or `ms`.
    """

    names: Sequence[str]
    lengths: Sequence[int]
    states: Mapping[str, NDArray[Any]]
    panels: Sequence[Sequence[Panel]]
    timescales: NDArray[np.float64] | None = None
    step: float = 1.0
    unit: str = "step"


def keep(watched: Watched, what: Collection[str], folder: Path) -> None:
    """Write states.npz, memory.png and sequences.png, those that are asked for. Raises StorageError."""
    if "states" in what:
        _write_states(watched, folder / "states.npz")
    if "memory" in what and watched.states:
        _draw_memory(watched, folder / "memory.png")
    if "sequences" in what:
        _draw_sequences(watched, folder / "sequences.png")


def _write_states(watched: Watched, path: Path) -> None:
    """Arrays by name, `cases`, `lengths` of the cases in steps and, where it is known, `timescales` of the memory in steps."""
    arrays: dict[str, Any] = {name: np.asarray(values, np.float32) for name, values in watched.states.items()}
    arrays |= {"cases": np.array(list(watched.names)), "lengths": np.array(list(watched.lengths), np.int64)}
    if watched.timescales is not None:
        arrays["timescales"] = watched.timescales
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def _draw_memory(watched: Watched, path: Path) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    name, memory = next(iter(watched.states.items()))
    units, tau = memory.shape[2], watched.timescales
    value = np.arange(units, dtype=float) if tau is None else np.resize(np.asarray(tau, float), units)
    order = np.argsort(value, kind="stable")
    shown = order[np.unique(np.linspace(0, units - 1, min(units, _UNITS)).round().astype(int))]
    low, high = float(value[shown].min()), float(value[shown].max())
    high = high if high > low else low + 1
    norm = Normalize(low, high) if tau is None or low <= 0 or not np.isfinite(high) else LogNorm(low, high)
    scale = ScalarMappable(norm, "viridis")
    cases = len(watched.names)
    with saved_figure(path, nrows=cases, width=7.0, height=0.6 + 1.7 * cases) as (figure, axes):
        panels = np.atleast_1d(axes)
        for case, panel in enumerate(panels):
            length = watched.lengths[case]
            for unit in shown:
                colour = scale.to_rgba(value[unit])
                panel.plot(_time(watched, length), memory[case, :length, unit], color=colour, lw=0.9)
            panel.set_title(watched.names[case], fontsize=8, parse_math=False)
            panel.set_ylabel(name, fontsize=8)
            panel.tick_params(labelsize=7)
        panels[-1].set_xlabel(_axis(watched), fontsize=8)
        spaced = np.geomspace if isinstance(norm, LogNorm) else np.linspace
        bar = figure.colorbar(scale, ax=panels.tolist(), ticks=spaced(low, high, 5), format="%.3g")
        bar.ax.minorticks_off()
        bar.ax.tick_params(labelsize=7)
        bar.set_label("unit" if tau is None else "timescale (steps)", fontsize=8)


def _draw_sequences(watched: Watched, path: Path) -> None:
    cases, rows = len(watched.names), max(map(len, watched.panels))
    height = 0.6 + 1.7 * cases * rows
    with saved_figure(path, nrows=cases * rows, width=7.0, height=height) as (_, axes):
        grid = np.atleast_1d(axes).reshape(cases, rows)
        for case, panels in enumerate(watched.panels):
            length = watched.lengths[case]
            time = _time(watched, length)
            grid[case, 0].set_title(watched.names[case], fontsize=8, parse_math=False)
            for panel, ax in zip(panels, grid[case], strict=False):
                for curves, colour, style in ((panel.true, _TRUE, "--"), (panel.model, _MODEL, "-"), (panel.other, _OTHER, "-")):  # fmt: skip
                    for label, values in curves.items():
                        ax.plot(time, values[:length], style, color=colour, lw=1.0, label=label)
                for label, steps in panel.marks.items():
                    at = [0.0] * len(steps)
                    ax.plot(time[steps], at, "|", color=_TRUE, markersize=9, label=label)
                if panel.limits is not None:
                    ax.set_ylim(*panel.limits)
                ax.set_ylabel(panel.quantity, fontsize=8, parse_math=False)
                ax.tick_params(labelsize=7)
                ax.legend(fontsize=6, loc="upper right", frameon=False)
        grid[-1, -1].set_xlabel(_axis(watched), fontsize=8)


def _time(watched: Watched, steps: int) -> NDArray[Any]:
    return np.arange(steps) * watched.step


def _axis(watched: Watched) -> str:
    return "time (ms)" if watched.unit == "ms" else watched.unit
