"""The diagnosis of simulations: input and output of each file, precision of the labels, leaks of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neurocli.diagnosis.copied import copy_findings
from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding, judged
from neurocli.diagnosis.words import counted, listed, unless_none
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli.recordings.copies import copies
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.data.windows import MOST_SPIKES
from neurocli_elm.diagnosis.files import file_findings
from neurocli_elm.diagnosis.signs import sign_findings
from neurocli_elm.diagnosis.split import part_of_group, usable_findings
from neurocli_elm.diagnosis.summary import Summary, SummarySet, summarised

OfUntrained = Callable[[SimulationData], list[Finding]]
"""What is found of the untrained network for these simulations."""


def data_findings(recordings: RecordingSet, config: NeuronioConfig, of_untrained: OfUntrained) -> list[Finding]:
    """Every check of a set of simulations, in reading order, then of the untrained model of that version."""
    summary_set = summarised(recordings)
    wrong = [summary for summary in summary_set.summaries if summary.fault is not None]
    readable = Finding.graded(
        "readable",
        counted(len(summary_set.summaries), "simulation"),
        listed(f"{summary.group}: {summary.fault}" for summary in wrong) or _inputs_of(summary_set),
        "input spikes, output spikes, soma voltage",
        "not simulations of a cell with known input spikes: leave them out, or prepare them again",
        fail=wrong,
    )
    if not summary_set.sound:
        return [readable]
    try:
        dataset, trouble = SimulationData(recordings, config), None
    except DataError as error:
        dataset, trouble = None, error
    part_of = {} if dataset is None else part_of_group(dataset)
    findings = [
        readable,
        *file_findings(summary_set.by_file(), config),
        *sign_findings([(summary.group, summary.signs) for summary in summary_set.sound]),
        *_spikes(summary_set.sound),
        *_alike(summary_set.sound, config),
        _silent_inputs(summary_set),
        *copy_findings(
            copies(recordings, [summary.group for summary in summary_set.sound]),
            part_of,
            counted(len(summary_set.sound), "simulation"),
        ),
        *usable_findings(dataset, trouble, config),
    ]
    if dataset is not None and dataset.split.train:
        try:
            findings += of_untrained(dataset)
        except DataError as error:  # labels that the files do not have
            findings.append(Finding("model", "untrained", FAIL, error.message, "can be trained", error.hint or ""))
    return findings


def _inputs_of(summary_set: SummarySet) -> str:
    first = summary_set.sound[0]
    return f"{first.num_excitatory} excitatory and {first.inputs - first.num_excitatory} inhibitory inputs"


def _spikes(summaries: Sequence[Summary]) -> list[Finding]:
    """Output spikes over all files: none at all, none in some simulations, more than the published evaluation keeps."""
    total = sum(summary.output for summary in summaries)
    silent = [summary.group for summary in summaries if not summary.output]
    many = [f"{summary.group} ({summary.output})" for summary in summaries if summary.output > MOST_SPIKES]
    subject = counted(len(summaries), "simulation")
    return [
        judged(
            "output-spikes",
            subject,
            total,
            fail=1,
            low=True,
            advice="the AUC is undefined without an output spike: bring simulations in which the cell fires",
        ),
        Finding(
            "without-output-spikes",
            subject,
            PASS,
            f"{len(silent)} of {len(summaries)}" + (f": {listed(silent)}" if silent else ""),
            "–",
        ),
        unless_none(
            "many-spikes",
            subject,
            f"{len(many)} of {len(summaries)}: {listed(many)}" if many else "",
            verdict=WARN,
            advice=f"more than {MOST_SPIKES} output spikes: the published protocol excludes these simulations, the scoreboard does not",
        ),
    ]


def _alike(summaries: Sequence[Summary], config: NeuronioConfig) -> list[Finding]:
    """Lengths, steps and inputs that differ, or do not fit the model."""
    lengths = sorted({summary.steps for summary in summaries})
    needed = config.data.window + config.data.burn_in_ms
    short = [f"{a.group} ({a.steps} ms)" for a in summaries if a.steps < needed]
    odd = [f"{a.group} ({a.dt_ms:g} ms)" for a in summaries if a.dt_ms != 1.0]
    cells = sorted({(a.num_excitatory, a.inputs - a.num_excitatory) for a in summaries})
    mixed = len(lengths) > 1
    return [
        Finding.graded(
            "lengths",
            counted(len(summaries), "simulation"),
            ", ".join(f"{sum(a.steps == n for a in summaries)} of {n:,} ms" for n in lengths[:6]),
            "one length",
            "simulations of different lengths cannot be evaluated together: train and evaluate each length on its own",
            fail=mixed,
        ),
        unless_none(
            "shorter-than-window",
            f"burn-in of {config.data.burn_in_ms} ms + window of {config.data.window} ms",
            listed(short),
            verdict=FAIL,
            advice="too short for burn-in and window: simulate for longer, or lower data.window or data.burn_in_ms",
        ),
        unless_none(
            "step",
            "voltage and events",
            listed(odd),
            verdict=FAIL,
            threshold="1 ms",
            advice="the model has steps of 1 ms: bring voltages at 1 sample per ms",
            clean="1 ms",
        ),
        unless_none(
            "same-cell",
            "inputs",
            listed(f"{e} + {i}" for e, i in cells) if len(cells) > 1 else "",
            verdict=FAIL,
            threshold="one cell",
            advice="numbers of excitatory + inhibitory inputs differ, and a model is of one cell: use the simulations of one",
            clean="one cell",
        ),
    ]


def _silent_inputs(summary_set: SummarySet) -> Finding:
    """Inputs without an event in any simulation: their effect cannot be learned."""
    first = summary_set.sound[0]
    silent = np.flatnonzero(summary_set.events[: first.inputs] == 0)
    exciting = int((silent < first.num_excitatory).sum())
    text = f"{len(silent)} of {first.inputs}: {exciting} excitatory, {len(silent) - exciting} inhibitory"
    return unless_none(
        "silent-inputs",
        f"{first.inputs} inputs",
        f"{text} ({listed(map(str, silent))})" if len(silent) else "",
        verdict=WARN,
        advice="these inputs never fire, so that their weights keep their initial values",
    )
