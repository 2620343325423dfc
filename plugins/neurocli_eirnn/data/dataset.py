"""`SessionData`: the trials of a session that are used, split, with the training trials' PSTHs as targets."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Batch, Dataset, Normalisation, RecordingSet, Split
from neurocli.recordings.split import NEW_DATA
from neurocli_eirnn.config import DataConfig
from neurocli_eirnn.configs import EirnnConfig
from neurocli_eirnn.data import psth
from neurocli_eirnn.data.overlaps import without_overlaps
from neurocli_eirnn.data.session import CUE_SIZE, EXCITATORY, INHIBITORY, Session
from neurocli_eirnn.data.session import LOCATIONS as TARGETS
from neurocli_eirnn.data.trials import EVENTS, TrialFaults, classify, event_bins, selection

EYE = slice(7, 9)
LOCATIONS = 4
EVERY = 4
"""One trial in so many is kept for confirmation."""
NUMBER = re.compile(r"(\d+)$")
"""A trial's number in its file, at the end of its name."""


class SessionData(Dataset):
    """Trials as dense arrays; rows are found by group name.

    inputs: float32 [trial, time, 14], eye position in z-scores of the training trials (`eye`, their mean and sd; None, and the file's
    own units, where these trials are unknown), with `data.reward_cue` a 15th; rates: float32 [trial, time, neuron] in sp/s, NaN where there are no data; location: int [trial], 1 to 4, 0 where unknown. used, held_back: bool [trial], those
    in any part of the split, and those that would be used but are kept for confirmation.
    """

    def __init__(self, recordings: RecordingSet, config: EirnnConfig, split: Split | None = None) -> None:
        options: DataConfig = config.data
        self.recordings, self.overlapping = without_overlaps(recordings)
        self.session = Session.of(self.recordings)
        self.batch_size = config.train.batch_size
        self.window_bins = (
            round(config.evaluate.before_ms / self.bin_ms),
            round(config.evaluate.after_ms / self.bin_ms),
        )
        self.normalisation = None
        self.row = {group: number for number, group in enumerate(recordings.groups)}
        self.faults: TrialFaults = classify(self.session)
        self.used = selection(self.session, options.trials)
        _check(self.session, self.used, options.trials)
        self.held_back = np.zeros(len(self.used), bool)
        self.split = self._split(options, split)
        used = {*self.split.train, *self.split.validation, *self.split.test}
        self.used &= np.array([group in used for group in recordings.groups])
        self.rates = self.session.rates
        self.location = self.label("location")
        known = np.isfinite(self.session.duration_ms)
        self.duration_bins = np.where(
            known, np.where(known, self.session.duration_ms, 0) // self.bin_ms, self.session.bins
        )
        self.clip: float | None = None
        self.event_bins = np.stack([event_bins(self.session, event) for event in EVENTS], axis=1)
        self.reward_cue = options.reward_cue
        self.eye = self._eye_of_training()
        self.inputs = self._inputs()
        self._targets = self._training_targets(config)
        self.spec = {
            "neuron_type": self.session.neuron_type.tolist(),
            "num_inputs": self.inputs.shape[2],
            "bins": self.session.bins,
            "bin_ms": self.session.bin_ms,
            "mean_rate": self._targets["mean_rate"].tolist(),
            **({} if self.eye is None else {"eye": {"mean": self.eye[0].tolist(), "sd": self.eye[1].tolist()}}),
        }

    def adopt(self, spec: dict[str, Any], normalisation: Normalisation | None) -> None:
        """Z-score the eye as the run did; a run that kept no mean and sd leaves it in the file's own units."""
        eye = spec.get("eye")
        if isinstance(eye, dict):
            self.eye = np.asarray(eye["mean"], np.float32), np.asarray(eye["sd"], np.float32)
            self.inputs = self._inputs()
            self.spec["eye"] = eye

    # -- what others ask ----------------------------------------------------------------------------------------------

    @property
    def bin_ms(self) -> float:
        return self.session.bin_ms

    def rows(self, groups: tuple[str, ...] | list[str]) -> NDArray[np.int64]:
        """Row numbers of groups."""
        return np.array([self.row[group] for group in groups], np.int64)

    def label(self, name: str) -> NDArray[np.int64]:
        """A label per trial, 0 where the session does not have it."""
        return self.session.labels.get(name, np.zeros(self.session.trials, np.int64))

    def training_rates(self) -> NDArray[np.float32]:
        """Rates of the trials that are trained on [trial, time, neuron], without any that choose the epoch."""
        return self.rates[self.rows(self.split.train)]

    def fitted_rows(self) -> NDArray[np.int64]:
        """Rows of all trials that are not scored: averages choose no epoch, so they take the validation trials too."""
        return self.rows([*self.split.train, *self.split.validation])

    def group_name(self) -> str:
        return "trial"

    def scope(self) -> str:
        return "trials of one session: the intervals say nothing of other sessions or animals"

    def steps(self, part: str) -> int:
        n = len(self.split.groups(part))
        return -(-n // self.batch_size)

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Whole trials. Training batches are shuffled and of nearly equal size, so that each one's PSTH is worth the same."""
        rows = self.rows(self.split.groups(part))
        if part == "train":
            rows = np.random.default_rng([seed, epoch]).permutation(rows)
        for batch_rows in np.array_split(rows, self.steps(part)):
            yield self.batch(batch_rows)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Trials `rows`, and the targets that all batches share.

        inputs [trial, time, input]; rates [trial, time, neuron] with 0 where invalid, valid (1 or 0) like it; location
        [trial]; event_bins [trial, 3], -1 where absent; psth [time, neuron], condition_psth [4, time, neuron], event_psth
        [3, window, neuron] and their validity; event_window [window]; sd and mean_rate [neuron]; duration_bins [trial] fixation
        to reward; conditions [trial, 3] location, reward and salience; clip, where the loss clips rates: in sp/s.
        """
        rates = self.rates[rows]
        valid = np.isfinite(rates)
        batch = {
            "inputs": torch.from_numpy(self.inputs[rows]),
            "rates": torch.from_numpy(np.where(valid, rates, 0).astype(np.float32)),
            "valid": torch.from_numpy(valid.astype(np.float32)),
            "location": torch.from_numpy(self.location[rows]),
            "event_bins": torch.from_numpy(self.event_bins[rows]),
            "duration_bins": torch.from_numpy(self.duration_bins[rows]),
            "conditions": torch.from_numpy(
                np.stack([self.label(n)[rows] for n in ("location", "reward", "salience")], 1)
            ),
        }
        return batch | self._shared

    # -- how it is made -----------------------------------------------------------------------------------------------

    def _split(self, options: DataConfig, prescribed: Split | None) -> Split:
        names = self.recordings.groups
        if prescribed is not None:
            usable = {name for name, is_used in zip(names, self.used, strict=True) if is_used}
            train, validation, test = (
                tuple(g for g in prescribed.groups(p) if g in usable) for p in ("train", "validation", "test")
            )
            if not test:
                raise DataError(
                    f"none of the {len(prescribed.test)} test trials is {options.trials}",
                    where="data.trials",
                    hint="use --trials plausible or all; `neuro diagnose` shows what is wrong with the trials",
                )
            used = {*train, *validation, *test}
            left = np.array([name not in used for name in names], bool)
            cut = options.part == "development" and self.session.true_rates is None and prescribed.protocol != NEW_DATA
            if cut and numbered(names):  # a run's own split stands, whatever the names
                self.held_back = self.used & confirmation(names) & left
            return Split(train, validation, test, protocol=prescribed.protocol, leaky=prescribed.leaky)
        part = options.part if self.session.true_rates is None else "all"
        confirming = confirmation(names) if part != "all" else np.zeros(len(names), bool)
        self.held_back = self.used & confirming & (part == "development")
        dealt = self.used & ~confirming
        split = split_trials(
            [name for name, chosen in zip(names, dealt, strict=True) if chosen],
            self.label("reward")[dealt],
            test=options.test if part != "confirmation" else 0.0,
            validation=options.validation,
            seed=options.split_seed,
        )
        if part != "confirmation":
            return split
        tested = tuple(name for name, chosen in zip(names, self.used & confirming, strict=True) if chosen)
        if not tested:
            raise DataError(
                f"none of the {int(self.used.sum())} {options.trials} trials is kept for confirmation",
                where="data.part",
                hint="use data.part=all for a session of so few trials",
            )
        return Split(split.train, split.validation, tested, protocol=split.protocol)

    def _eye_of_training(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Mean and sd [eye input] over the training trials; None without any: no scored trial may stand in for them."""
        if not self.split.train:
            return None
        train = self.session.inputs[self.rows(self.split.train)][..., EYE]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a trace of NaN alone becomes 0 whatever its mean
            return np.nan_to_num(np.nanmean(train, axis=(0, 1))), np.nan_to_num(np.nanstd(train, axis=(0, 1)))

    def _inputs(self) -> NDArray[np.float32]:
        """Inputs with the eye in z-scores; NaN, which only eye traces beyond the trial's end may have, becomes 0."""
        inputs = self.session.inputs.copy()
        if self.eye is not None:
            mean, sd = self.eye
            inputs[..., EYE] = (inputs[..., EYE] - mean) / np.where(sd > 1e-6, sd, np.inf)
        inputs = np.nan_to_num(inputs, nan=0.0, posinf=0.0, neginf=0.0)
        if not self.reward_cue:
            return inputs
        promised = np.where(self.label("reward") == 1, CUE_SIZE, -CUE_SIZE)
        cue = inputs[..., TARGETS].max(-1) * promised[:, None]
        return np.concatenate((inputs, cue[..., None].astype(np.float32)), axis=-1)

    def _training_targets(self, config: EirnnConfig) -> dict[str, NDArray[Any]]:
        """PSTHs of all training trials, smoothed as the loss says, per location too, and their sd without noise."""
        loss = getattr(config, "loss", None)
        sd_bins = getattr(loss, "smoothing_ms", 0.0) / self.bin_ms
        rows = self.rows(self.split.train) if self.split.train else np.arange(self.session.trials)
        rates = self.rates[rows]
        by_location = [
            psth.smoothed(psth.trial_mean(rates[self.location[rows] == place]), sd_bins)
            if (self.location[rows] == place).any()
            else np.full(rates.shape[1:], np.nan)
            for place in range(1, LOCATIONS + 1)
        ]
        window = np.arange(-self.window_bins[0], self.window_bins[1] + 1)
        by_event = [
            psth.smoothed(psth.trial_mean(psth.aligned(rates, self.event_bins[rows][:, e], window)), sd_bins)
            for e in range(len(EVENTS))
        ]
        training_targets = {
            "event_psth": np.stack(by_event),
            "psth": psth.smoothed(psth.trial_mean(rates), sd_bins),
            "condition_psth": np.stack(by_location),
            "sd": np.sqrt(np.nan_to_num(psth.signal_variance(rates, sd_bins))),
            "mean_rate": np.nan_to_num(np.nanmean(rates, axis=(0, 1))),
        }
        self._shared = {"event_window": torch.from_numpy(window)}
        percentile = getattr(loss, "clip_percentile", None)
        if percentile is not None:
            self.clip = float(np.nanpercentile(rates, percentile))
            self._shared["clip"] = torch.tensor(self.clip, dtype=torch.float32)
        for name, values in training_targets.items():
            self._shared[name] = torch.from_numpy(np.nan_to_num(values).astype(np.float32))
            if "psth" in name:
                self._shared[f"{name}_valid"] = torch.from_numpy(np.isfinite(values).astype(np.float32))
        return training_targets


def confirmation(groups: list[str]) -> NDArray[np.bool_]:
    """[trial] which trials are kept for confirmation: every fourth by its number in the file, with which its name ends.

    By number and not by a seed: whatever the options, the same trials of a file are never seen before they are asked for.
    Raises DataError where a name has no number: by place, a joined or filtered file would keep other trials.
    """
    numbers = [NUMBER.search(group) for group in groups]
    nameless = [group for group, number in zip(groups, numbers, strict=True) if number is None]
    if nameless:
        raise DataError(
            f"{len(nameless)} of {len(groups)} trials have no number at the end of their name, first {nameless[0]}:"
            " numbers decide which are kept for confirmation",
            where="data.part",
            hint="name trials by their number in the file, as in trial-0007, or use data.part=all",
        )
    return np.array([int(number.group(1)) % EVERY == EVERY - 1 for number in numbers if number], bool)


def numbered(groups: list[str]) -> bool:
    """Whether every trial's name ends with a number."""
    return all(NUMBER.search(group) for group in groups)


def split_trials(groups: list[str], reward: NDArray[np.int64], *, test: float, validation: float, seed: int) -> Split:
    """The published split: trials shuffled within low and within high reward, int(share) of each held out for the test; test = 0
    holds out none.

    The trials that choose the epoch, none with validation = 0, come out of the others, so that no scored trial ever chooses
    anything. Raises DataError for too few trials.
    """
    random = np.random.RandomState(seed)  # the published generator, so that its split comes out
    tested: list[int] = []
    rest: list[int] = []
    for value in np.unique(reward):
        rows = np.where(reward == value)[0]
        random.shuffle(rows)
        n = int(test * len(rows))
        tested += rows[:n].tolist()
        rest += rows[n:].tolist()
    chosen = random.permutation(np.sort(rest))
    n_validation = max(1, int(validation * len(rest))) if validation else 0
    if (not tested and test) or len(rest) - n_validation < 2:
        raise DataError(
            f"{len(groups)} trials are too few to be split into training, validation and test",
            where="data.trials",
            hint="use more trials; `neuro diagnose` shows why trials are left out, --trials plausible or all uses them anyway",
        )

    def named(rows: Any) -> tuple[str, ...]:
        return tuple(groups[row] for row in sorted(rows))

    return Split(named(chosen[n_validation:]), named(chosen[:n_validation]), named(tested), protocol="by trial")


def _check(session: Session, used: NDArray[np.bool_], trials: str) -> None:
    """Raises DataError where no model can be fitted to these data."""
    where = session.source or session.name
    if not used.any():
        counts = ", ".join(f"{n} {kind}" for kind, n in classify(session).counts.items() if n)
        raise DataError(
            f"no trial is {trials}: {counts}",
            where=where,
            hint="`neuro diagnose` shows what is wrong with them; --trials plausible or all uses them anyway",
        )
    types = session.neuron_type
    for kind, name in ((EXCITATORY, "excitatory (1)"), (INHIBITORY, "inhibitory (2)")):
        if not (types == kind).any():
            raise DataError(
                f"no neuron is {name}: Dale's law needs both types",
                where=f"{where}: neuron_type",
                hint="check the classification in the export",
            )
    rates = session.rates[used]
    valid = np.isfinite(rates)
    inner: NDArray[np.bool_] = np.asarray(valid.any(axis=2))
    holes = inner & ~valid.all(axis=2)
    last = inner.shape[1] - 1 - inner[:, ::-1].argmax(axis=1)
    gaps = (~inner & (np.arange(inner.shape[1]) < last[:, None])) | holes
    if gaps.any():
        trial, bin_ = (int(n) for n in np.argwhere(gaps)[0])
        number = int(np.where(used)[0][trial])
        raise DataError(
            f"NaN inside the valid window of {int(gaps.any(1).sum())} trials, first in trial {number}, bin {bin_}",
            where=f"{where}: firing_rates",
            hint="export it again, or leave these trials out",
        )
