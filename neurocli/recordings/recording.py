"""One recording: signals of one independent group, with their step, their unit and what else is known."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError


@dataclass(frozen=True)
class Spikes:
    """Spike trains of a recording.

    step: int32 [n], the time step of each spike, ascending; channel: int32 [n]; dt_ms: length of a step.

    >>> import numpy as np
    >>> from neurocli.recordings import Spikes
    >>> spikes = Spikes(step=np.array([10, 25, 60], np.int32), channel=np.array([0, 1, 0], np.int32), dt_ms=0.1)
    """

    step: NDArray[np.int32]
    channel: NDArray[np.int32]
    dt_ms: float

    @property
    def time_ms(self) -> NDArray[np.floating]:
        """Spike times [n] in ms.

        >>> spikes.time_ms.tolist()
        [1.0, 2.5, 6.0]
        """
        return self.step * self.dt_ms

    def fault(self) -> str | None:
        """What does not hold together, None where all does.

        >>> spikes.fault()
        """
        if self.step.shape != self.channel.shape:
            return f"{self.step.size} spikes have a time and {self.channel.size} a neuron"
        if self.step.size and min(self.step.min(), self.channel.min()) < 0:
            return "a spike has a negative time or neuron"
        return None if 0 < self.dt_ms < math.inf else f"the step of the spikes must be above 0 ms, not {self.dt_ms}"

    def intervals_ms(self, channel: int) -> NDArray[np.floating]:
        """Inter-spike intervals of one channel, in ms.

        >>> spikes.intervals_ms(0).tolist()
        [5.0]
        """
        return np.diff(self.step[self.channel == channel]) * self.dt_ms


@dataclass
class Recording:
    """Signals [time, channel] of one group (a simulation run, a worm, a trial, a simulated cell).

    signal: float [time, channel] in `unit`; dt_ms: sampling step; mask: bool [time, channel], True where valid;
    inputs: float [time, input]; events: named arrays of any shape that depends on the events;
    labels: one value per name; truth: what a simulator knows and a model must find out (weights, true rates).
    Arrays that the whole set shares (a fixed network's weights) live in `RecordingSet.truth`.

    >>> import numpy as np
    >>> from neurocli.recordings import Recording
    >>> voltage = np.full((1000, 2), -70.0, np.float32)  # [time, channel]
    >>> recording = Recording("cell-1", voltage, dt_ms=0.5, unit="mV", channels=["soma", "dendrite"])
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
        fault = self._fault()
        if fault is not None:
            raise DataError(fault, where=f"recording {self.group}", hint="correct the file, or make it again")

    def _fault(self) -> str | None:
        """What does not hold together."""
        signal = self.signal
        if signal.ndim != 2:
            return f"a signal is [time, channel], this one has shape {signal.shape}"
        if signal.size == 0:
            return f"a signal of shape {signal.shape} holds no samples"
        if not 0 < self.dt_ms < math.inf:
            return f"the sampling step must be above 0 ms, not {self.dt_ms}"
        if self.mask is not None and self.mask.shape != signal.shape:
            return f"mask {self.mask.shape} and signal {signal.shape} differ in shape"
        if self.inputs is not None and len(self.inputs) != len(signal):
            return f"inputs have {len(self.inputs)} steps, the signal {len(signal)}"
        if self.channels is not None and len(self.channels) != signal.shape[1]:
            return f"{len(self.channels)} names for {signal.shape[1]} channels"
        return None if self.spikes is None else self.spikes.fault()

    @property
    def steps(self) -> int:
        """Number of time steps.

        >>> recording.steps
        1000
        """
        return int(self.signal.shape[0])

    @property
    def num_channels(self) -> int:
        """Number of channels of the signal.

        >>> recording.num_channels
        2
        """
        return int(self.signal.shape[1])

    def fingerprint(self) -> str:
        """sha256 of the signal's values: equal recordings have equal fingerprints whatever they are called.

        Millivolts count in steps of 1 µV, in which our files keep them: a recording and its copy there are the same.

        >>> recording.fingerprint() == Recording("renamed", voltage, dt_ms=0.5, unit="mV").fingerprint()
        True
        """
        with np.errstate(over="ignore", invalid="ignore"):  # that a value does not fit is found where it is used
            signal = np.asarray(self.signal)
            if self.unit == "mV" and signal.dtype.kind == "f":
                signal = np.rint(signal.astype(np.float64) * 1e3)
            return hashlib.sha256(np.ascontiguousarray(signal, dtype=np.float32).tobytes()).hexdigest()

    def whole(self) -> str:
        """sha256 of `content` and of what a simulator knows, by which a change of anything is noticed.

        >>> recording.whole() == Recording("unnamed", voltage, dt_ms=0.5, unit="mV", channels=["soma", "dendrite"]).whole()
        True
        """
        return sum_of_arrays(self.truth, self.content())

    def content(self) -> str:
        """sha256 of all that a model may be fitted on: signal, with step, unit and names, mask, inputs, spikes, events and labels.

        >>> recording.content() == Recording("unnamed", voltage, dt_ms=0.5, unit="mV").content()  # without channel names
        False
        """
        named = [self.signal.shape, self.dt_ms, self.unit, self.channels, self.input_names]
        digest = hashlib.sha256(f"{self.fingerprint()} {json.dumps(named, default=str)}".encode())
        arrays: dict[str, NDArray[Any] | None] = {"mask": self.mask, "inputs": self.inputs, **self.events}
        if self.spikes is not None:
            arrays |= {"spikes.step": self.spikes.step, "spikes.channel": self.spikes.channel}
            digest.update(f"spikes.dt_ms {self.spikes.dt_ms}".encode())
        _add_arrays(digest, arrays)
        digest.update(json.dumps(self.labels, sort_keys=True, default=str).encode())
        return digest.hexdigest()


def sum_of_arrays(arrays: Mapping[str, NDArray[Any] | None], before: str = "") -> str:
    """sha256 of named arrays, whatever their order, and of a text."""
    digest = hashlib.sha256(before.encode())
    _add_arrays(digest, arrays)
    return digest.hexdigest()


def _add_arrays(digest: Any, arrays: Mapping[str, NDArray[Any] | None]) -> None:
    for name in sorted(arrays):
        array = arrays[name]
        if array is not None:
            values = np.ascontiguousarray(array)
            digest.update(f"{name} {values.shape} {values.dtype}".encode())
            digest.update(repr(values.tolist()).encode() if values.dtype.hasobject else values.tobytes())
