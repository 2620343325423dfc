"""Checks of the traces of each worm: what is missing, what drifts, what was smoothed or interpolated, whether calcium shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import counted, information, listed
from neurocli_gat_lstm.data.summary import FORGOTTEN_S, SMOOTHNESS_RATIO, Summary
from neurocli_gat_lstm.diagnosis.wording import of_worms, per_worm, shortened, with_clean

MISSING_WARN, MISSING_FAIL = 0.02, 0.5
DRIFT = 1.5
"""Largest median change of a neuron over the recording, in sd. Bleach-corrected recordings of Kato et al. reach 1.0."""
SKILL_WARN, SKILL_FAIL = 0.2, 0.4
UPSAMPLED = 0.05
LINE = 150.0
"""Height of a line of resampling; native recordings stay below 60, interpolated ones reach 700 and more."""
"""Calcium remembers longer: half-times of 7 s and more, 4 times the smoothness, in Kato et al. and in Atanas, Kim et al.; in
worms with GFP 3 to 4 s, and 1.5 times."""
SCORED = 0.95


def trace_findings(summaries: Sequence[Summary]) -> list[Finding]:
    """Every check of traces; each worm is given once."""
    return [
        *_missing(summaries),
        *_constant(summaries),
        *per_worm(
            "drift",
            {a.group: abs(a.drift) for a in summaries if a.drift == a.drift},
            warn=DRIFT,
            advice="all neurons drift alike, as dyes bleach: correct for it, or the trend is learned",
            unit="sd",
        ),
        *_whole_z(summaries),
        *_smoothing(summaries),
        *_interpolation(summaries),
        *_calcium(summaries),
        *shortened("persistence", [_persistence(summary) for summary in summaries if summary.scored]),
    ]


def _missing(summaries: Sequence[Summary]) -> list[Finding]:
    findings = per_worm(
        "missing-values",
        {a.group: a.missing for a in summaries},
        warn=MISSING_WARN,
        fail=MISSING_FAIL,
        advice="the last value stands in for them and they are not scored: look for what was lost in the export",
    )
    lost = {a.group: _neurons(a.lost) for a in summaries if a.lost}
    if lost:
        advice = "more than half of their values are missing, and they are left out"
        findings += of_worms("lost-neurons", lost, len(summaries), advice=advice)
    return findings


def _neurons(names: Sequence[str]) -> str:
    return f"{len(names)} neuron{'s' if len(names) > 1 else ''}: {listed(names)}"


def _constant(summaries: Sequence[Summary]) -> list[Finding]:
    found = {a.group: _neurons(a.constant) for a in summaries if a.constant}
    advice = "they say nothing and are left out: look for them in the export"
    findings = of_worms("constant-neurons", found, len(summaries), advice=advice)
    silent = {a.group: "no neuron varies" for a in summaries if not a.scored}
    if silent:
        advice = "nothing can be learned from this worm: leave it out"
        findings += of_worms(
            "no-signal", silent, len(summaries), verdict=FAIL, threshold="≥ 1 varying neuron", advice=advice
        )
    return findings


def _whole_z(summaries: Sequence[Summary]) -> list[Finding]:
    scored_whole = {
        a.group: f"{a.whole_z:.0%} of neurons have mean 0 and sd 1"
        for a in summaries
        if a.scored and a.whole_z >= SCORED
    }
    advice = (
        "the file was z-scored over its whole length: every value knows the mean of its future; ask for the raw traces"
    )
    threshold = f"< {SCORED:.0%}"
    return of_worms("whole-z-score", scored_whole, len(summaries), threshold=threshold, advice=advice)


def _smoothing(summaries: Sequence[Summary]) -> list[Finding]:
    """AR(10) over persistence, where changes go on; where they turn back it is noise that AR sees through, which is fine."""
    stated = {a.group: a.smoothing for a in summaries if a.smoothing}
    findings: list[Finding] = []
    if stated:
        advice = "values know their neighbours before the model does: ask for the traces before smoothing"
        findings += of_worms("stated-smoothing", stated, len(summaries), advice=advice)
    judged = {a.group: a.skill for a in summaries if a.goes_on > 0}
    noisy = {a.group: a.skill for a in summaries if not a.goes_on > 0 and a.skill == a.skill}
    check = "smoothness"
    advice = (
        "a linear filter of the last ten frames foretells the next one: smoothed or upsampled; scores will flatter, and a "
        "filter that was not causal lets the future in"
    )
    findings += per_worm(
        check, judged, warn=SKILL_WARN, fail=SKILL_FAIL, advice=advice, unit="S(1) of AR(10), changes go on"
    )
    if noisy:
        text = f"{min(noisy.values()):.3g} to {max(noisy.values()):.3g} S(1) of AR(10), changes turn back"
        findings.append(
            Finding(check, counted(len(noisy), "worm"), PASS, text, f"WARN ≤ {SKILL_WARN}, FAIL ≤ {SKILL_FAIL}")
        )
    fast = [a.fast for a in summaries if a.fast == a.fast]
    if fast:
        findings.append(
            information(
                "fast-power",
                counted(len(fast), "worm"),
                f"{min(fast):.2g} to {max(fast):.2g} above half of the highest frequency",
            )
        )
    return findings


def _interpolation(summaries: Sequence[Summary]) -> list[Finding]:
    upsampled: dict[str, str] = {}
    filled: dict[str, str] = {}
    lines: dict[str, str] = {}
    for a in summaries:
        if a.straight.share > UPSAMPLED:
            upsampled[a.group] = f"{a.straight.share:.1%} of frames lie on straight lines"
        if a.straight.gaps:
            filled[a.group] = f"{a.straight.gaps} stretches, the longest {a.straight.longest} frames"
        if a.line[0] > LINE:
            lines[a.group] = f"{a.line[0]:.0f} times the background at {a.line[1]:.3f} per frame"
    total = len(summaries)
    return [
        *of_worms(
            "upsampled",
            upsampled,
            total,
            verdict=FAIL,
            threshold=f"≤ {UPSAMPLED:.0%}",
            advice="linear interpolation between slower frames: what comes next is in the input; take the native frames",
        ),
        *of_worms(
            "interpolated-gaps",
            filled,
            total,
            advice="frames that were not recorded were filled with straight lines in all neurons: leave them out of the file",
        ),
        *of_worms(
            "resampled",
            lines,
            total,
            threshold=f"≤ {LINE:g}",
            advice="the roughness of all neurons beats with a period, as interpolation to another frame rate leaves it: take the native frames",
        ),
    ]


def _calcium(summaries: Sequence[Summary]) -> list[Finding]:
    """Whether traces remember anything that their smoothing does not make them remember."""
    good, bad = [], []
    threshold = f"half-time ≥ {FORGOTTEN_S:g} s, or ≥ {SMOOTHNESS_RATIO:g} x smoothness"
    for a in summaries:
        if a.half_time != a.half_time:
            continue
        if a.forgets:
            value = f"half-time {a.half_time:.2f} s, {a.memory_ratio:.2f} x smoothness"
            advice = (
                "no calcium indicator or heavy smoothing suspected: half of the signal is forgotten as fast as smoothed noise"
                " forgets; find out which strain it was"
            )
            bad.append(Finding("calcium-memory", a.group, WARN, value, threshold, advice))
        else:
            good.append(a.half_time)
    findings = shortened("calcium-memory", bad)
    if good:
        text = f"half-time {min(good):.3g} to {max(good):.3g} s"
        findings.append(Finding("calcium-memory", counted(len(good), "worm"), PASS, text, threshold))
    return findings


def _persistence(summary: Summary) -> Finding:
    pooled, median = summary.persistence
    value = f"R2 {pooled:.3f} pooled, {median:.3f} median neuron, one step of {summary.dt_s * 1e3:.0f} ms"
    return Finding("persistence", summary.group, PASS, value, 'what "no change" scores')


def indicator_findings(
    summaries: Sequence[Summary], indicators: Mapping[str, str], trained_on: Sequence[str], total: int
) -> list[Finding]:
    """GFP worms, by what their own label or that of a copy says.

    indicators: label of each worm or of one of its copies; trained_on: groups that a training would take, copies too.
    """
    findings = []
    for summary in summaries:
        if indicators[summary.group] != "gfp":
            continue
        inside = summary.group in trained_on
        own = "labelled GFP" if summary.indicator == "gfp" else f"labelled {summary.indicator}, a copy of it GFP"
        advice = (
            "no calcium indicator: what moves is motion and noise; leave it out of the training (data.controls=leave-out)"
            if inside
            else "a control: never trained on, and a high score there is no activity"
        )
        findings.append(Finding("indicator", summary.group, FAIL if inside else WARN, own, "calcium indicator", advice))
    return with_clean("indicator", findings, total, "calcium indicator", "none is labelled GFP")
