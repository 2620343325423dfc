"""Whether a neuron has found the dendrite: what each input does in the model against where it is, and what it does in the cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.nulls import NullBand
from neurocli.evaluation.target import Cost
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.report.colours import EXCITATORY, INHIBITORY
from neurocli.report.figure import saved_figure
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.input_distance import distance_of
from neurocli_elm.simulation.parameters import DendriteConfig, parameters_of
from neurocli_elm.simulation.perturbation import event_effects

Array = NDArray[np.float64]
EFFECT, WEIGHT, DISTANCE = "effect on the soma", "synapse's conductance", "distance from soma"
RESPONSE, SPIKES = "soma response", "attribution per event"
RIVAL = "nearness to the soma alone"
EFFECT_NAME = "effects of single events"
KINDS = ("excitatory", "inhibitory")
_FEWEST = 5
_RESAMPLED = 999
_TRIMMED = 0.25
"""Share of the moments with the largest effect of an input, and of those with the smallest, that its mean leaves out."""


@dataclass(frozen=True)
class Rank:
    """Rank correlation over n inputs with its 95 % interval (Bonett & Wright 2000)."""

    value: float
    low: float
    high: float
    n: int


def rank_correlation(one: Array, other: Array) -> Rank:
    """Spearman's; NaN where there are fewer than five pairs, or one side never changes."""
    from scipy.stats import rankdata

    known = np.isfinite(one) & np.isfinite(other)
    n = int(known.sum())
    unknown = Rank(float("nan"), float("nan"), float("nan"), n)
    if n < _FEWEST:
        return unknown
    a, b = (rankdata(values[known]) for values in (one, other))
    if a.std() == 0 or b.std() == 0:
        return unknown
    r = float(np.corrcoef(a, b)[0, 1])
    half = 1.96 * np.sqrt((1 + r**2 / 2) / (n - 3))
    z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    return Rank(r, float(np.tanh(z - half)), float(np.tanh(z + half)), n)


def truths_of(data: SimulationData) -> dict[str, Array]:
    """What is known of each input, by name: its distance; of our simulator's cell, its conductance and what it does to the soma."""
    found: dict[str, Array] = {}
    parameters = parameters_of(data.recordings)
    weight = data.recordings.truth.get("input_weight_ns")
    if parameters is not None and 2 * parameters.segments == data.channels:
        found[EFFECT] = known_effects(data, parameters).values["_effect"]
    if weight is not None and len(weight) == data.channels:
        found[WEIGHT] = np.asarray(weight, np.float64)
    distance = distance_of(data)
    if distance is not None:
        found[DISTANCE] = distance
    return found


def known_effects(data: SimulationData, parameters: DendriteConfig) -> Fitted:
    """_effect [input] mV ms of one event, had by perturbing the simulator, positive where the input does as its kind should.

    A trimmed mean: for each input over the middle half of the moments, by size. Depends on the cell and the drive alone; kept for
    other runs.
    """
    from scipy.stats import trim_mean

    def fit() -> dict[str, Array]:
        effects = event_effects(parameters) * data.sign
        # An event that moves an output spike changes the voltage a hundred times more than others do: few moments would decide.
        return {"_effect": trim_mean(effects, _TRIMMED, axis=0)}

    return Fitted(EFFECT_NAME, data, parameters.model_dump(mode="json"), fit)


def partial_rank_correlation(one: Array, other: Array, given: Array) -> float:
    """Spearman's between what is left of both ranks once a linear function of the ranks of `given` is taken away."""
    from scipy.stats import rankdata

    known = np.isfinite(one) & np.isfinite(other) & np.isfinite(given)
    if int(known.sum()) < _FEWEST + 1:
        return float("nan")
    a, b, c = (rankdata(values[known]) for values in (one, other, given))
    if min(a.std(), b.std(), c.std()) == 0:
        return float("nan")
    ab, ac, bc = (float(np.corrcoef(x, y)[0, 1]) for x, y in ((a, b), (a, c), (b, c)))
    room = (1 - ac**2) * (1 - bc**2)
    return (ab - ac * bc) / float(np.sqrt(room)) if room > 1e-12 else float("nan")


def recovery_exhibit(
    data: SimulationData,
    scores: Mapping[str, Array],
    nulls: Mapping[str, Array],
    figures: Path,
    rivals: Mapping[str, tuple[Array, Cost | None]] | None = None,
    cost: Cost | None = None,
) -> Exhibit:
    """Rank correlations of each score [input] with what is known, beside those of neurons with random weights [neuron, input].

    Scores are positive where an input does what its kind should: excitatory ones raise, inhibitory ones lower. `rivals`: what
    needs no neuron, with what it took to fit; distance along the tree stands beside in any case. cost: of the model.
    """
    truths = truths_of(data)
    if not truths:
        return Exhibit("dendrite", "Against the dendrite: not possible, where the inputs are is unknown")
    exciting = data.exciting
    distance = truths.get(DISTANCE)
    others = dict(rivals or {})
    if distance is not None:
        others[RIVAL] = -distance, Cost(0.0, 0)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for score, values in {**scores, **{name: values for name, (values, _) in others.items()}}.items():
        took = others[score][1] if score in others else cost
        for kind, chosen in zip(KINDS, (exciting, ~exciting), strict=True):
            for truth, known in truths.items():
                if score == RIVAL and truth == DISTANCE:
                    continue
                own = rank_correlation(values[chosen], known[chosen])
                row: list[Any] = [score, kind, truth, *map(finite_or_none, (own.value, own.low, own.high)), own.n]
                key = f"{score}, {kind}, {truth}"
                claims[key] = finite_or_none(own.value)
                if score == RIVAL or distance is None or truth == DISTANCE:
                    row.append(None)
                else:
                    given = partial_rank_correlation(values[chosen], known[chosen], distance[chosen])
                    claims[f"{key}, given distance"] = finite_or_none(given)
                    row.append(finite_or_none(given))
                if score in nulls:
                    # Near the soma an input does more: with distance a good neuron's correlation is low.
                    drawn = [rank_correlation(null[chosen], known[chosen]).value for null in nulls[score]]
                    band = NullBand.of(own.value, np.array(drawn), higher=truth != DISTANCE)
                    row += map(finite_or_none, (band.mean, band.low, band.high, band.p))
                    claims |= {f"{key}, random weights": finite_or_none(band.mean), f"{key}, p": finite_or_none(band.p)}
                else:
                    row += [None] * 4
                rows.append([*row, took.cpu_s if took else None, took.parameters if took else None])
    count = len(next(iter(nulls.values()))) if nulls else 0
    note = (
        "Spearman's rank correlation over inputs, 95 % interval as if inputs were independent. A neuron that has found the dendrite "
        f"ranks its inputs as the cell does: by conductance and, the other way round, by distance. Random: mean and 95 % of {count} "
        "neurons with the same weights dealt out anew, those of synapses among inputs of their kind; p: how many of them are as "
        "good. Given distance: what is left of the correlation once distance along the tree is taken out of both sides"
    )
    if EFFECT in truths:
        for kind, chosen in zip(KINDS, (exciting, ~exciting), strict=True):
            ratio = float(np.median(scores[RESPONSE][chosen]) / np.median(truths[EFFECT][chosen]))
            claims[f"response over true effect, {kind}"] = ratio
        note += (
            f". {EFFECT}: area in mV ms of what one event changes at the soma of the simulated cell, the running simulator with the event less "
            f"the same without it, mean over the middle half of the moments; the model's median is {claims['response over true effect, excitatory']:.2f} of it for excitatory and "
            f"{claims['response over true effect, inhibitory']:.2f} for inhibitory inputs"
        )
        for kind, chosen in zip(KINDS, (exciting, ~exciting), strict=True):
            best = max(others, key=lambda name: claims[f"{name}, {kind}, {EFFECT}"] or -1.0, default=None)
            if best is None:
                continue
            lead = difference(scores[RESPONSE][chosen], others[best][0][chosen], truths[EFFECT][chosen])
            for name, value in zip(("", " low", " high"), lead, strict=True):
                claims[f"{RESPONSE} less best rival, {kind}{name}"] = finite_or_none(value)
            claims[f"best rival, {kind}"] = best
            note += f". {kind} inputs, model less {best}: {lead[0]:+.3f} [{lead[1]:+.3f}, {lead[2]:+.3f}], resampling inputs"
    path = figures / "dendrite.png"
    _draw(scores, nulls, truths, exciting, path)
    columns = [
        "score",
        "inputs",
        "known",
        "r",
        "low",
        "high",
        "n",
        "r given distance",
        "random r",
        "its low",
        "its high",
        "p",
        "CPU-s",
        "parameters",
    ]
    return Exhibit("dendrite", "Against the dendrite", Table(columns, rows, note), path, claims)


def difference(one: Array, other: Array, known: Array) -> tuple[float, float, float]:
    """Rank correlation of `one` with what is known less that of `other`, and its 95 % interval over resampled inputs."""
    random = np.random.default_rng(0)

    def less(chosen: NDArray[np.int64]) -> float:
        return rank_correlation(one[chosen], known[chosen]).value - rank_correlation(other[chosen], known[chosen]).value

    drawn = [less(random.integers(0, len(known), len(known))) for _ in range(_RESAMPLED)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return less(np.arange(len(known))), float(low), float(high)


def _draw(
    scores: Mapping[str, Array],
    nulls: Mapping[str, Array],
    truths: Mapping[str, Array],
    exciting: NDArray[np.bool_],
    path: Path,
) -> None:
    truth = EFFECT if EFFECT in truths else DISTANCE if DISTANCE in truths else WEIGHT
    known = truths[truth]
    names = {EFFECT: "cell: area of the soma's response", DISTANCE: DISTANCE, WEIGHT: WEIGHT}
    units = {EFFECT: "mV ms", DISTANCE: "µm", WEIGHT: "nS"}
    labels = {RESPONSE: "model: area of the soma's response (mV ms)", SPIKES: "model: part of the logit per event"}
    with saved_figure(path, ncols=2, width=10.5, height=4.2) as (_, axes):
        for axis, score in zip(axes, (RESPONSE, SPIKES), strict=True):
            for chosen, colour, name in ((exciting, EXCITATORY, "excitatory"), (~exciting, INHIBITORY, "inhibitory")):
                r = rank_correlation(scores[score][chosen], known[chosen])
                drawn = [rank_correlation(null[chosen], known[chosen]).value for null in nulls.get(score, ())]
                random = f", random weights {np.mean(drawn):.2f}" if len(drawn) else ""
                label = f"{name}: r {r.value:.2f} [{r.low:.2f}, {r.high:.2f}]{random}"
                axis.plot(known[chosen], scores[score][chosen], "o", color=colour, ms=3.5, alpha=0.7, label=label)
            if score == RESPONSE and truth == EFFECT:
                top = float(known.max())
                axis.plot([0, top], [0, top], color="0.6", lw=1, ls="--", zorder=0)
            axis.axhline(0, color="0.8", lw=0.8, zorder=0)
            low, high = axis.get_ylim()
            axis.set(
                xlabel=f"{names[truth]} ({units[truth]})", ylabel=labels[score], ylim=(low, high + 0.15 * (high - low))
            )
            axis.legend(fontsize=8, loc="upper left")
