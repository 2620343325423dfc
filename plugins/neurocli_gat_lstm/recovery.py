"""Against known truth: which edge scores tell true functional edges from silenced ones. For simulated worms only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.report.figure import saved_figure
from neurocli_gat_lstm.data import WormData
from neurocli_gat_lstm.drawing import number
from neurocli_gat_lstm.edge_scores import ATTENTION, ATTRIBUTION, FOLLOWED, LINEAR, NETWORK, Array, EdgeScores
from neurocli_gat_lstm.functional_weights import FUNCTIONAL, strengths
from neurocli_gat_lstm.model_v2 import GatLstm
from neurocli_gat_lstm.names import canonical
from neurocli_gat_lstm.network import recorded_names
from neurocli_gat_lstm.worm_statistics import Estimate, area_over, spearman

NEEDED = ("name", "pre", "post", "weight", "structural")
WANTED, WANTED_ADDED = 0.85, 0.75
SIGNED = (LINEAR, NETWORK, ATTRIBUTION, FOLLOWED)
CORRELATION, STRUCTURAL = "correlation of traces", "structural weight"
ALL_PAIRS = "linear path, all pairs"


@dataclass(frozen=True)
class Truth:
    """All ordered pairs of neurons that some viewed worm shows together.

    pre, post: int64 [pair], positions in the names of the scores; weight [pair], 0 where silenced or absent; structural,
    added: bool [pair], an edge of the connectome, an edge that it has not.
    """

    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    weight: Array
    structural: NDArray[np.bool_]
    added: NDArray[np.bool_]

    @property
    def absent(self) -> NDArray[np.bool_]:
        return ~self.structural & ~self.added


def has_truth(data: WormData) -> bool:
    """Whether these are simulated worms whose network is known."""
    truth = data.recordings.truth
    return data.recordings.meta.get("simulator") == "celegans" and all(key in truth for key in NEEDED)


def truth_of(scores: EdgeScores, truth: Mapping[str, NDArray[Any]]) -> Truth:
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
        of = [column[name] for name in view.worm.names]
        together[np.ix_(of, of)] = True
    together &= (index >= 0)[:, None] & (index >= 0)[None, :] & ~np.eye(len(index), dtype=bool)
    post, pre = np.nonzero(together)
    at = index[post], index[pre]
    return Truth(pre, post, weight[at], kind[at] == 1, kind[at] == 2)


def on_pairs(scores: EdgeScores, truth: Truth, values: Array) -> Array:
    """[pair] values [edge] where the model has the edge, 0 elsewhere: a pair without an edge has no weight in it."""
    matrix = np.zeros((len(scores.names), len(scores.names)))
    matrix[scores.post, scores.pre] = np.nan_to_num(values)
    return matrix[truth.post, truth.pre]


def correlation_of(data: WormData, scores: EdgeScores, truth: Truth) -> Array:
    """[pair] |correlation| of the traces, mean over all worms of the run: what can be had without any model."""
    place = {name: k for k, name in enumerate(scores.names)}
    total, count = (np.zeros((len(scores.names), len(scores.names))) for _ in range(2))
    for worm in data.worms.values():
        used = [k for k, name in enumerate(worm.names) if name in place]
        at = np.ix_(*[[place[worm.names[k]] for k in used]] * 2)
        total[at] += np.abs(np.corrcoef(worm.z[:, used].T.astype(np.float64)))
        count[at] += 1
    return (total / np.maximum(count, 1))[truth.post, truth.pre]


def linear_on_pairs(data: WormData, module: torch.nn.Module, scores: EdgeScores, truth: Truth) -> Array | None:
    """[pair] coefficients of the linear path, mean over folds, also where no edge is: a path of several hops goes there.

    None where the model has no linear path, or one along edges alone.
    """
    if not isinstance(module, GatLstm) or data.config.model.linear != "edges" or data.config.model.hops < 2:
        return None
    place = {name: k for k, name in enumerate(data.names)}
    index = np.array([place.get(name, len(data.names)) for name in scores.names], np.int64)
    matrix = (module.level + module.change).mean(0).detach().cpu().numpy().astype(np.float64)
    found: Array = matrix[index[truth.post], index[truth.pre]]
    return found


@dataclass(frozen=True)
class Recovered:
    """auc: functional against silenced edges of the connectome; added: added edges against absent pairs; sign: share of
    functional edges whose sign is right, of those that the model has; rho: rank correlation with |true weight|."""

    auc: Estimate
    added: Estimate
    sign: float
    rho: float


def recovered(values: Array, truth: Truth, *, signed: bool, seed: int = 0) -> Recovered:
    """Scores of values [pair], with intervals by bootstrap over receiving neurons."""
    size = np.abs(values)
    edges, other = truth.structural, truth.added | truth.absent
    functional = truth.weight != 0
    right = np.nan
    scored = edges & functional & (values != 0)
    if signed and scored.any():
        right = float((np.sign(values) == np.sign(truth.weight))[scored].mean())
    return Recovered(
        area_over(size[edges], functional[edges], truth.post[edges], seed),
        area_over(size[other], truth.added[other], truth.post[other], seed),
        right,
        spearman(size[edges], np.abs(truth.weight[edges])),
    )


def recovery_exhibit(
    data: WormData, module: torch.nn.Module, scores: EdgeScores, untrained: EdgeScores | None, figures: Path
) -> Exhibit:
    """The table of all scores with the untrained network's beside it, and what has no model at all."""
    truth = truth_of(scores, data.recordings.truth)
    full = data.config.model.graph == "full"
    candidates = _candidates(scores)
    blank = {} if untrained is None else _candidates(untrained)
    found = {
        name: recovered(on_pairs(scores, truth, values), truth, signed=name in SIGNED)
        for name, values in candidates.items()
    }
    controls = {
        name: recovered(on_pairs(untrained, truth, values), truth, signed=False)
        for name, values in blank.items()
        if untrained is not None
    }
    pairs = linear_on_pairs(data, module, scores, truth)
    if pairs is not None:
        found[ALL_PAIRS] = recovered(pairs, truth, signed=True)
    found[STRUCTURAL] = recovered(on_pairs(scores, truth, scores.structural), truth, signed=False)
    found[CORRELATION] = recovered(correlation_of(data, scores, truth), truth, signed=False)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for name, one in found.items():
        added = [number(v) for v in one.added] if full or name in (CORRELATION, ALL_PAIRS) else [None] * 3
        other = number(controls[name].auc.value) if name in controls else None
        rows.append([name, *(number(v) for v in one.auc), other, number(one.sign), number(one.rho), *added])
        claims[f"auc_{name}"] = number(one.auc.value)
        if added[0] is not None:
            claims[f"auc_added_{name}"] = added[0]
        if other is not None:
            claims[f"auc_untrained_{name}"] = other
    main = found[FUNCTIONAL]
    claims |= _verdict(found, controls, full)
    path = figures / "recovery.png"
    _draw(found, controls, truth, on_pairs(scores, truth, candidates[FUNCTIONAL]), path)
    silenced = int((truth.structural & (truth.weight == 0)).sum())
    note = (
        f"AUC: {int(truth.structural.sum()) - silenced} functional against {silenced} silenced edges of the connectome; a pair that "
        f"is no edge of the model's graph ({data.config.model.graph}) scores 0; 95 % by bootstrap over receiving neurons. sign: of "
        "functional edges that the model has; rho: with |true weight|. untrained: the network before training, its last layer drawn "
        "at random, without a linear path. "
    )
    note += (
        f"added: AUC of {int(truth.added.sum())} edges that the connectome has not against {int(truth.absent.sum())} absent pairs. "
        if full
        else "Added edges can be found by scores of pairs that the graph does not join only. "
    )
    if pairs is not None:
        note += (
            f"{ALL_PAIRS}: its coefficients also where the graph has no edge, which a path of {data.config.model.hops} hops reaches, "
            "so that a shuffled graph, too, may hold some of the truth there. "
        )
    note += _sentence(found)
    columns = ["score", "AUC", "low", "high", "untrained", "sign right", "rho", "AUC added", "low", "high"]
    title = f"Recovery of true edges by {FUNCTIONAL}: AUC {main.auc.value:.2f}, wanted {WANTED:g}"
    return Exhibit("recovery", title, Table(columns, rows, note), path, claims)


def _candidates(scores: EdgeScores) -> dict[str, Array]:
    found = {name: scores.mean(name) if name in SIGNED else values for name, values in strengths(scores).items()}
    heads = {f"attention, layer {a + 1}, head {b + 1}": scores.head(a, b) for a, b in scores.heads}
    return {**heads, **found}


def _verdict(found: dict[str, Recovered], controls: dict[str, Recovered], full: bool) -> dict[str, Any]:
    attention = [r.auc.value for name, r in found.items() if name.startswith(ATTENTION)]
    main = found[FUNCTIONAL]
    claims: dict[str, Any] = {
        "functional_weight": FUNCTIONAL,
        "auc": number(main.auc.value),
        "wanted": WANTED,
        "reached": bool(main.auc.value >= WANTED),
        "best_attention_auc": number(max(attention, default=np.nan)),
        "attention_reached": bool(max(attention, default=0.0) >= WANTED),
    }
    if FUNCTIONAL in controls:
        claims["auc_untrained"] = number(controls[FUNCTIONAL].auc.value)
    if full:
        claims |= {"auc_added": number(main.added.value), "wanted_added": WANTED_ADDED}
        claims["added_reached"] = bool(main.added.value >= WANTED_ADDED)
    return claims


def _sentence(found: dict[str, Recovered]) -> str:
    """Which of attention and attribution tells true edges, in words."""
    attention = {name: r.auc.value for name, r in found.items() if name.startswith(ATTENTION)}
    main = found[FUNCTIONAL].auc.value
    if not attention:
        return f"{FUNCTIONAL} reaches {main:.2f}"
    name = max(attention, key=lambda key: attention[key])
    best = attention[name]
    if main >= WANTED > best:
        return f"Attention does not tell functional edges from silenced ones (at best {best:.2f}, {name}); {FUNCTIONAL} does ({main:.2f})"
    return f"The best score from attention is {best:.2f} ({name}), {FUNCTIONAL} reaches {main:.2f}"


def _draw(found: dict[str, Recovered], controls: dict[str, Recovered], truth: Truth, values: Array, path: Path) -> None:
    with saved_figure(path, ncols=2, width=11.5, height=0.27 * len(found) + 2.2) as (figure, axes):
        for place, (name, one) in enumerate(found.items()):
            axes[0].plot(one.auc.value, place, "o", color="#D55E00", ms=6, label="trained" if not place else None)
            if np.isfinite(one.auc.low):
                axes[0].plot([one.auc.low, one.auc.high], [place, place], color="#D55E00", lw=1.5)
            if name in controls:
                label = "untrained" if not place else None
                axes[0].plot(controls[name].auc.value, place, "s", color="0.55", ms=5, zorder=1, label=label)
        axes[0].axvline(0.5, color="0.5", lw=0.8, ls=":")
        axes[0].axvline(WANTED, color="0.5", lw=0.8, ls="--")
        axes[0].set_yticks(range(len(found)), list(found), fontsize=8)
        axes[0].invert_yaxis()
        axes[0].set(xlim=(0.28, 1.02), xlabel=f"AUC, functional against silenced; dashed: {WANTED:g}")
        figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc="outside lower left", ncols=2)
        groups = (
            ("functional", truth.structural & (truth.weight != 0), "#0072B2", "o"),
            ("silenced", truth.structural & (truth.weight == 0), "#E69F00", "^"),
            ("added", truth.added, "#009E73", "s"),
        )
        for name, chosen, colour, marker in groups:
            axes[1].plot(truth.weight[chosen], values[chosen], marker, color=colour, ms=4, alpha=0.6, label=name)
        axes[1].axhline(0, color="0.6", lw=0.8)
        axes[1].set(xlabel="true weight", ylabel=f"{FUNCTIONAL} [z per z]")
        axes[1].legend(fontsize=8, loc="upper left")
