"""The exhibit `connectivity`: what of the true wiring can be read from the model, and from the data without any model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.evaluation.intervals import mean_interval
from neurocli.evaluation.metrics import Link
from neurocli.evaluation.nulls import CHEAP_NULLS, NullBand
from neurocli.evaluation.target import Cost, Meter
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
"""Of the published model, where one takes seconds; the least p is then .05."""


def connectivity_exhibit(trained: TrainedModel, figures: Path) -> Exhibit:
    """Scores against the true wiring of the test runs, each beside its null; says so where the wiring is unknown."""
    data = trained.dataset
    assert isinstance(data, VoltageData)
    types = neuron_types(data)
    tested = [group for group in data.split.test if group in data.place]
    shared = "pre" in data.recordings.truth  # else each run may have a network of its own
    if types is None or not (shared or "pre" in data.recordings[tested[0]].truth):
        return Exhibit(
            "connectivity", "Recovery of the connectivity: not possible, the true wiring of these data is unknown"
        )
    networks = [wiring_of_recorded(data, group) for group in (tested[:1] if shared else tested)]
    excitatory = types == 1
    rng = np.random.default_rng(trained.seed)
    meter = Meter()
    with meter.fitting():
        learned = recovery.influence(trained.network, data, trained.seed)
    fitted = sum(p.numel() for p in trained.network.parameters() if p.requires_grad)
    own_cost = Cost(None if trained.cpu_s is None else trained.cpu_s + meter.cpu_s, fitted)
    elsewhere = _elsewhere(trained, data, excitatory, rng)
    rows: list[list[Any]] = []
    claims: dict[str, Any] = {}
    for name, matrix, nulls, cost in [("model", learned, elsewhere, own_cost), *_without_model(data, excitatory, rng)]:
        found = scored(matrix, networks, excitatory)
        bands = _bands(found, nulls, networks, excitatory)
        rows.append([name, *_cells(found, bands), cost.cpu_s, cost.parameters])
        key = name.replace(" ", "_").replace("-", "_")
        claims |= {f"{score}_{key}": value for score, (value, _, _) in found.items()}
        claims |= {f"p_{score}_{key}": bands[score].p for score in KEYS[:2]}
    bands = _bands(scored(learned, networks, excitatory), elsewhere, networks, excitatory)
    rows.append(["the model's weights, shuffled", *_null_cells(bands), None, None])
    for score in KEYS:
        claims |= {f"{score}_shuffled_weights": bands[score].mean}
        claims |= {f"{score}_shuffled_weights_{end}": getattr(bands[score], end) for end in ("low", "high")}
    path = figures / "connectivity.png"
    _figure(path, networks[0], learned)
    columns = ["", "AUC E", "p", "AUC I", "p", "correlation", "CPU-s", "parameters"]
    title = "Recovery of the connectivity from the model"
    return Exhibit("connectivity", title, Table(columns, rows, _note(trained, len(networks), shared)), path, claims)


def scored(
    matrix: NDArray[np.float64], networks: Sequence[NDArray[np.float64]], excitatory: NDArray[np.bool_]
) -> dict[str, tuple[float, float, float]]:
    """Score → (mean over networks, low, high) of a matrix [post, pre]; no interval for fewer than three networks."""
    each = [recovery.scores(matrix, weights, excitatory) for weights in networks]
    found = {}
    for key in KEYS:
        values = np.array([scores[key] for scores in each])
        link: Link = "fisher" if key == "correlation" else "logit"
        found[key] = float(values.mean()), *mean_interval(values, link=link)
    return found


def _elsewhere(
    trained: TrainedModel, data: VoltageData, excitatory: NDArray[np.bool_], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Influence matrices of the trained model with its weights in other places."""
    structured = isinstance(trained.network, StructuredCnnLstm)
    found = []
    for number in range(CHEAP_NULLS if structured else FEW_NULLS):
        network = recovery.weights_elsewhere(trained.network, excitatory, rng)
        found.append(recovery.influence(network, data, trained.seed + number, windows=4, length=8))
    return found


def _without_model(
    data: VoltageData, excitatory: NDArray[np.bool_], rng: np.random.Generator
) -> list[tuple[str, NDArray[np.float64], list[NDArray[np.float64]], Cost]]:
    """(name, matrix [post, pre], its nulls, what it took) of what needs no model, from the training runs."""
    training = [group for group in data.split.train if group in data.place]
    if not training:
        return []
    found = []
    if can_start_from_ridge(data):
        ridge = ridge_of_resets(data)
        matrix = ridge.values["coefficients"].sum(0)
        found.append(("ridge of resets", matrix, ridge.cost or Cost()))
    for name, measure, lags in (
        ("spike-triggered change", recovery.triggered_change, recovery.LAGS),
        ("spike correlation", recovery.spike_correlation, len(recovery.CORRELATION_LAGS)),
    ):
        meter = Meter()
        with meter.fitting():
            matrix = measure(data, training)
        found.append((name, matrix, Cost(meter.cpu_s, lags * matrix.size)))
    return [
        (name, matrix, [recovery.pairs_shuffled(matrix, excitatory, rng) for _ in range(CHEAP_NULLS)], cost)
        for name, matrix, cost in found
    ]


def _bands(
    found: dict[str, tuple[float, float, float]],
    nulls: list[NDArray[np.float64]],
    networks: Sequence[NDArray[np.float64]],
    excitatory: NDArray[np.bool_],
) -> dict[str, NullBand]:
    drawn = [scored(matrix, networks, excitatory) for matrix in nulls]
    return {key: NullBand.of(found[key][0], np.array([scores[key][0] for scores in drawn])) for key in KEYS}


def _cells(found: dict[str, tuple[float, float, float]], bands: dict[str, NullBand]) -> list[Any]:
    cells: list[Any] = []
    for key in KEYS:
        value, low, high = found[key]
        cells.append(value if not np.isfinite(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]")
        cells += [bands[key].p] if key != "correlation" else []
    return cells


def _null_cells(bands: dict[str, NullBand]) -> list[Any]:
    cells: list[Any] = []
    for key in KEYS:
        band = bands[key]
        cells.append(f"{band.mean:.3f} ({band.low:.3f} to {band.high:.3f})")
        cells += [None] if key != "correlation" else []
    return cells


def _note(trained: TrainedModel, networks: int, shared: bool) -> str:
    nulls = CHEAP_NULLS if isinstance(trained.network, StructuredCnnLstm) else FEW_NULLS
    said = [
        f"p: of {nulls} copies of the model whose weights lie in other places (synapses within sender type), and of {CHEAP_NULLS} "
        "shuffles of the pairs within sender type for what needs no model; last row: mean and 95 % range of those copies",
        "the ridge regression of the next voltage on resets, the spike-triggered change of voltage, and the correlation of spikes one to three "
        "samples apart need no model: from the training runs",
    ]
    if shared:
        said.append("one network: no interval, and nothing is said of other networks")
    else:
        said.append(
            f"every run has a network of its own, here those of {networks} test runs: no model can know them, one half is expected"
        )
    return "; ".join(said)


def _figure(path: Path, weights: NDArray[np.float64], learned: NDArray[np.float64]) -> None:
    with saved_figure(path, ncols=2, width=8.5, height=3.8) as (figure, axes):
        for axis, matrix, title in (
            (axes[0], weights, "true weights [mV]"),
            (axes[1], learned, "influence on the forecast [z]"),
        ):
            limit = np.percentile(np.abs(matrix), 99.5) or 1
            image = axis.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit)
            axis.set(title=title, xlabel="from neuron", ylabel="to neuron")
            figure.colorbar(image, ax=axis)
