"""What speaks against a worm's times and traces being what they are said to be: their unit, their padding, their type.

Every reader's worm goes through it. What cannot be is refused; what is unlikely is a doubt.
"""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings import Note
from neurocli.recordings.plausible import FRAME_MS

STEP_MS = dataclasses.replace(FRAME_MS, inverse={})
"""Of times that are given one by one: they are no frames per second."""
FASTEST_MS, SLOWEST_MS = 40.0, 5000.0
"""Volumes of a whole brain are recorded at 1 to 20 a second; what is beyond these is looked at twice."""
GAP, ROUNDED = 1.5, 0.05
"""Longer steps are gaps; of the others, median and mean differ by this share at the most."""
_OTHER_UNITS = {"minutes": 60.0, "hours": 3600.0, "ms": 1e-3, "µs": 1e-6}
_CLOSE = 0.03
MOST_DFF_SD, LEAST_DFF_SD, MOST_DFF = 2.0, 0.004, 50.0
"""Of dF/F0: sd of the median neuron, and the largest value; published worms have sd .06 to .3 and reach 5."""
HIGHEST_BASELINE = 0.5
"""Of dF/F0: 10th percentile of the median neuron; that of a ratio F/F0 is near 1."""
LOWEST_MIDDLE, LEAST_SKEWNESS = -1.0, -0.5
"""Of the median neuron: median by sd of dF/F0, and skewness. Published worms have 2 and 0.5, z-scored ones -0.3 at least,
simulated ones -0.2 and 0."""
FEWEST_SKEWED, MOST_SKEWED = 6, 0.85
"""Neurons, and which part of them, that must agree: of a few slow traces the skewness is chance."""
FARTHEST = 50.0
"""How many times the range from the 10th to the 90th percentile a sample may lie from the median; in published worms 10."""
FEWEST_VALUES = 25
FROZEN = 3
"""Frames in a row in which nothing moves."""
_FEW_FRAMES = 40


def time_notes(time_s: NDArray[np.float64], where: str, stated_s: float | None = None) -> list[Note]:
    """Doubts in ascending times; stated_s: the step that the file gives elsewhere. Raises DataError where they cannot be in s."""
    step = float(np.median(np.diff(time_s)))
    STEP_MS.check(step, where, stated="s", hint="give times in s: convert them, or correct the file")
    if stated_s and np.isfinite(stated_s) and stated_s > 0:
        conflict = _conflict(step, stated_s)
        if conflict:
            return [Note("frame-time", where, conflict, "correct the times or the frame rate in the file")]
    steps = np.diff(time_s)
    regular = float(steps[steps < GAP * step].mean())
    if len(steps) >= _FEW_FRAMES and abs(step / regular - 1) > ROUNDED:
        found = f"the median step between frames is {step:.4g} s, the mean one {regular:.4g} s: were the times rounded?"
        return [Note("frame-time", where, found, "give times with all their digits")]
    whole = bool((time_s == np.rint(time_s)).all())
    if whole and np.diff(time_s).min() == np.diff(time_s).max():
        confirmed = stated_s is not None and abs(step / stated_s - 1) < _CLOSE if stated_s else False
        if not confirmed:
            found = (
                f"the times are {time_s[0]:g}, {time_s[1]:g}, {time_s[2]:g}, ...: are they frame numbers, and not s?"
                if len(time_s) > 2
                else "the times are whole numbers"
            )
            return [Note("frame-time", where, found, "give times in s, or leave it if the step is exactly that")]
    if not FASTEST_MS <= step * 1e3 <= SLOWEST_MS:
        likely = [unit for unit, s in _OTHER_UNITS.items() if FASTEST_MS <= step * s * 1e3 <= SLOWEST_MS]
        question = f": are the times in {' or '.join(likely)}?" if likely else ""
        found = f"a frame every {step * 1e3:.4g} ms, which is unusual for whole-brain calcium{question}"
        return [Note("frame-time", where, found, "convert the times to s, or leave it if this is the frame rate")]
    return []


def _conflict(step: float, stated: float) -> str | None:
    """Why the step of the times and the one that is stated cannot both be: their ratio is that of two units, or step and rate
    are mixed up. Other ratios are left alone: planes of a volume, and frames that were left out."""
    ratio = step / stated
    for unit, seconds in _OTHER_UNITS.items():
        if abs(ratio * seconds - 1) < _CLOSE or abs(ratio / seconds - 1) < _CLOSE:
            return f"the times have a step of {step:.4g} s, the file states {stated:.4g} s: is one of them in {unit}?"
    if abs(step * stated - 1) < _CLOSE and abs(ratio - 1) > _CLOSE:
        return f"the times have a step of {step:.4g} s, the file states {stated:.4g} s: a frame rate in the place of a step?"
    return None


def trace_notes(signal: NDArray[np.floating], unit_is_dff: bool, where: str) -> list[Note]:
    """Doubts in traces [time, neuron], NaN where there is no number."""
    values = np.where(np.isfinite(signal), signal, np.nan).astype(np.float64)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of a neuron without numbers there is nothing to say here
        notes = [_filled_frames(values), _fill_values(values), _coarse(values, unit_is_dff)]
        notes.append(_dff(values) if unit_is_dff else None)
        notes += [_upside_down(values, unit_is_dff), _far_out(values)]
    return [Note(check, where, found, advice) for check, found, advice in filter(None, notes)]


Doubt = tuple[str, str, str]


def _dff(values: NDArray[np.float64]) -> Doubt | None:
    """Whether the numbers can be fluorescence over its baseline, less one."""
    spread, baseline = (
        float(np.nanmedian(np.nanstd(values, axis=0))),
        float(np.nanmedian(np.nanquantile(values, 0.1, axis=0))),
    )
    largest = float(np.nanmax(np.abs(values)))
    advice = "the unit of the traces is given as dF/F0: convert them, or correct the unit"
    if baseline > max(HIGHEST_BASELINE, 3 * spread) or (baseline > HIGHEST_BASELINE and spread < 1):
        guess = "F/F0" if baseline < 2 else "raw fluorescence"
        return (
            "trace-unit",
            f"the baseline of dF/F0 is near 0, here it is {baseline:.3g}: are the traces {guess}?",
            advice,
        )
    if spread > MOST_DFF_SD or largest > MOST_DFF:
        found = f"dF/F0 with an sd of {spread:.3g} and values up to {largest:.3g}: are the traces in percent, or raw fluorescence?"
        return "trace-unit", found, advice
    if 0 < spread < LEAST_DFF_SD:
        return "trace-unit", f"dF/F0 with an sd of only {spread:.2g}: were the traces divided by something?", advice
    return None


def _upside_down(values: NDArray[np.float64], unit_is_dff: bool) -> Doubt | None:
    """Traces with the sign exchanged: calcium rises from a low baseline, so dF/F0 is not mostly negative, nor has it troughs."""
    if len(values) < _FEW_FRAMES:
        return None
    sd = np.nanstd(values, axis=0)
    z = (values[:, sd > 0] - np.nanmean(values[:, sd > 0], axis=0)) / sd[sd > 0]
    if not z.size:
        return None
    middle = float(np.nanmedian(np.nanmedian(values[:, sd > 0], axis=0) / sd[sd > 0]))
    skewness = np.nanmean(z**3, axis=0)
    troughs = len(skewness) >= FEWEST_SKEWED and (skewness < 0).mean() >= MOST_SKEWED
    advice = "find out whether the traces have the right sign, and turn them round"
    if unit_is_dff and middle < LOWEST_MIDDLE:
        found = f"the middle of dF/F0 lies {-middle:.2g} sd below 0, and calcium rises above its baseline: is the sign exchanged?"
        return "trace-sign", found, advice
    if troughs and np.median(skewness) < LEAST_SKEWNESS:
        found = (
            f"the traces have troughs and no peaks (skewness of the median neuron {np.median(skewness):.2f}, negative in"
            f" {int((skewness < 0).sum())} of {len(skewness)}): is the sign exchanged?"
        )
        return "trace-sign", found, advice
    return None


def _far_out(values: NDArray[np.float64]) -> Doubt | None:
    """Single samples far beyond all others of their neuron: the -999 or 65535 that a program writes where it has nothing."""
    if len(values) < _FEW_FRAMES:
        return None
    low, middle, high = np.nanquantile(values, (0.1, 0.5, 0.9), axis=0)
    far = (np.abs(values - middle) > FARTHEST * (high - low)) & (high > low)
    if not far.any():
        return None
    row, column = np.argwhere(far)[0]
    found = (
        f"{int(far.sum())} samples lie far beyond all others of their neuron, the first is {values[row, column]:g} in frame {row} of"
        f" column {column + 1} (frames counted from 0): filled in?"
    )
    return "fill-values", found, "write NaN where nothing was recorded"


def missing_notes(traces: NDArray[np.floating], where: str) -> list[Note]:
    """How many samples of traces [time, neuron] are no numbers, which is how a file says that nothing was recorded; a doubt
    where they are infinite, which is how a division says that it went wrong."""
    infinite = np.isinf(traces)
    missing = ~np.isfinite(traces)
    notes = []
    if infinite.any():
        found = f"{int(infinite.sum())} samples of {_neurons(infinite)} are infinite, and count as not recorded"
        notes.append(
            Note("missing-samples", where, found, "divided by a baseline of 0? write NaN, or correct the traces")
        )
    if missing.sum() > infinite.sum():
        share = f"{missing.mean():.2g}" if missing.mean() < 0.01 else f"{missing.mean():.0%}"
        found = (
            f"{int(missing.sum())} samples ({share}) of {_neurons(missing)} are no numbers, and count as not recorded"
        )
        notes.append(Note("missing-samples", where, found))
    return notes


def _neurons(where: NDArray[np.bool_]) -> str:
    return f"{int(where.any(axis=0).sum())} of {where.shape[1]} neurons"


def _filled_frames(values: NDArray[np.float64]) -> Doubt | None:
    """Frames in which all neurons have one value, or in which none of them moves: padding, or frames that were lost."""
    if values.shape[1] < 3:
        return None
    known = np.asarray(np.isfinite(values).all(axis=1))
    equal = known & np.all(values == values[:, :1], axis=1)
    held = np.zeros(len(values), bool)
    held[1:] = known[1:] & known[:-1] & np.all(np.diff(values, axis=0) == 0, axis=1)
    run: NDArray[np.bool_] = np.convolve(held, np.ones(FROZEN), "same") >= FROZEN
    if equal.any():
        at = int(equal.argmax())
        found = f"all neurons are exactly {values[at, 0]:g} in {int(equal.sum())} frames, the first is {at} (counted from 0)"
    elif run.any():
        found = (
            f"no neuron changes at all in {int(held.sum())} frames, the first is {int(held.argmax())} (counted from 0)"
        )
    else:
        return None
    return "filled-frames", found + ": padding?", "cut these frames, or write NaN where nothing was recorded"


def _fill_values(values: NDArray[np.float64]) -> Doubt | None:
    """Neurons that hold one extreme value again and again: what a program writes where it lost them, or a saturated camera."""
    if len(values) < _FEW_FRAMES:
        return None
    enough = max(5, 0.01 * len(values))
    moves = np.nanstd(values, axis=0) > 0
    for what in (np.nanmin, np.nanmax):
        extreme = what(values, axis=0)
        often = (values == extreme).sum(axis=0)
        repeated = moves & (often >= enough) & (often < len(values))
        distinct = [len(np.unique(values[:, k])) for k in np.flatnonzero(repeated)]
        repeated[np.flatnonzero(repeated)] = np.array(distinct, int) > FEWEST_VALUES
        if repeated.any():
            column = int(repeated.argmax())
            found = (
                f"{int(repeated.sum())} of {values.shape[1]} neurons stay at one value, the first is column {column + 1} with"
                f" {int(often[column])} frames at exactly {extreme[column]:g}: filled in, or saturated?"
            )
            return "fill-values", found, "write NaN where nothing was recorded"
    return None


def _coarse(values: NDArray[np.float64], unit_is_dff: bool) -> Doubt | None:
    """Traces of few different numbers: stored as whole numbers, or rounded."""
    if len(values) < _FEW_FRAMES:
        return None
    moving = values[:, np.nanstd(values, axis=0) > 0]
    if not moving.size:
        return None
    if unit_is_dff and bool((moving == np.rint(moving)).all(where=np.isfinite(moving))):
        return (
            "coarse-traces",
            "dF/F0 in whole numbers: raw counts, or rounded?",
            "store traces as floating-point numbers",
        )
    few = float(np.median([len(np.unique(trace[np.isfinite(trace)])) for trace in moving.T]))
    if few >= FEWEST_VALUES:
        return None
    found = f"the median neuron takes only {few:.0f} different values in {len(values)} frames: were the traces rounded?"
    return "coarse-traces", found, "store traces as floating-point numbers"
