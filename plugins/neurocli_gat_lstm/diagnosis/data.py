"""The diagnosis of recorded worms: who they are, what they share with the connectome, and what was done to their traces."""

from __future__ import annotations

from collections.abc import Sequence

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import counted, information, listed
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli.recordings.copies import copies as shared_numbers
from neurocli_gat_lstm.configs import GatLstmConfig
from neurocli_gat_lstm.data.duplicates import Copy, copies
from neurocli_gat_lstm.data.selection import usable
from neurocli_gat_lstm.data.summary import Summary, summary_of
from neurocli_gat_lstm.diagnosis.graph import graph_findings
from neurocli_gat_lstm.diagnosis.time import time_findings
from neurocli_gat_lstm.diagnosis.traces import indicator_findings, trace_findings
from neurocli_gat_lstm.diagnosis.wording import shortened

FEWEST = 3
"""Worms below which nothing can be left out for validation and test."""


def data_findings(recordings: RecordingSet, config: GatLstmConfig) -> list[Finding]:
    """Every check of a set of worms, in reading order. Bad data give findings; a file that cannot be read raises DataError."""
    summaries = [summary_of(recordings[group], config.data) for group in recordings]
    again = copies(recordings, summaries)
    repeated = {copy.group for copy in again}
    single = [summary for summary in summaries if summary.group not in repeated]
    try:
        usable_worms, left_out = usable(recordings, config.data)
        trouble = None
    except DataError as error:
        usable_worms, left_out, trouble = {}, [], error
    used = [summary for summary in summaries if summary.group in usable_worms]
    return [
        *_usable(used, left_out, len(summaries), trouble),
        *_copies(again, set(usable_worms), len(summaries)),
        *_shared(recordings, again, set(usable_worms)),
        *_names(single),
        *indicator_findings(
            _told_apart(single, summaries, again, set(usable_worms)),
            _indicators(summaries, again),
            list(usable_worms),
            len(single),
        ),
        *graph_findings(single, used or single, config),
        *time_findings(single, used or single, config),
        *trace_findings(single),
        _normalisation(config),
    ]


def _usable(used: Sequence[Summary], left_out: Sequence[str], total: int, trouble: DataError | None) -> list[Finding]:
    """What a training would take, and what it leaves out for reasons that no other check gives."""
    threshold = f"≥ {FEWEST} worms"
    if trouble is not None:
        return [Finding.of_error("usable", counted(total, "worm"), trouble, threshold)]
    value = f"{len(used)} of {total}: {listed(summary.group for summary in used)}"
    advice = (
        "fewer than three worms cannot be split: add worms to train on; a trained run can still be evaluated on these"
    )
    few = len(used) < FEWEST
    findings = [Finding.graded("usable", counted(total, "worm"), value, threshold, advice, fail=few)]
    reasons = [line.partition(": ") for line in left_out]
    others = [(group, why) for group, _, why in reasons if not why.startswith(("GFP", "the same worm"))]
    return [*findings, *shortened("left-out", [information("left-out", group, why) for group, why in others])]


def _copies(again: Sequence[Copy], used: set[str], total: int) -> list[Finding]:
    """Worms that come twice; where both would be used, what is tested was trained on."""
    findings = []
    for copy in again:
        leak = copy.group in used and copy.of in used
        what = "the same traces as" if copy.exact else "a smoothed or resampled copy of, or the original of,"
        advice = (
            "both would be used, and one may be tested on the other: leave one out"
            if leak
            else "nothing to do: only one of them is used"
        )
        value = f"{what} {copy.of} (r {copy.correlation:.4f})"
        findings.append(Finding("duplicate", copy.group, FAIL if leak else WARN, value, "none", advice))
    return shortened("duplicate", findings) or [Finding("duplicate", counted(total, "worm"), PASS, "none", "none")]


def _shared(recordings: RecordingSet, again: Sequence[Copy], used: set[str]) -> list[Finding]:
    """Other worms that hold the same numbers in part, or in some neurons: what a training refuses on two sides of a split."""
    first = {copy.group: copy.of for copy in again}
    findings = [
        Finding(
            "shared-part",
            copy.group,
            FAIL if {copy.group, copy.of} <= used else WARN,
            f"{copy.of}: {copy.in_words}",
            "none",
            "different worms cannot share numbers: leave one of them out",
        )
        for copy in shared_numbers(recordings)
        if first.get(copy.group, copy.group) != first.get(copy.of, copy.of)
    ]
    clean = Finding("shared-part", counted(len(recordings), "worm"), PASS, "none", "none")
    return shortened("shared-part", findings) or [clean]


def _names(single: Sequence[Summary]) -> list[Finding]:
    """Different worms must differ in (source, worm); that `worm` alone repeats across sources is usual."""
    by_key: dict[tuple[str, str], list[str]] = {}
    sources: dict[str, set[str]] = {}
    for summary in single:
        by_key.setdefault(summary.key, []).append(summary.group)
        sources.setdefault(summary.worm, set()).add(summary.source)
    clashes = [
        Finding(
            "worm-names",
            " ".join(key).strip(),
            FAIL,
            f"{len(groups)} different worms: {listed(groups)}",
            "unique with the laboratory",
            "rename all but one: different worms of one name cannot be told apart",
        )
        for key, groups in by_key.items()
        if len(groups) > 1
    ]
    shared = [f"{worm} in {len(names)} laboratories" for worm, names in sources.items() if len(names) > 1]
    text = f"{len(by_key)} different names" + (f"; {listed(shared)}, which count as different worms" if shared else "")
    return clashes or [Finding("worm-names", counted(len(single), "worm"), PASS, text, "unique with the laboratory")]


def _indicators(summaries: Sequence[Summary], again: Sequence[Copy]) -> dict[str, str]:
    """Each worm's indicator by its own label or that of any copy: what one file does not say another may know."""
    first = {copy.group: copy.of for copy in again}
    by_worm: dict[str, set[str]] = {}
    for summary in summaries:
        by_worm.setdefault(first.get(summary.group, summary.group), set()).add(summary.indicator)
    return {
        summary.group: next(
            (label for label in ("gfp", "gcamp") if label in by_worm[first.get(summary.group, summary.group)]),
            "unknown",
        )
        for summary in summaries
    }


def _told_apart(
    single: Sequence[Summary], summaries: Sequence[Summary], again: Sequence[Copy], used: set[str]
) -> list[Summary]:
    """Each worm once: as the copy that a training would take, where there is one."""
    taken = {copy.of: copy.group for copy in again if copy.group in used and copy.of not in used}
    by_group = {summary.group: summary for summary in summaries}
    return [by_group[taken.get(summary.group, summary.group)] for summary in single]


def _normalisation(config: GatLstmConfig) -> Finding:
    """Whether the units of a training know the future: the published choice does."""
    known = "uses nothing after a forecast's origin"
    if config.data.normalisation == "whole":
        value = "mean and sd of each whole recording, its future included"
        advice = "every score is marked LEAKY: use data.normalisation=causal, unless you repeat the published protocol"
        return Finding("normalisation", "data", FAIL, value, known, advice)
    value = "running mean and sd" if config.data.normalisation == "causal" else "mean and sd of the burn-in"
    return Finding("normalisation", "data", PASS, value, known)
