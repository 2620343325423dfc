"""Attention by layer and head: on the connectome, as matrices and by class, relative to equal shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurocli.diagnosis.words import counted
from neurocli.interpretation.rank_correlation import spearman, spearman_over_units
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.evaluation.drawing import (
    CLASS_COLOURS,
    by_class,
    class_of,
    draw_edges,
    draw_neurons,
    label_points,
    laid_out,
    places,
)
from neurocli_gat_lstm.graph.atlas import MISSING_POSITIONS
from neurocli_gat_lstm.graph.names import CLASSES
from neurocli_gat_lstm.interpretation.edge_scores import Array, EdgeScores, head_name

DRAWN = 80
LABELLED = 16


def attention_exhibits(scores: EdgeScores, permuted: EdgeScores | None, figures: Path) -> list[Exhibit]:
    """Heads with their numbers, drawn on the body; then neuron by neuron and class by class."""
    if not scores.heads or not scores.n_edges:
        return [
            Exhibit("attention", "Attention: not shown, since the graph has no edges or the model no attention layer")
        ]
    return [_heads(scores, permuted, figures), _matrices(scores, figures), _classes(scores)]


def equal_share(scores: EdgeScores) -> Array:
    """[edge] attention if a neuron attended equally to itself and its neighbours; mean over worms, which differ in neighbours."""
    total = np.zeros(scores.n_edges)
    count = np.zeros(scores.n_edges)
    values = next(iter(scores.heads.values()))
    for row in values[[view.independent for view in scores.views]]:
        seen = np.isfinite(row)
        neighbours = np.bincount(scores.post[seen], minlength=len(scores.names))
        total[seen] += 1 / (1 + neighbours[scores.post[seen]])
        count[seen] += 1
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def relative_attention(scores: EdgeScores) -> dict[str, Array]:
    """Name of a head → [edge] its attention over the equal share."""
    share = equal_share(scores)
    return {name: values / share for name, values in scores.by_head().items()}


def _heads(scores: EdgeScores, permuted: EdgeScores | None, figures: Path) -> Exhibit:
    share = equal_share(scores)
    independent = np.array([view.independent for view in scores.views])
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for layer, head in scores.heads:
        values = scores.head(layer, head)
        relative = values / share
        known = np.isfinite(relative)
        low, high = np.percentile(relative[known], [5, 95]) if known.any() else (np.nan, np.nan)
        structure = spearman_over_units(relative, scores.structural, scores.post)
        rho_permuted = (
            None if permuted is None else finite_or_none(spearman(relative, permuted.head(layer, head) / share))
        )
        name = head_name(layer, head)
        to_itself = float(np.nanmean(scores.to_itself[layer, head][independent]))
        rows.append(
            [name, *map(finite_or_none, (to_itself, low, high, spearman(values, share), *structure)), rho_permuted]
        )
        claims[name] = {
            "to_itself": finite_or_none(to_itself),
            "relative_5_to_95_percent": [finite_or_none(low), finite_or_none(high)],
            "rho_with_structural_weight": finite_or_none(structure.value),
            "rho_with_random": rho_permuted,
        }
    path = figures / "attention_on_connectome.png"
    anatomical = _draw_heads(scores, path)
    columns = ["head", "to itself", "relative, 5 %", "relative, 95 %", "rho equal share"]
    columns += ["rho structural", "low", "high", "rho permuted"]
    note = (
        f"mean over time and over {counted(_worms(scores), 'worm')}, each given to networks that were not fitted on it. To itself: attention of "
        "a neuron to itself, mean over neurons. Relative: attention divided by the equal share 1 / (1 + neighbours), so that 1 is no "
        "preference; its 5 % and 95 % quantiles over edges. Rho equal share: rank correlation of attention with the equal share. The other "
        "rho are rank correlations of relative attention: structural, with structural weight, with 95 % interval by the jackknife over "
        "receiving neurons; permuted, with that of the same network with permuted weights"
    )
    if not anatomical:
        note += f". Neurons are drawn on a circle: {MISSING_POSITIONS}"
        claims["positions"] = MISSING_POSITIONS
    title = "Attention by layer and head, on the connectome" if anatomical else "Attention by layer and head"
    return Exhibit("attention", title, Table(columns, rows, note), path, claims)


def _draw_heads(scores: EdgeScores, path: Path) -> bool:
    at, anatomical = places(scores.names)
    relative = relative_attention(scores)
    kinds = class_of(scores.names)
    colours = [CLASS_COLOURS[str(kinds[k])] for k in scores.pre]
    columns = min(2, len(relative))
    lines = -(-len(relative) // columns)
    with saved_figure(path, nrows=lines, ncols=columns, width=6.4 * columns, height=4.9 * lines + 0.7) as (
        figure,
        axes,
    ):
        panels = _panels(axes, len(relative))
        for axis, (name, values) in zip(panels, relative.items(), strict=False):
            draw_edges(axis, at, scores.pre, scores.post, values, colours, DRAWN)
            draw_neurons(axis, scores.names, at, anatomical)
            axis.set_title(name, fontsize=9)
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, fontsize=8, ncols=4, loc="outside lower center")
        drawn = min(DRAWN, scores.n_edges)
        figure.suptitle(
            f"the {drawn} of {scores.n_edges} edges with most relative attention; wide at the sender, in its colour",
            fontsize=9,
        )
        laid_out(figure)
        for axis, values in zip(panels, relative.values(), strict=False):
            first = scores.ends_of_strongest(values, LABELLED)
            label_points(figure, axis, at[first], [scores.names[k] for k in first])
    return anatomical


def _panels(axes: Any, shown: int) -> Any:
    """All axes in a row, of which only the first so many can be seen."""
    panels = np.atleast_1d(axes).ravel()
    for axis in panels[shown:]:
        axis.set_visible(False)
    return panels


def _matrices(scores: EdgeScores, figures: Path) -> Exhibit:
    """Neuron by neuron, sorted by class."""
    order = by_class(scores.names)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    relative = relative_attention(scores)
    kinds = class_of(scores.names)[order]
    bounds = np.flatnonzero(kinds[1:] != kinds[:-1]) + 0.5
    columns = min(3, len(relative))
    lines = -(-len(relative) // columns)
    size = max(3.8, 0.085 * len(order))
    path = figures / "attention_matrix.png"
    top: list[list[Any]] = []
    with saved_figure(
        path, nrows=lines, ncols=columns, width=(size + 0.5) * columns + 1, height=size * lines + 0.8
    ) as (
        figure,
        axes,
    ):
        panels = _panels(axes, len(relative))
        picture = None
        for axis, (name, values) in zip(panels, relative.items(), strict=False):
            matrix = np.full((len(order), len(order)), np.nan)
            matrix[place[scores.post], place[scores.pre]] = np.log2(np.maximum(values, 1e-6))
            picture = axis.imshow(matrix, cmap="PuOr_r", vmin=-2, vmax=2, interpolation="nearest")
            axis.set_facecolor("0.82")
            for line in (axis.axhline, axis.axvline):
                for bound in bounds:
                    line(bound, color="k", lw=0.7)
            _class_ticks(axis, kinds)
            axis.set_title(name, fontsize=9)
            best = np.argsort(-np.nan_to_num(values))[:5]
            top += [[name, scores.edge_name(k), finite_or_none(values[k])] for k in best]
        bar = figure.colorbar(picture, ax=list(panels), shrink=0.8, extend="both", ticks=[-2, -1, 0, 1, 2])
        bar.ax.set_yticklabels(["1/4", "1/2", "1", "2", "4"])
        bar.set_label("relative attention")
        figure.suptitle("attention from column to row; grey: no edge", fontsize=9)
    note = "the five edges of each head with most relative attention, which is attention divided by the equal share 1 / (1 + neighbours)"
    table = Table(["head", "edge", "relative attention"], top, note)
    return Exhibit("attention-matrix", "Attention neuron by neuron", table, path, {})


def _class_ticks(axis: Any, kinds: Any) -> None:
    middles, labels = [], []
    for kind in CLASSES:
        at = np.flatnonzero(kinds == kind)
        if len(at):
            middles.append(at.mean())
            labels.append(kind)
    axis.set_xticks(middles, labels, fontsize=8)
    axis.set_yticks(middles, labels, fontsize=8, rotation=90, va="center")
    axis.set_xlabel("from", fontsize=8)
    axis.set_ylabel("to", fontsize=8)


def _classes(scores: EdgeScores) -> Exhibit:
    kinds = class_of(scores.names)
    relative = relative_attention(scores)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for sender in CLASSES:
        for receiver in CLASSES:
            chosen = (kinds[scores.pre] == sender) & (kinds[scores.post] == receiver)
            if not chosen.any():
                continue
            row: list[Any] = [sender, receiver, int(chosen.sum())]
            for name, values in relative.items():
                value = finite_or_none(np.nanmean(values[chosen]))
                row.append(value)
                claims[f"{name}: {sender} to {receiver}"] = value
            rows.append(row)
    columns = ["from", "to", "edges", *relative]
    note = "mean over edges of relative attention, which is attention divided by the equal share 1 / (1 + neighbours)"
    return Exhibit("attention-classes", "Attention between classes", Table(columns, rows, note), None, claims)


def _worms(scores: EdgeScores) -> int:
    return len({view.worm.group for view in scores.views if view.independent})
