"""What happens in a simulated trial: its condition, its event times, where the eyes go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.simulation.simulator import seed_of
from neurocli_eirnn.data.tasks import BULLSEYE, FACE, NONFACE, TrialEvents, valid_bins
from neurocli_eirnn.simulation.parameters import ScSessionConfig

TIMES, SPIKES, EYE, GAIN, _BLOCK = range(5)
"""Random streams of a trial."""

TARGET_AFTER_FIXATION_MS = (400.0, 750.0)
GO_AFTER_TARGET_MS = (300.0, 800.0)
REWARD_AFTER_GO_MS = (350.0, 725.0)
_REACTION_MS, _REACTION_SD_MS, _REACTION_RANGE_MS = 210.0, 30.0, (130.0, 310.0)

_CONDITIONS = [(location, reward, salience) for location in (1, 2, 3, 4) for reward in (0, 1) for salience in (0, 1, 2)]
_ECCENTRICITY = 10.0
_ANGLES = np.deg2rad([45.0, 135.0, 225.0, 315.0])
_TARGETS = _ECCENTRICITY * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
# The eyes rest on a target for about half of a window, so that this is the session's standard deviation; its mean is 0.
_EYE_SD = float(np.abs(_TARGETS[0, 0]) * np.sqrt(0.5))
_FIXATION_NOISE, _LANDING_NOISE, _WANDERING = 0.15, 0.5, 2.0
_DRIFT_MEMORY_MS = 100.0


@dataclass(frozen=True)
class TrialPlan:
    """One trial: its events, the time of its saccade in ms from fixation onset, and labels that are no events."""

    events: TrialEvents
    saccade_ms: float
    reward: int
    probability: int
    gain: float

    @property
    def labels(self) -> dict[str, int]:
        return {
            "reward": self.reward,
            "probability": self.probability,
            "location": self.events.location,
            "identity": self.events.identity,
            "salience": self.events.salience,
        }


def plan_trial(config: ScSessionConfig, index: int) -> TrialPlan:
    """Trial number `index`: each 24 trials hold every condition once, in an order of their own."""
    block, place = divmod(index, len(_CONDITIONS))
    order = np.random.default_rng(seed_of(config.seed, block, _BLOCK)).permutation(len(_CONDITIONS))
    location, reward, salience = _CONDITIONS[order[place]]
    random = np.random.default_rng(seed_of(config.seed, index, TIMES))
    target = random.uniform(*TARGET_AFTER_FIXATION_MS)
    go = target + random.uniform(*GO_AFTER_TARGET_MS)
    end = go + random.uniform(*REWARD_AFTER_GO_MS)
    reaction = float(np.clip(random.normal(_REACTION_MS, _REACTION_SD_MS), *_REACTION_RANGE_MS))
    identity = BULLSEYE if salience else int(random.choice([FACE, NONFACE]))
    gain = np.random.default_rng(seed_of(config.seed, index, GAIN)).lognormal(-(config.gain_sd**2) / 2, config.gain_sd)
    return TrialPlan(
        events=TrialEvents(target, go, end, location, identity, salience),
        saccade_ms=go + reaction,
        reward=reward,
        probability=int(random.integers(2)),
        gain=float(gain),
    )


def standard_trials() -> list[TrialPlan]:
    """One trial per condition with middling times and no gain: what a teacher's rates are set by."""
    target = float(np.mean(TARGET_AFTER_FIXATION_MS))
    go = target + float(np.mean(GO_AFTER_TARGET_MS))
    end = go + float(np.mean(REWARD_AFTER_GO_MS))
    return [
        TrialPlan(
            events=TrialEvents(target, go, end, location, BULLSEYE if salience else FACE, salience),
            saccade_ms=go + _REACTION_MS,
            reward=reward,
            probability=0,
            gain=1.0,
        )
        for location, reward, salience in _CONDITIONS
    ]


def session_bins(bin_ms: float) -> int:
    """Bins of the longest trial there can be: all trials have this many, and are padded after their own window."""
    return valid_bins(TARGET_AFTER_FIXATION_MS[1] + GO_AFTER_TARGET_MS[1] + REWARD_AFTER_GO_MS[1], bin_ms)


def eye_position(plan: TrialPlan, time_ms: NDArray[np.float64], bin_ms: float, seed: int) -> NDArray[np.float64]:
    """Gaze [time, 2] (x, y) in standard deviations: to the fixation point, then by one saccade to the target."""
    random = np.random.default_rng(seed)
    steps = len(time_ms)
    memory = np.exp(-bin_ms / _DRIFT_MEMORY_MS)
    drift = np.zeros((steps, 2))
    drift[0] = random.normal(0, _FIXATION_NOISE, 2)
    noise = random.normal(0, _FIXATION_NOISE * np.sqrt(1 - memory**2), (steps, 2))
    for t in range(1, steps):
        drift[t] = memory * drift[t - 1] + noise[t]
    arriving = random.normal(0, _WANDERING, 2) * np.clip(-time_ms / 100.0, 0, 1)[:, None]
    landing = _TARGETS[plan.events.location - 1] + random.normal(0, _LANDING_NOISE, 2)
    # A saccade takes about 40 ms: the bin it falls into lies between.
    moved = np.clip((time_ms + bin_ms / 2 - plan.saccade_ms) / max(bin_ms, 40.0), 0, 1)[:, None]
    return (drift + arriving * (1 - moved) + landing * moved) / _EYE_SD
