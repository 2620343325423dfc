"""The learning rate at every step: constant, cosine or plateau, with a linear warm-up."""

from __future__ import annotations

import math
from typing import Any

from neurocli.config.sections import TrainConfig

# A validation loss counts as better when it falls by this share: torch's ReduceLROnPlateau has the same default.
_THRESHOLD = 1e-4


class Schedule:
    """The learning rate as a function of the step; `plateau` also remembers the validation losses.

    constant and cosine warm up over the share `warmup` of all steps; plateau over `warmup` epochs. A warm-up climbs at
    every step from `warmup_start` to `learning_rate`. Nothing goes below `minimum_rate`.
    """

    def __init__(self, config: TrainConfig, *, total_steps: int, steps_per_epoch: int) -> None:
        self.config = config
        self.total_steps = total_steps
        warm = config.warmup * (steps_per_epoch if config.schedule == "plateau" else total_steps)
        self.warm_steps = min(warm, total_steps)
        self.factor = 1.0
        self.best = math.inf
        self.bad_epochs = 0

    def rate(self, step: int) -> float:
        """The learning rate of `step`, counted from 0."""
        config = self.config
        if step < self.warm_steps:
            share = step / self.warm_steps
            rate = config.warmup_start + share * (config.learning_rate - config.warmup_start)
        elif config.schedule == "cosine":
            share = min(1.0, (step - self.warm_steps) / max(1.0, self.total_steps - self.warm_steps))
            low = min(config.minimum_rate, config.learning_rate)
            rate = low + (config.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * share))
        else:
            rate = config.learning_rate * self.factor
        return max(rate, config.minimum_rate)

    def epoch_ended(self, validation_loss: float, step: int) -> None:
        """Tell the loss of an epoch; after `plateau_patience` epochs without a better one the rate falls."""
        if self.config.schedule != "plateau":
            return
        if validation_loss < self.best - abs(self.best if math.isfinite(self.best) else 0.0) * _THRESHOLD:
            self.best, self.bad_epochs = validation_loss, 0
        elif step > self.warm_steps:
            self.bad_epochs += 1
        if self.bad_epochs > self.config.plateau_patience:
            self.factor *= self.config.plateau_factor
            self.bad_epochs = 0

    def state_dict(self) -> dict[str, Any]:
        return {"factor": self.factor, "best": self.best, "bad_epochs": self.bad_epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.factor, self.best, self.bad_epochs = state["factor"], state["best"], state["bad_epochs"]
