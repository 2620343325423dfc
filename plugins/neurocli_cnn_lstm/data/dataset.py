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
from neurocli.recordings.windows import Window, audit, gather
from neurocli_cnn_lstm.config import CnnLstmConfig, EvaluateConfig
from neurocli_cnn_lstm.simulation.parameters import parameters_of

RESET_TOLERANCE_MV = 0.05


class VoltageData(Dataset):
    """Voltages of a set of runs.

    series: name → z [time, neuron]; a series is a run, or, in the published protocol, all runs joined.
    flags: the same shape, 1 where a neuron is clamped at its reset voltage; None when the flag is off.
    place: run → (series, offset of the run's first sample in it, samples).
    """

    def __init__(
        self, recordings: RecordingSet, config: CnnLstmConfig, length: int, stride: int | None, split: Split | None
    ) -> None:
        self.recordings = recordings
        self.length, self.stride = length, stride
        self.batch_size, self.steps_per_epoch = config.train.batch_size, config.train.steps_per_epoch
        self.dt_ms, self.unit = _common(recordings)
        self._parameters = parameters_of(recordings)
        self.burn_in = round(config.data.burn_in_ms / self.dt_ms)
        self._noise_mv, self._noise_seed = config.data.noise_mv, config.data.noise_seed
        self.flag_on = _use_flag(recordings, config.data.reset_flag)
        self.published = config.data.split == "published"
        volts = {group: self._voltages(group) for group in recordings}
        for group, signal in volts.items():
            if len(signal) <= length:
                raise DataError(
                    f"{len(signal)} samples are left after a burn-in of {config.data.burn_in_ms:g} ms, and a window takes {length + 1}",
                    where=recordings.where(group),
                    hint="use longer runs, or lower data.burn_in_ms",
                )
        if self.published:
            groups = tuple(volts)
            self.split = Split(groups, groups, groups, protocol="published", leaky=True)
        else:
            self.split = split or split_by_options(recordings.groups, config.data)
        if not self.published:
            self._check_horizons(config.evaluate, {g: len(volts[g]) for g in self.split.test})
        # New data scored by an old run have no training runs: those come with the run, see `adopt`.
        fit_on = self.split.train or self.split.test
        self._volts = volts
        self.renormalise(Normalisation.fit((g, volts[g]) for g in fit_on))
        if self.split.train and not self.published:
            windows = {part: self._planned(part) for part in ("train", "validation", "test")}
            audit(self.split, windows, {g: len(v) for g, v in volts.items()}, self.normalisation)

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
        first = next(iter(self._volts.values()))
        if len(normalisation.mean) != first.shape[1]:
            raise DataError(
                f"the data have {first.shape[1]} neurons, the model was trained on {len(normalisation.mean)}",
                where=", ".join(self.recordings.sources) or "data",
                hint="use recordings of as many neurons, or train a model on these",
            )
        self.normalisation: Normalisation = normalisation
        self.series: dict[str, NDArray[np.float32]] = {}
        self.flags: dict[str, NDArray[np.float32]] | None = {} if self.flag_on else None
        self.place: dict[str, tuple[str, int, int]] = {}
        names = {"joined": list(self._volts)} if self.published else {g: [g] for g in self._volts}
        for series, groups in names.items():
            offset = 0
            for group in groups:
                self.place[group] = (series, offset, len(self._volts[group]))
                offset += len(self._volts[group])
            joined = np.concatenate([self._volts[g] for g in groups]) if len(groups) > 1 else self._volts[groups[0]]
            self.series[series] = normalisation.z(joined)
            if self.flags is not None:
                self.flags[series] = self.is_reset(joined).astype(np.float32)
        self.spec = {
            "num_channels": int(first.shape[1]),
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

    def _voltages(self, group: str) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            signal = self.recordings[group].signal.astype(np.float32)
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
            return [("joined", published_starts(len(self.series["joined"]), self.length, stride)[part])]
        planned = []
        for group in self.split.groups(part):
            series, _, steps = self.place[group]
            planned.append((series, np.arange(0, steps - self.length, stride)))
        return planned

    def _planned(self, part: str) -> list[Window]:
        return [
            Window(series, int(s), int(s) + self.length, int(s) + self.length)
            for series, starts in self._starts(part)
            for s in starts
        ]

    def steps(self, part: str) -> int:
        if part == "train" and self.steps_per_epoch:
            return self.steps_per_epoch
        return max(1, -(-sum(len(starts) for _, starts in self._starts(part)) // self.batch_size))

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Batches of `v` [batch, length + 1, neuron] (and `flag`), shuffled for training.

        Without a fixed stride training windows start anywhere inside a run; validation windows never move.
        """
        planned = self._starts(part)
        index = [(k, int(s)) for k, (_, starts) in enumerate(planned) for s in starts]
        rng = np.random.default_rng([seed, epoch])
        if part == "train":
            if self.stride is None:
                index = [(k, int(rng.integers(0, len(self.series[planned[k][0]]) - self.length))) for k, _ in index]
            needed = self.steps(part) * self.batch_size
            order = np.concatenate([rng.permutation(len(index)) for _ in range(-(-needed // len(index)))])[:needed]
            if self.stride is not None and not self.steps_per_epoch:
                order = order[: len(index)]
            index = [index[i] for i in order]
        for first in range(0, len(index), self.batch_size):
            yield self._batch([(planned[k][0], start) for k, start in index[first : first + self.batch_size]])

    def _batch(self, windows: Sequence[tuple[str, int]]) -> Batch:
        span = self.length + 1
        batch = {"v": torch.from_numpy(np.stack([self.series[s][a : a + span] for s, a in windows]))}
        if self.flags is not None:
            batch["flag"] = torch.from_numpy(np.stack([self.flags[s][a : a + span] for s, a in windows]))
        return batch

    def contexts(
        self, group: str, origins: NDArray[np.int64], length: int, device: torch.device | str = "cpu"
    ) -> Batch:
        """The `length` samples up to and including each origin: `v` [k, length, neuron] and `flag` where it is on."""
        series, offset, _ = self.place[group]
        starts = origins + offset - length + 1
        series_of = {"v": self.series} if self.flags is None else {"v": self.series, "flag": self.flags}
        return {
            name: torch.from_numpy(gather(values[series], starts, length)).to(device)
            for name, values in series_of.items()
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


def _common(recordings: RecordingSet) -> tuple[float, str]:
    first = recordings[recordings.groups[0]] if len(recordings) else None
    if first is None:
        raise DataError(
            "the file holds no recordings", where=", ".join(recordings.sources) or "data", hint="name another file"
        )
    for group in recordings:
        recording = recordings[group]
        for quantity, first_value, other_value in (
            ("neurons", first.num_channels, recording.num_channels),
            ("sampling step (ms)", first.dt_ms, recording.dt_ms),
            ("unit", first.unit, recording.unit),
        ):
            if first_value != other_value:
                raise DataError(
                    f"runs differ in {quantity}: {first_value} in {first.group}, {other_value} in {group}",
                    where=recordings.where(group),
                    hint="leave the odd one out",
                )
    return first.dt_ms, first.unit


def _use_flag(recordings: RecordingSet, choice: str) -> bool:
    simulated = str(recordings.meta.get("simulator", "")).startswith("brunel")
    if choice == "on" and not simulated:
        raise DataError(
            "the reset flag needs the exact clamp of simulated neurons, and these data are not simulated",
            where="data.reset_flag",
            hint="set it to off",
        )
    return simulated and choice != "off"
