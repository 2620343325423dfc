"""The batches of an epoch for Lightning, and how many there are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from neurocli.config.sections import TrainConfig
from neurocli.errors import DataError
from neurocli.recordings import Batch, Dataset


class EpochBatches:
    """Training batches of the epoch that `epoch()` names when the iteration begins; a plain iterable.

    Not torch's DataLoader: that draws from the global generator when it starts, and so would move all later numbers.
    """

    def __init__(self, data: Dataset, *, seed: int, steps: int, epoch: Callable[[], int]) -> None:
        self.data = data
        self.seed = seed
        self.steps = steps
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        # A generator: the epoch is read at the first batch, when the trainer's count is right.
        yield from itertools.islice(self._passes(self.epoch()), self.steps)

    def _passes(self, epoch: int) -> Iterator[Batch]:
        """Batches without end; an epoch longer than one pass of the data takes passes that no other epoch takes."""
        per_epoch = -(-self.steps // self.data.steps("train"))
        for number in itertools.count(epoch * per_epoch):
            empty = True
            for batch in self.data.batches("train", seed=self.seed, epoch=number):
                empty = False
                yield batch
            if empty:
                raise DataError("the training groups give no batch", where="data", hint="use more or longer recordings")


def steps_per_epoch(data: Dataset, config: TrainConfig) -> int:
    """Optimiser steps of an epoch. Raises DataError where there is nothing to train on."""
    if not data.split.train or data.steps("train") < 1:
        raise DataError("the training groups give no batch", where="data", hint="use more or longer recordings")
    return config.steps_per_epoch or data.steps("train")


def total_steps(data: Dataset, config: TrainConfig) -> int:
    """Optimiser steps of the whole training."""
    steps = config.epochs * steps_per_epoch(data, config)
    return min(steps, config.max_steps or steps)
