"""Recordings whose signals are the same bits, too many of them to be so by chance, whatever their length and gaps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.recording import Recording
from neurocli.recordings.stretches import signal_of


@dataclass
class Identical:
    """Which recordings, shown one by one, have the content of an earlier one."""

    earlier: dict[str, list[int]] = field(default_factory=dict)

    def of(self, number: int, recording: Recording, least_bits: float) -> tuple[list[int], float]:
        """(earlier recordings of the same fingerprint, bits that the signal holds); none where it holds too few."""
        same = self.earlier.setdefault(recording.fingerprint(), [])
        before = list(same)
        same.append(number)
        bits = information(signal_of(recording)) if before else 0.0
        return (before, bits) if bits >= least_bits else ([], bits)


def information(signal: NDArray[np.float32]) -> float:
    """Bits that a signal [channel, time] holds: the entropy of its values, or of their changes where that is less.

    None in what is constant or missing, few in a few events, in a ramp or in one long event, which may coincide by chance.
    """
    values = sum(_bits(channel[np.isfinite(channel)]) for channel in signal)
    changes = np.diff(signal, axis=1) if signal.shape[1] > 1 else np.zeros_like(signal)
    return min(values, sum(_bits(channel[np.isfinite(channel)]) for channel in changes))


def _bits(values: NDArray[np.float32]) -> float:
    _, count = np.unique(values, return_counts=True)
    return float((count * np.log2(len(values) / count)).sum()) if len(values) else 0.0
