"""Which trials of a session can be trusted: their events in order, or misplaced in one of the known ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import UnknownName
from neurocli_eirnn.data.session import FIXATION, GO, LOCATIONS, REWARD, Session

Event = Literal["fixation", "target", "go", "reward"]
Choice = Literal["ordered", "plausible", "all"]
EVENTS: tuple[Event, ...] = ("target", "go", "reward")
"""What happens in a trial; fixation is what trials are aligned at."""
CHOICES: tuple[Choice, ...] = ("ordered", "plausible", "all")
_CHANNELS: dict[Event, slice] = {
    "fixation": slice(FIXATION, FIXATION + 1),
    "target": LOCATIONS,
    "go": slice(GO, GO + 1),
    "reward": slice(REWARD, REWARD + 1),
}
SHORT_MS, ORDERED_MS = 200.0, 500.0


@dataclass(frozen=True)
class TrialFaults:
    """Per kind of fault, whether each trial has it: bool [trial].

    short: fixation to reward takes less than 200 ms (about 10 ms in the export known to be faulty);
    unfixated: not short, and without fixation signal; reward_not_after_go, reward_one_bin_after_go: target and go were
    placed at the time of the reward, which is itself right; no_*: the signal never goes on.
    ordered: fixation on, more than 500 ms, target before go before reward; plausible: ordered, or placed at the reward.
    """

    ordered: NDArray[np.bool_]
    plausible: NDArray[np.bool_]
    short: NDArray[np.bool_]
    unfixated: NDArray[np.bool_]
    reward_not_after_go: NDArray[np.bool_]
    reward_one_bin_after_go: NDArray[np.bool_]
    no_fixation: NDArray[np.bool_]
    no_target: NDArray[np.bool_]
    no_go: NDArray[np.bool_]
    no_reward: NDArray[np.bool_]

    @property
    def at_reward(self) -> NDArray[np.bool_]:
        """Target and go at the time of the reward."""
        return self.reward_not_after_go | self.reward_one_bin_after_go

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials per kind, with all of them first."""
        named = {
            "ordered": self.ordered,
            "plausible": self.plausible,
            "shorter than 200 ms": self.short,
            "other without fixation signal": self.unfixated,
            "target and go at the reward": self.at_reward,
            "of these, reward not after go": self.reward_not_after_go,
            "of these, reward one bin after go": self.reward_one_bin_after_go,
            "no fixation signal": self.no_fixation,
            "no target signal": self.no_target,
            "no go signal": self.no_go,
            "no reward signal": self.no_reward,
        }
        return {"trials": len(self.ordered), **{name: int(trials.sum()) for name, trials in named.items()}}


def event_bins(session: Session, event: Event) -> NDArray[np.int64]:
    """[trial] the first bin in which the event's signal is on; -1 where it never is."""
    on = np.any(session.inputs[:, :, _CHANNELS[event]] > 0.5, axis=2)
    return np.where(on.any(axis=1), on.argmax(axis=1), -1)


def durations_ms(session: Session) -> NDArray[np.float64]:
    """[trial] fixation onset to reward: as the file says, else by the signals; NaN where there is no reward either."""
    fixation, reward = event_bins(session, "fixation"), event_bins(session, "reward")
    # Trials are aligned at fixation onset, so the axis knows where a fixation without signal would be.
    aligned = int(np.argmax(session.time_ms >= 0)) if (session.time_ms >= 0).any() else 0
    start = np.where(fixation >= 0, fixation, aligned)
    by_signal = np.where(reward >= 0, (reward - start) * session.bin_ms, np.nan)
    return np.where(np.isfinite(session.duration_ms), session.duration_ms, by_signal)


def classify(session: Session) -> TrialFaults:
    """Every trial's faults, by its input signals and its duration."""
    fixation, target = event_bins(session, "fixation"), event_bins(session, "target")
    go, reward = event_bins(session, "go"), event_bins(session, "reward")
    duration = durations_ms(session)
    complete = (fixation >= 0) & (target >= 0) & (go >= 0) & (reward >= 0)
    short = duration < SHORT_MS
    ordered = complete & (duration > ORDERED_MS) & (target < go) & (go < reward)
    # "At the reward" is to the bin: rounding puts the three events of such a trial into one bin or two.
    near = complete & ~short & ~ordered & (np.abs(target - reward) <= 1) & (np.abs(go - reward) <= 1)
    return TrialFaults(
        ordered=ordered,
        plausible=ordered | near,
        short=short,
        unfixated=(fixation < 0) & ~short,
        reward_not_after_go=near & (reward <= go),
        reward_one_bin_after_go=near & (reward == go + 1),
        no_fixation=fixation < 0,
        no_target=target < 0,
        no_go=go < 0,
        no_reward=reward < 0,
    )


def selection(session: Session, choice: str) -> NDArray[np.bool_]:
    """[trial] the trials to use: `ordered`, `plausible` or `all`. Raises UnknownName."""
    if choice not in CHOICES:
        raise UnknownName.among("selection of trials", choice, CHOICES)
    if choice == "all":
        return np.ones(session.trials, bool)
    faults = classify(session)
    return faults.ordered if choice == "ordered" else faults.plausible
