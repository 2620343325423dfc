"""Against known truth: which edge scores tell pairs that carry a signal from pairs that do not. For simulated worms only.

A score is judged on the pairs that its graph has. In the real graph these are the edges of the connectome, functional
or silenced; in a shuffled graph they are its own pairs, in the full graph the edges of the connectome again, and added edges
against pairs that nothing joins beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.evaluation.intervals import Estimate
from neurocli.evaluation.nulls import NullBand
from neurocli.interpretation.permutation import roc_auc_label_null
from neurocli.interpretation.rank_correlation import spearman
from neurocli.interpretation.roc import roc_auc, roc_auc_over_units
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.linear.buffers import LinearBuffers
from neurocli_gat_lstm.graph.names import canonical
from neurocli_gat_lstm.interpretation.edge_scores import (
    ATTENTION,
    FOLLOWED,
    FUNCTIONAL,
    LINEAR,
    NETWORK,
    Array,
    EdgeScores,
)
from neurocli_gat_lstm.interpretation.functional_weights import strengths
from neurocli_gat_lstm.interpretation.nameless import nameless_paths
from neurocli_gat_lstm.simulation.network import recorded_names

NEEDED = ("name", "pre", "post", "weight", "structural")
WANTED, WANTED_ADDED = 0.85, 0.75
SIGNED = (LINEAR, NETWORK, FUNCTIONAL, FOLLOWED)
CORRELATION, STRUCTURAL = "correlation of traces", "structural weight"
ALL_PAIRS = "linear path, all pairs"


@dataclass(frozen=True)
class Truth:
    """All ordered pairs of neurons that some viewed worm shows together.

    pre, post: int64 [pair], positions in the names of the scores; weight [pair], 0 where silenced or absent; structural,
    added: bool [pair], an edge of the connectome, an edge that it has not; joined: bool [pair], an edge of the model's graph; shuffled:
    whether that is a shuffle.
    """

    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    weight: Array
    structural: NDArray[np.bool_]
    added: NDArray[np.bool_]
    joined: NDArray[np.bool_]
    shuffled: bool = False

    @property
    def functional(self) -> NDArray[np.bool_]:
        return np.asarray(self.weight != 0)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """The pairs on which scores are held against the truth: edges of the connectome that the model's graph has, or all
        pairs of a shuffled graph, which has others."""
        return self.joined if self.shuffled else self.joined & self.structural

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Pairs of the model's graph that are no edges of the connectome, where it is not shuffled."""
        return self.joined & ~self.structural & (not self.shuffled)

    @property
    def absent(self) -> NDArray[np.bool_]:
        return ~self.structural & ~self.added


def has_truth(data: WormData) -> bool:
    """Whether these are simulated worms whose network is known."""
    truth = data.recordings.truth
    return data.recordings.meta.get("simulator") == "celegans" and all(key in truth for key in NEEDED)


def truth_of(scores: EdgeScores, truth: Mapping[str, NDArray[Any]], *, shuffled: bool = False) -> Truth:
    """What is true of every pair."""
    names = [canonical(name) or name for name in recorded_names(truth)]
    place = {name: k for k, name in enumerate(names)}
    weight, kind = (np.zeros((len(names), len(names))) for _ in range(2))
    weight[truth["post"], truth["pre"]] = truth["weight"]
    kind[truth["post"], truth["pre"]] = np.where(truth["structural"], 1, 2)
    index = np.array([place.get(canonical(name) or name, -1) for name in scores.names], np.int64)
    together = np.zeros((len(index), len(index)), bool)
    column = {name: k for k, name in enumerate(scores.names)}
    for view in scores.views:
        columns = [column[name] for name in view.worm.names]
        together[np.ix_(columns, columns)] = True
    together &= (index >= 0)[:, None] & (index >= 0)[None, :] & ~np.eye(len(index), dtype=bool)
    post, pre = np.nonzero(together)
    at = index[post], index[pre]
    joined = np.zeros((len(index), len(index)), bool)
    joined[scores.post, scores.pre] = True
    return Truth(pre, post, weight[at], kind[at] == 1, kind[at] == 2, joined[post, pre], shuffled)


def on_pairs(scores: EdgeScores, truth: Truth, values: Array) -> Array:
    """[pair] values [edge] where the model has the edge, 0 elsewhere: a pair without an edge has no weight in it."""
    matrix = np.zeros((len(scores.names), len(scores.names)))
    matrix[scores.post, scores.pre] = np.nan_to_num(values)
    return matrix[truth.post, truth.pre]


def correlation_of(data: WormData, scores: EdgeScores, truth: Truth) -> Array:
    """[pair] |correlation| of the traces, mean over all worms of the run, which needs no model."""
    place = {name: k for k, name in enumerate(scores.names)}
    total, count = (np.zeros((len(scores.names), len(scores.names))) for _ in range(2))
    for worm in data.worms.values():
        used = [k for k, name in enumerate(worm.names) if name in place]
        at = np.ix_(*[[place[worm.names[k]] for k in used]] * 2)
        total[at] += np.abs(np.corrcoef(worm.scored(worm.signal)[:, used].T))
        count[at] += 1
    return (total / np.maximum(count, 1))[truth.post, truth.pre]


def linear_on_pairs(data: WormData, network: torch.nn.Module, scores: EdgeScores, truth: Truth) -> Array | None:
    """[pair] coefficients of the linear path, mean over folds, also where no edge is: a path of several hops goes there.

    None where the model has no linear path, or one along edges alone.
    """
    model = data.config.model
    if not isinstance(network, LinearBuffers) or not (
        model.linear == "all" or (model.linear == "edges" and model.hops > 1)
    ):
        return None
    index = _index(data, scores)
    matrix = (network.level + network.change)[:, 0].mean(0).detach().cpu().numpy().astype(np.float64)
    return np.asarray(matrix[index[truth.post], index[truth.pre]])


def nameless_areas(data: WormData, network: torch.nn.Module, scores: EdgeScores, truth: Truth) -> Array:
    """[draw] AUC of a linear path that was fitted to worms with permuted names; none for a model without a linear path."""
    if not isinstance(network, LinearBuffers) or data.config.model.linear == "own" or not data.split.train:
        return np.zeros(0)
    index = _index(data, scores)
    areas = []
    for matrix in nameless_paths(data):
        size = np.abs(matrix[index[truth.post], index[truth.pre]])[truth.scored]
        areas.append(roc_auc(size, truth.functional[truth.scored]))
    return np.array(areas)


def _index(data: WormData, scores: EdgeScores) -> NDArray[np.int64]:
    """[name of the scores] its node, the last one for a name that is none."""
    place = {name: k for k, name in enumerate(data.names)}
    return np.array([place.get(name, len(data.names)) for name in scores.names], np.int64)


@dataclass(frozen=True)
class Recovered:
    """auc: pairs that carry a signal against those that do not, of those that are scored; added: the same of pairs beyond the
    connectome; sign: share of functional pairs whose sign is right; rho: rank correlation with |true weight|; chance: the
    area where which pairs carry a signal is dealt out anew within each receiving neuron."""

    auc: Estimate
    added: Estimate
    sign: float
    rho: float
    chance: NullBand


def recovered(values: Array, truth: Truth, *, signed: bool, beyond: NDArray[np.bool_] | None = None) -> Recovered:
    """Scores of values [pair], with intervals by the jackknife over receiving neurons.

    beyond: bool [pair], the pairs outside of the connectome that the values say something of; those of the graph if not given.
    """
    size = np.abs(values)
    scored, other = truth.scored, truth.beyond if beyond is None else beyond
    told_apart, added = ((size[pairs], truth.functional[pairs], truth.post[pairs]) for pairs in (scored, other))
    right = np.nan
    with_sign = scored & truth.functional & (values != 0)
    if signed and with_sign.any():
        right = float((np.sign(values) == np.sign(truth.weight))[with_sign].mean())
    return Recovered(
        roc_auc_over_units(*told_apart),
        roc_auc_over_units(*added),
        right,
        spearman(told_apart[0], np.abs(truth.weight[scored])),
        roc_auc_label_null(*told_apart),
    )


def recovery_exhibit(
    data: WormData, network: torch.nn.Module, scores: EdgeScores, permuted: EdgeScores | None, figures: Path
) -> Exhibit:
    """The table of all scores: linear path, network and both, beside the network with permuted weights, what needs no model, and
    a linear path fitted to worms with permuted neuron names."""
    truth = truth_of(scores, data.recordings.truth, shuffled=data.config.model.graph == "shuffled")

    def recovered_of(edges: EdgeScores, values: Array, *, signed: bool = False) -> Recovered:
        return recovered(on_pairs(edges, truth, values), truth, signed=signed)

    candidates = _candidates(scores)
    results = {name: recovered_of(scores, values, signed=name in SIGNED) for name, values in candidates.items()}
    controls: dict[str, Recovered] = {}
    if permuted is not None:
        candidates_permuted = {name: values for name, values in _candidates(permuted).items() if name in results}
        controls = {name: recovered_of(permuted, values) for name, values in candidates_permuted.items()}
    pairs = linear_on_pairs(data, network, scores, truth)
    outside = ~truth.structural
    if pairs is not None:
        results[ALL_PAIRS] = recovered(pairs, truth, signed=True, beyond=outside)
    results[STRUCTURAL] = recovered_of(scores, scores.structural)
    results[CORRELATION] = recovered(correlation_of(data, scores, truth), truth, signed=False, beyond=outside)
    nameless = nameless_areas(data, network, scores, truth)
    rows = [_row(name, result, controls) for name, result in results.items()]
    claims = _claims(results, controls, nameless, truth)
    path = figures / "recovery.png"
    _draw(results, controls, truth, on_pairs(scores, truth, candidates[FUNCTIONAL]), path)
    columns = ["score", "AUC", "low", "high", "p", "AUC, permuted weights"]
    columns += ["sign right", "rho", "AUC added", "added low", "added high"]
    title = f"Recovery of true edges by {FUNCTIONAL}: AUC {results[FUNCTIONAL].auc.value:.2f} (goal {WANTED:g})"
    note = _note(data, truth, nameless, results)
    return Exhibit("recovery", title, Table(columns, rows, note), path, claims)


def _row(name: str, result: Recovered, controls: Mapping[str, Recovered]) -> list[Any]:
    control = controls[name].auc.value if name in controls else None
    values = (*result.auc, result.chance.p, control, result.sign, result.rho, *result.added)
    return [name, *map(finite_or_none, values)]


def _claims(
    results: Mapping[str, Recovered], controls: Mapping[str, Recovered], nameless: Array, truth: Truth
) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    for name, result in results.items():
        claims[f"auc_{name}"] = finite_or_none(result.auc.value)
        claims[f"p_{name}"] = finite_or_none(result.chance.p)
        if np.isfinite(result.added.value):
            claims[f"auc_added_{name}"] = finite_or_none(result.added.value)
        if name in controls:
            claims[f"auc_random_{name}"] = finite_or_none(controls[name].auc.value)
    attention = [r.auc.value for name, r in results.items() if name.startswith(ATTENTION)]
    main = results[FUNCTIONAL]
    claims |= {
        "functional_weight": FUNCTIONAL,
        "auc": finite_or_none(main.auc.value),
        "auc_linear": finite_or_none(results[LINEAR].auc.value),
        "auc_network": finite_or_none(results[NETWORK].auc.value),
        "p": finite_or_none(main.chance.p),
        "chance_mean": finite_or_none(main.chance.mean),
        "wanted": WANTED,
        "reached": bool(main.auc.value >= WANTED),
        "best_attention_auc": finite_or_none(max(attention, default=np.nan)),
        "attention_reached": bool(max(attention, default=0.0) >= WANTED),
        "pairs_scored": int(truth.scored.sum()),
        "auc_nameless": finite_or_none(nameless.mean()) if len(nameless) else None,
    }
    if np.isfinite(main.added.value):
        claims |= {"auc_added": finite_or_none(main.added.value), "wanted_added": WANTED_ADDED}
        claims["added_reached"] = bool(main.added.value >= WANTED_ADDED)
    return claims


def _note(data: WormData, truth: Truth, nameless: Array, results: Mapping[str, Recovered]) -> str:
    scored = truth.scored
    what = "edges of the connectome"
    if truth.shuffled:
        what = "pairs that the shuffled graph joins, in the connectome or not"
    works = int((scored & truth.functional).sum())
    lines = [
        f"AUC: {works} pairs that carry a signal against {int(scored.sum()) - works} that do not, among {what}, with 95 % jackknife interval "
        f"over receiving neurons; p: from {results[FUNCTIONAL].chance.n_nulls} permutations, within each receiving neuron, of which inputs "
        f"carry a signal (mean AUC {results[FUNCTIONAL].chance.mean:.2f})",
        f"{LINEAR}: the ridge regression alone; {NETWORK}: the correction alone; {FUNCTIONAL}: both. Permuted weights: the "
        "network's weights permuted within each layer, beside the same ridge regression; sign right: share of signals whose sign is right; "
        "rho: rank correlation with the size of the true weight",
    ]
    if len(nameless):
        lines.append(
            f"{LINEAR} fitted to worms with permuted neuron names, {len(nameless)} times: AUC {nameless.mean():.2f} "
            f"({nameless.min():.2f} to {nameless.max():.2f})"
        )
    if np.isfinite(results[FUNCTIONAL].added.value) or ALL_PAIRS in results:
        lines.append(
            f"AUC added: the same among pairs without an edge in the connectome, {int(truth.added.sum())} of which carry a signal"
        )
    if ALL_PAIRS in results:
        lines.append(
            f"{ALL_PAIRS}: also its coefficients of pairs without an edge in the graph "
            f"(it uses {float(data.linear_pairs.sum()) / max(len(data.names) * (len(data.names) - 1), 1):.0%} of all pairs)"
        )
    return "; ".join(lines) + ". " + _sentence(results)


def _candidates(scores: EdgeScores) -> dict[str, Array]:
    heads = {f"attention, {name}": values for name, values in scores.by_head().items()}
    others = {name: scores.mean(name) if name in SIGNED else values for name, values in strengths(scores).items()}
    return {**heads, **others}


def _sentence(results: Mapping[str, Recovered]) -> str:
    """Which of attention and functional weight tells true edges, in words."""
    attention = {name: r.auc.value for name, r in results.items() if name.startswith(ATTENTION)}
    main = results[FUNCTIONAL].auc.value
    if not attention:
        return f"{FUNCTIONAL.capitalize()} reaches AUC {main:.2f}"
    name = max(attention, key=lambda key: attention[key])
    best = attention[name]
    if main >= WANTED > best:
        return f"Attention does not tell edges that carry a signal from silenced ones (highest AUC {best:.2f}, {name}); {FUNCTIONAL} does ({main:.2f})"
    return f"The highest AUC of attention is {best:.2f} ({name}), that of {FUNCTIONAL} is {main:.2f}"


def _draw(
    results: dict[str, Recovered], controls: dict[str, Recovered], truth: Truth, values: Array, path: Path
) -> None:
    with saved_figure(path, ncols=2, width=11.5, height=0.27 * len(results) + 2.2) as (figure, axes):
        for place, (name, result) in enumerate(results.items()):
            axes[0].plot(result.auc.value, place, "o", color="#D55E00", ms=6, label="trained" if not place else None)
            if np.isfinite(result.auc.low):
                axes[0].plot([result.auc.low, result.auc.high], [place, place], color="#D55E00", lw=1.5)
            if name in controls:
                label = "permuted weights" if not place else None
                axes[0].plot(controls[name].auc.value, place, "s", color="0.55", ms=5, zorder=1, label=label)
        axes[0].axvline(0.5, color="0.5", lw=0.8, ls=":")
        axes[0].axvline(WANTED, color="0.5", lw=0.8, ls="--")
        axes[0].set_yticks(range(len(results)), list(results), fontsize=8)
        axes[0].invert_yaxis()
        axes[0].set(xlim=(0.28, 1.02), xlabel=f"AUC, pairs that carry a signal against others; dashed: goal {WANTED:g}")
        figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc="outside lower left", ncols=2)
        groups = (
            ("edges that carry a signal", truth.structural & (truth.weight != 0), "#0072B2", "o"),
            ("silenced edges", truth.structural & (truth.weight == 0), "#E69F00", "^"),
            ("added edges", truth.added, "#009E73", "s"),
        )
        for name, chosen, colour, marker in groups:
            axes[1].plot(truth.weight[chosen], values[chosen], marker, color=colour, ms=4, alpha=0.6, label=name)
        axes[1].axhline(0, color="0.6", lw=0.8)
        axes[1].set(xlabel="true weight", ylabel=f"{FUNCTIONAL} (z per z)")
        axes[1].legend(fontsize=8, loc="upper left")
