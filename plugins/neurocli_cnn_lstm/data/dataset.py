"""Dataset adapter: voltages of whole runs, split by run, z-scored with training runs, cut into windows inside runs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Batch, Dataset, Normalisation, RecordingSet, Split, split_by_options
from neurocli.recordings.files.scratch import Scratch
from neurocli.recordings.windows import Window, audit, gather
from neurocli_cnn_lstm.config import CnnLstmConfig, EvaluateConfig
from neurocli_cnn_lstm.simulation.parameters import parameters_of

RESET_TOLERANCE_MV = 0.05
JOINED = "joined"
"""The series of the published protocol."""


class VoltageData(Dataset):
    """Voltages of a set of runs, which are on disk: memory does not grow with their number.

    A series is a run, or, in the published protocol, all runs joined.
    place: run → (series, offset of the run's first sample in it, samples); samples: series → samples.
    """

    def __init__(
        self, recordings: RecordingSet, config: CnnLstmConfig, length: int, stride: int | None, split: Split | None
    ) -> None:
        self.recordings = recordings
        self.length, self.stride = length, stride
        self.batch_size, self.steps_per_epoch = config.train.batch_size, config.train.steps_per_epoch
        self._parameters = parameters_of(recordings)
        self._noise_mv, self._noise_seed = config.data.noise_mv, config.data.noise_seed
        self.flag_on = _use_flag(recordings, config.data.reset_flag)
        self.published = config.data.split == "published"
        self.place: dict[str, tuple[str, int, int]] = {}
        self.samples: dict[str, int] = {}
        self._read(recordings, config.data.burn_in_ms)
        if self.published:
            groups = tuple(self.place)
            self.split = Split(groups, groups, groups, protocol="published", leaky=True)
        else:
            self.split = split or split_by_options(recordings.groups, config.data)
        if not self.published:
            self._check_horizons(config.evaluate, {g: self.place[g][2] for g in self.split.test})
        # New data scored by an old run have no training runs: those come with the run, see `adopt`.
        fit_on = self.split.train or self.split.test
        self.renormalise(Normalisation.fit((g, self.volts(g)) for g in fit_on))
        if self.split.train and not self.published:
            windows = {part: self._planned(part) for part in ("train", "validation", "test")}
            audit(self.split, windows, self.samples, self.normalisation)

    def _read(self, recordings: RecordingSet, burn_in_ms: float) -> None:
        """Keep the voltages of one recording after the other. Raises DataError where they are not alike, or too short."""
        self._volts = Scratch()
        first: tuple[str, dict[str, Any]] | None = None
        for group in recordings:
            recording = recordings[group]
            neurons, dt_ms, unit = recording.num_channels, recording.dt_ms, recording.unit
            shared = {"neurons": neurons, "sampling step (ms)": dt_ms, "unit": unit}
            if first is None:
                first = group, shared
                self._neurons, self.dt_ms, self.unit, self.burn_in = neurons, dt_ms, unit, round(burn_in_ms / dt_ms)
            for quantity, value in shared.items():
                if value != first[1][quantity]:
                    raise DataError(
                        f"runs differ in {quantity}: {first[1][quantity]} in {first[0]}, {value} in {group}",
                        where=recordings.where(group),
                        hint="leave the odd one out",
                    )
            volts = self._voltages(group, recording.signal)
            if len(volts) <= self.length:
                raise DataError(
                    f"{len(volts)} samples are left after a burn-in of {burn_in_ms:g} ms, and a window takes {self.length + 1}",
                    where=recordings.where(group),
                    hint="use longer runs, or lower data.burn_in_ms",
                )
            series = JOINED if self.published else group
            offset = self.samples.get(series, 0)
            self.place[group] = series, offset, len(volts)
            self.samples[series] = offset + len(volts)
            self._volts.keep(group, volts)
        if first is None:
            raise DataError(
                "the file holds no recordings", where=", ".join(recordings.sources) or "data", hint="name another file"
            )

    def _check_horizons(self, config: EvaluateConfig, samples: dict[str, int]) -> None:
        """Refuse what cannot be scored, before hours go into a training. samples: of each test run."""
        longest = max(config.horizons_ms)
        for group, count in samples.items():
            if count - config.context - max(1, round(longest / self.dt_ms)) < 1:
                raise DataError(
                    f"{count} samples are too few for {config.context} samples of context and a horizon of {longest:g} ms",
                    where=self.recordings.where(group),
                    hint="use longer runs, or lower evaluate.horizons_ms",
                )

    def adopt(self, spec: dict[str, Any], normalisation: Normalisation | None) -> None:
        if normalisation is not None:
            self.renormalise(normalisation)

    def renormalise(self, normalisation: Normalisation) -> None:
        """Z-score with the given statistics (those of a run, when it meets new data)."""
        if len(normalisation.mean) != self._neurons:
            raise DataError(
                f"the data have {self._neurons} neurons, the model was trained on {len(normalisation.mean)}",
                where=", ".join(self.recordings.sources) or "data",
                hint="use recordings of as many neurons, or train a model on these",
            )
        self.normalisation: Normalisation = normalisation
        self.spec = {
            "num_channels": self._neurons,
            "dt_ms": self.dt_ms,
            "unit": self.unit,
            "reset_flag": self.flag_on,
            "reset_z": ((self.reset_mv - normalisation.mean) / normalisation.sd).tolist(),
            "window": self.length,
        }

    @property
    def reset_mv(self) -> float:
        """The reset voltage of the simulator; for other data a low percentile stands in as a start for training."""
        return self._parameters.rest_mv if self._parameters is not None else -70.0

    def is_reset(self, volts: NDArray[Any]) -> NDArray[np.bool_]:
        """Where voltages are clamped at reset, as far as the added noise lets one see."""
        return np.abs(volts - self.reset_mv) < self.reset_tolerance_mv

    @property
    def reset_tolerance_mv(self) -> float:
        return max(RESET_TOLERANCE_MV, 3.5 * self._noise_mv)

    def volts(self, group: str) -> NDArray[np.float32]:
        """Voltages [time, neuron] of a run in its unit, after its burn-in, with the added noise if any."""
        return self._volts[group]

    def usable(self, part: str) -> list[str]:
        """The runs of a part of the split that are among these data."""
        return [group for group in self.split.groups(part) if group in self.place]

    def _voltages(self, group: str, signal: NDArray[Any]) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            signal = signal.astype(np.float32, copy=False)
        if not np.isfinite(signal).all():
            step, channel = np.argwhere(~np.isfinite(signal))[0]
            raise DataError(
                f"a voltage is not a number: {signal[step, channel]}",
                where=f"{self.recordings.where(group)}, sample {step}, neuron {channel}",
                hint="repair the recording, or leave it out",
            )
        signal = signal[self.burn_in :]
        if self._noise_mv:
            rng = np.random.default_rng([self._noise_seed, zlib.crc32(group.encode())])
            signal = signal + rng.normal(0, self._noise_mv, signal.shape).astype(np.float32)
        return signal

    # -- windows and batches -------------------------------------------------------------------------------------

    def _starts(self, part: str) -> list[tuple[str, NDArray[np.int64]]]:
        """(series, starts) of the windows of a part; a window is `length` samples and its next one."""
        stride = self.stride or self.length
        if self.published:
            return [(JOINED, published_starts(self.samples[JOINED], self.length, stride)[part])]
        planned = []
        for group in self.split.groups(part):
            series, _, steps = self.place[group]
            planned.append((series, np.arange(0, steps - self.length, stride)))
        return planned

    def _planned(self, part: str) -> Iterator[Window]:
        for series, starts in self._starts(part):
            for s in starts:
                yield Window(series, int(s), int(s) + self.length, int(s) + self.length)

    def steps(self, part: str) -> int:
        if part == "train" and self.steps_per_epoch:
            return self.steps_per_epoch
        return max(1, -(-sum(len(starts) for _, starts in self._starts(part)) // self.batch_size))

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Batches of `v` [batch, length + 1, neuron] (and `flag`), shuffled for training.

        Without a fixed stride training windows start anywhere inside a run; validation windows never move.
        """
        planned = self._starts(part)
        series = np.repeat(np.arange(len(planned)), [len(starts) for _, starts in planned])
        start = np.concatenate([starts for _, starts in planned]) if planned else np.zeros(0, np.int64)
        rng = np.random.default_rng([seed, epoch])
        if part == "train":
            if self.stride is None:
                room = [self.samples[name] - self.length for name, _ in planned]
                start = np.array([rng.integers(0, room[k]) for k in series], np.int64)
            needed = self.steps(part) * self.batch_size
            order = np.concatenate([rng.permutation(len(start)) for _ in range(-(-needed // len(start)))])[:needed]
            if self.stride is not None and not self.steps_per_epoch:
                order = order[: len(start)]
            series, start = series[order], start[order]
        for first in range(0, len(start), self.batch_size):
            of_batch = slice(first, first + self.batch_size)
            yield self._batch([(planned[k][0], int(s)) for k, s in zip(series[of_batch], start[of_batch], strict=True)])

    def _batch(self, windows: Sequence[tuple[str, int]]) -> Batch:
        return self._as_batch(np.stack([self._samples(series, a, a + self.length + 1) for series, a in windows]))

    def _as_batch(self, volts: NDArray[np.float32]) -> Batch:
        """`v`, voltages [..., neuron] as z-scores, and `flag` where it is on: 1 where a neuron is clamped at its reset voltage."""
        batch = {"v": torch.from_numpy(self.normalisation.z(volts))}
        if self.flag_on:
            batch["flag"] = torch.from_numpy(self.is_reset(volts).astype(np.float32))
        return batch

    def _samples(self, series: str, start: int, stop: int) -> NDArray[np.float32]:
        """Voltages [time, neuron] of a series from `start` to `stop`, from every run that these samples lie in."""
        if not self.published:
            return self._volts.rows(series, start, stop)
        inside = [
            self._volts.rows(group, max(start - offset, 0), min(stop - offset, steps))
            for group, (_, offset, steps) in self.place.items()
            if offset < stop and start < offset + steps
        ]
        return np.concatenate(inside)

    def contexts(
        self, group: str, origins: NDArray[np.int64], length: int, device: torch.device | str = "cpu"
    ) -> Batch:
        """The `length` samples up to and including each origin: `v` [k, length, neuron] and `flag` where it is on."""
        series, offset, _ = self.place[group]
        starts = origins + offset - length + 1
        first = int(starts.min())
        span = self._as_batch(self._samples(series, first, int(starts.max()) + length))
        return {
            name: torch.from_numpy(gather(values.numpy(), starts - first, length)).to(device)
            for name, values in span.items()
        }

    def group_name(self) -> str:
        return "run"

    def scope(self) -> str:
        if self._parameters is None:
            return "scores and intervals hold for further runs of the recorded cells, not for other cells or networks"
        if self._parameters.network == "redraw":
            return "every run has its own network: scores and intervals hold for networks drawn in the same way"
        return "all runs share one network: scores and intervals hold for this network only"


def published_starts(steps: int, window: int = 150, stride: int = 15) -> dict[str, NDArray[np.int64]]:
    """The published protocol's windows over joined runs: shuffled with torch's seed 42 and cut 70/15/15.

    Its windows overlap across the parts and straddle runs; it is here to be shown, not to be believed.
    """
    starts = np.arange(0, steps - window - 1, stride)  # its last sample is never a target
    order = torch.randperm(len(starts), generator=torch.Generator().manual_seed(42)).numpy()
    n_train, n_validation = int(0.7 * len(starts)), int(0.15 * len(starts))
    starts_by_part = np.split(starts[order], [n_train, n_train + n_validation])
    return dict(zip(("train", "validation", "test"), starts_by_part, strict=True))


def _use_flag(recordings: RecordingSet, choice: str) -> bool:
    simulated = str(recordings.meta.get("simulator", "")).startswith("brunel")
    if choice == "on" and not simulated:
        raise DataError(
            "the reset flag needs the exact clamp of simulated neurons, and these data are not simulated",
            where="data.reset_flag",
            hint="set it to off",
        )
    return simulated and choice != "off"
