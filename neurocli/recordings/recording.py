"""One recording: signals of one independent group, with their step, their unit and what else is known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError


@dataclass(frozen=True)
class Spikes:
    """Spike trains of a recording.

    step: int32 [n], the time step of each spike, ascending; channel: int32 [n]; dt_ms: length of a step.
    """

    step: NDArray[np.int32]
    channel: NDArray[np.int32]
    dt_ms: float

    @property
    def time_ms(self) -> NDArray[np.floating]:
        """Spike times [n] in ms."""
        return self.step * self.dt_ms

    def intervals_ms(self, channel: int) -> NDArray[np.floating]:
        """Inter-spike intervals of one channel, in ms."""
        return np.diff(self.step[self.channel == channel]) * self.dt_ms


@dataclass
class Recording:
    """Signals [time, channel] of one group (a simulation run, a worm, a trial, a simulated cell).

    signal: float [time, channel] in `unit`; dt_ms: sampling step; mask: bool [time, channel], True where valid;
    inputs: float [time, input]; events: named arrays of any shape that depends on the events;
    labels: one value per name; truth: what a simulator knows and a model must find out (weights, true rates).
    Arrays that the whole set shares (a fixed network's weights) live in `RecordingSet.truth`.
    """

    group: str
    signal: NDArray[Any]
    dt_ms: float
    unit: str
    channels: list[str] | None = None
    mask: NDArray[np.bool_] | None = None
    inputs: NDArray[Any] | None = None
    input_names: list[str] | None = None
    spikes: Spikes | None = None
    events: dict[str, NDArray[Any]] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    truth: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"recording {self.group}"
        if self.signal.ndim != 2:
            raise DataError(f"a signal is [time, channel], this one has shape {self.signal.shape}", where=where)
        if not self.dt_ms > 0:
            raise DataError(f"the sampling step must be above 0 ms, not {self.dt_ms}", where=where)
        if self.mask is not None and self.mask.shape != self.signal.shape:
            raise DataError(f"mask {self.mask.shape} and signal {self.signal.shape} differ in shape", where=where)
        if self.inputs is not None and len(self.inputs) != len(self.signal):
            raise DataError(f"inputs have {len(self.inputs)} steps, the signal {len(self.signal)}", where=where)
        if self.channels is not None and len(self.channels) != self.signal.shape[1]:
            raise DataError(f"{len(self.channels)} names for {self.signal.shape[1]} channels", where=where)

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return self.signal.shape[0]

    @property
    def num_channels(self) -> int:
        return self.signal.shape[1]

    def fingerprint(self) -> str:
        """sha256 of the signal's values: equal recordings have equal fingerprints whatever they are called."""
        return hashlib.sha256(np.ascontiguousarray(self.signal, dtype=np.float32).tobytes()).hexdigest()
