"""What all figures of the family share: colours, the places of neurons, and labels that do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli_gat_lstm.graph.atlas import positions
from neurocli_gat_lstm.graph.names import CLASSES, canonical, neuron_class

Array = NDArray[np.float64]

# Okabe and Ito's colours, which those who are colour-blind can tell apart.
CLASS_COLOURS = {"sensory": "#E69F00", "inter": "#0072B2", "motor": "#009E73", "other": "#7f7f7f"}
CLASS_MARKERS = {"sensory": "^", "inter": "o", "motor": "s", "other": "D"}
POSITIVE, NEGATIVE = "#AA3377", "#333333"  # no colours of classes
MODEL, DATA = "#D55E00", "black"
_NOSE, _HEAD = -3.15, 0.25
"""Where the body axis of the atlas begins, and the length behind which it is drawn ever shorter, in its unit."""
_TICKS = (-3.0, -2.8, -2.7, -2.6, -2.5, -2.4, -2.2, -2.0, -1.5, -1.0, 0.0, 1.0, 2.0, 4.0)


def class_of(names: Sequence[str]) -> NDArray[np.str_]:
    """[neuron] sensory, inter, motor or other."""
    return np.array([neuron_class(name) for name in names], dtype=np.str_)


def by_class(names: Sequence[str]) -> NDArray[np.int64]:
    """The order of neurons by class, then by name."""
    return np.array(
        sorted(range(len(names)), key=lambda k: (CLASSES.index(neuron_class(names[k])), names[k])), np.int64
    )


def places(names: Sequence[str]) -> tuple[Array, bool]:
    """([neuron, 2] where to draw each neuron, whether these are soma positions); without positions, a circle by class.

    Somata are seen from the left and a little from above, so that those of the right side are not hidden. A neuron
    without a position is drawn at NaN, that is, not at all.
    """
    known = positions()
    if known is None:
        circle = np.zeros((len(names), 2))
        order = by_class(names)
        kinds = class_of(names)[order]
        # A gap of three neurons between classes.
        turn = np.arange(len(names)) + 3 * np.concatenate(([0], np.cumsum(kinds[1:] != kinds[:-1])))
        angle = 2 * np.pi * turn / (turn[-1] + 4 if len(names) else 1)
        circle[order] = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        return circle, False
    soma = np.array([known.get(canonical(name) or name, (np.nan,) * 3) for name in names]).reshape(-1, 3)
    return np.stack([_along(soma[:, 1]), soma[:, 2] + 0.5 * soma[:, 0]], axis=1), True


def _along(axis: Array) -> Array:
    return np.log1p((axis - _NOSE) / _HEAD)


def draw_neurons(axis: Any, names: Sequence[str], at: Array, anatomical: bool, size: float = 22) -> None:
    """Markers by class, and the axes of the body where the places are those of somata."""
    kinds = class_of(names)
    for kind in CLASSES:
        chosen = kinds == kind
        if chosen.any():
            axis.scatter(
                *at[chosen].T,
                s=size,
                c=CLASS_COLOURS[kind],
                marker=CLASS_MARKERS[kind],
                edgecolors="white",
                linewidths=0.5,
                zorder=3,
                label=kind,
            )
    axis.spines[["top", "right"]].set_visible(False)
    if not anatomical:
        axis.set(xticks=[], yticks=[], aspect="equal")
        axis.spines[:].set_visible(False)
        axis.margins(0.15)
        return
    low, high = np.nanmin(at[:, 0]) - 0.05, np.nanmax(at[:, 0]) + 0.05
    shown = [tick for tick in _TICKS if low <= _along(np.array(tick)) <= high]
    axis.set_xticks([float(_along(np.array(tick))) for tick in shown], [f"{tick:g}" for tick in shown])
    axis.set_xlabel("body axis, nose to tail (atlas unit, logarithmic away from 0)", fontsize=8)
    axis.set_ylabel("ventral to dorsal (atlas unit)", fontsize=8)
    axis.tick_params(labelsize=7)


def draw_edges(axis: Any, at: Array, pre: Any, post: Any, weight: Array, colours: Sequence[str], most: int) -> None:
    """The `most` strongest edges as lines that thin out towards the receiver's end; width by weight."""
    from matplotlib.collections import PolyCollection

    order = np.argsort(np.nan_to_num(weight))[::-1][:most][::-1]
    order = order[np.nan_to_num(weight)[order] > 0]
    if not len(order):
        return
    top = weight[order].max()
    start, end = at[np.asarray(pre)[order]], at[np.asarray(post)[order]]
    seen = np.isfinite(start).all(1) & np.isfinite(end).all(1)
    order, start, end = order[seen], start[seen], end[seen]
    span = np.nanmax(at, axis=0) - np.nanmin(at, axis=0)
    span = np.where(span > 0, span, 1.0)
    along = (end - start) / span
    length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / length * span
    half = across * (0.001 + 0.005 * weight[order] / top)[:, None]
    wedges = np.stack([start + half, start - half, end], axis=1)
    axis.add_collection(
        PolyCollection(list(wedges), facecolors=[colours[k] for k in order], alpha=0.5, linewidths=0, zorder=2)
    )
    axis.autoscale_view()


def laid_out(figure: Any) -> None:
    """Settle where everything stands, so that labels can be placed; once per figure, for it takes a second."""
    figure.draw_without_rendering()


def label_points(figure: Any, axis: Any, at: Array, texts: Sequence[str], *, fontsize: float = 7) -> int:
    """Write texts beside points, the first ones first; one that would cover another is left out. How many were written.

    The figure must be laid out, see `laid_out`.
    """
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=1.8, foreground="white")]
    renderer = figure.canvas.get_renderer()
    frame = axis.get_window_extent(renderer)
    taken: list[Any] = []
    written = 0
    for (x, y), text in zip(at, texts, strict=True):
        if not np.isfinite([x, y]).all():
            continue
        for dx, dy, side, level in _SIDES:
            label = axis.annotate(
                text,
                (x, y),
                xytext=(dx, dy),
                textcoords="offset points",
                fontsize=fontsize,
                ha=side,
                va=level,
                zorder=5,
                path_effects=halo,
            )
            box = label.get_window_extent(renderer).padded(1)
            inside = box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                written += 1
                break
            label.remove()
    return written


_SIDES = (
    (4, 3, "left", "bottom"),
    (-4, 3, "right", "bottom"),
    (4, -3, "left", "top"),
    (-4, -3, "right", "top"),
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (12, 10, "left", "bottom"),
    (-12, 10, "right", "bottom"),
    (12, -10, "left", "top"),
    (-12, -10, "right", "top"),
)
