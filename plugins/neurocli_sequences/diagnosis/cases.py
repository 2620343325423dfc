"""The diagnosis of a set of cases: each case, the split, copies, lengths, tokens, and the untrained network for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurocli.diagnosis import FAIL, Finding
from neurocli.diagnosis.words import counted, listed
from neurocli.errors import DataError, LeakError
from neurocli.recordings import RecordingSet, Split
from neurocli_sequences.data.case_dataset import CaseData
from neurocli_sequences.data.case_split import PUBLISHED, Case
from neurocli_sequences.diagnosis.copies import contradictions, copy_findings
from neurocli_sequences.diagnosis.labels import label_findings
from neurocli_sequences.diagnosis.lengths import length_findings, timescale_finding
from neurocli_sequences.diagnosis.near_copies import near_copy_findings
from neurocli_sequences.diagnosis.partition import partition_findings
from neurocli_sequences.diagnosis.summary import summarised
from neurocli_sequences.diagnosis.tokens import token_findings
from neurocli_sequences.diagnosis.values import scale_findings, value_findings

if TYPE_CHECKING:
    from neurocli.plugin.task import Task


def case_findings(task: Task, recordings: RecordingSet, config: Any) -> list[Finding]:
    """Every check of a set of cases, in reading order, then of the untrained network for them."""
    summaries, wrong = summarised(recordings)
    readable = Finding.graded(
        "readable",
        counted(len(recordings), "case"),
        listed(wrong) or f"{len(summaries):,}, each with a {'class' if recordings.meta.get('classes') else 'target'}",
        "every case has a label",
        "leave these cases out, or label them",
        fail=wrong,
    )
    if not summaries:
        return [readable]
    cases = [summary.case for summary in summaries]
    sound = recordings if not wrong else recordings.subset([case.group for case in cases])
    dataset, refused = adapted_or_refused(task, sound, config, cases)
    findings = [readable, *refused, *value_findings(summaries)]
    findings.append(contradictions(cases, None if dataset is None else dataset.split))
    if dataset is None:
        return findings
    assert dataset.split is not None
    if not refused:
        findings += partition_findings(dataset)
    if dataset.split.train:
        findings += [*label_findings(dataset), *scale_findings(dataset)]
    findings += [
        *copy_findings(dataset),
        *near_copy_findings(dataset),
        *length_findings(dataset),
        *token_findings(dataset),
    ]
    return [*findings, *untrained_findings(task, dataset, config)]


def adapted_or_refused(
    task: Task, recordings: RecordingSet, config: Any, cases: list[Case]
) -> tuple[CaseData | None, list[Finding]]:
    """(the dataset where there can be one, what refuses to split it); one that leaks is still looked at."""
    try:
        return _adapted(task, recordings, config, None), []
    except LeakError as error:
        refused = Finding.of_error("usable", "data", error, "can be split")
        tested = tuple(case.group for case in cases if case.part == "test")
        held = tuple(case.group for case in cases if case.part == "validation")
        rest = tuple(case.group for case in cases if case.part not in ("test", "validation"))
        return _adapted(task, recordings, config, Split(rest, held, tested, PUBLISHED)), [refused]
    except DataError as error:
        return None, [Finding.of_error("usable", "data", error, "can be split")]


def _adapted(task: Task, recordings: RecordingSet, config: Any, split: Split | None) -> CaseData:
    dataset = task.adapt(recordings, config, split)
    assert isinstance(dataset, CaseData)
    return dataset


def untrained_findings(task: Task, dataset: CaseData, config: Any) -> list[Finding]:
    """Timescales of the untrained network against the sequences, and what the model says of it."""
    try:
        network = task.inside(task.untrained(config, dataset.spec, config.train.seed))
    except DataError as error:
        return [
            Finding("model", "untrained", FAIL, error.message, "can be built", error.hint or "choose other options")
        ]
    tau = task.model.timescales(network)
    timescales = [] if tau is None else [timescale_finding(np.asarray(tau, np.float64), dataset, "untrained")]
    return [*timescales, *task.model.diagnose_network(network, dataset, config, "untrained")]
