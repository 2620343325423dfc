"""What happens at the end of a batch and of an epoch, as Lightning callbacks."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from lightning.pytorch import Callback, Trainer

from neurocli.plugin.seeds import seed_epoch
from neurocli.recordings import Dataset
from neurocli.runs.folder import RunFolder
from neurocli.training.checkpoint import Checkpoint, save_checkpoint
from neurocli.training.history import append_row
from neurocli.training.lightning_module import FamilyModule
from neurocli.training.listeners import tell
from neurocli.training.rest import at_rest
from neurocli.training.stopping import Stop

log = logging.getLogger("neurocli.training")


@dataclass
class Progress:
    """How far a training is; kept in its checkpoints. cpu_s and wall_s add up over resumes; no validation, infinite loss."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_validation_loss: float = math.inf
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def done(self, epochs: int, total_steps: int, patience: int | None) -> bool:
        """Whether nothing is left to train."""
        patient = patience is None or self.epoch - self.best_epoch < patience
        return self.epoch >= epochs or self.step >= total_steps or not patient


@dataclass
class Clock:
    """CPU and wall seconds since it was made, on top of those of earlier sittings."""

    cpu_before_s: float = 0.0
    wall_before_s: float = 0.0
    _cpu: float = field(default_factory=time.process_time)
    _wall: float = field(default_factory=time.perf_counter)

    def read(self) -> tuple[float, float]:
        """(cpu_s, wall_s)."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return self.cpu_before_s + cpu, self.wall_before_s + wall


class Restoring(Callback):
    """Puts the optimiser's state and the counters back, and the random state at the start of each epoch."""

    def __init__(self, progress: Progress, optimizer_state: dict[str, Any] | None, stop: Stop) -> None:
        self.progress = progress
        self.optimizer_state = optimizer_state
        self.stop = stop

    def on_train_start(self, trainer: Trainer, pl_module: FamilyModule) -> None:  # type: ignore[override]
        self.stop.install()  # Lightning has set its own handler for SIGTERM by now
        if self.optimizer_state is not None:
            pl_module.optimizer.load_state_dict(self.optimizer_state)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: FamilyModule) -> None:  # type: ignore[override]
        self.stop.check()
        pl_module.start_epoch()
        seed_epoch(pl_module.config.train.seed, trainer.current_epoch)


class BatchEnd(Callback):
    """Reports every batch, and stops between two of them when a signal has come."""

    def __init__(self, steps: int, total_steps: int, report: Callable[[dict], None], stop: Stop) -> None:
        self.steps = steps
        self.total_steps = total_steps
        self.report = report
        self.stop = stop

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: FamilyModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.report(
            {
                "event": "batch",
                "epoch": trainer.current_epoch + 1,
                "epochs": trainer.max_epochs,
                "batch": batch_idx + 1,
                "batches": self.steps,
                "step": trainer.global_step,
                "steps": self.total_steps,
                "loss": pl_module.last_loss,
            }
        )
        self.stop.check()


class EpochEnd(Callback):
    """Validates, chooses the best, writes metrics.csv and the checkpoints, tells the listeners, loses patience.

    `last` is written after everything else that the epoch leaves on disk: a kill in between repeats the whole epoch.
    """

    def __init__(
        self,
        run: RunFolder,
        data: Dataset,
        progress: Progress,
        clock: Clock,
        report: Callable[[dict], None],
        hook: Any,
        stop: Stop,
    ) -> None:
        self.run, self.data, self.progress, self.clock = run, data, progress, clock
        self.report, self.hook, self.stop = report, hook, stop

    def on_train_epoch_end(self, trainer: Trainer, pl_module: FamilyModule) -> None:  # type: ignore[override]
        progress, train = self.progress, pl_module.config.train
        self.run.must_exist()
        means = pl_module.mean_terms()
        validation = pl_module.validate(self.data, self.stop.check)
        # Without validation groups nothing chooses: the last epoch is the best.
        score = means["train_loss"] if validation is None else validation
        progress.epoch, progress.step = trainer.current_epoch + 1, trainer.global_step
        row = {"epoch": progress.epoch, "step": progress.step, **means}
        if validation is not None:
            row["validation_loss"] = validation
        row["learning_rate"] = pl_module.optimizer.param_groups[0]["lr"]
        with at_rest(pl_module.network):
            record = pl_module.family.epoch_record(pl_module.network, self.data, pl_module.config)
        row.update({name: float(value) for name, value in record.items() if name not in row})
        pl_module.schedule.epoch_ended(score, progress.step)

        better = validation is None or score < progress.best_validation_loss
        if better:
            progress.best_epoch = progress.epoch
            progress.best_validation_loss = math.inf if validation is None else validation
        progress.cpu_s, progress.wall_s = self.clock.read()
        checkpoint = Checkpoint(
            dict(pl_module.network.state_dict()),
            {
                "schema": 1,
                "progress": asdict(progress),
                "schedule": pl_module.schedule.state_dict(),
                "optimizer": pl_module.optimizer.state_dict(),
            },
        )
        if better:
            save_checkpoint(self.run.best, checkpoint)
        append_row(self.run.metrics_csv, row)
        save_checkpoint(self.run.last, checkpoint, history=self.run.metrics_csv)

        log.info("epoch %d: %s", progress.epoch, ", ".join(f"{k} {v:.6g}" for k, v in row.items() if k != "epoch"))
        tell(self.hook, "run_logged", run=self.run, row=dict(row))
        self.report({"event": "epoch", "epochs": trainer.max_epochs, "best_epoch": progress.best_epoch, **row})
        if train.patience is not None and progress.epoch - progress.best_epoch >= train.patience:
            log.info("no better validation loss in %d epochs", train.patience)
            trainer.should_stop = True
        self.stop.check()
