"""Checks of the traces of each worm: what is missing, what drifts, what was smoothed or interpolated, whether calcium shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurocli.diagnosis.finding import FAIL, PASS, WARN, Finding
from neurocli.diagnosis.words import counted, information, listed, span
from neurocli_gat_lstm.data.summary import FORGOTTEN_S, SMOOTHNESS_RATIO, Summary
from neurocli_gat_lstm.diagnosis.wording import of_worms, per_worm, shortened, with_clean

MISSING_WARN, MISSING_FAIL = 0.02, 0.5
DRIFT = 1.5
"""Largest median change of a neuron over the recording, in sd. Bleach-corrected recordings of Kato et al. reach 1.0."""
REDUCTION_WARN, REDUCTION_FAIL = 0.2, 0.4
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
            advice="most neurons drift over the whole recording, as by bleaching: correct for it, or the model learns the trend",
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
        advice="each is replaced by the last known value and not scored: find out what was lost in the export",
        unit="(share of samples)",
    )
    lost = {a.group: _neurons(a.lost) for a in summaries if a.lost}
    if lost:
        advice = (
            "more than half of their values are missing, and they are left out: find out what was lost in the export"
        )
        findings += of_worms("lost-neurons", lost, len(summaries), advice=advice)
    return findings


def _neurons(names: Sequence[str]) -> str:
    return f"{len(names)} neuron{'s' if len(names) > 1 else ''}: {listed(names)}"


def _constant(summaries: Sequence[Summary]) -> list[Finding]:
    constant = {a.group: _neurons(a.constant) for a in summaries if a.constant}
    advice = "they never vary and are left out: find out what was lost in the export"
    findings = of_worms("constant-neurons", constant, len(summaries), advice=advice)
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
        "the file was z-scored over its whole length, so that every value depends on its future: use the raw traces"
    )
    threshold = f"< {SCORED:.0%} of neurons"
    return of_worms("whole-z-score", scored_whole, len(summaries), threshold=threshold, advice=advice)


def _smoothing(summaries: Sequence[Summary]) -> list[Finding]:
    """S of AR(10) where changes persist; where they reverse it is noise that the filter averages out, which is fine."""
    stated = {a.group: a.smoothing for a in summaries if a.smoothing}
    findings: list[Finding] = []
    if stated:
        advice = "every value depends on later ones: use the traces before smoothing"
        findings += of_worms("stated-smoothing", stated, len(summaries), advice=advice)
    judged = {a.group: a.error_reduction for a in summaries if a.goes_on > 0}
    noisy = {
        a.group: a.error_reduction for a in summaries if not a.goes_on > 0 and a.error_reduction == a.error_reduction
    }
    check = "smoothness"
    advice = (
        "the last ten frames predict the next one too well, as after smoothing or upsampling: use the raw traces, since a "
        "filter that is not causal leaks the future, and all scores flatter"
    )
    findings += per_worm(
        check,
        judged,
        warn=REDUCTION_WARN,
        fail=REDUCTION_FAIL,
        advice=advice,
        unit="(S of AR(10); changes persist)",
    )
    if noisy:
        text = f"{span(min(noisy.values()), max(noisy.values()), '.3g')} (S of AR(10); changes reverse)"
        findings.append(
            Finding(check, counted(len(noisy), "worm"), PASS, text, f"WARN ≤ {REDUCTION_WARN}, FAIL ≤ {REDUCTION_FAIL}")
        )
    fast = [a.fast for a in summaries if a.fast == a.fast]
    if fast:
        findings.append(
            information(
                "fast-power",
                counted(len(fast), "worm"),
                f"{span(min(fast), max(fast), '.2g')} of the power is above half the Nyquist frequency",
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
            lines[a.group] = f"peak of {a.line[0]:.0f} x background at {a.line[1]:.3f} cycles per frame"
    total = len(summaries)
    return [
        *of_worms(
            "upsampled",
            upsampled,
            total,
            verdict=FAIL,
            threshold=f"≤ {UPSAMPLED:.0%} of frames",
            advice="frames were interpolated between slower ones, so that the input holds what comes next: use the native frames",
        ),
        *of_worms(
            "interpolated-gaps",
            filled,
            total,
            advice="frames that were not recorded were filled in by straight lines in all neurons: remove them from the file",
        ),
        *of_worms(
            "resampled",
            lines,
            total,
            threshold=f"peak ≤ {LINE:g} x background",
            advice="the roughness of all traces is periodic, as after interpolation to another frame rate: use the native frames",
        ),
    ]


def _calcium(summaries: Sequence[Summary]) -> list[Finding]:
    """Whether traces remember anything that their smoothing does not make them remember."""
    good, bad = [], []
    threshold = f"half-time ≥ {FORGOTTEN_S:g} s, or ≥ {SMOOTHNESS_RATIO:g} x smoothing time"
    for a in summaries:
        if a.half_time != a.half_time:
            continue
        if a.forgets:
            value = f"half-time {a.half_time:.2f} s, {a.memory_ratio:.2f} x smoothing time"
            advice = (
                "no calcium indicator or heavy smoothing suspected, since the autocorrelation falls as fast as that of smoothed"
                " noise: find out which strain it was"
            )
            bad.append(Finding("calcium-memory", a.group, WARN, value, threshold, advice))
        else:
            good.append((a.half_time, a.memory_ratio))
    findings = shortened("calcium-memory", bad)
    if good:
        (times, ratios) = zip(*good, strict=True)
        text = f"half-time {span(min(times), max(times), '.3g')} s, {span(min(ratios), max(ratios), '.3g')} x smoothing time"
        findings.append(Finding("calcium-memory", counted(len(good), "worm"), PASS, text, threshold))
    return findings


def _persistence(summary: Summary) -> Finding:
    pooled, median = summary.persistence
    value = f"R2 {pooled:.3f} pooled, {median:.3f} median neuron, 1 frame ({summary.dt_s * 1e3:.0f} ms) ahead"
    return Finding("persistence", summary.group, PASS, value, "–")


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
        label = (
            "labelled GFP"
            if summary.indicator == "gfp"
            else f"labelled {summary.indicator}, but a copy of it is labelled GFP"
        )
        advice = (
            "no calcium indicator, so that the signal is motion and noise: do not train on it (data.controls=leave-out)"
            if inside
            else "a negative control, never trained on: a high score on it shows motion, not activity"
        )
        findings.append(
            Finding("indicator", summary.group, FAIL if inside else WARN, label, "a calcium indicator", advice)
        )
    return with_clean("indicator", findings, total, "a calcium indicator", "none labelled GFP")
