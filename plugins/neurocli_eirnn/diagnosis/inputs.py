"""Checks of a session's task inputs: finite, alive, one-hot, and saying the same as the trials' labels."""

from __future__ import annotations

import numpy as np

from neurocli.diagnosis.finding import FAIL, WARN, Finding
from neurocli.diagnosis.words import information, listed, unless_none
from neurocli_eirnn.data.session import INPUT_NAMES, Session
from neurocli_eirnn.data.signals import ONE_HOT, contradicted, odd_task_values

_CHANNEL_GROUPS = {
    "events": (0, 5, 6),
    "locations": range(1, 5),
    "eye": (7, 8),
    "features": range(9, 12),
    "salience": (12, 13),
}


def input_findings(session: Session) -> list[Finding]:
    """Every check of inputs, in reading order."""
    return [_finite(session), _constant(session), _one_hot(session), _labels(session), *_statistics(session)]


def _finite(session: Session) -> Finding:
    """NaN where a trial has no rates is padding; anywhere else it is a fault."""
    bad = ~np.isfinite(session.inputs).all(axis=2)
    valid = np.isfinite(session.rates).any(axis=2)
    inside, padding = int((bad & valid).sum()), int((bad & ~valid).sum())
    return Finding.graded(
        "finite-inputs",
        "inputs",
        f"{inside} bins not finite"
        if inside
        else f"not finite in {padding} bins, all of them padding"
        if padding
        else "all finite",
        "finite",
        "repair the inputs: a model would receive NaN" if inside else "nothing to do: padding is read as 0",
        warn=padding,
        fail=inside,
    )


def _constant(session: Session) -> Finding:
    inputs = session.inputs.reshape(-1, session.inputs.shape[2])
    with np.errstate(invalid="ignore"):
        constant = np.flatnonzero(~(np.ptp(np.nan_to_num(inputs), axis=0) > 0))
    named = ", ".join(f"{INPUT_NAMES[k]} = {inputs[0, k]:g}" for k in constant)
    return unless_none(
        "constant-channels",
        "inputs",
        "all" if len(constant) == inputs.shape[1] else named,
        verdict=FAIL if len(constant) == inputs.shape[1] else WARN,
        advice="these channels carry no information: look for their signals in the export",
    )


def _one_hot(session: Session) -> Finding:
    """Task channels are 0 or 1, and of a group of channels at most one is ever on in a trial."""
    faulty = {}
    odd = odd_task_values(session)
    if odd.any():
        faulty["with values other than 0 and 1"] = odd
    for name, channels in ONE_HOT.items():
        twice = (session.inputs[:, :, channels] > 0.5).any(axis=1).sum(axis=1) > 1
        if twice.any():
            faulty[f"with two channels of {name} on"] = twice
    return unless_none(
        "one-hot",
        "inputs",
        ", ".join(f"{int(trials.sum())} trials {fault}" for fault, trials in faulty.items()),
        verdict=FAIL,
        threshold="0 or 1, at most one channel on",
        advice="these inputs contradict themselves: export them again",
        clean="at most one channel on",
    )


def _labels(session: Session) -> Finding:
    contradictions = []
    for name in ONE_HOT:
        if name not in session.labels:
            continue
        wrong = contradicted(session, name)
        if len(wrong):
            contradictions.append(f"{name} in {len(wrong)} trials ({listed(map(str, wrong), 'trial')})")
    return unless_none(
        "label-vs-input",
        "inputs",
        "; ".join(contradictions),
        verdict=FAIL,
        threshold="equal",
        advice="the label and the input of a trial contradict each other: one of them belongs to another trial",
        clean="equal",
    )


def _statistics(session: Session) -> list[Finding]:
    """Per channel: the share of time that it is on; mean and standard deviation of the eye."""
    valid = np.isfinite(session.rates).any(axis=2)
    values = np.asarray(session.inputs[valid], np.float64)
    findings = []
    for group, channels in _CHANNEL_GROUPS.items():
        summaries = []
        for k in channels:
            with np.errstate(invalid="ignore"):
                mean, sd = float(np.nanmean(values[:, k])), float(np.nanstd(values[:, k]))
            name = INPUT_NAMES[k].removeprefix("target_")
            summaries.append(f"{name} {mean:.2f} ± {sd:.2f}" if group == "eye" else f"{name} {mean:.1%}")
        findings.append(information("input-mean" if group == "eye" else "input-on", group, ", ".join(summaries)))
    return findings
