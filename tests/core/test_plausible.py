"""A number in another unit is told from one that can be, with the unit that it is likely to have."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli.recordings import plausible
from neurocli.recordings.plausible import BIN_MS, FRAME_MS, RESTING_MV, TRIAL_MS, VOLTAGE_STEP_MS, Quantity


@pytest.mark.parametrize(
    "quantity, number, unit",
    [
        (BIN_MS, 0.025, "s"),
        (BIN_MS, 25_000, "µs"),
        (FRAME_MS, 0.35, "s"),
        (FRAME_MS, 2.85, "frames per second"),
        (FRAME_MS, 350_000, "µs"),
        (VOLTAGE_STEP_MS, 1e-4, "s"),
        (VOLTAGE_STEP_MS, 50, "µs"),
        (RESTING_MV, -0.065, "V"),
        (RESTING_MV, -65_000, "µV"),
        (TRIAL_MS, 1.5, "s"),
    ],
)
def test_the_likely_unit_is_named(quantity: Quantity, number: float, unit: str) -> None:
    with pytest.raises(DataError) as caught:
        quantity.check(number, "file:entry")
    assert unit in caught.value.message.partition("is it in")[2] and caught.value.where == "file:entry"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 0.0, -25.0, 1e300])
def test_what_is_no_time_is_refused_without_a_guess(number: float) -> None:
    assert "is it in" not in (BIN_MS.fault(number) or "is it in")


@pytest.mark.parametrize("stated", ["s", "sec", "Seconds", " seconds "])
def test_a_stated_unit_is_understood_in_its_spellings(stated: str) -> None:
    assert BIN_MS.check(0.025, "here", stated=stated) == pytest.approx(25)
    assert BIN_MS.fault(25, stated) is not None


def test_micro_has_two_letters() -> None:
    assert BIN_MS.check(25_000, "here", stated="\u00b5s") == BIN_MS.check(25_000, "here", stated="\u03bcs") == 25


def test_an_unknown_unit_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"'furlongs', which is no unit of it") as caught:
        BIN_MS.check(25, "here", stated="furlongs")
    assert "ms, s" in (caught.value.hint or "")


def test_one_silent_electrode_does_not_decide_for_all() -> None:
    """One value in each so many would be the first channel only."""
    volts = np.full((400_000, 4), -65.0)
    volts[:, 0] = 0
    assert plausible.voltage_fault(volts) is None


def test_gaps_and_constants_raise_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gaps = np.full((5000, 3), np.nan)
        assert plausible.voltage_fault(gaps) is None
        assert plausible.voltage_fault(np.zeros((0, 3))) is None
        gaps[0] = np.inf
        gaps[1] = -65
        assert plausible.voltage_fault(gaps) is None
        assert "0 mV" in (plausible.voltage_fault(np.zeros((100, 3))) or "")
    scores = np.random.default_rng(0).normal(size=(1000, 3))
    assert "z-scores" in (plausible.voltage_fault(scores) or "")
