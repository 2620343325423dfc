"""A worm as the models see it: its neurons in units that know no future, at one frame step, cut where frames are missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.words import counted
from neurocli.errors import DataError
from neurocli.recordings import Recording
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.data.chosen import as_chosen
from neurocli_gat_lstm.data.frames import GAP, Frames, native, resampled
from neurocli_gat_lstm.data.identity import UNIDENTIFIED
from neurocli_gat_lstm.data.running import of_frames, running

__all__ = ["GAP", "UNIDENTIFIED", "WormSeries", "burn_in_of", "series_of"]

FEWEST_NEURONS = 2
SHORT = 4
"""Of a recording shorter than so many times the burn-in, this part is the burn-in."""


@dataclass(frozen=True)
class WormSeries:
    """z: float32 [time, neuron], each frame in the units of its own time: (signal - mean) / sd.

    signal: float32 like z, in the recording's unit; mean, sd: like z, what is known of each neuron at each frame (under
    `whole` those of all frames, and the forecast knows the future); known: bool like z, False where the recording has no
    number (z and signal hold the last one; 0 before the first); names: of the neurons; segments: [start, stop) without gaps in time; dt_ms: median
    step; sample: int64 [time], the last sample of the recording in each frame; burn_in: first frames, of which no forecast is
    made; score_mean, score_sd [neuron]: of the whole recording, by which errors are weighted when they are scored, and
    which no forecast may use.
    """

    group: str
    names: tuple[str, ...]
    z: NDArray[np.float32]
    signal: NDArray[np.float32]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    known: NDArray[np.bool_]
    segments: tuple[tuple[int, int], ...]
    dt_ms: float
    sample: NDArray[np.int64]
    burn_in: int
    score_mean: NDArray[np.float64]
    score_sd: NDArray[np.float64]

    @property
    def frames(self) -> int:
        return len(self.z)

    def origins(self, context: int, ahead: int, stride: int = 1) -> NDArray[np.int64]:
        """Frames [origin] that end the burn-in or come after it, have `context` frames up to themselves and `ahead` after,
        all in one segment."""
        per_segment = [
            np.arange(max(start + context, self.burn_in) - 1, stop - ahead, stride) for start, stop in self.segments
        ]
        return np.concatenate(per_segment) if per_segment else np.zeros(0, np.int64)

    def windows(self, length: int) -> NDArray[np.int64]:
        """First frames [window] of all windows of that length inside a segment and after the burn-in."""
        return self.origins(1, length - 1)

    def ahead(self, at: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
        """What comes `steps` frames after each frame `at` [...], in the units of `at`: [..., neuron]."""
        return (self.signal[at + steps].astype(np.float64) - self.mean[at]) / self.sd[at]

    def mean_change(self, at: NDArray[np.int64], steps: int) -> float:
        """Mean squared change from the frames `at` to `steps` frames after them, as it is scored; NaN without frames."""
        if not len(at):
            return float("nan")
        change = np.square(self.ahead(at, steps) - self.z[at]) * self.weight(at)
        return float(change[self.known[at + steps]].mean())

    def in_signal(self, at: NDArray[np.int64], z: NDArray[np.floating]) -> NDArray[np.float32]:
        """Forecasts z [origin, neuron] in the units of their origins `at` [origin], as values of the recording."""
        return (self.mean[at] + self.sd[at] * np.asarray(z, np.float64)).astype(np.float32)

    def scored(self, signal: NDArray[np.floating]) -> NDArray[np.float64]:
        """Values of the recording [..., neuron] in the unit of scores: z-scores of the whole recording."""
        return (np.asarray(signal, np.float64) - self.score_mean) / self.score_sd

    def weight(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much a squared error in the units of frame `at` [...] counts in a score: [..., neuron]."""
        return np.square(self.sd[at] / self.score_sd)


def series_of(recording: Recording, options: DataConfig) -> WormSeries:
    """A recording's neurons in the units that `data.normalisation` allows. Raises DataError where nothing is left of it.

    Which neurons are taken is decided by the burn-in: those that are known for half of it and vary in it.
    """
    recording = as_chosen(recording, options)
    names = recording.channels or [f"{UNIDENTIFIED}{k + 1}" for k in range(recording.num_channels)]
    signal = np.asarray(recording.signal, np.float64)
    known: NDArray[np.bool_] = np.isfinite(signal)
    if recording.mask is not None:
        known &= recording.mask
    named = np.array([options.neurons == "all" or not name.startswith(UNIDENTIFIED) for name in names])
    time_s = np.asarray(recording.events.get("time_s", np.arange(len(signal)) * recording.dt_ms / 1e3), np.float64)
    frames, dt_ms = native(time_s, signal, known), recording.dt_ms
    if options.dt != "native" and signal.size:
        dt_ms = float(options.dt)
        frames = resampled(frames, time_s, dt_ms / 1e3, interpolated=options.normalisation == "whole")
    burn_in = burn_in_of(len(frames.signal), dt_ms, options)
    mostly_known = frames.known[:burn_in].mean(axis=0) > 0.5
    varies = running(frames.signal[:burn_in], frames.known[:burn_in])[1][-1] > 0
    chosen = named & mostly_known & varies
    if chosen.sum() < FEWEST_NEURONS:
        kind = "identified neuron" if options.neurons == "identified" else "neuron"
        raise DataError(
            f"only {counted(int(chosen.sum()), kind)} with a signal, and at least {FEWEST_NEURONS} are needed",
            where=f"recording {recording.group}",
            hint="--set data.neurons=all takes unidentified neurons too"
            if options.neurons == "identified"
            else "leave this worm out",
        )
    frames = frames.of(chosen)
    mean, sd = _statistics(frames, burn_in, options)
    score_mean, score_sd = of_frames(frames.signal, frames.known, len(frames.signal))
    filled = _filled(frames)
    z = np.where(np.isfinite(filled) & (sd > 0), filled - mean, 0.0) / np.where(sd > 0, sd, 1.0)
    return WormSeries(
        group=recording.group,
        names=tuple(name for name, used in zip(names, chosen, strict=True) if used),
        z=z.astype(np.float32),
        signal=np.nan_to_num(filled).astype(np.float32),
        mean=mean,
        sd=sd,
        known=frames.known,
        segments=frames.segments,
        dt_ms=dt_ms,
        sample=frames.sample,
        burn_in=burn_in,
        score_mean=score_mean,
        score_sd=score_sd,
    )


def burn_in_of(frames: int, dt_ms: float, options: DataConfig) -> int:
    """First frames of which no forecast is made: `data.start_s`, or a quarter of a recording that is shorter than four of it."""
    return max(2, min(round(options.start_s * 1e3 / dt_ms), frames // SHORT))


def _statistics(frames: Frames, burn_in: int, options: DataConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(mean, sd) [time, neuron]: what a forecast from each frame may know."""
    if options.normalisation == "causal":
        return running(frames.signal, frames.known)
    used = burn_in if options.normalisation == "start" else len(frames.signal)
    mean, sd = of_frames(frames.signal, frames.known, used)
    shape = frames.signal.shape
    return np.broadcast_to(mean, shape), np.broadcast_to(sd, shape)


def _filled(frames: Frames) -> NDArray[np.float64]:
    """The last known value where there is none; NaN before the first."""
    if frames.known.all():
        return frames.signal
    at = np.where(frames.known, np.arange(len(frames.signal))[:, None], -1)
    last = np.maximum.accumulate(at, axis=0)
    held = np.take_along_axis(frames.signal, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, held, np.nan)
