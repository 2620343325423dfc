"""Whether a network's states stay bounded, and how one step of it scales a small change at its working point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.diagnosis.finding import Finding

LARGEST_GROWTH = 2.0
"""How much further than within the trials states may go when the last inputs are held as long again."""


@dataclass(frozen=True)
class Rollout:
    """step: spectral radius of (1 - a) + a W f', f' the mean slope of softplus over the trials; peak, held: largest |x|
    within the trials, and in as many bins after them with the last inputs held."""

    step: float
    peak: float
    held: float

    @property
    def bounded(self) -> bool:
        return self.held <= LARGEST_GROWTH * max(self.peak, 1.0)  # false for NaN


@torch.no_grad()
def rollout(network: Any, inputs: NDArray[np.float32]) -> Rollout:
    """States of trials with inputs [trial, time, input], and of as many bins again in which the last inputs are held."""
    steps = inputs.shape[1]
    longer = np.concatenate([inputs, np.repeat(inputs[:, -1:], steps, axis=1)], axis=1)
    states = network.states(torch.from_numpy(longer)).double().cpu()
    within, after = states[:, :steps], states[:, steps:]
    slope = torch.sigmoid(within).mean((0, 1)).numpy()
    weights = network.weights.detach().cpu().numpy().astype(np.float64)
    alpha = np.broadcast_to(network.alpha.detach().cpu().numpy().astype(np.float64), (len(weights),))
    step = np.diag(1 - alpha) + alpha[:, None] * weights * slope[None, :]
    radius = float(np.abs(np.linalg.eigvals(step)).max()) if np.isfinite(step).all() else float("nan")
    peaks = [float(trajectory.abs().max()) if trajectory.numel() else 0.0 for trajectory in (within, after)]
    return Rollout(radius, *peaks)


def rollout_finding(rolled: Rollout, subject: str) -> Finding:
    """FAIL where states leave the range that they have within the trials."""
    return Finding.graded(
        "rollouts",
        subject,
        f"largest |state| {rolled.peak:.3g}, {rolled.held:.3g} with inputs held; spectral radius of one step {rolled.step:.2f}",
        f"≤ {LARGEST_GROWTH:g}x with inputs held",
        "activity runs away where a trial lasts longer: use more weight decay, or fewer epochs",
        fail=not rolled.bounded,
    )
