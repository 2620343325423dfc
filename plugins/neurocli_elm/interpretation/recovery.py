"""Whether a neuron has found the dendrite: what each input does in the model against where it is, and what it does in the cell."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.fitted import Fitted
from neurocli.evaluation.nulls import NullBand
from neurocli.evaluation.target import Cost
from neurocli.interpretation.rank_correlation import (
    known_pairs,
    partial_spearman,
    spearman,
    spearman_difference,
    spearman_estimate,
)
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
_TRIMMED = 0.25
"""Share of the moments with the largest effect of an input, and of those with the smallest, that its mean leaves out."""


def truths_of(dataset: SimulationData) -> dict[str, Array]:
    """What is known of each input, by name: its distance; of our simulator's cell, its conductance and what it does to the soma."""
    truths: dict[str, Array] = {}
    parameters = parameters_of(dataset.recordings)
    weight = dataset.recordings.truth.get("input_weight_ns")
    if parameters is not None and 2 * parameters.segments == dataset.channels:
        truths[EFFECT] = known_effects(dataset, parameters).values["_effect"]
    if weight is not None and len(weight) == dataset.channels:
        truths[WEIGHT] = np.asarray(weight, np.float64)
    distance = distance_of(dataset)
    if distance is not None:
        truths[DISTANCE] = distance
    return truths


def known_effects(dataset: SimulationData, parameters: DendriteConfig) -> Fitted:
    """_effect [input] mV ms of one event, had by perturbing the simulator, positive where the input does as its kind should.

    A trimmed mean: for each input over the middle half of the moments, by size. Depends on the cell and the drive alone; kept for
    other runs.
    """
    from scipy.stats import trim_mean

    def fit() -> dict[str, Array]:
        effects = event_effects(parameters) * dataset.sign
        # An event that moves an output spike changes the voltage a hundred times more than others do: few moments would decide.
        return {"_effect": trim_mean(effects, _TRIMMED, axis=0)}

    return Fitted(EFFECT_NAME, dataset, parameters.model_dump(mode="json"), fit)


def recovery_exhibit(
    dataset: SimulationData,
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
    truths = truths_of(dataset)
    if not truths:
        return Exhibit("dendrite", "Against the dendrite: not possible, where the inputs are is unknown")
    inputs = dict(zip(KINDS, (dataset.exciting, ~dataset.exciting), strict=True))
    distance = truths.get(DISTANCE)
    others = dict(rivals or {})
    if distance is not None:
        others[RIVAL] = -distance, Cost(0.0, 0)
    scored = {**{name: (values, cost) for name, values in scores.items()}, **others}
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for (score, (values, took)), (kind, chosen), (truth, known) in product(
        scored.items(), inputs.items(), truths.items()
    ):
        if score == RIVAL and truth == DISTANCE:
            continue
        estimate = spearman_estimate(values[chosen], known[chosen])
        key = f"{score}, {kind}, {truth}"
        claims[key] = finite_or_none(estimate.value)
        given_distance = None
        if distance is not None and score != RIVAL and truth != DISTANCE:
            given_distance = finite_or_none(partial_spearman(values[chosen], known[chosen], distance[chosen]))
            claims[f"{key}, given distance"] = given_distance
        chance: list[float | None] = [None] * 4
        if score in nulls:
            # Near the soma an input does more: with distance a good neuron's correlation is low.
            band = NullBand.of(estimate.value, _random_r(nulls[score], known, chosen), higher=truth != DISTANCE)
            chance = [finite_or_none(value) for value in (band.mean, band.low, band.high, band.p)]
            claims |= {f"{key}, random weights": chance[0], f"{key}, p": chance[3]}
        row: list[Any] = [
            score,
            kind,
            truth,
            *map(finite_or_none, estimate),
            known_pairs(values[chosen], known[chosen]),
        ]
        rows.append([*row, given_distance, *chance, took.cpu_s if took else None, took.parameters if took else None])
    count = len(next(iter(nulls.values()))) if nulls else 0
    note = (
        "Spearman's rank correlation over inputs, 95 % interval as if inputs were independent. A neuron that has found the dendrite "
        f"ranks its inputs as the cell does: by conductance and, the other way round, by distance. Random: mean and 95 % of {count} "
        "neurons with the same weights dealt out anew, those of synapses among inputs of their kind; p: how many of them are as "
        "good. Given distance: what is left of the correlation once distance along the tree is taken out of both sides"
    )
    if EFFECT in truths:
        for kind, chosen in inputs.items():
            ratio = float(np.median(scores[RESPONSE][chosen]) / np.median(truths[EFFECT][chosen]))
            claims[f"response over true effect, {kind}"] = ratio
        note += (
            f". {EFFECT}: area in mV ms of what one event changes at the soma of the simulated cell, the running simulator with the event less "
            f"the same without it, mean over the middle half of the moments; the model's median is {claims['response over true effect, excitatory']:.2f} of it for excitatory and "
            f"{claims['response over true effect, inhibitory']:.2f} for inhibitory inputs"
        )
        for kind, chosen in inputs.items():
            best = max(others, key=lambda name: claims[f"{name}, {kind}, {EFFECT}"] or -1.0, default=None)
            if best is None:
                continue
            lead = spearman_difference(scores[RESPONSE][chosen], others[best][0][chosen], truths[EFFECT][chosen])
            for name, value in zip(("", " low", " high"), lead, strict=True):
                claims[f"{RESPONSE} less best rival, {kind}{name}"] = finite_or_none(value)
            claims[f"best rival, {kind}"] = best
            note += f". {kind} inputs, model less {best}: {lead.value:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}], resampling inputs"
    path = figures / "dendrite.png"
    _draw(scores, nulls, truths, dataset.exciting, path)
    columns = ["score", "inputs", "known", "r", "low", "high", "n", "r given distance"]
    columns += ["random r", "its low", "its high", "p", "CPU-s", "parameters"]
    return Exhibit("dendrite", "Against the dendrite", Table(columns, rows, note), path, claims)


def _random_r(nulls: Array, known: Array, chosen: NDArray[np.bool_]) -> Array:
    """[neuron] rank correlation over the chosen inputs of what neurons with random weights say [neuron, input]."""
    return np.array([spearman(null[chosen], known[chosen]) for null in nulls])


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
                r = spearman_estimate(scores[score][chosen], known[chosen])
                random = ""
                if score in nulls:
                    random = f", random weights {np.mean(_random_r(nulls[score], known, chosen)):.2f}"
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
