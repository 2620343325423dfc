"""Times and traces that are not what they are said to be: refused or doubted, and real recordings are not."""

from __future__ import annotations

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_gat_lstm.data.plausibility import missing_notes, time_notes, trace_notes
from neurocli_gat_lstm.data.worm import DFF, Worm, time_first

STEPS = 300
TIMES = np.arange(STEPS) * 0.35
SLOW = np.cumsum(np.random.default_rng(0).normal(size=(STEPS, 6)), axis=0)
TRACES = 0.15 + 0.1 * (SLOW - SLOW.mean(0)) / SLOW.std(0)


def times(factor: float, stated_s: float | None = None):
    return [note.found for note in time_notes(TIMES * factor, "f", stated_s) if note.is_doubt]


def traces(values, is_dff=True):
    return {note.check: note.found for note in trace_notes(values, is_dff, "f")}


def test_plausible_times_and_traces_raise_no_doubt():
    assert times(1) == times(1, 0.35) == times(1, 1 / 2.5) == [] and traces(TRACES) == {}
    assert time_notes(np.arange(STEPS) * 1.0, "f", 1.0) == []


@pytest.mark.parametrize(("factor", "unit"), [(1e3, "ms"), (1e6, "µs"), (1 / 60, "minutes")])
def test_times_in_another_unit_are_refused_with_the_likely_one(factor, unit):
    with pytest.raises(DataError, match=f"is it in .*{unit}"):
        times(factor)


def test_times_that_are_possible_and_unlikely_are_doubted():
    assert "in minutes" in times(1 / 20)[0]  # 17.5 ms: frames of 1.05 s in minutes
    assert "unusual" in times(20)[0]
    (doubt,) = time_notes(np.arange(STEPS) + 1.0, "f")
    assert "frame numbers" in doubt.found and doubt.is_doubt


def test_times_are_held_against_the_stated_step():
    assert "in minutes" in times(1, 0.35 / 60)[0] and "in ms" in times(1, 350)[0]
    assert "a frame rate in the place" in times(1, 1 / 0.35)[0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (100 * TRACES, "in percent"),
        (1 + TRACES, "are the traces F/F0"),
        (500 * (1 + TRACES), "raw fluorescence"),
        (TRACES / 100, "divided"),
    ],
)
def test_dff_in_another_unit(values, said):
    assert said in traces(values)["trace-unit"] and "trace-unit" not in traces(values, is_dff=False)


def test_padding_fill_values_and_rounding():
    ends = TRACES.copy()
    ends[-7:] = 0
    assert "exactly 0 in 7 frames, the first is 293" in traces(ends)["filled-frames"]
    still = TRACES.copy()
    still[100:120] = still[100]
    assert "no neuron changes at all in 19 frames, the first is 101" in traces(still)["filled-frames"]
    lost = TRACES.copy()
    lost[50:80, 2] = -1
    assert "column 3 with 30 frames at exactly -1" in traces(lost)["fill-values"]
    assert "different values" in traces(TRACES.round(1), is_dff=False)["coarse-traces"]
    assert "whole numbers" in traces(np.rint(300 * TRACES))["coarse-traces"]


@pytest.mark.parametrize(("value", "time"), [(np.nan, np.nan), (np.nan, 0.0), (0.0, 0.0), (0.0, np.nan)])
def test_padding_without_times_is_cut(value, time):
    worm = Worm(
        "L", "w", np.append(TIMES, [time] * 5), np.vstack([TRACES, np.full((5, 6), value)]), ["17"] * 6, DFF, "f", "f"
    )
    recording = worm.recording()
    assert recording.steps == STEPS and "5 frames at the end" in worm.notes[0].found and recording.mask is None


def test_axes_are_told_by_their_lengths():
    assert time_first(TRACES.T, STEPS, "f").shape == time_first(TRACES, STEPS, "f").shape == TRACES.shape
    with pytest.raises(DataError, match="cannot be told"):
        time_first(TRACES[:6], 6, "f")
    with pytest.raises(DataError, match="7 times for traces of 300 x 6"):
        time_first(TRACES, 7, "f")


PEAKS = np.exp(TRACES * 12)
"""As calcium: from a low baseline upwards."""


@pytest.mark.parametrize(
    ("values", "is_dff"),
    [
        (-TRACES, True),
        (-(PEAKS - PEAKS.mean(0)) / PEAKS.std(0), False),
        (-0.1 * (PEAKS - PEAKS.mean(0)) / PEAKS.std(0), True),
    ],
    ids=["mostly negative", "troughs of z-scores", "troughs of dF/F0 about its mean"],
)
def test_traces_with_the_sign_exchanged_are_doubted(values, is_dff):
    assert "is the sign exchanged" in traces(values, is_dff)["trace-sign"]
    assert "trace-sign" not in traces(-values, is_dff)


def test_single_samples_that_are_filled_in_are_doubted():
    lost = TRACES.copy()
    lost[[7, 90], 3] = -999
    found = traces(lost, is_dff=False)["fill-values"]
    assert "2 samples lie far beyond all others" in found and "-999 in frame 7 of column 4" in found


def test_times_that_were_rounded_are_doubted():
    (doubt,) = time_notes(np.round(np.arange(STEPS) * 0.36, 1), "f")
    assert "the median step between frames is 0.4 s, the mean one 0.3599 s: were the times rounded?" in doubt.found
    gap = np.where(np.arange(STEPS) > 100, TIMES + 600, TIMES)
    assert time_notes(gap, "f") == []


def test_samples_that_are_no_numbers_are_said_and_infinite_ones_doubted():
    lost = TRACES.copy()
    assert missing_notes(lost, "f") == []
    lost[3:9, 2] = np.nan
    (note,) = missing_notes(lost, "f")
    assert "6 samples (0.0033) of 1 of 6 neurons are no numbers" in note.found and not note.is_doubt
    lost[5, 4] = np.inf
    assert [note.is_doubt for note in missing_notes(lost, "f")] == [True, False]
