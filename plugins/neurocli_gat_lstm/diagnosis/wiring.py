"""Findings about the wiring of a trained model: its paths, its edges, locality, causality, and who is in which part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.finding import FAIL, Finding, judged
from neurocli.diagnosis.words import counted, listed, unless_none
from neurocli.plugin.family import TrainedModel
from neurocli.recordings import RecordingSet, Split
from neurocli.recordings.split import PARTS
from neurocli_gat_lstm.configs import GatLstmConfig
from neurocli_gat_lstm.data.dataset import WormData
from neurocli_gat_lstm.diagnosis import paths
from neurocli_gat_lstm.graph.connectome import Connectome
from neurocli_gat_lstm.model.folds_v1 import PlannedFolds
from neurocli_gat_lstm.model.v2 import GatLstm

LARGEST_DIFFERENCE = 1e-5
_MOST_WORMS = 6


def split_findings(data: WormData) -> list[Finding]:
    """A (source, worm) must not be in two parts of a fold, whatever its recordings are called, nor may its traces."""
    keys = {group: _key(data.recordings, group) for group in data.worms}
    both: list[str] = []
    for number, fold in enumerate(data.split.folds or (data.split,)):
        both += [f"{worm} ({where}, fold {number + 1})" for worm, where in in_two_parts(fold, keys)]
    advice = "the network was trained on worms that it is tested on: give each worm one name, and train again"
    return [unless_none("worm-in-two-parts", "split", both, verdict=FAIL, advice=advice)]


def in_two_parts(split: Split, keys: dict[str, str]) -> list[tuple[str, str]]:
    """(worm, "train and test") for every worm that more than one part of a split knows."""
    where: dict[str, set[str]] = {}
    for part in PARTS:
        for group in split.groups(part):
            where.setdefault(keys.get(group, group), set()).add(part)
    return [
        (worm, " and ".join(p for p in PARTS if p in parts_of)) for worm, parts_of in where.items() if len(parts_of) > 1
    ]


def _key(recordings: RecordingSet, group: str) -> str:
    labels = recordings[group].labels
    source, worm = str(labels.get("source", "")), str(labels.get("worm", group))
    return f"{source} {worm}".strip()


def edge_findings(data: WormData, config: GatLstmConfig) -> list[Finding]:
    """The edges of every worm's graph, by name, against the connectome's, for the graph that was asked for."""
    kind, connectome = config.model.graph, data.wiring.connectome
    wrong, edges = [], 0
    for group, worm in data.worms.items():
        graph = data.graph_of(worm)
        source, target = graph.edge_index.cpu().numpy()
        used = {(worm.names[a], worm.names[b]) for a, b in zip(source.tolist(), target.tolist(), strict=True)}
        twice = len(source) - len(used)
        edges += len(source)
        expected = expected_edges(connectome, worm.names, kind, config.model.synapses)
        if twice:
            wrong.append(f"{group}: {counted(twice, 'edge')} twice")
        if expected is not None and used != expected:
            lost, extra = sorted(expected - used), sorted(used - expected)
            example = f"{'lacks' if lost else 'has'} {'→'.join((lost or extra)[0])}"
            wrong.append(f"{group}: {len(lost)} missing, {len(extra)} too many ({example})")
    if kind == "shuffled":
        wrong += _shuffled(data, connectome, config.model.synapses)
    advice = "the graph is not the one that model.graph names: this run allows no claim about wiring; train again"
    value = listed(wrong) or f"{edges} edges of {len(data.worms)} worms"
    return [Finding.graded("edges", f"graph: {kind}", value, "as set by model.graph", advice, fail=wrong)]


def expected_edges(
    connectome: Connectome, names: Sequence[str], kind: str, synapses: str
) -> set[tuple[str, str]] | None:
    """(pre, post) by name; None where only degrees can be told, for a shuffle."""
    if kind == "shuffled":
        return None
    if kind == "none":
        return set()
    if kind == "full":
        return {(a, b) for a in names for b in names if a != b}
    chosen = set(names)
    weight = {"both": connectome.chemical + connectome.gap, "chemical": connectome.chemical, "gap": connectome.gap}
    ends = zip(connectome.pre.tolist(), connectome.post.tolist(), (weight[synapses] > 0).tolist(), strict=True)
    named = ((connectome.neurons[pre], connectome.neurons[post]) for pre, post, is_edge in ends if is_edge)
    return {(pre, post) for pre, post in named if pre in chosen and post in chosen}


def _shuffled(data: WormData, connectome: Connectome, synapses: str) -> list[str]:
    """A shuffle keeps every neuron's number of incoming and of outgoing edges among the names of the run."""
    real = expected_edges(connectome, data.names, "real", synapses) or set()
    graph = data.wiring.graph
    place = {name: k for k, name in enumerate(data.names)}
    n = len(data.names)
    faults = []
    for what, used, wanted in (
        ("outgoing", graph.pre, [place[pre] for pre, _ in real]),
        ("incoming", graph.post, [place[post] for _, post in real]),
    ):
        off = np.bincount(used, minlength=n) != np.bincount(np.array(wanted, np.int64), minlength=n)
        if off.any():
            faults.append(f"{int(off.sum())} neurons have other numbers of {what} edges than in the connectome")
    return faults


def path_findings(trained: TrainedModel) -> list[Finding]:
    """Equality of the three paths, locality and causality, of up to six test worms."""
    data, network = trained.dataset, trained.network
    assert isinstance(data, WormData) and isinstance(network, (GatLstm, PlannedFolds))
    groups = [group for group in data.split.test if group in data.worms][:_MOST_WORMS]
    views = [paths.network_on_worm(network, data, trained.config, group) for group in groups]
    views = [view for view in views if len(view.origins(1))]
    if not views:
        return []
    subject = counted(len(views), "worm")
    differences = [paths.path_differences(view) for view in views]
    future = [paths.change_from_future(view) for view in views]
    findings = [
        judged(
            "paths-agree",
            f"{name} against step by step, {subject}",
            max(view[name] for view in differences),
            fail=LARGEST_DIFFERENCE,
            advice="two ways to compute the same forecast differ, so that what is trained is not what is scored or shown: report the fault",
        )
        for name in ("batched", "cached")
    ]
    findings += [
        judged(
            "causality",
            f"{name}, {subject}",
            max(view[name] for view in future),
            fail=1e-6,
            advice="a forecast changes with what comes after its origin, and scores mean nothing: report the fault",
        )
        for name in ("batched", "cached")
    ]
    return [*findings, *_locality(views, subject)]


def _locality(views: Sequence[paths.NetworkOnWorm], subject: str) -> list[Finding]:
    """Who moves whom: in the attention's features, by both of its forms, and in the next step of the forecast."""
    rows: list[tuple[str, list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]]] = []
    layers = len(views[0].layers)
    reached = [paths.reach(view.graph, len(view.worm.names), layers) for view in views]
    near = [within | seen.beyond for within, seen in zip(reached, views, strict=True)]
    for name, form in (("attention, batched", False), ("attention, step by step", True)):
        moved = [paths.moved_features(view, message_passing=form) for view in views]
        rows.append((name, list(zip(moved, reached, strict=True))))
    rows.append(("next step", list(zip([paths.moved_forecasts(view) for view in views], near, strict=True))))
    findings = []
    for name, pairs in rows:
        outside = sum(int((moved & ~allowed).sum()) for moved, allowed in pairs)
        inside = sum(int((moved & allowed & ~np.eye(len(moved), dtype=bool)).sum()) for moved, allowed in pairs)
        total = sum(int((allowed & ~np.eye(len(allowed), dtype=bool)).sum()) for _, allowed in pairs)
        # A forecast may learn to ignore a neighbour; attention has no weight that is exactly 0.
        silent = name != "next step" and inside < total
        advice = (
            "a neuron changes others that no path of the graph leads to, so that the model is not wired as it says: report the fault"
            if outside
            else "some edges carry nothing, since their attention has become 0: train again with a smaller learning rate"
        )
        value = f"{outside} pairs beyond reach; {inside} of {total} pairs within reach have an effect"
        findings.append(
            Finding.graded("locality", f"{name}, {subject}", value, "0 beyond reach", advice, warn=silent, fail=outside)
        )
    return findings
