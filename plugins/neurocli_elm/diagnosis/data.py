"""The diagnosis of simulations: file by file what goes in and comes out, what the labels have lost, what a split would leak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurocli.diagnosis.copied import copy_findings
from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding, judged
from neurocli.diagnosis.words import counted, listed, unless_none
from neurocli.errors import DataError
from neurocli.plugin.family import Untrained
from neurocli.recordings import RecordingSet
from neurocli.recordings.copies import copies
from neurocli_elm.data.dataset import SimulationData
from neurocli_elm.diagnosis.files import file_findings
from neurocli_elm.diagnosis.split import part_of_group, usable_findings
from neurocli_elm.diagnosis.summary import Account, Survey, survey_of
from neurocli_elm.evaluation.protocol import MOST_SPIKES
from neurocli_elm.model.neuron import ElmNeuron


def data_findings(recordings: RecordingSet, config: Any, untrained: Untrained) -> list[Finding]:
    """Every check of a set of simulations, in reading order, then of the untrained model of that version."""
    survey = survey_of(recordings)
    wrong = [account for account in survey.accounts if account.fault is not None]
    readable = Finding(
        "readable",
        counted(len(survey.accounts), "simulation"),
        FAIL if wrong else PASS,
        listed(f"{account.group}: {account.fault}" for account in wrong) or _inputs_of(survey),
        "input spikes, output spikes, soma voltage",
        "these are no simulations of a cell with known input: leave them out, or prepare them again" if wrong else "",
    )
    if not survey.sound:
        return [readable]
    try:
        data, trouble = SimulationData(recordings, config), None
    except DataError as error:
        data, trouble = None, error
    part_of = {} if data is None else part_of_group(data)
    found = [
        readable,
        *file_findings(survey.by_file(), config),
        *_spikes(survey.sound),
        *_alike(survey.sound, config),
        _silent_inputs(survey),
        *copy_findings(
            copies(recordings, [account.group for account in survey.sound]),
            part_of,
            counted(len(survey.sound), "simulation"),
        ),
        *usable_findings(data, trouble, config),
    ]
    if data is not None and data.split.train:
        from neurocli_elm.diagnosis.model import untrained_findings

        try:
            neuron = untrained(config, data.spec, config.train.seed)
            assert isinstance(neuron, ElmNeuron)
            found += untrained_findings(neuron, data, config)
        except DataError as error:  # labels that the files do not have
            found.append(Finding("model", "untrained", FAIL, error.message, "can be trained", error.hint or ""))
    return found


def _inputs_of(survey: Survey) -> str:
    first = survey.sound[0]
    return f"{first.num_excitatory} excitatory and {first.inputs - first.num_excitatory} inhibitory inputs"


def _spikes(accounts: Sequence[Account]) -> list[Finding]:
    """Output spikes over all files: none at all, none in some simulations, more than the published evaluation keeps."""
    total = sum(account.output for account in accounts)
    silent = [account.group for account in accounts if not account.output]
    many = [f"{account.group} ({account.output})" for account in accounts if account.output > MOST_SPIKES]
    subject = counted(len(accounts), "simulation")
    return [
        judged(
            "output-spikes",
            subject,
            total,
            fail=1,
            low=True,
            advice="AUC is undefined without an output spike: bring simulations in which the cell fires",
        ),
        Finding(
            "without-output-spikes",
            subject,
            PASS,
            f"{len(silent)} of {len(accounts)}" + (f": {listed(silent)}" if silent else ""),
            "–",
        ),
        unless_none(
            "many-spikes",
            subject,
            f"{len(many)} of {len(accounts)}: {listed(many)}" if many else "",
            verdict=WARN,
            advice=f"more than {MOST_SPIKES} output spikes: the published evaluation leaves these out, ours does not",
        ),
    ]


def _alike(accounts: Sequence[Account], config: Any) -> list[Finding]:
    """Lengths, steps and inputs that differ, or do not fit the model."""
    lengths = sorted({account.steps for account in accounts})
    needed = config.data.window + config.data.ignored
    short = [f"{a.group} ({a.steps} ms)" for a in accounts if a.steps < needed]
    odd = [f"{a.group} ({a.dt_ms:g} ms)" for a in accounts if a.dt_ms != 1.0]
    cells = sorted({(a.num_excitatory, a.inputs - a.num_excitatory) for a in accounts})
    mixed = len(lengths) > 1
    return [
        Finding(
            "lengths",
            counted(len(accounts), "simulation"),
            FAIL if mixed else PASS,
            ", ".join(f"{sum(a.steps == n for a in accounts)} of {n:,} ms" for n in lengths[:6]),
            "one length",
            "the published evaluation takes one length: train and evaluate those of each length on their own"
            if mixed
            else "",
        ),
        unless_none(
            "shorter-than-window",
            f"{config.data.ignored} + {config.data.window} ms",
            listed(short),
            verdict=FAIL,
            advice="too short for a window: simulate for longer, or lower data.window or data.ignored",
        ),
        unless_none(
            "step",
            "voltage and events",
            listed(odd),
            verdict=FAIL,
            advice="the model goes in steps of 1 ms: bring voltages at 1 sample per ms",
            clean="1 ms",
        ),
        unless_none(
            "same-cell",
            "inputs",
            listed(f"{e} + {i}" for e, i in cells) if len(cells) > 1 else "",
            verdict=FAIL,
            advice="excitatory + inhibitory inputs differ: a model has the inputs of one cell",
            clean="one cell",
        ),
    ]


def _silent_inputs(survey: Survey) -> Finding:
    """Inputs without an event in any simulation: what they do cannot be learned."""
    first = survey.sound[0]
    silent = np.flatnonzero(survey.events[: first.inputs] == 0)
    exciting = int((silent < first.num_excitatory).sum())
    text = f"{len(silent)} of {first.inputs}: {exciting} excitatory, {len(silent) - exciting} inhibitory"
    return unless_none(
        "silent-inputs",
        f"{first.inputs} inputs",
        f"{text} ({listed(map(str, silent))})" if len(silent) else "",
        verdict=WARN,
        advice="no simulation tells what these inputs do: their weights stay where they began",
    )
