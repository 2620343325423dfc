"""`fit`: train a family's model into a run folder, and resume to the same bits after any kill."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from neurocli.errors import DataError, Interrupted, NeuroError, Notice, UsageError
from neurocli.plugin.family import ModelFamily
from neurocli.recordings import Dataset
from neurocli.runs.folder import RunFolder
from neurocli.runs.lock import locked
from neurocli.runs.records import read_record, write_record
from neurocli.training.batches import EpochBatches, steps_per_epoch, total_steps
from neurocli.training.callbacks import BatchEnd, Clock, EpochEnd, Progress, Restoring
from neurocli.training.checkpoint import has_checkpoint, load_checkpoint
from neurocli.training.devices import resolve_device
from neurocli.training.history import truncate
from neurocli.training.lightning_module import FamilyModule
from neurocli.training.listeners import tell
from neurocli.training.load import load_weights
from neurocli.training.quiet import quiet_lightning, torch_settings
from neurocli.training.schedule import Schedule
from neurocli.training.stopping import Stop
from neurocli.training.watching import watching

log = logging.getLogger("neurocli.training")


def fit(
    family: ModelFamily,
    config: Any,
    data: Dataset,
    run: RunFolder,
    *,
    resume: bool = False,
    progress: Callable[[dict], None] | None = None,
    hook: Any = None,
) -> dict[str, Any]:
    """Train into `run`; returns what metrics.json holds.

    With `resume` the run goes on after its last whole epoch, or returns at once where it is finished; a run killed
    before its first epoch ended starts again. `progress` receives a dict after every batch and epoch (`event` says
    which), `hook` is the relay of the plugins' listeners.

    Raises UsageError (the run is being written, or has been trained), DeviceError, DataError (other data, no usable
    checkpoint), NeuroError (the loss is not finite), StorageError, or Interrupted.
    """
    with locked(run):
        info = run.read_info()
        if info.get("status") == "finished":
            if run.metrics_json.exists() and not resume:
                raise UsageError("the run is finished", where=run.name, hint="train into a new run")
            try:
                return read_record(run.metrics_json)
            except DataError as error:
                again = f"{error.message}: {run.metrics_json}; it is made again from the last checkpoint"
                warnings.warn(again, Notice, stacklevel=2)
        if has_checkpoint(run.last) and not resume:
            raise UsageError("the run has begun already", where=run.name, hint="resume it")
        resolve_device(config.train.device)  # before anything is written
        _check_same_data(run, info, data)
        status = "failed"
        with _logging_to(run):
            tell(hook, "run_started", run=run)
            try:
                result = _train(family, config, data, run, progress or (lambda event: None), hook)
                status = "finished"
            except Interrupted:
                status = "interrupted"
                raise
            except Exception as error:
                log.error("failed: %s: %s", type(error).__name__, error)
                raise
            finally:
                log.info("status: %s", status)
                with contextlib.suppress(NeuroError):  # a full disk must not hide why the training ended
                    run.update_info(status=status)
                tell(hook, "run_finished", run=run, status=status)
        return result


def _train(
    family: ModelFamily, config: Any, data: Dataset, run: RunFolder, report: Callable[[dict], None], hook: Any
) -> dict[str, Any]:
    train = config.train
    steps, total = steps_per_epoch(data, train), total_steps(data, train)
    stop = Stop()
    with stop.installed(), torch_settings(train.threads), quiet_lightning():
        checkpoint = load_checkpoint(run.last) if has_checkpoint(run.last) else None
        reached = Progress(**checkpoint.state["progress"]) if checkpoint else Progress()
        clock = Clock(reached.cpu_s, reached.wall_s)
        if checkpoint is None and (os.path.lexists(run.metrics_csv) or has_checkpoint(run.best)):
            again = (
                f"{run.last}: the checkpoint to resume from is missing; the training begins again with the first epoch"
            )
            warnings.warn(again, Notice, stacklevel=2)
        truncate(run.metrics_csv, reached.epoch)
        stop.describe = lambda: _kept(reached)

        network = family.untrained(config, data.spec, train.seed).train()
        parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
        run.update_info(status="running", parameters=parameters, **_about(data))
        schedule = Schedule(train, total_steps=total, steps_per_epoch=steps)
        if checkpoint:
            load_weights(network, checkpoint.weights, where=str(run.last))
            schedule.load_state_dict(checkpoint.state["schedule"])
            log.info("carrying on after epoch %d", reached.epoch)
        else:
            family.prepare(network, data, config)
        if not reached.done(train.epochs, total, train.patience):
            module = FamilyModule(family, network, config, schedule)
            optimizer_state = checkpoint.state["optimizer"] if checkpoint else None
            callbacks: list[Callback] = [
                Restoring(reached, optimizer_state, stop),
                BatchEnd(steps, total, report, stop),
                *watching(family, data, config, run),
                EpochEnd(run, data, reached, clock, report, hook, stop),
            ]
            trainer = _trainer(config, run, total, steps, callbacks)
            _place(trainer, reached)
            batches = EpochBatches(data, seed=train.seed, steps=steps, epoch=lambda: trainer.current_epoch)
            try:
                trainer.fit(module, train_dataloaders=batches)
            except SIGTERMException:  # Lightning's own way out, before our handler was in place
                stop.received = stop.received or 15
                raise stop.error() from None
        cpu_s, wall_s = clock.read()
        result = {
            "epochs": reached.epoch,
            "best_epoch": reached.best_epoch,
            "best_validation_loss": reached.best_validation_loss
            if math.isfinite(reached.best_validation_loss)
            else None,
            "cpu_s": round(cpu_s, 3),
            "wall_s": round(wall_s, 3),
            "parameters": parameters,
            "steps": reached.step,
        }
        run.must_exist()
        write_record(run.metrics_json, result)
    return result


def _trainer(config: Any, run: RunFolder, total: int, steps: int, callbacks: list[Callback]) -> Trainer:
    device = resolve_device(config.train.device)
    on_cuda = device.type == "cuda"
    return Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=[device.index] if on_cuda else 1,
        callbacks=callbacks,
        max_epochs=config.train.epochs,
        max_steps=total,
        limit_train_batches=steps,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        gradient_clip_val=config.train.gradient_clip,
        # Some operations have no deterministic form on a GPU; there we take what there is. On a CPU a fixed number of
        # threads gives the same bits anyway, and torch's deterministic mode made a step forty times slower.
        deterministic="warn" if on_cuda else False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=run.path,
        # One process, even inside a cluster's job, where Lightning would look for its siblings.
        plugins=[LightningEnvironment()],
    )


def _place(trainer: Trainer, reached: Progress) -> None:
    """Set Lightning's counters to where the checkpoint was taken: after a whole epoch."""
    loop = trainer.fit_loop
    for count in (loop.epoch_progress.current, loop.epoch_progress.total):
        for stage in ("ready", "started", "processed", "completed"):
            setattr(count, stage, reached.epoch)
    done = loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total
    done.ready = done.completed = reached.step
    loop.epoch_loop._batches_that_stepped = reached.step


def _about(data: Dataset) -> dict[str, Any]:
    """What run.json keeps of the data, as JSON gives it back."""
    about = {
        "spec": data.spec,
        "split": data.split.as_dict(),
        "normalisation": data.normalisation.as_dict() if data.normalisation is not None else None,
        "test_fingerprint": data.test_fingerprint(),
    }
    return json.loads(json.dumps(about))


def _check_same_data(run: RunFolder, info: dict[str, Any], data: Dataset) -> None:
    now = _about(data)  # a run that was killed before its first step has its split alone
    changed = [key for key, value in now.items() if key in info and info[key] != value]
    if changed:
        raise DataError(
            f"these are not the data that the run began with ({', '.join(changed)} differ)",
            where=run.name,
            hint="resume with the same files, or train a new run",
        )


def _kept(reached: Progress) -> str:
    return f"the checkpoint of epoch {reached.epoch} is kept" if reached.epoch else "no epoch had ended yet"


@contextlib.contextmanager
def _logging_to(run: RunFolder) -> Iterator[None]:
    """Write what training has to say into run.log as well."""
    handler = _RunLog(run.log, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        with contextlib.suppress(OSError):
            handler.close()


class _RunLog(logging.FileHandler):
    """A file whose lines are lost where it cannot be written: that must not stop a training, nor print a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        pass
