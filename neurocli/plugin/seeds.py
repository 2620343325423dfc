"""Random states that depend on the run's seed and the epoch alone, so that a resumed run draws the same numbers."""

from __future__ import annotations

import hashlib

import torch

BUILD = -1
"""The epoch that stands for building the module."""


def epoch_seed(seed: int, epoch: int) -> int:
    """A 63-bit seed of (seed, epoch); far apart for neighbours."""
    digest = hashlib.sha256(f"neurocli {seed} {epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def seed_epoch(seed: int, epoch: int) -> None:
    """Set torch's generators, on every device, for `epoch` (counted from 0) or for BUILD."""
    torch.manual_seed(epoch_seed(seed, epoch))
