"""The functional weight of every edge beside its structural weight, and beside what is known of the animal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from neurocli.evaluation.intervals import Estimate
from neurocli.interpretation.rank_correlation import spearman, spearman_over_units
from neurocli.interpretation.roc import roc_auc_over_units
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.evaluation.drawing import (
    NEGATIVE,
    POSITIVE,
    draw_edges,
    draw_neurons,
    label_points,
    laid_out,
    places,
)
from neurocli_gat_lstm.graph.atlas import MISSING_POSITIONS, positions, signal_propagation
from neurocli_gat_lstm.graph.names import canonical
from neurocli_gat_lstm.interpretation.edge_scores import (
    ATTENTION,
    FUNCTIONAL,
    LINEAR,
    MESSAGE,
    NETWORK,
    WHAT,
    Array,
    EdgeScores,
)

BY_EDGE = "attention x edge weight"
SHOWN = 10
DRAWN = 80
SIGNIFICANT = 0.05


def strengths(scores: EdgeScores) -> dict[str, Array]:
    """Score → [edge] strength without sign, mean over independent views; with the product that is published."""
    sizes = {name: np.abs(scores.mean(name)) for name in WHAT if name not in (ATTENTION, MESSAGE) or scores.heads}
    if ATTENTION in sizes:
        sizes[BY_EDGE] = sizes[ATTENTION] * scores.structural
    return sizes


def weight_exhibits(scores: EdgeScores, permuted: EdgeScores | None, figures: Path) -> list[Exhibit]:
    """Functional against structural weights; all scores against structure, distance and measured signal propagation."""
    if not scores.n_edges:
        return [Exhibit("functional-weights", "Functional weights: not shown, since the graph has no edges")]
    return [_functional(scores, figures), _agreement(scores, permuted)]


def functional_weight(scores: EdgeScores) -> Array:
    """[edge] signed, z per z."""
    return scores.mean(FUNCTIONAL)


def _functional(scores: EdgeScores, figures: Path) -> Exhibit:
    weight = functional_weight(scores)
    known = np.isfinite(weight)
    size = np.abs(weight)
    ranks = [stats.rankdata(np.where(known, v, -1)) / max(known.sum(), 1) for v in (size, scores.structural)]
    differ = np.where(known, ranks[0] - ranks[1], np.nan)
    order = np.argsort(-np.nan_to_num(differ), kind="stable")
    more, less = order[:SHOWN], order[::-1][:SHOWN]
    strongest = np.argsort(-np.nan_to_num(size), kind="stable")[:SHOWN]
    linear, network = (scores.mean(name) for name in (LINEAR, NETWORK))
    rows: list[list[Any]] = []
    for what, chosen in (
        ("size", strongest),
        ("higher rank than structural", more),
        ("lower rank than structural", less),
    ):
        for k in chosen[known[chosen]]:
            values = [weight[k], linear[k], network[k], scores.structural[k], differ[k]]
            rows.append([what, scores.edge_name(k), *(finite_or_none(v) for v in values)])
    rho = spearman_over_units(size, scores.structural, scores.post)
    of_linear, of_network = (float(np.nanmean(np.abs(values))) for values in (linear, network))
    share = of_network / (of_linear + of_network) if of_linear + of_network > 0 else np.nan
    positive = float((weight[known] > 0).mean()) if known.any() else np.nan
    claims = {
        "edges": len(known),
        "edges_with_an_estimate": int(known.sum()),
        "rho_functional_structural": finite_or_none(rho.value),
        "rho_low": finite_or_none(rho.low),
        "rho_high": finite_or_none(rho.high),
        "share_of_network": finite_or_none(share),
        "share_positive": finite_or_none(positive),
    }
    path = figures / "functional_weights.png"
    _draw(scores, weight, rho, more, less, path)
    note = (
        "functional weight: derivative of a neuron's forecast one step ahead by the neighbour's present value, mean over time and over "
        "worms that the networks were not fitted on, in z per z; it is the sum of a part through the linear path and a part through the "
        f"network, which makes up {share:.1%} of the mean size of both. Structural weight: log1p chemical + log1p gap. Rank difference: rank "
        "of the size of the functional weight minus rank of the structural weight, each as a share of all edges. "
        f"{int((~known).sum())} of {len(known)} edges have no estimate, since no training worm has both neurons"
    )
    columns = [
        "selected by",
        "edge",
        "functional weight",
        "linear part",
        "network part",
        "structural weight",
        "rank difference",
    ]
    title = (
        f"Functional against structural weight: rho {_two(rho.value)}"
        if np.isfinite(rho.value)
        else "Functional weights"
    )
    return Exhibit("functional-weights", title, Table(columns, rows, note), path, claims)


def _two(value: float) -> str:
    """Two decimals, and no -0.00."""
    return f"{round(value, 2) + 0.0:.2f}"


def _draw(scores: EdgeScores, weight: Array, rho: Estimate, more: Any, less: Any, path: Path) -> None:
    at, anatomical = places(scores.names)
    size = np.abs(weight)
    colours = np.where(weight >= 0, POSITIVE, NEGATIVE)
    with saved_figure(path, ncols=2, width=12.5, height=5.2) as (figure, axes):
        shown = np.isfinite(weight) & (size > 0)
        jitter = np.random.default_rng(0).uniform(-0.02, 0.02, len(weight))  # structural weights are few whole numbers
        across = scores.structural + jitter
        for sign, colour, marker in ((1, POSITIVE, "o"), (-1, NEGATIVE, "v")):
            chosen = shown & (np.sign(weight) == sign)
            label = "positive" if sign > 0 else "negative"
            axes[0].scatter(across[chosen], size[chosen], s=12, c=colour, marker=marker, alpha=0.6, lw=0, label=label)
        if shown.any():
            floor = float(np.percentile(size[shown], 1)) / 2
            axes[0].set(yscale="log", ylim=(floor, float(size[shown].max()) * 1.6))
        axes[0].set(xlabel="structural weight: log1p chemical + log1p gap", ylabel="|functional weight| (z per z)")
        interval = f" [{_two(rho.low)}, {_two(rho.high)}]" if np.isfinite(rho.low) else ""
        axes[0].set_title(f"rho {_two(rho.value)}{interval}; labelled: edges whose ranks differ most", fontsize=9)
        axes[0].legend(fontsize=8, loc="lower right")
        draw_edges(axes[1], at, scores.pre, scores.post, size, list(colours), DRAWN)
        draw_neurons(axes[1], scores.names, at, anatomical)
        axes[1].set_title(
            f"the {min(DRAWN, len(weight))} strongest edges, coloured by sign as on the left; wide at the sender",
            fontsize=9,
        )
        axes[1].legend(fontsize=7, loc="best")
        named = [k for pair in zip(more[:6], less[:6], strict=False) for k in pair if shown[k]]
        points = np.stack([across[named], size[named]], axis=1) if named else np.zeros((0, 2))
        laid_out(figure)
        label_points(figure, axes[0], points, [scores.edge_name(k) for k in named])
        first = scores.ends_of_strongest(size, 16)
        label_points(figure, axes[1], at[first], [scores.names[k] for k in first])


def distances(scores: EdgeScores) -> Array | None:
    """[edge] distance between somata in the atlas's unit; None where positions are not installed."""
    known = positions()
    if known is None:
        return None
    soma = np.array([known.get(canonical(n) or n, (np.nan,) * 3) for n in scores.names]).reshape(-1, 3)
    return np.asarray(np.linalg.norm(soma[scores.pre] - soma[scores.post], axis=1), np.float64)


def propagation(scores: EdgeScores) -> tuple[Array, Array] | None:
    """([edge] |dF/F0| of the receiver when the sender is stimulated, [edge] q), NaN where not measured; None: not installed."""
    atlas = signal_propagation()
    if atlas is None:
        return None
    place = {name: k for k, name in enumerate(atlas.names)}
    index = np.array([place.get(canonical(n) or n, -1) for n in scores.names], np.int64)
    pre, post = index[scores.pre], index[scores.post]
    in_atlas = (pre >= 0) & (post >= 0)
    dff, q = (np.where(in_atlas, matrix[post, pre], np.nan) for matrix in (np.abs(atlas.dff), atlas.q))
    return np.where(np.isfinite(q), dff, np.nan), q


def _agreement(scores: EdgeScores, permuted: EdgeScores | None) -> Exhibit:
    distance, measured = distances(scores), propagation(scores)
    trained, control = strengths(scores), {} if permuted is None else strengths(permuted)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    tested = 0 if measured is None else int(np.isfinite(measured[1]).sum())
    for name, values in {**trained, "structural weight": scores.structural}.items():
        rho = Estimate(1.0, np.nan, np.nan)
        if name in trained:
            rho = spearman_over_units(values, scores.structural, scores.post)
        of_control: tuple[float | None, ...] = (None, None)
        if name in control:
            of_control = spearman(control[name], scores.structural), spearman(values, control[name])
        known: tuple[float | None, ...] = (None,) * 4
        if measured is not None:
            dff, q = measured
            seen = np.isfinite(q) & np.isfinite(values)
            auc = roc_auc_over_units(values[seen], q[seen] < SIGNIFICANT, scores.post[seen])
            known = spearman(values, dff), *auc
        along = None if distance is None else spearman(values, distance)
        row = [name, *map(finite_or_none, (np.nanmean(values), *rho, *of_control, along, *known))]
        rows.append(row)
        keys = ("rho_structural", "rho_distance", "rho_propagation", "auc_propagation", "auc_low", "auc_high")
        claims[name] = dict(zip(keys, (row[2], *row[7:]), strict=True))
    claims["edges_with_measured_propagation"] = tested
    columns = [
        *(
            "score",
            "mean size",
            "rho structural",
            "low",
            "high",
            "permuted: rho structural",
            "rho permuted",
            "rho distance",
        ),
        *("rho |dF/F0|", f"AUC q < {SIGNIFICANT:g}", "AUC low", "AUC high"),
    ]
    note = "; ".join(f"{name}: {what}" for name, what in WHAT.items() if name in trained) + (
        "; attention x edge weight: attention times structural weight, as published. All without sign, mean over worms that the networks were "
        "not fitted on. Rho: rank correlation over edges, with structural weight (95 % interval by the jackknife over receiving neurons), with "
        "the score of a network with permuted weights beside the same linear path, and with the distance between somata"
    )
    if measured is None or distance is None:
        note += f". No distances and no measured signal propagation (Randi et al. 2023): {MISSING_POSITIONS}"
        claims["missing"] = MISSING_POSITIONS
    else:
        note += f"; |dF/F0| and q: size and significance of the receiver's response to stimulation of the sender (Randi et al. 2023), for {tested} edges"
    title = "Edge scores"
    return Exhibit("edge-scores", title, Table(columns, rows, note), None, claims)
