"""File by file: rates in and out, the soma's range, clipped simulations, and labels that float16 has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import counted, information, listed, span
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.diagnosis.summary import Summary

MOST_FILES = 20
"""Files that get a line of their own for one check."""
MOST_MOVED = 0.1
MOST_CLIPPED = 0.1
"""Share of a simulation's steps above -55 mV: a cell that fires 24 times in 6 s stays below it."""
_PLAUSIBLE_MV = (-150.0, 100.0)
_FLAT_MV = 1.0


def file_findings(files: Mapping[str, list[Summary]], config: NeuronioConfig) -> list[Finding]:
    """Checks of each file; those behind the first twenty go together, unless one stands out."""
    findings, others = [], []
    for number, (file, summaries) in enumerate(files.items()):
        lines = _of_file(file, summaries, config)
        if number < MOST_FILES:
            findings += lines
        else:
            findings += [line for line in lines if line.verdict != PASS][:MOST_FILES]
            others += summaries
    if others:
        findings += _of_file(f"{len(files) - MOST_FILES} other files", others, config)
    return findings


def _of_file(file: str, summaries: Sequence[Summary], config: NeuronioConfig) -> list[Finding]:
    return [
        information("simulations", file, f"{counted(len(summaries), 'simulation')} of {_lengths(summaries)}"),
        _input(file, summaries),
        _output(file, summaries),
        _soma(file, summaries),
        _clipped(file, summaries),
        _moved(file, summaries, config),
    ]


def _lengths(summaries: Sequence[Summary]) -> str:
    return span(min(a.steps for a in summaries), max(a.steps for a in summaries), ",") + " ms"


def _input(file: str, summaries: Sequence[Summary]) -> Finding:
    """Mean rates of an input, and the share of (input, ms) with an event."""
    exciting = sum(a.num_excitatory * a.seconds for a in summaries)
    inhibiting = sum((a.inputs - a.num_excitatory) * a.seconds for a in summaries)
    events = sum(a.excitatory for a in summaries), sum(a.inhibitory for a in summaries)
    room = sum(a.inputs * a.steps for a in summaries)
    text = (
        f"excitatory {events[0] / max(exciting, 1e-9):.2f} Hz, inhibitory {events[1] / max(inhibiting, 1e-9):.2f} Hz, "
        f"density {sum(events) / max(room, 1):.2%}, {sum(events) / len(summaries):,.0f} events in a simulation"
    )
    empty = [a.group for a in summaries if not a.excitatory + a.inhibitory]
    condition = "input spikes in every simulation"
    if not empty:
        return Finding("input-rate", file, PASS, text, condition)
    advice = "without input spikes the voltage cannot be predicted: leave these simulations out"
    return Finding("input-rate", file, WARN, f"{text}; none in {listed(empty)}", condition, advice)


def _output(file: str, summaries: Sequence[Summary]) -> Finding:
    spikes = [a.output for a in summaries]
    seconds = max(sum(a.seconds for a in summaries), 1e-9)
    spikes_range = span(min(spikes), max(spikes))
    return information(
        "output-rate",
        file,
        f"{sum(spikes) / seconds:.2f} Hz, {sum(spikes)} output spikes, {spikes_range} in a simulation",
    )


def _soma(file: str, summaries: Sequence[Summary]) -> Finding:
    low, high = min(a.soma[0] for a in summaries), max(a.soma[2] for a in summaries)
    middle = float(np.median([a.soma[1] for a in summaries]))
    text = f"{low:.1f} to {high:.1f} mV, median {middle:.1f} mV"
    flat = [a.group for a in summaries if a.soma[2] - a.soma[0] < _FLAT_MV]
    condition = f"{_PLAUSIBLE_MV[0]:g} to {_PLAUSIBLE_MV[1]:g} mV, range ≥ {_FLAT_MV:g} mV"
    if low < _PLAUSIBLE_MV[0] or high > _PLAUSIBLE_MV[1]:
        advice = "no membrane has such a voltage: check that it is in mV"
        return Finding("soma-range", file, FAIL, text, condition, advice)
    if flat:
        advice = "the voltage hardly changes: check that it is in mV and that the input reaches the cell"
        return Finding("soma-range", file, WARN, f"{text}; flat in {listed(flat)}", condition, advice)
    return Finding("soma-range", file, PASS, text, condition)


def _clipped(file: str, summaries: Sequence[Summary]) -> Finding:
    """The target is clipped at -55 mV: what lies above is not learned."""
    mean = float(np.average([a.clipped for a in summaries], weights=[a.steps for a in summaries]))
    much = [f"{a.group} ({a.clipped:.0%})" for a in summaries if a.clipped > MOST_CLIPPED]
    text = f"{mean:.1%} of steps above -55 mV" + (f"; {listed(much)}" if much else "")
    advice = "targets are clipped at -55 mV, and the voltage stays above it: check for a depolarisation block"
    return Finding.graded("clipped", file, text, f"≤ {MOST_CLIPPED:.0%} of a simulation", advice, warn=much)


def _moved(file: str, summaries: Sequence[Summary], config: NeuronioConfig) -> Finding:
    """Labels .5 ms or more away from the spike, because its time was stored as float16."""
    threshold = f"≤ {MOST_MOVED:.0%} moved by ≥ .5 ms"
    if config.data.labels == "redetected":
        without = [a.group for a in summaries if not a.redetected]
        advice = (
            "these simulations have no voltage at more than 1 sample per ms: set data.labels=published"
            if without
            else ""
        )
        value = "redetected in the voltage" + (f"; not in {listed(without)}" if without else "")
        return Finding.graded("moved-labels", file, value, "redetected in every simulation", advice, fail=without)
    rounded = [a.moved for a in summaries if a.moved is not None]
    labels = sum(moved.labels for moved in rounded)
    if not labels:
        value = "none: times are more precise than float16" if sum(a.output for a in summaries) else "no output spike"
        return Finding("moved-labels", file, PASS, value, threshold)
    known = [moved for moved in rounded if moved.moved is not None]
    coarse = sum(moved.coarse for moved in rounded)
    at_stake, moved = sum(record.labels for record in known), sum(record.moved or 0 for record in known)
    text = f"{coarse} of {labels} times have a resolution of 1 ms or coarser"
    if at_stake:
        text = f"{moved} of {at_stake} moved by ≥ .5 ms; {text}"
        share = moved / at_stake
    else:
        text += "; the file does not tell how many were moved"
        share = coarse / labels
    bad = share > MOST_MOVED
    advice = ""
    if bad:
        can = all(a.redetected for a in summaries)
        advice = "spike times are stored as float16: " + (
            "set data.labels=redetected, which finds the spikes in the voltage"
            if can
            else "allow for a few ms where spikes are compared"
        )
    return Finding.graded("moved-labels", file, text, threshold, advice, warn=bad)
