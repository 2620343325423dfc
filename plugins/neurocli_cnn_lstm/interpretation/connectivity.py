"""The exhibit `connectivity`: how well the true connections are recovered from the model, and from the data without any model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.intervals import Estimate, mean_estimate
from neurocli.evaluation.nulls import NullBand
from neurocli.evaluation.target import Cost, Meter
from neurocli.interpretation.shuffling import CHEAP_NULLS, pairs_exchanged
from neurocli.interpretation.weight_matrix import draw_weights
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli.report.figure import saved_figure
from neurocli_cnn_lstm.data.dataset import VoltageData
from neurocli_cnn_lstm.evaluation.baselines import wiring_of_recorded
from neurocli_cnn_lstm.evaluation.rivals import ridge_of_resets
from neurocli_cnn_lstm.evaluation.targets import neuron_types
from neurocli_cnn_lstm.interpretation import recovery
from neurocli_cnn_lstm.model.v2 import StructuredCnnLstm
from neurocli_cnn_lstm.model.warm_start import can_start_from_ridge

KEYS = ("auc_E", "auc_I", "correlation")
FEW_NULLS = 19
"""Number of nulls of the published model, of which one takes seconds; the smallest possible p is then .05."""


def connectivity_exhibit(trained: TrainedModel, figures: Path) -> Exhibit:
    """Scores against the true wiring of the test runs, each beside its null; says so where the wiring is unknown."""
    dataset = trained.dataset
    assert isinstance(dataset, VoltageData)
    types = neuron_types(dataset)
    tested = [group for group in dataset.split.test if group in dataset.place]
    shared = "pre" in dataset.recordings.truth  # else each run may have a network of its own
    if types is None or not (shared or "pre" in dataset.recordings[tested[0]].truth):
        return Exhibit(
            "connectivity",
            "Recovery of the connectivity: not possible, since the true connectivity of these data is unknown",
        )
    networks = [wiring_of_recorded(dataset, group) for group in (tested[:1] if shared else tested)]
    excitatory = types == 1
    rng = np.random.default_rng(trained.seed)
    meter = Meter()
    with meter.fitting():
        learned = recovery.influence(trained.network, dataset, trained.seed)
    fitted = sum(p.numel() for p in trained.network.parameters() if p.requires_grad)
    own_cost = Cost(None if trained.cpu_s is None else trained.cpu_s + meter.cpu_s, fitted)
    elsewhere = _elsewhere(trained, dataset, excitatory, rng)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    own_bands = _bands(learned, elsewhere, networks, excitatory)
    for name, matrix, nulls, cost in [
        ("model", learned, elsewhere, own_cost),
        *_without_model(dataset, excitatory, rng),
    ]:
        estimates = scored(matrix, networks, excitatory)
        bands = own_bands if name == "model" else _bands(matrix, nulls, networks, excitatory)
        rows.append([name, *_cells(estimates, bands), cost.cpu_s, cost.parameters])
        key = name.replace(" ", "_").replace("-", "_")
        claims |= {f"{score}_{key}": estimate.value for score, estimate in estimates.items()}
        claims |= {f"p_{score}_{key}": bands[score].p for score in KEYS[:2]}
    rows.append(["the model's weights, shuffled", *_null_cells(own_bands), None, None])
    for score, band in own_bands.items():
        claims[f"{score}_shuffled_weights"] = band.mean
        claims |= {f"{score}_shuffled_weights_low": band.low, f"{score}_shuffled_weights_high": band.high}
    path = figures / "connectivity.png"
    _figure(path, networks[0], learned)
    columns = ["", "AUC E", "p", "AUC I", "p", "correlation", "CPU-s", "parameters"]
    title = "Recovery of the connectivity from the model"
    return Exhibit("connectivity", title, Table(columns, rows, _note(trained, len(networks), shared)), path, claims)


def scored(
    matrix: NDArray[np.float64], networks: Sequence[NDArray[np.float64]], excitatory: NDArray[np.bool_]
) -> dict[str, Estimate]:
    """Score → mean over networks of a matrix [post, pre]; no interval for fewer than three networks."""
    by_network = [recovery.scores(matrix, weights, excitatory) for weights in networks]
    return {
        key: mean_estimate(
            np.array([scores[key] for scores in by_network]), "fisher" if key == "correlation" else "logit"
        )
        for key in KEYS
    }


def _elsewhere(
    trained: TrainedModel, dataset: VoltageData, excitatory: NDArray[np.bool_], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Influence matrices of the trained model with its weights in other places."""
    structured = isinstance(trained.network, StructuredCnnLstm)
    matrices = []
    for number in range(CHEAP_NULLS if structured else FEW_NULLS):
        network = recovery.with_weights_elsewhere(trained.network, excitatory, rng)
        matrices.append(recovery.influence(network, dataset, trained.seed + number, windows=4, length=8))
    return matrices


def _without_model(
    dataset: VoltageData, excitatory: NDArray[np.bool_], rng: np.random.Generator
) -> list[tuple[str, NDArray[np.float64], list[NDArray[np.float64]], Cost]]:
    """(name, matrix [post, pre], its nulls, what it took) of what needs no model, from the training runs."""
    training = [group for group in dataset.split.train if group in dataset.place]
    if not training:
        return []
    measured = []
    if can_start_from_ridge(dataset):
        ridge = ridge_of_resets(dataset)
        measured.append(("ridge of resets", ridge.values["coefficients"].sum(0), ridge.cost or Cost()))
    for name, measure, lags in (
        ("spike-triggered change", recovery.triggered_change, recovery.LAGS),
        ("spike correlation", recovery.spike_correlation, len(recovery.CORRELATION_LAGS)),
    ):
        meter = Meter()
        with meter.fitting():
            matrix = measure(dataset, training)
        measured.append((name, matrix, Cost(meter.cpu_s, lags * matrix.size)))
    return [
        (name, matrix, [pairs_exchanged(matrix, excitatory, rng) for _ in range(CHEAP_NULLS)], cost)
        for name, matrix, cost in measured
    ]


def _bands(
    matrix: NDArray[np.float64],
    nulls: list[NDArray[np.float64]],
    networks: Sequence[NDArray[np.float64]],
    excitatory: NDArray[np.bool_],
) -> dict[str, NullBand]:
    """Score → its value for the matrix among those of the nulls."""
    estimate, *null_estimates = (scored(candidate, networks, excitatory) for candidate in (matrix, *nulls))
    return {
        key: NullBand.of(estimate[key].value, np.array([null[key].value for null in null_estimates])) for key in KEYS
    }


def _cells(estimates: dict[str, Estimate], bands: dict[str, NullBand]) -> list[Any]:
    cells: list[Any] = []
    for key, (value, low, high) in estimates.items():
        cells.append(value if not np.isfinite(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]")
        cells += [bands[key].p] if key != "correlation" else []
    return cells


def _null_cells(bands: dict[str, NullBand]) -> list[Any]:
    cells: list[Any] = []
    for key, band in bands.items():
        cells.append(f"{band.mean:.3f} ({band.low:.3f} to {band.high:.3f})")
        cells += [None] if key != "correlation" else []
    return cells


def _note(trained: TrainedModel, networks: int, shared: bool) -> str:
    nulls = CHEAP_NULLS if isinstance(trained.network, StructuredCnnLstm) else FEW_NULLS
    sentences = [
        "p is a permutation p.",
        f"The null of the model is {nulls} copies of it with shuffled weights (synapses among pairs whose sender has the same type); the last "
        "row gives their mean and 95 % range.",
        f"The other rows need no model: they are estimated from the training runs, and their null is {CHEAP_NULLS} shuffles among the same pairs.",
    ]
    if shared:
        sentences.append("All runs share one network, so there is no interval over networks.")
    else:
        sentences.append(
            f"Every run has its own network, so no model can know those of the {networks} test runs: the expected AUC is .5."
        )
    return " ".join(sentences)


def _figure(path: Path, weights: NDArray[np.float64], learned: NDArray[np.float64]) -> None:
    with saved_figure(path, ncols=2, width=8.5, height=3.8) as (figure, axes):
        for axis, matrix, title in (
            (axes[0], weights, "true weights (mV)"),
            (axes[1], learned, "influence on the forecast (z)"),
        ):
            limit = np.percentile(np.abs(matrix), 99.5) or 1
            figure.colorbar(draw_weights(axis, matrix, float(limit)), ax=axis)
            axis.set(title=title, xlabel="from neuron", ylabel="to neuron")
