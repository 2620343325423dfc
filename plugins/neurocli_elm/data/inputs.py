"""The inputs of a simulated cell: how many there are, and which of them excite it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.recordings.recording import Recording

_LABELS = ("num_inputs", "num_excitatory")


@dataclass(frozen=True)
class Inputs:
    """`count` inputs, of which the first `excitatory` excite and the others inhibit."""

    count: int
    excitatory: int

    @classmethod
    def of(cls, recording: Recording) -> Inputs:
        """As the labels of a simulation say."""
        return cls(*(int(recording.labels[name]) for name in _LABELS))

    @property
    def inhibitory(self) -> int:
        return self.count - self.excitatory

    @property
    def exciting(self) -> NDArray[np.bool_]:
        """[input] whether it excites."""
        return np.arange(self.count) < self.excitatory

    @property
    def sign(self) -> NDArray[np.float64]:
        """[input] +1 where it excites, -1 where it inhibits."""
        return np.where(self.exciting, 1.0, -1.0)


def missing_in(recording: Recording) -> str | None:
    """What a recording lacks to be a simulation of a cell with known input; None where nothing is missing."""
    if recording.spikes is None:
        return "input spikes"
    return next((f"label {name}" for name in _LABELS if name not in recording.labels), None)
