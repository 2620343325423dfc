"""Recovery of the dendrite: the effect of each input in the model against its distance from the soma and its effect in the cell."""

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
    """What is known of each input, by name: its distance; of a cell of `dendrite` also its conductance and its effect on the soma."""
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
    """_effect [input] of one event in mV ms, measured by perturbing the simulator, positive where the effect has the sign of its type.

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
    """Rank correlations of each score [input] with what is known, beside those of networks with permuted weights [network, input].

    Scores are positive where excitatory inputs raise and inhibitory ones lower the voltage. `rivals`: scores that need no model
    of the cell, with the cost of their fit; distance along the dendrite is always among them. cost: of the model.
    """
    truths = truths_of(dataset)
    if not truths:
        return Exhibit("dendrite", "Recovery of the dendrite: not possible, the positions of the inputs are unknown")
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
            # Inputs near the soma have larger effects: with distance, the correlation of a good model is negative.
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
        "r: Spearman's rank correlation, over inputs, of what they are ranked by with what is known of them (truth); 95 % interval (low, high) as if inputs were "
        "independent. A model that has recovered the dendrite ranks its inputs as the cell does: positively with effect and conductance, "
        f"negatively with distance. Random: mean r and central 95 % of {count} networks with the trained weights permuted, those of synapses "
        "among inputs of their type; p: one-sided, from these networks. Given distance: partial rank correlation, given the distance along the dendrite"
    )
    if EFFECT in truths:
        for kind, chosen in inputs.items():
            ratio = float(np.median(scores[RESPONSE][chosen]) / np.median(truths[EFFECT][chosen]))
            claims[f"response over true effect, {kind}"] = ratio
        note += (
            f". {EFFECT.capitalize()}: area (mV ms) between the soma voltages of the simulated cell with and without one additional event, mean over "
            f"the middle half of the moments at which it was added; the median response of the model is {claims['response over true effect, excitatory']:.2f} times the median effect for excitatory and "
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
            note += f". {kind.capitalize()} inputs, r of the model minus that of {best}: {lead.value:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}], 95 % by resampling inputs"
    path = figures / "dendrite.png"
    _draw(scores, nulls, truths, dataset.exciting, path)
    columns = ["ranked by", "inputs", "truth", "r", "low", "high", "n", "r given distance"]
    columns += ["random r", "its low", "its high", "p", "CPU-s", "parameters"]
    return Exhibit("dendrite", "Recovery of the dendrite", Table(columns, rows, note), path, claims)


def _random_r(nulls: Array, known: Array, chosen: NDArray[np.bool_]) -> Array:
    """[network] rank correlation over the chosen inputs of the scores of networks with permuted weights [network, input]."""
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
    labels = {
        RESPONSE: "model: area of the soma's response (mV ms)",
        SPIKES: "model: contribution to the logit per event",
    }
    with saved_figure(path, ncols=2, width=10.5, height=4.2) as (_, axes):
        for axis, score in zip(axes, (RESPONSE, SPIKES), strict=True):
            for chosen, colour, name in ((exciting, EXCITATORY, "excitatory"), (~exciting, INHIBITORY, "inhibitory")):
                r = spearman_estimate(scores[score][chosen], known[chosen])
                random = ""
                if score in nulls:
                    random = f", permuted weights {np.mean(_random_r(nulls[score], known, chosen)):.2f}"
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
