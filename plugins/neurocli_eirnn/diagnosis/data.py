"""The diagnosis of a session: trials, inputs, neurons, what can be reached on it, and the model before it is trained."""

from __future__ import annotations

import numpy as np

from neurocli.diagnosis.finding import FAIL, PASS, Finding
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.data.dataset import SessionData
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY, Session
from neurocli_eirnn.data.trials import selection
from neurocli_eirnn.diagnosis.inputs import input_findings
from neurocli_eirnn.diagnosis.neurons import neuron_findings, reliability_finding
from neurocli_eirnn.diagnosis.references import reference_findings
from neurocli_eirnn.diagnosis.trials import CONDITION, condition_finding, trial_findings
from neurocli_eirnn.diagnosis.untrained import untrained_findings

_READABLE = "required fields present, neuron types 1 or 2"


def data_findings(recordings: RecordingSet, config: EirnnConfig) -> list[Finding]:
    """Every check of a session, in reading order: of all its trials, then of those that `data.trials` chooses."""
    try:
        session = Session.of(recordings)
    except DataError as error:
        return [Finding.of_error("readable", "data", error, _READABLE)]
    readable = _readable(session)
    if readable.verdict == FAIL:
        return [readable]
    return [
        readable,
        *trial_findings(session),
        *input_findings(session),
        *neuron_findings(session, config),
        *_of_selections(session, recordings, config),
    ]


def _readable(session: Session) -> Finding:
    """The reader has checked fields and shapes; what other sources may still bring is checked here."""
    wrong = int((~np.isin(session.neuron_type, (EXCITATORY, INHIBITORY))).sum())
    size = f"{session.trials} trials, {session.bins} bins of {session.bin_ms:g} ms, {session.neurons} neurons"
    if wrong:
        value, advice = f"{wrong} neurons of another type", "neuron_type must be 1 (excitatory) or 2 (interneuron)"
    elif not np.isfinite(session.rates).any():
        value, advice = "no rates at all", "every bin is padding: export the session again"
    else:
        return Finding("readable", "data", PASS, size, _READABLE)
    return Finding("readable", "data", FAIL, value, _READABLE, advice)


def _of_selections(session: Session, recordings: RecordingSet, config: EirnnConfig) -> list[Finding]:
    """Checks of all trials and, where these are others, once more of the chosen ones; the model sees the latter."""
    findings = []
    chosen = selection(session, config.data.trials)
    # Where all trials are chosen, one round of checks is enough.
    choices = [config.data.trials] if chosen.all() else ["all", config.data.trials]
    for choice in choices:
        subject = "all trials" if chosen.all() else f"{choice} trials"
        trials = selection(session, choice)
        if trials.any() and any(name in session.labels for name in CONDITION):
            findings.append(condition_finding(session, trials, subject))
        if not trials.all() and trials.sum() > 1:
            findings.append(reliability_finding(session, session.rates[trials], subject))
        options = config.model_copy(update={"data": config.data.model_copy(update={"trials": choice})})
        try:
            dataset = SessionData(recordings, options)
        except DataError as error:
            findings.append(Finding.of_error("usable", subject, error, "can be split and fitted"))
            continue
        findings.append(Finding("usable", subject, PASS, f"{int(trials.sum())} trials", "can be split and fitted"))
        findings += reference_findings(dataset, options, subject)
        if choice == config.data.trials:
            findings += untrained_findings(dataset, config)
    return findings
