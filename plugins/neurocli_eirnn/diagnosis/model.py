"""The diagnosis of a trained model: how far it is from what can be reached, whether it collapsed, what it depends on.

Checks of the model before training are part of the diagnosis of the data, beside which this one is shown.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from neurocli.diagnosis.finding import Finding, judged
from neurocli.diagnosis.words import information, listed
from neurocli.evaluation.intervals import paired, verdict
from neurocli.evaluation.scoreboard import ALL
from neurocli.evaluation.target import Prediction, Predictor, Target
from neurocli.plugin.family import TrainedModel
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.diagnosis.flow import flow_finding
from neurocli_eirnn.diagnosis.neurons import SMOOTHING_MS, mean_rates, silent_neurons
from neurocli_eirnn.diagnosis.references import score
from neurocli_eirnn.diagnosis.rollout import rollout
from neurocli_eirnn.diagnosis.untrained import input_findings, rates_of, sd_ratio
from neurocli_eirnn.diagnosis.weights import unit_finding, weight_findings
from neurocli_eirnn.diagnosis.wording import NEURON
from neurocli_eirnn.evaluation import targets
from neurocli_eirnn.evaluation.baselines import train_psth
from neurocli_eirnn.evaluation.ceiling import bound, ceiling
from neurocli_eirnn.evaluation.metrics import PsthCorrelation
from neurocli_eirnn.model.versions import EirnnNetwork

SUBJECT = "model"
OF_CEILING_WARN, OF_CEILING_FAIL, BELOW_ORACLE = 0.8, 0.5, -0.03
COLLAPSED_SD, COLLAPSED_PC1, COLLAPSED_CORRELATION = 0.2, 0.99, 0.98
RATE_RATIO, NEURONS_OFF = (0.8, 1.25), 0.2
LARGEST_GAP = 0.15
_DEAD = 1e-2
_DRAWS = 20
_TRIALS, _BATCH, _HELD = 256, 128, 64


def trained_findings(trained: TrainedModel) -> list[Finding]:
    """Every check of a trained model.

    Its network has `weights` [post, pre], `sign` and `alpha` of its units, `unit_of_neuron`, `states(inputs)` [trial, time, unit]
    and rates [trial, time, neuron] as its output, of other `weights` where they are given.
    """
    dataset, network = trained.dataset, trained.network
    assert isinstance(dataset, SessionData)
    was_training = network.training
    network.eval()
    try:
        model = rates_of(network, dataset.inputs[dataset.used])
        every = np.full((len(dataset.rates), *model.shape[1:]), np.nan, np.float32)
        every[dataset.used] = model
        return [
            unit_finding(network, dataset.session.neuron_type, SUBJECT),
            *weight_findings(network, SUBJECT, rollout(network, dataset.inputs[dataset.used][:_HELD])),
            *_scores(trained, dataset, every),
            *_collapse(network, dataset, every),
            _rate_ratios(dataset, every),
            *input_findings(network, dataset, np.flatnonzero(dataset.used)[:_TRIALS], SUBJECT),
            *_gradients(trained, dataset),
            *_history(trained.history),
            _dead(network, dataset),
            _ablations(trained, dataset, every),
            _single_trials(dataset, every),
        ]
    finally:
        network.train(was_training)


# -- against what can be reached ----------------------------------------------------------------------------------------


def _as_prediction(dataset: SessionData, target: Target, rates: NDArray[Any]) -> Any:
    """The rates [trial, time, neuron] of the target's trials as a prediction."""
    return targets.from_whole_trials(target, {group: rates[dataset.row[group]] for group in target.groups})


def _scores(trained: TrainedModel, dataset: SessionData, rates: NDArray[Any]) -> list[Finding]:
    """r on the test trials over its ceiling (of simulated sessions: what the true rates reach), and less what the average of the other trials reaches on the same split."""
    target = targets.targets(dataset, trained.config, "test")[0]
    findings = []
    limit = ceiling(dataset)
    prediction = _as_prediction(dataset, target, rates)
    for smoothing_ms in (0.0, SMOOTHING_MS):
        metric = PsthCorrelation(smoothing_ms, dataset.bin_ms)
        subject = f"test, {metric.unit}"
        r = score(target, prediction, metric)
        best = (
            score(target, _known(limit, target), metric)
            if isinstance(limit, Predictor)
            else bound(dataset, target, ALL, metric.sd_bins)
        )
        worse, against = _against_average(dataset, target, prediction, metric)
        if best:
            advice = f"r is {r:.3f}, and {best:.3f} could be reached: " + (
                "train longer, add hidden units, or look at the FAILs above"
                if worse
                else "but the mean of the training trials is no better on these trials; the rest may be variation from trial to "
                "trial that the task does not determine"
            )
            share = r / best
            findings.append(
                judged(
                    "r-over-ceiling",
                    subject,
                    share,
                    warn=OF_CEILING_WARN,
                    fail=OF_CEILING_FAIL if worse else None,
                    low=True,
                    advice=advice,
                )
            )
        findings += against
    if dataset.split.train:
        findings.append(_gap(dataset, target, rates))
    return findings


def _against_average(
    dataset: SessionData, target: Target, prediction: Prediction, metric: PsthCorrelation
) -> tuple[bool, list[Finding]]:
    """(whether the mean of the training trials predicts the test trials better than the model, the finding that says so).

    Better is what an interval without zero says; without training trials there is nothing to say, and a model is to be bettered.
    """
    if not dataset.split.train:
        return True, []
    average = train_psth(dataset)(target)
    model_statistics, average_statistics = (
        np.stack([metric.statistics(target.values[g], scored.values[g]) for g in target.groups])
        for scored in (prediction, average)
    )
    difference = paired(metric, model_statistics, average_statistics)
    outcome = verdict(difference, metric.higher)
    worse = outcome == "worse" and difference.value < BELOW_ORACLE
    advice = (
        f"the mean of the training trials alone predicts these trials better (by {-difference.high:.3f} to {-difference.low:.3f}):"
        " train longer, or add hidden units"
    )
    threshold = f"≥ {BELOW_ORACLE:g}, or 0 within the interval"
    finding = Finding.graded("r-minus-oracle", f"test, {metric.unit}", difference.value, threshold, advice, warn=worse)
    return worse, [finding]


def _known(limit: Predictor, target: Target) -> Prediction:
    prediction = limit.predict(target)
    assert prediction is not None, "true rates predict every target"
    return prediction


def _gap(dataset: SessionData, target: Target, rates: NDArray[Any]) -> Finding:
    """r (50 ms) on training trials less that on test trials, each from as many trials: a mean of more is less noisy."""
    metric = PsthCorrelation(SMOOTHING_MS, dataset.bin_ms)
    train = dataset.rows(dataset.split.train)
    random = np.random.default_rng(0)
    draws = [random.choice(train, min(len(target.groups), len(train)), replace=False) for _ in range(_DRAWS)]
    seen = float(np.mean([_r(dataset.rates[rows], rates[rows], metric) for rows in draws]))
    tested = score(target, _as_prediction(dataset, target, rates), metric)
    advice = f"r is {seen:.3f} on as many training trials and {tested:.3f} on test trials: use more weight decay, or fewer units or epochs"
    return judged("train-test-gap", f"r, {metric.unit}", seen - tested, warn=LARGEST_GAP, advice=advice)


def _r(observed: NDArray[Any], model: NDArray[Any], metric: PsthCorrelation) -> float:
    total = np.sum([metric.statistics(a, b) for a, b in zip(observed, model, strict=True)], axis=0)
    return float(metric.value(total))


# -- collapse -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def _collapse(network: Any, dataset: SessionData, rates: NDArray[Any]) -> list[Finding]:
    """A model whose units all do the same, or hardly anything."""
    observed = dataset.rates[dataset.used]
    masked = np.where(np.isfinite(observed), rates[dataset.used], np.nan)
    inputs = torch.from_numpy(dataset.inputs[dataset.used])
    total = torch.stack([functional.softplus(network.states(chunk)).sum(0) for chunk in inputs.split(_TRIALS)]).sum(0)
    units = total.double().numpy() / len(inputs)
    course = units - units.mean(0)
    power = np.linalg.svd(course, compute_uv=False) ** 2
    moving = course[:, course.std(0) > 1e-9]
    others = ~np.eye(moving.shape[1], dtype=bool)
    alike = float(np.corrcoef(moving.T)[others].mean()) if moving.shape[1] > 1 else 1.0
    return [
        judged(
            "psth-sd-ratio",
            SUBJECT,
            sd_ratio(masked, observed, dataset.bin_ms),
            fail=COLLAPSED_SD,
            low=True,
            advice="the model's PSTHs hardly vary over time: raise the weight of the loss terms sd or correlation, or train longer",
        ),
        judged(
            "pc1-share",
            "units",
            float(power[0] / power.sum()) if power.sum() > 0 else 1.0,
            fail=COLLAPSED_PC1,
            advice="the activity has one dimension: try another seed, a smaller learning rate, or more weight on the loss terms condition and event",
        ),
        judged(
            "unit-correlation",
            "units",
            alike,
            fail=COLLAPSED_CORRELATION,
            advice="all units have the same time course: try another seed, or larger input weights",
        ),
    ]


def _rate_ratios(dataset: SessionData, rates: NDArray[Any]) -> Finding:
    """Neurons whose mean rate over the trials used is off; silent ones left out."""
    observed = dataset.rates[dataset.used]
    active = ~silent_neurons(observed)
    ratio = mean_rates(np.where(np.isfinite(observed), rates[dataset.used], np.nan)) / np.maximum(
        mean_rates(observed), 1e-9
    )
    low, high = RATE_RATIO
    off = np.flatnonzero(active & ~((ratio >= low) & (ratio <= high)))
    share = len(off) / max(int(active.sum()), 1)
    off = off[np.argsort(-np.abs(np.log(np.maximum(ratio[off], 1e-9))), kind="stable")]
    outliers = listed(
        (f"{dataset.session.neuron_ids[k]}: {ratio[k]:.2f}" for k in off),
        f"{len(off)} of {int(active.sum())} ({share:.0%}), {NEURON}",
    )
    return Finding.graded(
        "neuron-rates",
        SUBJECT,
        outliers or f"{ratio[active].min():.2f} to {ratio[active].max():.2f}",
        f"≤ {NEURONS_OFF:.0%} outside {low:g} to {high:g}",
        "use a gain for each neuron (eirnn-v2), more weight on the loss term rate, or more epochs",
        warn=share > NEURONS_OFF,
    )


# -- training -----------------------------------------------------------------------------------------------------------


def _gradients(trained: TrainedModel, dataset: SessionData) -> list[Finding]:
    rows = dataset.rows(dataset.split.train)[:_BATCH]
    if not isinstance(trained.network, EirnnNetwork) or len(rows) < 2:
        return []
    return [flow_finding(trained.network, dataset.batch(rows), trained.config, SUBJECT)]


def _history(history: list[dict[str, float]]) -> list[Finding]:
    losses = [row["validation_loss"] for row in history if np.isfinite(row.get("validation_loss", np.nan))]
    if not losses:
        return []
    best = int(np.argmin(losses))
    last = best == len(losses) - 1
    advice = "the validation loss was lowest in the last epoch: more epochs (train.epochs) may lower it further"
    value = f"epoch {best + 1} of {len(losses)}"
    return [Finding.graded("best-epoch", "training", value, "not the last", advice, warn=last)]


@torch.no_grad()
def _dead(network: Any, dataset: SessionData) -> Finding:
    """Units whose softplus never leaves zero, whatever the trial."""
    inputs = torch.from_numpy(dataset.inputs[dataset.used])
    peak = torch.stack(
        [functional.softplus(network.states(chunk)).amax((0, 1)) for chunk in inputs.split(_TRIALS)]
    ).amax(0)
    dead = np.flatnonzero(~(peak.numpy() > _DEAD))
    return Finding.graded(
        "dead-units",
        "units",
        listed(map(str, dead), f"{len(dead)} of {len(peak)}, unit") or f"none of {len(peak)}",
        "none",
        "these units never become active: use fewer hidden units, or a smaller learning rate",
        warn=len(dead),
    )


# -- what it depends on -------------------------------------------------------------------------------------------------


def _ablations(trained: TrainedModel, dataset: SessionData, rates: NDArray[Any]) -> Finding:
    """r (50 ms) on the test trials without inputs, and without recurrence."""
    target = targets.targets(dataset, trained.config, "test")[0]
    metric = PsthCorrelation(SMOOTHING_MS, dataset.bin_ms)
    rows = dataset.rows(target.groups)

    def r(prediction: NDArray[Any]) -> float:
        every = np.array(rates)
        every[rows] = prediction
        return score(target, _as_prediction(dataset, target, every), metric)

    inputs, network = dataset.inputs[rows], cast(Any, trained.network)
    silent = rates_of(network, np.zeros_like(inputs))
    cut = rates_of(network, inputs, torch.zeros_like(network.weights))
    value = f"{r(rates[rows]):.3f}, without inputs {r(silent):.3f}, without recurrent weights {r(cut):.3f}"
    return information("ablation", f"test r, {metric.unit}", value)


def _single_trials(dataset: SessionData, rates: NDArray[Any]) -> Finding:
    """Spread of single bins: a rate has none of the spikes' own, so the model's is that of Poisson counts of its rates."""
    observed = dataset.rates[dataset.used]
    valid = np.isfinite(observed)
    model = np.where(valid, rates[dataset.used], np.nan).astype(np.float64)
    expected = np.sqrt(np.nanvar(model, axis=(0, 1)) + np.nanmean(model, axis=(0, 1)) * 1000 / dataset.bin_ms).mean()
    data_sd = np.nanstd(observed.astype(np.float64), axis=(0, 1)).mean()
    value = f"data {data_sd:.1f}, Poisson spikes of the model's rates {expected:.1f} sp/s"
    return information("single-trial-sd", "mean of neurons", value)
