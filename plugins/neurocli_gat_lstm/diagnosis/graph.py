"""Checks of names against the connectome, and of the edges among the neurons that were recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import listed
from neurocli.errors import DataError
from neurocli_gat_lstm.configs import GatLstmConfig
from neurocli_gat_lstm.data.summary import Summary
from neurocli_gat_lstm.diagnosis.wording import shortened, with_clean
from neurocli_gat_lstm.graph.connectome import Connectome

UNMATCHED_FAIL = 0.05
"""Share of a worm's identified neurons that the connectome may lack."""


def graph_findings(summaries: Sequence[Summary], used: Sequence[Summary], config: GatLstmConfig) -> list[Finding]:
    """summaries: every worm once; used: those that would be trained on, whose names make the graph."""
    from neurocli_gat_lstm.graph.wiring import Wiring

    model = config.model
    names = sorted({name for summary in used for name in summary.identified})
    wiring = Wiring(model, names)
    try:
        connectome = wiring.connectome
        edges = wiring.graph.n_edges
        within = {summary.group: _edges_within(connectome, summary.identified, model.synapses) for summary in summaries}
    except DataError as error:
        return [Finding.of_error("connectome", str(model.connectome), error, "can be read")]
    known = set(connectome.neurons)
    findings = [
        connectome_finding(connectome),
        *shortened("neurons", [_neurons(summary, known, within[summary.group]) for summary in summaries]),
        *_unmatched(summaries, known, connectome.name),
    ]
    if not names:
        return [
            *findings,
            Finding(
                "coverage",
                "graph",
                WARN,
                "no neuron is identified",
                "≥ 1",
                "without names there are no edges: identify neurons, or use data.neurons=all and model.graph=none",
            ),
        ]
    recorded = len(known & set(names))
    findings.append(
        Finding(
            "coverage",
            "graph",
            PASS,
            f"{recorded} of {len(known)} neurons of {connectome.name} ({recorded / max(len(known), 1):.1%}),"
            f" {_edges_within(connectome, names, model.synapses)} of its {_edges_within(connectome, connectome.neurons, model.synapses)} edges",
            "–",
        )
    )
    return [*findings, _isolated(wiring, edges, model.graph)]


def connectome_finding(connectome: Connectome) -> Finding:
    """What was read, what was left out of it, and what is doubtful."""
    left_out = {"muscle": "of muscles", "other": "of other cells", "self": "neurons connected to themselves"}
    dropped = [f"{number} {left_out.get(kind, kind)}" for kind, number in connectome.dropped.items() if number]
    value = f"{len(connectome.neurons)} neurons, {connectome.n_edges} edges"
    value += f"; left out: {', '.join(dropped)}" if dropped else ""
    value = "; ".join([value, *connectome.notes, *connectome.doubts])
    advice = f"look at the edge list, and correct it: {'; '.join(connectome.doubts)}"
    return Finding.graded("connectome", connectome.name, value, "no doubt", advice, warn=bool(connectome.doubts))


def _edges_within(connectome: Connectome, names: Sequence[str], synapses: str) -> int:
    """Edges of the connectome with both ends among these names, of the kind that counts."""
    chosen = set(names)
    inside = [name in chosen for name in connectome.neurons]
    return sum(
        inside[pre] and inside[post] and ((synapses != "gap" and chemical > 0) or (synapses != "chemical" and gap > 0))
        for pre, post, chemical, gap in zip(
            connectome.pre.tolist(),
            connectome.post.tolist(),
            connectome.chemical.tolist(),
            connectome.gap.tolist(),
            strict=True,
        )
    )


def _neurons(summary: Summary, known: set[str], edges: int) -> Finding:
    matched = sum(name in known for name in summary.identified)
    share = f" ({len(summary.identified) / summary.neurons:.0%})"
    value = f"{len(summary.identified)} of {summary.neurons} identified{share}, {matched} in the connectome, {edges} edges among them"
    return Finding("neurons", summary.group, PASS, value, "–")


def _unmatched(summaries: Sequence[Summary], known: set[str], connectome: str) -> list[Finding]:
    advice = (
        f"{connectome} has no such neurons, and they have no edges: correct the spelling, or use another connectome"
    )
    findings = []
    for summary in summaries:
        missing = [name for name in summary.identified if name not in known]
        if not missing and not summary.unclear:
            continue
        total = len(summary.identified) + len(summary.unclear)
        count = len(missing) + len(summary.unclear)
        texts = [", ".join(missing), listed(summary.unclear, "not understood:")]
        value = f"{count} of {total} ({count / total:.1%}): {'; '.join(filter(None, texts))}"
        lost = len(missing) / max(len(summary.identified), 1)
        verdict = FAIL if lost > UNMATCHED_FAIL else WARN
        findings.append(Finding("unmatched-names", summary.group, verdict, value, "none", advice))
    return with_clean("unmatched-names", findings, len(summaries), "none")


def _isolated(wiring: Any, edges: int, kind: str) -> Finding:
    """Nodes of the graph of the run that no edge reaches; without any graph that is what was asked for."""
    if kind == "none":
        return Finding("isolated-nodes", "graph", PASS, "no edges, as set by model.graph", "none")
    alone = wiring.graph.isolated()
    value = (
        f"{len(alone)} of {len(wiring.names)} neurons: {listed(alone)}"
        if alone
        else f"none of {len(wiring.names)} neurons, {edges} edges"
    )
    advice = "none of their neighbours was recorded: attention adds nothing to their forecasts; record more neurons, or ignore them"
    return Finding.graded("isolated-nodes", "graph", value, "none", advice, warn=alone)
