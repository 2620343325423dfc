"""Watch a sequence model while it trains: what it is in some epochs is kept in the run, and the training is the same without."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from lightning.pytorch import Callback, Trainer

from neurocli.errors import ConfigError, Notice
from neurocli.plugin.family import ModelFamily
from neurocli.plugin.task import SequenceModel, Task
from neurocli.recordings import Dataset
from neurocli.runs.folder import RunFolder
from neurocli.training.lightning_module import FamilyModule
from neurocli.training.rest import at_rest

log = logging.getLogger("neurocli.training")


def check_watched(family: ModelFamily, config: Any) -> None:
    """Raise ConfigError where the options ask to watch what cannot be watched."""
    if not config.train.watch:
        return
    if not isinstance(family, Task):
        raise ConfigError(
            f"{family.card.name} is no sequence model, and only those can be watched",
            where="train.watch",
            hint="leave train.watch out; `neuro models` tells which models take tasks",
        )
    what = set(config.train.watch) & {"states", "memory"}
    if what and type(family.model).states is SequenceModel.states:
        raise ConfigError(
            f"{family.card.name} does not tell its states", where="train.watch", hint="watch its sequences alone"
        )
    if type(family).watch is Task.watch:
        raise ConfigError(
            f"the task {family.task_name} has nothing to watch", where="train.watch", hint="leave train.watch out"
        )


def watching(family: ModelFamily, data: Dataset, config: Any, run: RunFolder) -> list[Callback]:
    """What watches a training as its options ask. Raises ConfigError as `check_watched` does."""
    check_watched(family, config)
    return [Watching(family, data, run)] if config.train.watch and isinstance(family, Task) else []


class Watching(Callback):
    """Keeps what `train.watch` names of every N-th epoch and of the last. What goes wrong is said once, and stops nothing.

    It comes before the checkpoint of the epoch: a kill in between repeats both.
    """

    def __init__(self, task: Task, data: Dataset, run: RunFolder) -> None:
        self.task, self.data, self.run = task, data, run
        self.watched, self.said = 0, False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: FamilyModule) -> None:  # type: ignore[override]
        train, epoch = pl_module.config.train, trainer.current_epoch + 1
        last = epoch == train.epochs or trainer.global_step >= trainer.max_steps > 0
        if last or epoch % train.watch_every == 0:
            self._watch(pl_module, epoch)

    def on_train_end(self, trainer: Trainer, pl_module: FamilyModule) -> None:  # type: ignore[override]
        # Where patience ended the training, nobody knew before that this epoch would be the last.
        if trainer.current_epoch > self.watched:
            self._watch(pl_module, trainer.current_epoch)

    def _watch(self, module: FamilyModule, epoch: int) -> None:
        self.watched = epoch
        folder = self.run.watch / f"epoch-{epoch:04d}"
        try:
            with at_rest(module.network):
                self.task.watch(module.network, self.data, module.config, folder)
        except Exception as error:
            lost = f"epoch {epoch} could not be watched: {type(error).__name__}: {error}"
            log.warning(lost)
            if not self.said:
                warnings.warn(lost, Notice, stacklevel=2)
            self.said = True
