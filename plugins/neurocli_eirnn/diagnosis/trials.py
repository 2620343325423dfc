"""Checks of a session's trials: are events where they happened, does every trial have its whole window, is any one there twice?"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.finding import FAIL, PASS, Finding
from neurocli.diagnosis.words import listed, span, unless_none
from neurocli.recordings.copies import copies
from neurocli_eirnn.data.overlaps import without_overlaps
from neurocli_eirnn.data.session import Session
from neurocli_eirnn.data.tasks import AFTER_MS, BEFORE_MS
from neurocli_eirnn.data.trials import SHORT_MS, Event, classify, durations_ms, event_bins
from neurocli_eirnn.diagnosis.wording import of_trials

SIGNALS: tuple[Event, ...] = ("fixation", "target", "go", "reward")
CONDITION = ("location", "reward", "salience")
FEWEST_PER_CONDITION = 5
LEAST_CORRELATION = 0.99


def trial_findings(session: Session) -> list[Finding]:
    """Every check of trials, in reading order."""
    return [
        _event_order(session),
        _durations(session),
        *_missing_signals(session),
        _duration_against_reward(session),
        _window(session),
        *_shared(session),
    ]


def _event_order(session: Session) -> Finding:
    faults = classify(session)
    known = faults.ordered | faults.short | faults.unfixated | faults.at_reward
    kinds = {
        f"shorter than {SHORT_MS:g} ms": faults.short,
        "without fixation signal": faults.unfixated & ~faults.at_reward,
        "reward not after go": faults.reward_not_after_go,
        "reward one bin after go": faults.reward_one_bin_after_go,
        "otherwise out of order": ~known,
    }
    counted = ", ".join(f"{int(trials.sum())} {kind}" for kind, trials in kinds.items() if trials.any())
    advice = (
        f"use data.trials=ordered ({int(faults.ordered.sum())} trials), and export again: the inputs of the others show events"
        " that did not happen"
    )
    bad = int((~faults.ordered).sum())
    return of_trials("event-order", "trials", bad, session.trials, kinds=counted, advice=advice)


def _durations(session: Session) -> Finding:
    duration = durations_ms(session)
    end = session.time_ms[-1] + session.bin_ms / 2
    short, long = int((duration < SHORT_MS).sum()), int((duration > end).sum())
    kinds = f"{short} shorter than {SHORT_MS:g} ms, {long} longer than the time axis, which ends at {end:g} ms"
    advice = "these durations are impossible: leave the trials out, and check the reward times of the export"
    return of_trials("trial-duration", "trials", short + long, session.trials, kinds=kinds, advice=advice)


def _missing_signals(session: Session) -> list[Finding]:
    findings = []
    for event in SIGNALS:
        missing = int((event_bins(session, event) < 0).sum())
        advice = f"the model cannot see the {event} signal: export these trials again, or leave them out"
        findings.append(of_trials(f"missing-{event}", "inputs", missing, session.trials, advice=advice))
    return findings


def _duration_against_reward(session: Session) -> Finding:
    """The duration ends at the reward, so the two must go together over trials."""
    check, subject, threshold = "duration-vs-reward", "trials", f"correlation > {LEAST_CORRELATION:g}"
    reward = event_bins(session, "reward")
    both = np.isfinite(session.duration_ms) & (reward >= 0)
    duration, at = session.duration_ms[both], session.time_ms[reward[both]]
    if len(duration) < 3 or np.ptp(duration) <= session.bin_ms:
        return Finding(check, subject, PASS, "no durations to compare", threshold)
    r = float(np.corrcoef(duration, at)[0, 1]) if np.ptp(at) > 0 else 0.0
    advice = "durations and reward signals contradict each other: one of them belongs to other trials"
    return Finding.graded(check, subject, r, threshold, advice, fail=not (r > LEAST_CORRELATION))


def _window(session: Session) -> Finding:
    """Data must reach from 200 ms before fixation to 500 ms after reward, to the bin."""
    has_data: NDArray[np.bool_] = np.asarray(np.isfinite(session.rates).any(axis=2))
    bins = session.bins
    first, last = has_data.argmax(axis=1), bins - 1 - has_data[:, ::-1].argmax(axis=1)
    start, end = session.time_ms[first] - session.bin_ms / 2, session.time_ms[last] + session.bin_ms / 2
    duration = durations_ms(session)
    # A trial that outlasts the axis is reported as such, not once more here.
    known = np.isfinite(duration) & (duration <= session.time_ms[-1] + session.bin_ms / 2)
    late, early = start > -BEFORE_MS + session.bin_ms, end < duration + AFTER_MS - session.bin_ms
    bad = ~np.any(has_data, axis=1) | late | (known & early)
    text = f"{int(bad.sum())} of {session.trials} trials: {int(late.sum())} begin late, {int((known & early).sum())} end early"
    return unless_none(
        "window-coverage",
        "rates",
        text if bad.any() else "",
        verdict=FAIL,
        threshold=f"-{BEFORE_MS:g} ms to reward + {AFTER_MS:g} ms",
        advice="these trials are cut short: export all of that window, and count durations from fixation onset, 200 ms into it",
        clean=f"all {session.trials} trials",
    )


def _shared(session: Session) -> list[Finding]:
    """Spikes that are in two trials: at the end of one and the start of the next, or otherwise."""
    trimmed, ending = without_overlaps(session.recordings())
    twins = [f"{copy.group} and {copy.of} ({copy.in_words})" for copy in copies(trimmed)]
    return [
        unless_none(
            "overlapping-trials",
            "rates",
            f"{len(ending)} of {session.trials} overlap with a later one" if ending else "",
            advice="these trials are cut where the later one begins, so that no spike counts twice: export each trial up to its own end",
        ),
        unless_none(
            "duplicate-trials",
            "rates",
            listed(twins, f"{len(twins)}:"),
            advice="leave out one of each pair: a split could put the same spikes into training and test",
        ),
    ]


def condition_finding(session: Session, trials: NDArray[np.bool_], subject: str) -> Finding:
    """The smallest number of trials among conditions, of `trials` (bool [trial]); cells without any count too."""
    labels = [session.labels[name] for name in CONDITION if name in session.labels]
    values = [np.unique(label) for label in labels]
    keys = np.stack(labels, axis=1)[trials]
    counts = [int((keys == key).all(axis=1).sum()) for key in itertools.product(*values)]
    few = sum(count < FEWEST_PER_CONDITION for count in counts)
    advice = f"{few} conditions have too few trials for a PSTH: compare target locations alone, or smooth"
    value = f"{len(counts)} conditions of {span(min(counts), max(counts))} trials"
    return Finding.graded(
        "trials-per-condition", subject, value, f"≥ {FEWEST_PER_CONDITION} trials each", advice, warn=few
    )
