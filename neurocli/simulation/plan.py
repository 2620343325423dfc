"""What is to be simulated: which world, with which parameters, which of its groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurocli.config.differing import differing
from neurocli.errors import UsageError

_MOST_RUNS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """Groups `first` to `first + count - 1` of one simulator with one set of parameters.

    identity: the parameters that decide what a group contains, as JSON values.
    Raises UsageError where there is nothing to simulate.
    """

    simulator: str
    identity: Mapping[str, Any]
    first: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"at least one run is needed, not {self.count}", where="--runs", hint="try --runs 1")
        if self.count > _MOST_RUNS:
            raise UsageError(f"{self.count} runs are more than one file can hold", where="--runs", hint="use --first")
        if self.first < 0:
            raise UsageError(
                f"runs are counted from 0, there is no run {self.first}", where="--first", hint="try --first 0"
            )
        # What is compared with a file must have been through JSON as the file has: a tuple becomes a list there.
        object.__setattr__(self, "identity", json.loads(json.dumps(dict(self.identity), allow_nan=False)))

    @property
    def key(self) -> str:
        """Hash of simulator and parameters: plans with the same key share their groups, whichever they ask for."""
        text = json.dumps([self.simulator, self.identity], sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def indices(self) -> range:
        return range(self.first, self.first + self.count)

    @property
    def meta(self) -> dict[str, Any]:
        """What a file says about its making. Nothing in it varies between machines, so equal plans give equal bytes."""
        return {
            "simulator": self.simulator,
            "parameters": self.identity,
            "simulation": {"first": self.first, "runs": self.count},
        }

    @classmethod
    def of_meta(cls, meta: Mapping[str, Any]) -> Plan | None:
        """The plan that a file was made by; None where its meta does not come from a plan."""
        try:
            simulator, identity, numbers = meta["simulator"], meta["parameters"], meta["simulation"]
            plan = cls(simulator, identity, numbers["first"], numbers["runs"])
        except (KeyError, TypeError, ValueError, UsageError):
            return None
        sound = isinstance(simulator, str) and isinstance(plan.first, int) and isinstance(plan.count, int)
        return plan if sound else None

    def contains(self, other: Plan) -> bool:
        """Whether all groups of `other` are groups of this plan."""
        return self.key == other.key and self.first <= other.first and other.indices.stop <= self.indices.stop

    def differences(self, old: Plan) -> list[str]:
        """How this plan's parameters differ from an older one's: `g: 4.5 → 5.5`."""
        if self.simulator != old.simulator:
            return [f"simulator: {old.simulator} → {self.simulator}"]
        return [f"{key}: {change}" for key, change in differing(old.identity, self.identity).items()]
