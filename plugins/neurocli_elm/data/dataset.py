"""Dataset adapter: simulations of one cell, split by simulation, dealt out as windows of sparse input events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from neurocli.errors import DataError
from neurocli.recordings import Batch, Dataset, Recording, RecordingSet, Split, split_by_options
from neurocli_elm.config import NeuronioConfig
from neurocli_elm.data.evenly import evenly
from neurocli_elm.data.inputs import Inputs
from neurocli_elm.data.windows import Sampling, Windows, check_length, check_simulation, cut, draw

VALIDATION_WINDOWS, VALIDATION_BATCH = 64, 16


class SimulationData(Dataset):
    """Simulations of one cell. channels: inputs, of which the first `excitatory` are excitatory; exciting, sign: [input]."""

    normalisation = None

    def __init__(self, recordings: RecordingSet, config: NeuronioConfig, split: Split | None = None) -> None:
        options = config.data
        self.recordings, self.options = recordings, options
        self.batch_size = config.train.batch_size
        self.split = split or split_by_options(recordings.groups, options)
        self.load = lru_cache(maxsize=2 * (options.pool or len(recordings)))(recordings.__getitem__)
        used = dict.fromkeys([*self.split.train, *self.split.validation, *self.split.test])
        self.lengths = {}
        cells = {}
        for group in used:
            recording = self.load(group)
            _check(recording, recordings.where(group))
            self.lengths[group] = recording.steps
            cells[group] = Inputs.of(recording)
        first, cell = next(iter(cells.items()))
        if len(set(cells.values())) > 1:
            other = next(group for group, inputs in cells.items() if inputs != cell)
            raise DataError(
                f"simulations of different cells: {cell.count} inputs in {first}, {cells[other].count} in {other}",
                where=recordings.where(other),
                hint="a model is of one cell: name simulations of one with --data",
            )
        self._one_length([*self.split.train, *self.split.validation])
        self._one_length(self.split.test)
        for group, length in self.lengths.items():
            check_length(length, options.window + options.burn_in_ms, where=recordings.where(group))
        self.channels, self.excitatory = cell.count, cell.excitatory
        self.exciting, self.sign = cell.exciting, cell.sign
        self.sampling = Sampling(
            self.batch_size, options.window, options.burn_in_ms, options.per_simulation, options.pool
        )
        self.spec = {"num_input": self.channels, "num_excitatory": self.excitatory}
        self.predictions: dict[Any, Any] = {}

    def _one_length(self, groups: Sequence[str]) -> None:
        """Raise DataError where simulations that are used together differ in length."""
        for group in groups[1:]:
            if self.lengths[group] != self.lengths[groups[0]]:
                raise DataError(
                    f"simulations of mixed lengths: {self.lengths[groups[0]]:,} ms in {groups[0]}, "
                    f"{self.lengths[group]:,} ms in {group}",
                    where=self.recordings.where(group),
                    hint="name files of one length with --data; `neuro diagnose elm` lists them all",
                )

    def some(self, part: str, most: int) -> list[Recording]:
        """The simulations of a part, at most `most` of them, evenly chosen."""
        return [self.load(group) for group in evenly(self.split.groups(part), most)]

    def group_name(self) -> str:
        return "simulation"

    def scope(self) -> str:
        """What intervals over simulations hold for."""
        return "simulations of one cell: intervals do not hold for other cells"

    def steps(self, part: str) -> int:
        groups = self.split.groups(part)
        return (
            self.sampling.steps(len(groups))
            if part == "train"
            else -(-len(self._validation_places()) // VALIDATION_BATCH)
        )

    def batches(self, part: str, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Windows of `train`, drawn anew in each epoch, or fixed ones of `validation`.

        spike, soma [sample, step] targets, soma in units of 10 mV above -67.7; step, channel, sign, sample [event].
        """
        groups = list(self.split.groups(part))
        if part == "train":
            lengths = [self.lengths[group] for group in groups]
            drawn = draw(
                lambda n: self.load(groups[n]),
                lengths,
                self.sampling,
                seed=seed,
                epoch=epoch,
                labels=self.options.event,
            )
            for windows in drawn:
                yield as_batch(windows)
            return
        places = self._validation_places()
        for first in range(0, len(places), VALIDATION_BATCH):
            batch_places = places[first : first + VALIDATION_BATCH]
            numbers = sorted({n for n, _ in batch_places})
            places_in_batch = [(numbers.index(n), start) for n, start in batch_places]
            yield as_batch(
                cut(
                    [self.load(groups[n]) for n in numbers],
                    places_in_batch,
                    self.options.window,
                    labels=self.options.event,
                )
            )

    def _validation_places(self) -> list[tuple[int, int]]:
        places = []
        for n, group in enumerate(self.split.validation):
            last = self.lengths[group] - self.options.window
            places += [(n, start) for start in range(self.options.burn_in_ms, last + 1, self.options.window)]
        return evenly(places, VALIDATION_WINDOWS)


def as_batch(windows: Windows) -> Batch:
    """Windows as tensors."""
    arrays = {"spike": windows.spike, "soma": windows.soma}
    events = {name: getattr(windows, name) for name in ("step", "channel", "sign", "sample")}
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in (arrays | events).items()}


def _check(recording: Recording, where: str) -> None:
    """Raises DataError where a recording is no simulation of a cell with input spikes."""
    check_simulation(recording, where)
    if not np.isfinite(recording.signal).all():
        raise DataError(
            "the soma voltage has values that are not numbers", where=where, hint="repair it, or leave it out"
        )
