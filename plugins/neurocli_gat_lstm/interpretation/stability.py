"""How similar edge scores are between worms, folds and networks of a fold."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from neurocli.interpretation.rank_correlation import spearman
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.interpretation.edge_scores import ATTENTION, FUNCTIONAL, Array, EdgeScores, head_name
from neurocli_gat_lstm.model.views import View

FEWEST_EDGES = 10
BETWEEN: dict[str, Callable[[View, View], bool]] = {
    "worms": lambda a, b: (a.fold, a.member) == (b.fold, b.member),
    "folds": lambda a, b: a.worm.group == b.worm.group and a.fold != b.fold and a.member == b.member,
    "members": lambda a, b: a.worm.group == b.worm.group and a.fold == b.fold,
    "independent folds and worms": lambda a, b: (
        a.independent and b.independent and a.worm.group != b.worm.group and a.fold != b.fold
    ),
}
WHAT_DIFFERS = {
    "worms": "one network, two worms",
    "folds": "networks of two folds, one worm",
    "members": "two networks of one fold, one worm",
    "independent folds and worms": "networks of two folds, each with a worm that it was not fitted on",
}


def stability_exhibit(scores: EdgeScores, figures: Path) -> Exhibit:
    """Rank correlations of scores between views; a table of means, and the matrix of all views for two scores."""
    if not scores.n_edges:
        return Exhibit("stability", "Stability: not shown, since the graph has no edges")
    sizes = {**{name: np.abs(v) for name, v in scores.by_view.items()}, **_heads(scores)}
    alike = {name: correlations(size) for name, size in sizes.items()}
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    pairs = {name: _pairs(scores, rule) for name, rule in BETWEEN.items()}
    for between, chosen in pairs.items():
        for name, matrix in alike.items():
            rho = np.array([matrix[a, b] for a, b in chosen])
            rho = rho[np.isfinite(rho)]
            if not len(rho) or (between == "worms" and np.allclose(rho, 1)):  # coefficients do not depend on the worm
                continue
            values = [finite_or_none(value) for value in (rho.mean(), rho.min(), rho.max())]
            rows.append([WHAT_DIFFERS[between], name, len(rho), *values])
            claims[f"{name}, between {between}"] = values[0]
    note = (
        "rho: rank correlation, over edges that both have, of scores without sign. Folds share most of their training worms, which alone "
        "makes their linear paths alike. All networks are of one seed"
    )
    columns = ["between", "score", "comparisons", "mean rho", "lowest rho", "highest rho"]
    if len(scores.views) < 2:
        return Exhibit("stability", "Stability: not shown, since there is one network and one worm", None, None, {})
    path = figures / "stability.png"
    _draw(scores, alike, path)
    return Exhibit("stability", "Stability of edge scores", Table(columns, rows, note), path, claims)


def correlations(values: Array) -> Array:
    """[view, view] rank correlations of scores [view, edge]; NaN where two share fewer than ten edges."""
    count = len(values)
    rho = np.full((count, count), np.nan)
    for a, b in combinations(range(count), 2):
        if (np.isfinite(values[a]) & np.isfinite(values[b])).sum() >= FEWEST_EDGES:
            rho[a, b] = rho[b, a] = spearman(values[a], values[b])
    return rho


def _heads(scores: EdgeScores) -> dict[str, Array]:
    if len(scores.heads) < 2:
        return {}
    return {f"attention, {head_name(*key)}": values for key, values in scores.heads.items()}


def _pairs(scores: EdgeScores, rule: Callable[[View, View], bool]) -> list[tuple[int, int]]:
    numbered = enumerate(scores.views)
    return [(a, b) for (a, first), (b, second) in combinations(numbered, 2) if rule(first, second)]


def _draw(scores: EdgeScores, alike: dict[str, Array], path: Path) -> None:
    shown = [name for name in (ATTENTION, FUNCTIONAL) if np.isfinite(alike[name]).any()]
    order = sorted(range(len(scores.views)), key=lambda k: (scores.views[k].fold, scores.views[k].member, k))
    labels = [_name(scores.views[k]) for k in order]
    size = max(3.4, 0.22 * len(order) + 1.8)
    with saved_figure(path, ncols=max(len(shown), 1), width=(size + 0.8) * max(len(shown), 1), height=size) as (
        figure,
        axes,
    ):
        for axis, name in zip(np.atleast_1d(axes), shown, strict=False):
            matrix = alike[name][np.ix_(order, order)]
            picture = axis.imshow(matrix, cmap="viridis", vmin=min(0.0, float(np.nanmin(matrix))), vmax=1)
            axis.set_facecolor("0.9")
            axis.set_xticks(range(len(order)), labels, fontsize=6, rotation=90)
            axis.set_yticks(range(len(order)), labels, fontsize=6)
            axis.set_title(f"{name}: rank correlation of edges", fontsize=9)
            figure.colorbar(picture, ax=axis, shrink=0.8, label="rho")
        figure.suptitle("fold and worm; *: the network was not fitted on that worm", fontsize=9)


def _name(view: View) -> str:
    worm = view.worm.group.rpartition("-")[2]
    member = f".{view.member + 1}" if view.member else ""
    return f"{view.fold + 1}{member} {worm}{'*' if view.independent else ''}"
