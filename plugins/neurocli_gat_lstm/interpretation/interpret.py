"""What a trained network has learned, with controls; for simulated worms held against the network that made them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurocli.diagnosis.words import counted
from neurocli.interpretation.random_weights import with_permuted_weights
from neurocli.plugin.exhibit import Exhibit, Table
from neurocli.plugin.family import TrainedModel
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.data.dataset_v3 import DirectWormData
from neurocli_gat_lstm.data.linear.buffers import LinearBuffers
from neurocli_gat_lstm.evaluation.traces import shown_neurons, shown_worm, spread_traces, stretch
from neurocli_gat_lstm.graph.graph import graph_among
from neurocli_gat_lstm.graph.wiring import reach
from neurocli_gat_lstm.interpretation.attention_maps import attention_exhibits
from neurocli_gat_lstm.interpretation.edge_scores import EdgeScores, edge_scores
from neurocli_gat_lstm.interpretation.functional_weights import weight_exhibits
from neurocli_gat_lstm.interpretation.recovery import has_truth, recovery_exhibit
from neurocli_gat_lstm.interpretation.stability import stability_exhibit
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds
from neurocli_gat_lstm.model.folds_v1 import rolled_out as rolled_out_v1
from neurocli_gat_lstm.model.forecasts_v3 import direct_forecasts
from neurocli_gat_lstm.model.rollout import rolled_out
from neurocli_gat_lstm.model.v2 import GatLstm
from neurocli_gat_lstm.model.v3 import DirectCorrection, GatLstmV3
from neurocli_gat_lstm.model.view_v1 import PlannedCorrection
from neurocli_gat_lstm.model.view_v3 import direct_views
from neurocli_gat_lstm.model.views import View, views

SHUFFLES = 20


def interpretation_exhibits(trained: TrainedModel, figures: Path) -> list[Exhibit]:
    """All exhibits; what needs known truth says so where there is none."""
    data, network = trained.dataset, trained.network
    assert isinstance(data, WormData) and isinstance(network, GatLstm | GatLstmV3 | PlannedFolds)
    # The published network is so large that every worm is given only to networks that were not fitted on it.
    scores = edge_scores(_seen(data, network, independent=isinstance(network, PlannedFolds)), trained.seed)
    permuted = permuted_scores(trained)
    return [
        *attention_exhibits(scores, permuted, figures),
        *weight_exhibits(scores, permuted, figures),
        stability_exhibit(scores, figures),
        _controls(data, network),
        *_traces(trained, figures),
        _against_truth(trained, scores, permuted, figures),
    ]


def permuted_scores(trained: TrainedModel) -> EdgeScores:
    """The scores of the network with its weights permuted within each layer, for the same worms, beside the same linear path."""
    data = trained.dataset
    assert isinstance(data, WormData)
    control = with_permuted_weights(trained.network, torch.Generator().manual_seed(trained.seed))
    assert isinstance(control, GatLstm | GatLstmV3 | PlannedFolds)
    return edge_scores(_seen(data, control, independent=True), trained.seed)


def _seen(
    data: WormData,
    network: GatLstm | GatLstmV3 | PlannedFolds,
    groups: list[str] | None = None,
    *,
    independent: bool = False,
) -> Sequence[View]:
    """The networks with the worms that they look at; those of the direct model with none that they were fitted on."""
    if isinstance(network, GatLstmV3):
        assert isinstance(data, DirectWormData)
        return direct_views(data, network, groups)
    return views(data, network, groups, independent=independent)


def _controls(data: WormData, network: GatLstm | GatLstmV3 | PlannedFolds) -> Exhibit:
    """How much of the connectome the graph of the model holds, and how much of it shuffles keep."""
    wiring = data.wiring
    model = data.config.model
    shuffles = [
        graph_among(wiring.connectome, data.names, "shuffled", weights=model.synapses, seed=seed)
        for seed in range(SHUFFLES)
    ]
    overlaps = [shuffle.overlap for shuffle in shuffles]
    mean = float(np.mean(overlaps))
    n = len(data.names)
    pairs = max(n * (n - 1), 1)
    density = wiring.graph.n_edges / pairs
    isolated = wiring.graph.isolated()
    rows: list[list[Any]] = [
        ["edges of the graph", wiring.graph.n_edges, None, None],
        ["share of all pairs", density, None, None],
        ["share of the edges that the connectome has", wiring.graph.overlap, None, None],
        ["the same of shuffles", mean, float(min(overlaps)), float(max(overlaps))],
        ["neurons without an edge", len(isolated), None, None],
    ]
    claims: dict[str, Any] = {}
    for hops in (1, 2):
        within = float(wiring.allowed(hops).sum() / pairs)
        other = [float(reach(shuffle, hops).sum() / pairs) for shuffle in shuffles]
        rows.append([f"share of all pairs within {counted(hops, 'hop')}", within, None, None])
        rows.append(["the same in shuffles", float(np.mean(other)), min(other), max(other)])
        claims[f"pairs_within_{hops}"], claims[f"pairs_within_{hops}_shuffled"] = within, float(np.mean(other))
    claims |= {"graph": model.graph, "overlap": wiring.graph.overlap, "shuffle_overlap": mean, "density": density}
    note = (
        f"shuffles: mean, lowest and highest of {SHUFFLES} degree-preserving shuffles of the connectome. The more edges a shuffle shares with "
        "the connectome, and the more pairs are within reach in both, the less an effect of the wiring can be seen; model.hops=1 tests "
        "single edges"
    )
    if isinstance(network, LinearBuffers):
        size = (network.level + network.change).abs().sum((0, 1))[:n, :n].detach().cpu().numpy()
        edge = wiring.allowed()
        along = float(size[edge].sum() / size.sum()) if size.sum() else None
        rows += [["pairs that the linear path uses", int((size > 0).sum()), None, None]]
        rows += [["share of its strength that lies on edges", along, None, None]]
        claims["linear_strength_along_edges"] = along
        if model.linear == "edges":
            note += f". The linear path follows up to {counted(model.hops, 'hop')} per frame" + (
                ", and so uses pairs that no edge joins" if model.hops > 1 else ""
            )
        else:
            note += f". The linear path uses {'all pairs' if model.linear == 'all' else 'no pairs'}, whatever the graph"
        note += "; edge scores are given for edges alone"
    if isolated:
        note += f". Without an edge: {', '.join(isolated[:12])}{' ...' if len(isolated) > 12 else ''}"
    return Exhibit(
        "controls", "Graph and controls", Table(["quantity", "value", "low", "high"], rows, note), None, claims
    )


def _traces(trained: TrainedModel, figures: Path) -> list[Exhibit]:
    """Forecasts of six neurons by every network that was not fitted on their worm."""
    data, network = trained.dataset, trained.network
    assert isinstance(data, WormData) and isinstance(network, GatLstm | GatLstmV3 | PlannedFolds)
    group = shown_worm(data, list(data.split.test))
    worm = data.worms[group]
    columns = shown_neurons(worm)
    if not columns:
        return []
    first, last = stretch(worm, columns)
    evaluate = trained.config.evaluate
    longest = max(evaluate.horizons)
    origins = worm.origins(evaluate.context, longest)
    origins = origins[(origins + 1 >= first) & (origins < last)]
    if isinstance(network, PlannedFolds):
        origins = origins[::5]  # a window of the published network costs a hundred times as much
    if not len(origins):
        return [Exhibit("forecasts", f"Traces: not drawn, no stretch of {group} is long enough")]
    direct = isinstance(network, GatLstmV3)
    horizons = sorted(evaluate.horizons) if direct else list(range(1, longest + 1))
    by_network: list[dict[int, Any]] = []
    if isinstance(network, GatLstmV3):
        assert isinstance(data, DirectWormData)
        by_network = [f for fold in data.folds_for(group) for f in direct_forecasts(network, data, worm, fold, origins)]
    for view in () if isinstance(network, GatLstmV3) else views(data, network, [group], independent=True):
        assert not isinstance(view.correction, DirectCorrection)
        z, at = worm.z, (origins, evaluate.context, horizons)
        if isinstance(view.correction, PlannedCorrection):
            by_network.append(rolled_out_v1(view.correction.network, z, view.graph, *at))
        else:
            by_network.append(rolled_out(view.correction, view.linear, z, data.nodes_of(worm), view.graph, *at))
    by_network = [
        {h: worm.scored(worm.in_signal(origins, values)) for h, values in forecasts.items()} for forecasts in by_network
    ]
    recorded = worm.scored(worm.signal)
    path = figures / "forecasts.png"
    spread_traces(worm, columns, first, last, origins, by_network, path)
    rows: list[list[Any]] = []
    for column in columns:
        row: list[Any] = [worm.names[column]]
        for horizon in evaluate.horizons:
            values = np.stack([forecasts[horizon][:, column] for forecasts in by_network])
            error = recorded[origins + horizon, column] - values.mean(0)
            spread = values.std(0, ddof=1).mean() if len(by_network) > 1 else None
            row += [float(np.sqrt(np.mean(error**2))), None if spread is None else float(spread)]
        rows.append(row)
    heads = [f"{what} h{horizon}" for horizon in evaluate.horizons for what in ("RMSE", "spread")]
    note = (
        f"worm {group}, frames of the figure, in z; spread: sd between the {len(by_network)} networks that were not fitted on this worm, mean over "
        "time. It says how much a forecast depends on the training, and not how wrong it is, for which see RMSE"
        if len(by_network) > 1
        else f"worm {group}, frames of the figure, in z; only one network was not fitted on this worm, so that there is no spread: "
        "--set model.members=3 trains three for each worm"
    )
    claims = {"worm": group, "networks": len(by_network)}
    table = Table(["neuron", *heads], rows, note)
    return [Exhibit("forecasts", "Traces of six neurons, and how far networks agree", table, path, claims)]


def _against_truth(trained: TrainedModel, scores: EdgeScores, permuted: EdgeScores, figures: Path) -> Exhibit:
    data = trained.dataset
    assert isinstance(data, WormData)
    if not has_truth(data):
        return Exhibit(
            "recovery", "Recovery of true edges: not possible, since only simulated worms have known weights"
        )
    if not scores.n_edges:
        return Exhibit("recovery", "Recovery of true edges: not possible, since the graph has no edges")
    return recovery_exhibit(data, trained.network, scores, permuted, figures)
