"""Dataset adapter: spoken digits in time bins, one at a time, or two, one after the other, whose sum is the target."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings import Batch, Dataset, Recording, RecordingSet, Split
from neurocli_elm.config import AddedDigitsConfig, ShdConfig
from neurocli_elm.data.readers.shd import CLASSES, UNITS
from neurocli_elm.data.shd_bins import Binned, binned, num_bins
from neurocli_elm.data.shd_split import About, scored_groups, split_utterances

SUMS = 19
"""Classes of the sum of two digits."""

VALIDATION_BATCH = 64
VALIDATION_PAIRS = 1024
PAIR_SEED = 0
"""Pairs to validate and to test on are the same in every epoch and for every model."""


class ShdData(Dataset):
    """Utterances of spoken digits.

    A sample is a row of utterances: one, or with `data.adding` two, one after the other. num_steps: of a sample;
    num_classes: 20 digits, or 19 sums; label: int64 [utterance].
    """

    normalisation = None

    def __init__(self, recordings: RecordingSet, config: ShdConfig, split: Split | None = None) -> None:
        options = config.data
        self.recordings, self.options, self.adding = recordings, options, options.adding
        self.batch_size = config.train.batch_size
        wanted = None
        if split is not None:
            wanted = dict.fromkeys([*split.train, *split.validation, *split.test])
        self.about, self.binned = _load(recordings, list(wanted or recordings.groups), options.bin_ms)
        self.split = split or split_utterances(self.about, options)
        self.number = {group: n for n, group in enumerate(self.about)}
        self.label = np.array([utterance.label for utterance in self.about.values()], np.int64)
        self.utterances_per_sample = 2 if self.adding else 1
        self.num_steps = self.utterances_per_sample * num_bins(options.bin_ms)
        self.num_classes = SUMS if self.adding else CLASSES
        self.spec = {
            "kind": "shd",
            "num_input": UNITS,
            "num_output": self.num_classes,
            "delta_t": float(options.bin_ms),
            "steps": self.num_steps,
        }

    @property
    def speakers_known(self) -> bool:
        return all(utterance.speaker is not None for utterance in self.about.values())

    def group_name(self) -> str:
        """What scores are resampled over."""
        return "speaker" if self.speakers_known else "utterance"

    def scope(self) -> str:
        """What intervals over speakers or utterances hold for."""
        if self.speakers_known:
            count = len({self.about[group].speaker for group in self.split.test})
            return f"{count} speaker{'s' if count != 1 else ''} of one data set"
        return "utterances of unknown speakers: intervals do not hold for other speakers"

    def test_fingerprint(self) -> str:
        digest = hashlib.sha256(super().test_fingerprint().encode())
        digest.update(f"adding {self.adding}".encode())
        return digest.hexdigest()

    # -- samples -------------------------------------------------------------------------------------------------

    def utterances(self, part: str) -> NDArray[np.int64]:
        """Numbers of the utterances of a part."""
        return np.array([self.number[group] for group in self.split.groups(part)], np.int64)

    def classes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The class of each sample; rows: [sample, utterance]."""
        return (self.label[rows] % 10).sum(1) if self.adding else self.label[rows[:, 0]]

    def entries(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """(sample, step, unit, count) of the spike counts of samples that are not 0."""
        offset = num_bins(self.options.bin_ms)
        columns = []
        for sample, row in enumerate(rows):
            for half, utterance in enumerate(row):
                place, count = self.binned.of(utterance)
                step, unit = np.divmod(place.astype(np.int64), UNITS)
                columns.append((np.full(len(place), sample), step + half * offset, unit, count.astype(np.int64)))
        return tuple(np.concatenate(column) for column in zip(*columns, strict=True))

    def batch(self, rows: NDArray[np.int64], masked: float = 0.0, rng: np.random.Generator | None = None) -> Batch:
        """label [sample]; sample, step, channel, sign [entry], where sign is the count; num_steps.

        masked: share of the entries that are left out at random, without making up for them.
        """
        sample, step, unit, count = self.entries(rows)
        if masked:
            assert rng is not None
            unmasked = rng.random(len(sample)) >= masked
            sample, step, unit, count = sample[unmasked], step[unmasked], unit[unmasked], count[unmasked]
        arrays = {"sample": sample, "step": step, "channel": unit, "sign": count.astype(np.float32)}
        arrays |= {"label": self.classes(rows), "num_steps": np.array(self.num_steps)}
        return {name: torch.from_numpy(values) for name, values in arrays.items()}

    def rows(self, part: str, *, seed: int, epoch: int) -> Iterator[tuple[NDArray[np.int64], np.random.Generator]]:
        """The training samples of an epoch batch by batch, in the published order, and the generator to draw their masks from.

        Published is one generator of the seed for all epochs: it shuffles the same list again and again, or draws pairs. An
        epoch is found by going through those before it. What does not fill a batch waits for another epoch, as published.
        """
        numbers, rng = self.utterances(part), np.random.default_rng(seed)
        masks = np.random.default_rng([seed, epoch])
        if self.adding:  # the first half of a draw are the first digits, as published
            size = 2 * self.batch_size
            rng.integers(0, len(numbers), epoch * self.steps(part) * size)
            for _ in range(self.steps(part)):
                yield numbers[rng.integers(0, len(numbers), size)].reshape(2, -1).T, masks
            return
        order = np.arange(len(numbers))
        for _ in range(epoch + 1):
            rng.shuffle(order)
        for batch in range(self.steps(part)):
            yield numbers[order[batch * self.batch_size : (batch + 1) * self.batch_size], None], masks

    @cached_property
    def _validation_rows(self) -> NDArray[np.int64]:
        numbers = self.utterances("validation")
        if not self.adding:
            return numbers[:, None]
        return np.random.default_rng(PAIR_SEED).choice(numbers, (min(VALIDATION_PAIRS, 4 * len(numbers)), 2))

    def scored_rows(self, part: str) -> dict[str, NDArray[np.int64]]:
        """Group → the samples [sample, utterance] that it is scored on; pairs are of utterances of one group."""
        rows_by_group = {}
        groups = scored_groups(self.split.groups(part), self.about, pairs=self.adding)
        for place, (name, members) in enumerate(groups.items()):
            numbers = np.array([self.number[group] for group in members], np.int64)
            rng = np.random.default_rng([PAIR_SEED, place])
            rows_by_group[name] = rng.choice(numbers, (len(numbers), 2)) if self.adding else numbers[:, None]
        return rows_by_group

    # -- training ------------------------------------------------------------------------------------------------

    def steps(self, part: str) -> int:
        if part != "train":
            return -(-len(self._validation_rows) // VALIDATION_BATCH)
        if isinstance(self.options, AddedDigitsConfig):
            return self.options.adding_batches if self.split.train else 0
        return max(len(self.split.train) // self.batch_size, min(len(self.split.train), 1))

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Batches as `batch` gives them: masked for `train`, the same in each epoch and unmasked for `validation`."""
        if part == "train":
            for rows, rng in self.rows(part, seed=seed, epoch=epoch):
                yield self.batch(rows, self.options.masked, rng)
            return
        rows = self._validation_rows
        for first in range(0, len(rows), VALIDATION_BATCH):
            yield self.batch(rows[first : first + VALIDATION_BATCH])


def about_of(recording: Recording, where: str) -> About:
    """Label, file and speaker. Raises DataError where a recording is no utterance."""
    label = recording.labels.get("label")
    missing = [name for name in ("spike_s", "spike_unit") if name not in recording.events]
    if missing or not isinstance(label, int) or not 0 <= label < CLASSES:
        what = missing[0] if missing else f"label from 0 to {CLASSES - 1}"
        raise DataError(
            f"the recording has no {what}, so that it is not a spoken digit", where=where, hint="prepare it again"
        )
    seconds, units = recording.events["spike_s"], recording.events["spike_unit"]
    sound = seconds.shape == units.shape and seconds.ndim == 1 and units.dtype.kind in "iu"
    if not sound or not ((seconds >= 0).all() and (units >= 0).all() and (units < UNITS).all()):
        raise DataError("the spikes of an utterance are damaged", where=where, hint="prepare it again")
    speaker = recording.labels.get("speaker")
    return About(label, str(recording.labels.get("file", "")), int(speaker) if speaker is not None else None)


def _load(recordings: RecordingSet, groups: list[str], bin_ms: int) -> tuple[dict[str, About], Binned]:
    """Everything that is asked about, in order: (what is known of each utterance, its counts)."""
    about: dict[str, About] = {}
    places, counts, first = [], [], [0]
    for group in groups:
        recording = recordings[group]
        about[group] = about_of(recording, recordings.where(group))
        seconds, units = recording.events["spike_s"], recording.events["spike_unit"]
        place, count = binned(seconds, units, bin_ms)
        places.append(place)
        counts.append(count)
        first.append(first[-1] + len(place))
    return about, Binned(np.concatenate(places), np.concatenate(counts), np.array(first, np.int64))
