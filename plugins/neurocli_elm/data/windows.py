"""Windows of simulations: which ones an epoch draws, and their input events and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.recording import Recording
from neurocli_elm.data.inputs import Inputs, missing_in

if TYPE_CHECKING:
    from neurocli_elm.data.events import InputEvents

WINDOW_MS, BURN_IN_MS, WINDOW_BURN_IN_MS = 500, 500, 150
"""As published: the length of a window, the start of a simulation that is neither drawn nor scored, and that of a window, which
begins from a state of zero, that is not scored."""
MOST_SPIKES = 24
"""Output spikes above which the published evaluation leaves a simulation out."""

SOMA_BIAS_MV, SOMA_CLIP_MV, SOMA_SCALE_MV = -67.7, -55.0, 10.0


@dataclass(frozen=True)
class Windows:
    """Windows [sample] of `num_steps` steps.

    step, channel, sample: int64 [event] of the input events, by sample and step; sign: float32 [event], +1 excitatory and
    -1 inhibitory. spike: float32 [sample, step], 1 where the cell fires; soma_mv: float32 [sample, step], voltage clipped
    at -55 mV, above -67.7 mV. Steps behind the end of a simulation have no input, and 0 as targets.
    """

    step: NDArray[np.int64]
    channel: NDArray[np.int64]
    sign: NDArray[np.float32]
    sample: NDArray[np.int64]
    num_steps: int
    num_channels: int
    spike: NDArray[np.float32]
    soma_mv: NDArray[np.float32]

    @property
    def num_samples(self) -> int:
        return len(self.spike)

    @property
    def soma(self) -> NDArray[np.float32]:
        """[sample, step] the target of training: (min(v, -55) + 67.7) / 10."""
        return self.soma_mv / np.float32(SOMA_SCALE_MV)

    def dense(self) -> NDArray[np.float32]:
        """The input [sample, step, channel]: 25 times the memory and more."""
        out = np.zeros((self.num_samples, self.num_steps, self.num_channels), np.float32)
        out[self.sample, self.step, self.channel] = self.sign
        return out

    def input_events(self) -> InputEvents:
        """The input as a neuron takes it."""
        import torch

        from neurocli_elm.data.events import InputEvents

        step, channel, sign, sample = map(torch.from_numpy, (self.step, self.channel, self.sign, self.sample))
        return InputEvents(step, channel, sign, sample, self.num_steps, self.num_samples)


def soma_target_mv(recording: Recording, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
    """[time] soma voltage clipped at -55 mV, above -67.7 mV; of the steps from `start` on, before `stop`."""
    # In float64: the published targets are subtracted there.
    clipped = np.minimum(recording.signal[start:stop, 0].astype(np.float64), SOMA_CLIP_MV) - SOMA_BIAS_MV
    return clipped.astype(np.float32)


def spike_target(recording: Recording, event: str = "output_spikes") -> NDArray[np.float32]:
    """[time] 1 at each step that `event` names. Raises DataError where the recording has no such event."""
    if event not in recording.events:
        raise DataError(
            f"the recording has no {event}",
            where=f"recording {recording.group}",
            hint="output spikes can be redetected only where a file has the voltage at more than 1 sample per ms",
        )
    steps = recording.events[event]
    if steps.dtype.kind not in "iu" or (len(steps) and not (steps.min() >= 0 and steps.max() < recording.steps)):
        raise DataError(
            f"{event} must be whole steps from 0 to {recording.steps - 1}",
            where=f"recording {recording.group}",
            hint="prepare it again",
        )
    target = np.zeros(recording.steps, np.float32)
    target[steps] = 1
    return target


def cut(
    recordings: Sequence[Recording],
    places: Sequence[tuple[int, int]],
    num_steps: int = WINDOW_MS,
    *,
    labels: str = "output_spikes",
) -> Windows:
    """The windows that begin at `places`: (index into `recordings`, step). Raises DataError where inputs are missing or differ."""
    channels = _channels(recordings)
    return _cut({n: _Prepared.of(recordings[n], channels, labels) for n, _ in places}, places, num_steps, channels)


@dataclass(frozen=True)
class _Prepared:
    """What windows of a recording are cut from, once for all of them: input events [event] by step and channel, the sign of each
    input, and targets [time]."""

    step: NDArray[Any]
    channel: NDArray[Any]
    sign: NDArray[np.float32]
    spike: NDArray[np.float32]
    soma_mv: NDArray[np.float32]

    @classmethod
    def of(cls, recording: Recording, channels: int, labels: str) -> _Prepared:
        spikes = recording.spikes
        assert spikes is not None
        step, channel = spikes.step, spikes.channel
        key = step.astype(np.int64) * channels + channel
        if not (key[1:] > key[:-1]).all():  # a channel has one event in a step
            step, channel = np.divmod(np.unique(key), channels)
        spike, soma_mv = spike_target(recording, labels), soma_target_mv(recording)
        return cls(step, channel, Inputs.of(recording).sign.astype(np.float32), spike, soma_mv)


def _cut(
    prepared: Mapping[int, _Prepared], places: Sequence[tuple[int, int]], num_steps: int, channels: int
) -> Windows:
    events: list[tuple[NDArray[Any], ...]] = []
    spike, soma_mv = np.zeros((2, len(places), num_steps), np.float32)
    for sample, (n, start) in enumerate(places):
        source = prepared[n]
        first, last = np.searchsorted(source.step, [start, start + num_steps])
        channel = source.channel[first:last]
        events.append((source.step[first:last] - start, channel, source.sign[channel], np.full(len(channel), sample)))
        for out, values in ((spike, source.spike), (soma_mv, source.soma_mv)):
            piece = values[start : start + num_steps]
            out[sample, : len(piece)] = piece
    columns = [np.concatenate(column) for column in zip(*events, strict=True)] if events else [np.zeros(0)] * 4
    kinds = (np.int64, np.int64, np.float32, np.int64)
    step, channel, sign, event_sample = (column.astype(kind) for column, kind in zip(columns, kinds, strict=True))
    return Windows(step, channel, sign, event_sample, num_steps, channels, spike, soma_mv)


def whole(recording: Recording, labels: str) -> Windows:
    """All of a simulation as one window."""
    return cut([recording], [(0, 0)], recording.steps, labels=labels)


@dataclass(frozen=True)
class Sampling:
    """How windows are drawn for training.

    per_simulation: windows of each simulation in an epoch; burn_in_ms: steps at the start that no window touches; pool: so
    many simulations are drawn from at a time, before the next ones come (None: all together), so that few need be in
    memory.
    """

    batch: int = 8
    window: int = WINDOW_MS
    burn_in_ms: int = BURN_IN_MS
    per_simulation: int = 4
    pool: int | None = None

    def steps(self, simulations: int) -> int:
        """Batches of an epoch."""
        return -(-simulations * self.per_simulation // self.batch)

    def places(self, lengths: Sequence[int], *, seed: int, epoch: int) -> Iterator[list[tuple[int, int]]]:
        """The windows of each batch of an epoch: (simulation, step). A pure function of its arguments.

        Every simulation of a pool is drawn once before one is drawn again; the start is uniform over those that the published
        recipe draws, from `burn_in_ms` to one before the last that fits. Raises DataError where a simulation is too short.
        """
        for n, length in enumerate(lengths):
            check_length(length, self.window + self.burn_in_ms, where=f"simulation {n} of the set")
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(lengths))
        waiting: list[tuple[int, int]] = []
        for first in range(0, len(order), self.pool or max(len(order), 1)):
            pool = order[first : first + (self.pool or len(order))]
            for _ in range(self.per_simulation):
                for n in rng.permutation(pool).tolist():
                    starts = max(lengths[n] - self.window - self.burn_in_ms, 1)
                    waiting.append((n, int(rng.integers(starts)) + self.burn_in_ms))
                    if len(waiting) == self.batch:
                        yield waiting
                        waiting = []
        if waiting:
            yield waiting


def draw(
    load: Callable[[int], Recording],
    lengths: Sequence[int],
    sampling: Sampling,
    *,
    seed: int,
    epoch: int,
    labels: str = "output_spikes",
) -> Iterator[Windows]:
    """The batches of an epoch. `load` gives a simulation by its number; each is kept for as long as its pool is drawn from."""
    room = (sampling.pool or len(lengths)) + sampling.batch
    first: Recording | None = None
    prepared: dict[int, _Prepared] = {}
    for places in sampling.places(lengths, seed=seed, epoch=epoch):
        for n in dict.fromkeys(n for n, _ in places):
            if n not in prepared:
                recording = load(n)
                first = first or recording
                prepared[n] = _Prepared.of(recording, _channels([first, recording]), labels)
            prepared[n] = prepared.pop(n)  # the one used last stands last
        while len(prepared) > room:
            del prepared[next(iter(prepared))]
        assert first is not None
        yield _cut(prepared, places, sampling.window, _channels([first]))


def check_length(length: int, needed: int, *, where: str) -> None:
    """Raise DataError where a simulation of `length` steps is shorter than what must be cut from it."""
    if length < needed:
        raise DataError(
            f"the simulation lasts {length} ms, and {needed} ms are needed",
            where=where,
            hint="simulate for longer, or lower data.window or data.burn_in_ms",
        )


def check_simulation(recording: Recording, where: str) -> None:
    """Raise DataError where a recording is no simulation of a cell with input spikes."""
    missing = missing_in(recording)
    if missing:
        raise DataError(
            f"the recording has no {missing}, so that it is not a simulation of a cell with known input",
            where=where,
            hint="bring NeuronIO files, or simulate with `neuro simulate dendrite`",
        )


def _channels(recordings: Sequence[Recording]) -> int:
    """The number of inputs that all `recordings` share."""
    sizes = []
    for recording in recordings:
        check_simulation(recording, f"recording {recording.group}")
        assert recording.spikes is not None
        sizes.append(Inputs.of(recording).count)
        if recording.spikes.channel.size and recording.spikes.channel.max() >= sizes[-1]:
            raise DataError(
                f"an input spike has channel {recording.spikes.channel.max()} of {sizes[-1]}",
                where=f"recording {recording.group}",
                hint="prepare it again",
            )
    if len(set(sizes)) > 1:
        where = recordings[next(n for n, size in enumerate(sizes) if size != sizes[0])].group
        raise DataError(
            f"simulations have {sizes[0]} and {max(set(sizes) - {sizes[0]})} inputs",
            where=f"recording {where}",
            hint="name simulations of one cell",
        )
    return sizes[0] if sizes else 0
