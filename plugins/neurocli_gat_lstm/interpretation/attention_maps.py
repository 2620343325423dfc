"""Attention by layer and head: on the connectome, as matrices, by class, and how much of it is more than equal shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

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
from neurocli_gat_lstm.interpretation.edge_scores import Array, EdgeScores

DRAWN = 80
LABELLED = 16


def attention_exhibits(scores: EdgeScores, untrained: EdgeScores | None, figures: Path) -> list[Exhibit]:
    """Heads with their numbers, drawn on the body; then neuron by neuron and class by class."""
    if not scores.heads or not scores.n_edges:
        return [Exhibit("attention", "Attention: none, the graph has no edges or the model no attention layer")]
    return [_heads(scores, untrained, figures), _matrices(scores, figures), _classes(scores)]


def equal_share(scores: EdgeScores) -> Array:
    """[edge] attention if a neuron heeded itself and all its neighbours alike; mean over worms, which differ in neighbours."""
    total = np.zeros(scores.n_edges)
    count = np.zeros(scores.n_edges)
    values = next(iter(scores.heads.values()))
    for row in values[[view.independent for view in scores.views]]:
        seen = np.isfinite(row)
        neighbours = np.bincount(scores.post[seen], minlength=len(scores.names))
        total[seen] += 1 / (1 + neighbours[scores.post[seen]])
        count[seen] += 1
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def _heads(scores: EdgeScores, untrained: EdgeScores | None, figures: Path) -> Exhibit:
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
        blank = None if untrained is None else finite_or_none(spearman(relative, untrained.head(layer, head) / share))
        name = f"layer {layer + 1}, head {head + 1}"
        own = float(np.nanmean(scores.own[layer, head][independent]))
        rows.append([name, *map(finite_or_none, (own, low, high, spearman(values, share), *structure)), blank])
        claims[name] = {
            "to_itself": finite_or_none(own),
            "relative_5_to_95_percent": [finite_or_none(low), finite_or_none(high)],
            "rho_with_structural_weight": finite_or_none(structure.value),
            "rho_with_random": blank,
        }
    path = figures / "attention_on_connectome.png"
    anatomical = _draw_heads(scores, path)
    columns = ["", "to itself", "relative 5 %", "95 %", "rho equal share"]
    columns += ["rho structural", "low", "high", "rho random"]
    note = (
        f"mean over time and over {_worms(scores)} worms, each seen by networks that were not fitted on it. to itself: attention "
        "of a neuron to itself, mean over neurons; relative: attention over the equal share 1 / (1 + neighbours): 1 says "
        "nothing; rho equal share: rank correlation of attention itself with it. The other rho are of relative attention; "
        "structural: log1p of both synapse weights, 95 % by the jackknife over receiving neurons; random: the same network "
        "with its weights dealt out anew"
    )
    if not anatomical:
        note += f". Drawn as a circle: {MISSING_POSITIONS}"
        claims["positions"] = MISSING_POSITIONS
    title = "Attention by layer and head, on the connectome" if anatomical else "Attention by layer and head"
    return Exhibit("attention", title, Table(columns, rows, note), path, claims)


def _draw_heads(scores: EdgeScores, path: Path) -> bool:
    at, anatomical = places(scores.names)
    share = equal_share(scores)
    kinds = class_of(scores.names)
    colours = [CLASS_COLOURS[str(kinds[k])] for k in scores.pre]
    heads = list(scores.heads)
    columns = min(2, len(heads))
    lines = -(-len(heads) // columns)
    with saved_figure(path, nrows=lines, ncols=columns, width=6.4 * columns, height=4.9 * lines + 0.7) as (
        figure,
        axes,
    ):
        panels = np.atleast_1d(axes).ravel()
        for axis in panels[len(heads) :]:
            axis.set_visible(False)
        for axis, (layer, head) in zip(panels, heads, strict=False):
            relative = scores.head(layer, head) / share
            draw_edges(axis, at, scores.pre, scores.post, relative, colours, DRAWN)
            draw_neurons(axis, scores.names, at, anatomical)
            axis.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9)
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, fontsize=8, ncols=4, loc="outside lower center")
        drawn = min(DRAWN, scores.n_edges)
        figure.suptitle(
            f"the {drawn} of {scores.n_edges} edges with most attention relative to equal shares; wide at the sender, in its colour",
            fontsize=9,
        )
        laid_out(figure)
        for axis, (layer, head) in zip(panels, heads, strict=False):
            order = np.argsort(-np.nan_to_num(scores.head(layer, head) / share))
            first = list(dict.fromkeys(int(k) for e in order for k in (scores.pre[e], scores.post[e])))[:LABELLED]
            label_points(figure, axis, at[first], [scores.names[k] for k in first])
    return anatomical


def _matrices(scores: EdgeScores, figures: Path) -> Exhibit:
    """Neuron by neuron, sorted by class."""
    order = by_class(scores.names)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    share = equal_share(scores)
    kinds = class_of(scores.names)[order]
    bounds = np.flatnonzero(kinds[1:] != kinds[:-1]) + 0.5
    heads = list(scores.heads)
    columns = min(3, len(heads))
    lines = -(-len(heads) // columns)
    size = max(3.8, 0.085 * len(order))
    path = figures / "attention_matrix.png"
    top: list[list[Any]] = []
    with saved_figure(
        path, nrows=lines, ncols=columns, width=(size + 0.5) * columns + 1, height=size * lines + 0.8
    ) as (
        figure,
        axes,
    ):
        panels = np.atleast_1d(axes).ravel()
        for axis in panels[len(heads) :]:
            axis.set_visible(False)
        picture = None
        for axis, (layer, head) in zip(panels, heads, strict=False):
            relative = scores.head(layer, head) / share
            matrix = np.full((len(order), len(order)), np.nan)
            matrix[place[scores.post], place[scores.pre]] = np.log2(np.maximum(relative, 1e-6))
            picture = axis.imshow(matrix, cmap="PuOr_r", vmin=-2, vmax=2, interpolation="nearest")
            axis.set_facecolor("0.82")
            for line in (axis.axhline, axis.axvline):
                for bound in bounds:
                    line(bound, color="k", lw=0.7)
            _class_ticks(axis, kinds)
            axis.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9)
            best = np.argsort(-np.nan_to_num(relative))[:5]
            top += [
                [f"layer {layer + 1}, head {head + 1}", scores.edge_name(k), finite_or_none(relative[k])] for k in best
            ]
        bar = figure.colorbar(picture, ax=list(panels), shrink=0.8, extend="both", ticks=[-2, -1, 0, 1, 2])
        bar.ax.set_yticklabels(["1/4", "1/2", "1", "2", "4"])
        bar.set_label("attention over its equal share")
        figure.suptitle("attention from column to row; grey: no edge", fontsize=9)
    note = "the five edges of each head with most attention relative to equal shares"
    table = Table(["", "edge", "relative attention"], top, note)
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
    share = equal_share(scores)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for sender in CLASSES:
        for receiver in CLASSES:
            chosen = (kinds[scores.pre] == sender) & (kinds[scores.post] == receiver)
            if not chosen.any():
                continue
            row: list[Any] = [sender, receiver, int(chosen.sum())]
            for layer, head in scores.heads:
                value = finite_or_none(np.nanmean(scores.head(layer, head)[chosen] / share[chosen]))
                row.append(value)
                claims[f"layer {layer + 1}, head {head + 1}: {sender} to {receiver}"] = value
            rows.append(row)
    columns = ["from", "to", "edges", *(f"layer {layer + 1}, head {head + 1}" for layer, head in scores.heads)]
    note = "mean over edges of attention over its equal share 1 / (1 + neighbours)"
    return Exhibit("attention-classes", "Attention between classes", Table(columns, rows, note), None, claims)


def _worms(scores: EdgeScores) -> int:
    return len({view.worm.group for view in scores.views if view.independent})
