"""Checks of time: does it ascend evenly, where are gaps, are frame rates alike, is there enough of it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurocli.diagnosis.finding import FAIL, Finding
from neurocli.diagnosis.words import counted
from neurocli_gat_lstm.configs import GatLstmConfig
from neurocli_gat_lstm.data.selection import OTHER_RATE
from neurocli_gat_lstm.data.series import GAP
from neurocli_gat_lstm.data.summary import Summary
from neurocli_gat_lstm.diagnosis.wording import of_worms, per_worm

UNEVEN = 0.1
"""How far the 95th percentile of the steps may be from the median step."""


def time_findings(summaries: Sequence[Summary], used: Sequence[Summary], config: GatLstmConfig) -> list[Finding]:
    """summaries: every worm once; used: those that a training would take."""
    total = len(summaries)
    return [
        *of_worms(
            "time",
            {a.group: a.time_fault for a in summaries if a.time_fault},
            total,
            verdict=FAIL,
            threshold="ascending, one per frame",
            advice="times must ascend: correct or cut the recording; until then frames are taken as evenly spaced",
        ),
        *of_worms(
            "time-gaps",
            {a.group: f"{counted(len(a.gaps), 'gap')}, the longest {max(a.gaps):.3g} s" for a in summaries if a.gaps},
            total,
            threshold=f"steps ≤ {GAP:g} x median",
            advice="the recording is cut at each gap, and no forecast crosses one: record without gaps, or leave the worm out if too little is left",
        ),
        *per_worm(
            "uneven-time",
            {a.group: a.steps_off for a in summaries},
            warn=UNEVEN,
            advice="frames are not evenly spaced, so that a horizon in frames has no fixed length: export at an even rate from the raw volumes",
            unit="(steps from even spacing)",
        ),
        _rates(summaries),
        *_lengths(used, config),
    ]


def _rates(summaries: Sequence[Summary]) -> Finding:
    """Frame steps of all worms; those that differ too much are not trained together."""
    steps = np.array([summary.dt_s * 1e3 for summary in summaries])
    apart = steps.max() / steps.min() > 1 + OTHER_RATE
    value = ", ".join(f"{counted(count, 'worm')} at {step} ms" for step, count in _counted(steps))
    advice = "horizons count frames, so only worms of about one frame rate are trained together: choose them with data.sources"
    return Finding.graded("frame-rates", "data", value, f"within {OTHER_RATE:.0%} of each other", advice, warn=apart)


def _counted(steps: np.ndarray) -> list[tuple[str, int]]:
    """Frame steps that are within two per cent of each other, with how many worms have them."""
    clusters: list[list[float]] = []
    for step in np.sort(steps):
        if clusters and step < 1.02 * clusters[-1][0]:
            clusters[-1].append(step)
        else:
            clusters.append([step])
    return [(f"{np.median(group):.0f}", len(group)) for group in clusters]


def needed_frames(config: GatLstmConfig) -> dict[str, int]:
    """Frames without a gap that each use of a worm takes."""
    loss, evaluate = config.loss, config.evaluate
    span = config.model.lags + loss.chunk + max(1, loss.rollout)
    return {"a training chunk": span, "the context with the longest horizon": evaluate.context + max(evaluate.horizons)}


def _lengths(used: Sequence[Summary], config: GatLstmConfig) -> list[Finding]:
    what, needed = max(needed_frames(config).items(), key=lambda item: item[1])
    return per_worm(
        "length",
        {a.group: float(a.longest) for a in used},
        fail=float(needed),
        low=True,
        advice=f"{what} needs {needed} frames without a gap: leave the worm out, or lower loss.chunk, evaluate.context or evaluate.horizons",
        unit="frames without a gap",
    )
