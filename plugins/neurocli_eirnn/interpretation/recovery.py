"""Against the teacher: true rates, types of neurons, weights between recorded neurons. For simulated sessions only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.diagnosis.words import counted
from neurocli.evaluation.nulls import NullBand
from neurocli.evaluation.target import Cost, Prediction, Predictor, Target
from neurocli.interpretation.pairs import between_neurons, pairs_by_sender
from neurocli.interpretation.roc import roc_auc
from neurocli.interpretation.shuffling import neurons_exchanged
from neurocli.interpretation.weight_matrix import draw_weights
from neurocli.plugin.exhibit import Exhibit, Table, finite_or_none
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_eirnn.data.dataset import SessionData, psth
from neurocli_eirnn.data.session import EXCITATORY
from neurocli_eirnn.evaluation.baselines import CONDITION, baselines
from neurocli_eirnn.evaluation.rates import (
    COLOURS,
    Array,
    fitted_numbers,
    letters,
    mean,
    model_inputs,
    model_rates,
    pearson,
    test_rows,
    within,
)
from neurocli_eirnn.evaluation.targets import from_whole_trials, targets
from neurocli_eirnn.interpretation.weights import learned_weights

PERMUTATIONS = 500
FEWEST = 2
SIGNAL = 0.1
"""A neuron carries signal where its true condition means vary by at least this share of its mean rate (sd over mean)."""
STRONG = 0.25
WANTED = 0.9
PART = "part"
HEADS = {
    "r signed, all": "correlation, signed, all pairs",
    "r |w| from E": "correlation of |w|, from E",
    "AUC strong from E": "AUC of strong |w|, from E",
    "r |w| from I": "correlation of |w|, from I",
    "AUC strong from I": "AUC of strong |w|, from I",
}
"""How a table names the scores of weights, whose keys are those of the claims."""


def true_rates(dataset: SessionData) -> Array | None:
    """[trial, time, neuron] true rates in sp/s without each trial's own gain, which nobody could foresee; None where unknown."""
    rates = dataset.session.true_rates
    if rates is None:
        return None
    truths = [dataset.recordings[group].truth for group in dataset.row]
    gain = np.array([float(t["gain"][0]) if "gain" in t else 1.0 for t in truths])
    return rates / gain[:, None, None]


def rate_recovery(trained: TrainedModel, figures: Path) -> Exhibit:
    """r of trial means per condition with the true rates' on the test trials: the model's, and that of every baseline."""
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    truth = true_rates(dataset)
    assert truth is not None
    rows = test_rows(dataset)
    predicted = dict(zip(dataset.split.test, model_rates(trained.network, dataset, rows), strict=True))
    model = Predictor("model", "model", lambda target: from_whole_trials(target, predicted))
    predictions = [model, *_network_and_linear_path(trained, rows), *baselines(dataset, trained.config)]
    conditions = np.stack([dataset.label(name) for name in CONDITION], axis=1)
    true_by_group = {group: truth[row] for group, row in dataset.row.items()}
    tested = targets(dataset, trained.config, "test")
    scored: dict[str, list[Array]] = {prediction.name: [] for prediction in predictions}
    scope = []
    for target in tested:
        member = conditions[dataset.rows(target.groups)]
        true_means, count, num_conditions = by_condition(target, from_whole_trials(target, true_by_group), member)
        signal = carries_signal(true_means, count)
        scope.append(f"{target.name}, {counted(num_conditions, 'condition')}, {counted(int(signal.sum()), 'neuron')}")
        for prediction in predictions:
            predicted_rates = prediction.predict(target)
            assert predicted_rates is not None
            r = psth.correlation(true_means, by_condition(target, predicted_rates, member)[0], count)
            scored[prediction.name].append(np.where(signal, r, np.nan))
    costs = {
        "model": Cost(trained.cpu_s, fitted_numbers(trained.network)),
        **{prediction.name: prediction.cost() for prediction in predictions[1:]},
    }
    table = [
        [name, *(finite_or_none(mean(r)) for r in correlations), *cost_columns(costs[name])]
        for name, correlations in scored.items()
    ]
    path = figures / "true_rates.png"
    _draw_rates(dataset, {a.name: scored[a.name][0] for a in predictions if a.kind != PART}, path)
    main = {name: finite_or_none(mean(correlations[0])) for name, correlations in scored.items()}
    note = (
        "correlation of predicted with true rates over conditions and time, both averaged over the test trials of each condition "
        f"(location x reward x salience; at least {FEWEST} trials), bins weighted by their number of trials, and without the gain of "
        f"single trials. Mean over neurons whose true rates vary by at least {SIGNAL * 100:.0f} % of their mean: {'; '.join(scope)}"
    )
    claims: dict[str, Any] = {f"r_{name.replace(' ', '_').replace(',', '')}": value for name, value in main.items()}
    rivals = [prediction.name for prediction in predictions if prediction.kind == "baseline"]
    best = max(rivals, key=lambda name: main[name] or 0.0, default=None)
    claims["best_baseline"] = best
    if best is not None:
        claims["above_best_baseline"] = finite_or_none(mean(scored["model"][0] - scored[best][0]))
    claims["reached"] = bool(main["model"] is not None and main["model"] >= WANTED)
    claims["wanted"] = WANTED
    if _is_mean(trained.network):
        note += ". The model's rates are a weighted mean of those of network alone and linear path alone"
    columns = ["", *(f"correlation, {target.name}" for target in tested), "CPU-s", "parameters"]
    return Exhibit("true-rates", "Recovery of the true rates", Table(columns, table, note), path, claims)


def _is_mean(network: Any) -> bool:
    """Whether a model's rates are a mean of its network's and a fitted linear path's."""
    return bool(getattr(network, "linear_path", False)) and bool(network.linear_weight > 0)


@torch.no_grad()
def _network_and_linear_path(trained: TrainedModel, rows: NDArray[np.int64]) -> list[Predictor]:
    """The network and the linear path, each by itself, of a model that is the mean of both."""
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    network: Any = trained.network
    if not _is_mean(network):
        return []
    inputs = model_inputs(network, dataset, rows)
    size = sum(p.numel() for p in network.parameters() if p.requires_grad)
    costs = {
        "network alone": (network.network_rates, Cost(None, size)),
        "linear path alone": (network.linear_rates, Cost(None, fitted_numbers(network) - size)),
    }

    def predictor(name: str, rates_of: Callable[[torch.Tensor], torch.Tensor], cost: Cost) -> Predictor:
        rates = torch.cat([rates_of(chunk) for chunk in inputs.split(256)]).cpu().numpy()
        predicted = dict(zip(dataset.split.test, within(dataset, rows, rates), strict=True))
        return Predictor(name, PART, lambda target: from_whole_trials(target, predicted), "", lambda: cost)

    return [predictor(name, *how) for name, how in costs.items()]


def cost_columns(cost: Cost | None) -> list[float | int | None]:
    """CPU-seconds and number of parameters, for the last columns of a table."""
    return [None, None] if cost is None else [finite_or_none(cost.cpu_s), cost.parameters]


def by_condition(
    target: Target, prediction: Prediction, member: NDArray[np.int64]
) -> tuple[Array, NDArray[np.int64], int]:
    """(means over trials, numbers of trials, each [condition x time, neuron], number of conditions) of those with enough trials.

    member: [trial, label] what a trial's condition is; bins beyond a trial's end take no part.
    """
    valid = [np.isfinite(target.values[group]) for group in target.groups]
    rates = np.stack([np.where(v, prediction.values[g], np.nan) for g, v in zip(target.groups, valid, strict=True)])
    names, condition, count = np.unique(member, axis=0, return_inverse=True, return_counts=True)
    large = [k for k in range(len(names)) if count[k] >= FEWEST]
    if not large:  # too few trials for any condition: all of them are one
        return psth.trial_mean(rates), psth.sums(rates)[1], 1
    by_name = [rates[condition.reshape(-1) == k] for k in large]
    means, counts = (
        [psth.trial_mean(condition_rates) for condition_rates in by_name],
        [psth.sums(condition_rates)[1] for condition_rates in by_name],
    )
    return np.concatenate(means), np.concatenate(counts), len(large)


def carries_signal(means: Array, count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[neuron] whether true means [sample, neuron] of `count` trials vary enough to be worth fitting."""
    mean = np.where(count > 0, means * count, 0.0).sum(0) / np.maximum(count.sum(0), 1)
    return psth.temporal_sd(means, count) >= SIGNAL * mean


def _draw_rates(dataset: SessionData, correlations: dict[str, Array], path: Path) -> None:
    kinds = np.array(letters(dataset.session.neuron_type))
    others = [name for name in correlations if name != "model"]
    with saved_figure(path, ncols=max(len(others), 1), width=3.0 * max(len(others), 1) + 0.6, height=3.4) as (
        figure,
        axes,
    ):
        panels = np.atleast_1d(axes)
        known = np.concatenate([v[np.isfinite(v)] for v in correlations.values()] or [np.zeros(1)])
        low = min(0.0, float(known.min())) - 0.05 if len(known) else 0.0
        for axis, name in zip(panels, others or ["model"], strict=True):
            axis.plot([low, 1.03], [low, 1.03], color="0.6", lw=0.8)
            for kind, colour in COLOURS.items():
                axis.plot(
                    correlations[name][kinds == kind],
                    correlations["model"][kinds == kind],
                    "o",
                    ms=4,
                    color=colour,
                    label=kind,
                )
            axis.axhline(WANTED, color="0.7", lw=0.8, ls=":")
            axis.set(
                xlim=(low, 1.03),
                ylim=(low, 1.03),
                aspect="equal",
                xlabel=f"correlation, {name}",
                ylabel="correlation, model",
            )
        figure.legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="outside right upper")
        figure.suptitle(f"correlation of predicted with true rates, neuron by neuron; dotted: {WANTED:g}", fontsize=9)


def type_recovery(trained: TrainedModel) -> Exhibit:
    """Whether the fitted outgoing weights have the sign of the sender's true type, and whether that says anything."""
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    weights, unit_excitatory = learned_weights(trained.network)
    network: Any = trained.network
    units = network.unit_of_neuron.cpu().numpy()
    true_e = dataset.session.truth["unit_type"][dataset.session.truth["recorded_unit"]] == EXCITATORY
    outgoing = weights[:, units].sum(0)
    dale = bool(((weights >= 0).all(0) | (weights <= 0).all(0)).all())
    misplaced = int((unit_excitatory[units] != true_e).sum())
    right, auc = int(((outgoing > 0) == true_e).sum()), finite_or_none(roc_auc(outgoing, true_e))
    rows: list[list[Any]] = [
        ["neurons", len(units)],
        ["on a unit of another type than their own", misplaced],
        ["sum of outgoing weights has the sign of the true type", right],
        ["AUC of the sum, E against I", auc],
        ["signs given by construction", dale],
    ]
    if not dale:
        note = (
            "Dale's law is off and weights may take either sign: by chance "
            f"{max(true_e.mean(), 1 - true_e.mean()) * 100:.0f} % of the signs would be right"
        )
    elif misplaced:
        note = (
            f"Dale's law is built in, and the model places {misplaced} neurons on units of the other type: their signs are wrong by "
            "construction"
        )
    else:
        note = "Dale's law is built in and the types are given with the data: the signs are right by construction, which shows nothing"
    claims = {"right": right, "neurons": len(units), "auc": auc, "by_construction": dale, "misplaced": misplaced}
    return Exhibit("types", "Recovery of neuron types", Table(["", "value"], rows, note), None, claims)


def weight_recovery(trained: TrainedModel, blanks: Sequence[torch.nn.Module], figures: Path) -> Exhibit:
    """Learned against true strengths between recorded neurons, among two nulls.

    blanks: untrained models, each of a seed of its own: random weights as training finds them. The other null keeps the learned
    weights, with neurons exchanged within their types.
    """
    dataset = trained.dataset
    assert isinstance(dataset, SessionData)
    recorded = dataset.session.truth["recorded_unit"]
    truth = dataset.session.truth["weights"][np.ix_(recorded, recorded)]
    excitatory = dataset.session.truth["unit_type"][recorded] == EXCITATORY
    learned = _between_recorded(trained.network)
    rng = np.random.default_rng(trained.seed)
    matrices = {
        "exchanged": (neurons_exchanged(learned, excitatory, rng) for _ in range(PERMUTATIONS)),
        "untrained": (_between_recorded(blank) for blank in blanks),
    }
    nulls = {
        name: [weight_scores(matrix, truth, excitatory) for matrix in matrices_of_null]
        for name, matrices_of_null in matrices.items()
    }
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for key, value in weight_scores(learned, truth, excitatory).items():
        exchanged, untrained = (
            NullBand.of(value, np.array([scores[key] for scores in null])) for null in nulls.values()
        )
        bands = (exchanged, untrained)
        rows.append([HEADS[key], *map(finite_or_none, (value, *(v for b in bands for v in (b.low, b.high, b.p))))])
        claims[key] = finite_or_none(value)
        claims[f"{key}, chance"] = [finite_or_none(exchanged.low), finite_or_none(exchanged.high)]
        claims[f"{key}, p"] = finite_or_none(exchanged.p)
        claims[f"{key}, untrained"] = finite_or_none(untrained.mean)
        claims[f"{key}, p untrained"] = finite_or_none(untrained.p)
    path = figures / "weight_recovery.png"
    _draw_weights(learned, truth, excitatory, path)
    note = (
        f"learned and true weights w between recorded neurons. Strong: the largest {STRONG * 100:.0f} % of true |w| of each type of "
        f"sender. Exchanged: learned weights with neurons exchanged within their types, 95 % of {PERMUTATIONS} exchanges; untrained: "
        f"95 % of {len(blanks)} networks before training, with random weights; p: share of the null that is at least as high. The "
        "signed correlation is high by Dale's law alone, as both nulls show. Different weights can give the same rates, and most "
        "units of the teacher are not recorded: what lies within chance is not recovered"
    )
    columns = ["", "model"]
    columns += [f"{name}, {part}" for name in nulls for part in ("low", "high", "p")]
    return Exhibit(
        "true-weights", "Recovery of weights between recorded neurons", Table(columns, rows, note), path, claims
    )


def _between_recorded(network: Any) -> Array:
    """[post, pre] learned weights between recorded neurons, in the data's order."""
    units = network.unit_of_neuron.cpu().numpy()
    return learned_weights(network)[0][np.ix_(units, units)]


def weight_scores(learned: Array, truth: Array, excitatory: NDArray[np.bool_]) -> dict[str, float]:
    """Correlations and AUCs for strong weights, off the diagonal; learned, truth [post, pre]."""
    off = between_neurons(len(truth))
    scores = {"r signed, all": pearson(learned[off], truth[off])}
    for sender, pairs in pairs_by_sender(excitatory).items():
        learned_size, true_size = np.abs(learned[pairs]), np.abs(truth[pairs])
        scores[f"r |w| from {sender}"] = pearson(learned_size, true_size)
        strong = (
            true_size > max(float(np.quantile(true_size, 1 - STRONG)), 0.0) if true_size.size else np.zeros(0, bool)
        )
        scores[f"AUC strong from {sender}"] = roc_auc(learned_size, strong)
    return scores


def _draw_weights(learned: Array, truth: Array, excitatory: NDArray[np.bool_], path: Path) -> None:
    off = between_neurons(len(truth))
    both = np.abs(np.concatenate([truth[off], learned[off]]))
    limit = (float(np.percentile(both, 99)) if both.size else 0.0) or 1.0  # one scale, or the colours compare nothing
    with saved_figure(path, ncols=3, width=11.5, height=3.6) as (figure, axes):
        for axis, matrix, title in ((axes[0], truth, "true weights"), (axes[1], learned, "learned weights")):
            picture = draw_weights(axis, matrix, limit, excitatory)
            axis.set(xlabel="from neuron (E, then I)")
            axis.set_title(title, fontsize=9)
        axes[0].set_ylabel("to neuron (E, then I)")
        figure.colorbar(picture, ax=list(axes[:2]), label="weight", extend="both")
        rng = np.random.default_rng(0)
        width = 0.02 * float(np.abs(truth[off]).max()) if off.any() else 0.0
        for sender, pairs in pairs_by_sender(excitatory).items():
            true = np.abs(truth[pairs])
            # Absent connections would all lie on one line: they are spread out to the left of zero.
            at = np.where(true > 0, true, -width * (0.5 + 2 * rng.random(true.shape)))
            axes[2].plot(at, np.abs(learned[pairs]), ".", ms=3, color=COLOURS[sender], label=f"from {sender}")
        axes[2].axvline(0, color="0.8", lw=0.8, zorder=0)
        axes[2].set(xlabel="true |w|; absent weights left of 0", ylabel="learned |w|")
        axes[2].set_title("between recorded neurons", fontsize=9)
        axes[2].legend(fontsize=8)
