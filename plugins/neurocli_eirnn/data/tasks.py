"""The task's input signals, made from the times of a trial's events as the published export makes them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli_eirnn.data.session import FIXATION, GO, INPUT_NAMES, LOCATIONS, REWARD

BIN_MS = 25.0
BEFORE_MS, AFTER_MS, REWARD_MS = 200.0, 500.0, 200.0
"""The window goes from before fixation onset to after reward; the reward signal lasts eight bins of 25 ms."""

FACE, NONFACE, BULLSEYE = 1, 2, 3
HIGH, LOW = 1, 2
_FEATURES = INPUT_NAMES.index("is_face")
_SALIENCE = INPUT_NAMES.index("high_salience")


@dataclass(frozen=True)
class TrialEvents:
    """What happens in a trial: times in ms from fixation onset (NaN: it does not), and which target it is.

    location 1 to 4; identity 1 face, 2 nonface, 3 bullseye; salience 1 high, 2 low; 0 where it is unknown or none.
    """

    target_ms: float
    go_ms: float
    reward_ms: float
    location: int
    identity: int = 0
    salience: int = 0


def bin_centres(bins: int, bin_ms: float = BIN_MS) -> NDArray[np.float64]:
    """[time] in ms from fixation onset: -187.5, -162.5, ... for bins of 25 ms."""
    return np.asarray(-BEFORE_MS + (np.arange(bins) + 0.5) * bin_ms, np.float64)


def valid_bins(reward_ms: float, bin_ms: float = BIN_MS) -> int:
    """How many whole bins the window of a trial has."""
    return math.floor((BEFORE_MS + reward_ms + AFTER_MS) / bin_ms)


def task_inputs(time_ms: NDArray[np.float64], bin_ms: float, events: TrialEvents) -> NDArray[np.float32]:
    """Inputs [time, 14] of one trial: a signal is on in the bins whose centre has reached its event; eye channels are 0.

    Target, its features and go stay on to the end; salience is that of a bullseye.
    """
    inputs = np.zeros((len(time_ms), len(INPUT_NAMES)), np.float32)
    # A comparison with NaN is false: an event that did not happen leaves its signal off.
    target, go = time_ms >= events.target_ms, time_ms >= events.go_ms
    inputs[:, FIXATION] = (time_ms >= 0) & ~go
    inputs[:, GO] = go
    if 1 <= events.location <= 4:
        inputs[:, LOCATIONS.start + events.location - 1] = target
    if 1 <= events.identity <= 3:
        inputs[:, _FEATURES + events.identity - 1] = target
    if events.identity == BULLSEYE and events.salience in (HIGH, LOW):
        inputs[:, _SALIENCE + events.salience - 1] = target
    rewarded = np.flatnonzero(time_ms >= events.reward_ms)[: round(REWARD_MS / bin_ms)]
    inputs[rewarded, REWARD] = 1
    return inputs
