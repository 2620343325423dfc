"""Times and traces that are not what they are said to be: refused or doubted, and real recordings are not."""

from __future__ import annotations

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_gat_lstm.data.plausibility import time_notes, trace_notes
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
