"""The diagnosis of spoken digits: classes, speakers, late spikes, silent units, and whether a split can be made."""

from __future__ import annotations

import numpy as np

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding, judged
from neurocli.diagnosis.words import listed, unless_none
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli_elm.config import ShdConfig
from neurocli_elm.data.readers.shd import CLASSES, UNITS
from neurocli_elm.data.shd_bins import DURATION_S
from neurocli_elm.data.shd_dataset import ShdData, about_of
from neurocli_elm.data.shd_split import BY_FILE, About

MOST_LATE = 0.05
MOST_SILENT = 0.1


def utterance_findings(recordings: RecordingSet, config: ShdConfig) -> list[Finding]:
    """Every check of a set of utterances, in reading order."""
    about: dict[str, About] = {}
    wrong, empty = [], []
    spikes = late = 0
    of_unit = np.zeros(UNITS, np.int64)
    for group in recordings:
        try:
            recording = recordings[group]
            about[group] = about_of(recording, recordings.where(group))
        except DataError as error:
            wrong.append(f"{group}: {error.message}")
            continue
        seconds = recording.events["spike_s"]
        if not len(seconds):
            empty.append(group)
        spikes += len(seconds)
        late += int((seconds >= DURATION_S).sum())
        of_unit += np.bincount(recording.events["spike_unit"], minlength=UNITS)
    findings = [
        Finding.graded(
            "readable",
            f"{len(recordings)} utterances",
            listed(wrong) or f"{spikes / max(len(about), 1):,.0f} spikes in each on average",
            "spike times, units and label",
            "leave these utterances out, or download the files again",
            fail=wrong,
        )
    ]
    if not about:
        return findings
    missing = [str(k) for k in range(CLASSES) if k not in {utterance.label for utterance in about.values()}]
    findings += [
        unless_none(
            "empty", "utterances", listed(empty), verdict=WARN, advice="utterances without a spike: leave them out"
        ),
        unless_none(
            "missing-classes",
            f"{CLASSES} digits",
            listed(missing),
            verdict=WARN,
            advice="classes without an utterance cannot be learned: bring the whole files",
        ),
        judged(
            "late-spikes",
            "spikes",
            late / max(spikes, 1),
            warn=MOST_LATE,
            advice="share of spikes after 1 s, which the published bins leave out",
        ),
        judged(
            "silent-units",
            f"{UNITS} units",
            float((of_unit == 0).mean()),
            warn=MOST_SILENT,
            advice="share of units without a spike, whose weights cannot be learned",
        ),
    ]
    if wrong:
        return findings
    try:
        dataset = ShdData(recordings, config)
    except DataError as error:
        return [*findings, Finding("usable", "data", FAIL, error.message, "can be split", error.hint or "")]
    sizes = [len(dataset.split.groups(part)) for part in ("train", "validation", "test")]
    text = f"utterances: {sizes[0]} training, {sizes[1]} validation, {sizes[2]} test ({dataset.split.protocol})"
    return [*findings, Finding("usable", "data", PASS, text, "can be split"), speaker_finding(dataset)]


def speaker_finding(dataset: ShdData) -> Finding:
    """Speakers that are in test and training: scores over them say less about new speakers."""
    if not dataset.speakers_known:
        return Finding(
            "shared-speakers",
            "split",
            WARN,
            "unknown",
            "0",
            "the files do not name the speakers, so that intervals over speakers cannot be made",
        )
    heard, tested = (
        {dataset.about[group].speaker for part in part_names for group in dataset.split.groups(part)}
        for part_names in (("train", "validation"), ("test",))
    )
    shared = len(heard & tested)
    advice = "the evaluation scores speakers of the training and new speakers separately: judge by the new ones"
    if dataset.split.protocol not in BY_FILE and shared:
        advice = "the same speakers are in training and test: split by speaker"
    return Finding.graded(
        "shared-speakers", "split", f"{shared} of {len(tested)} test speakers", "0", advice, warn=shared
    )
