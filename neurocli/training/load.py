"""Trained models back from a run."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
from pydantic import ValidationError

from neurocli.errors import DataError, Notice
from neurocli.plugin.family import ModelFamily, TrainedModel
from neurocli.recordings import Dataset
from neurocli.runs.folder import RunFolder
from neurocli.runs.records import read_record
from neurocli.training.checkpoint import has_checkpoint, load_checkpoint
from neurocli.training.devices import resolve_device
from neurocli.training.history import read_history


def config_of(family: ModelFamily, run: RunFolder) -> Any:
    """The configuration of a run, checked anew. Raises DataError where this version does not accept it."""
    try:
        return family.Config.model_validate(run.read_config())
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"the run's configuration does not fit this version: {key}: {first['msg']}",
            where=str(run.config),
            hint="correct it, or train a new run",
        ) from None


def load_trained(
    family: ModelFamily,
    run: RunFolder,
    data: Dataset,
    *,
    which: Literal["best", "last"] = "best",
    device: str = "cpu",
) -> TrainedModel:
    """The trained model of a run, in eval mode on `device`, with the data that it is to be asked about.

    The module is built for the spec that the run was trained with. Where there is no best epoch, the last one is taken.
    Raises DataError where no checkpoint can be used or the weights do not fit the module.
    """
    config = config_of(family, run)
    info = run.read_info()
    spec = info.get("spec")
    if not isinstance(spec, dict):
        raise DataError(
            "the run has not been trained: run.json has no spec",
            where=str(run.info),
            hint=f"resume it with: neuro train --resume {run.name}",
        )
    folder = run.best if which == "best" and has_checkpoint(run.best) else run.last
    if not has_checkpoint(folder):
        finished = info.get("status") == "finished"
        raise DataError(
            "no usable checkpoint: the run has none",
            where=str(folder),
            hint="it had one when it finished: restore it, or train a new run"
            if finished
            else f"training ended before the first epoch was complete; resume it with: neuro train --resume {run.name}",
        )
    checkpoint = load_checkpoint(folder)
    if folder != (run.best if which == "best" else run.last):
        progress = checkpoint.state.get("progress") or {}
        warnings.warn(
            f"the checkpoint of the best epoch is missing; the last one is taken (epoch {progress.get('epoch')})",
            Notice,
            stacklevel=2,
        )
    try:
        network = family.untrained(config, spec, config.train.seed)
    except (KeyError, TypeError, ValueError) as error:  # a spec that somebody has edited, or of another version
        raise DataError(
            f"the run's spec does not describe its model: {type(error).__name__}: {error}",
            where=str(run.info),
            hint="restore the file, or train a new run",
        ) from error
    load_weights(network, checkpoint.weights, where=str(folder))
    torch.set_num_threads(config.train.threads)  # the small models here lose by more than one
    network.to(resolve_device(device)).eval()
    history = read_history(run.metrics_csv)
    return TrainedModel(network, config, data, config.train.seed, history, _cpu_s(run), family)


def _cpu_s(run: RunFolder) -> float | None:
    """What a finished training took."""
    try:
        value = read_record(run.metrics_json).get("cpu_s")
    except DataError as error:
        if run.read_info().get("status") == "finished":
            warnings.warn(
                f"{error.message}: {run.metrics_json}; what the training took is not known", Notice, stacklevel=2
            )
        return None
    return float(value) if isinstance(value, (int, float)) else None


def load_weights(network: torch.nn.Module, weights: dict[str, torch.Tensor], *, where: str) -> None:
    """Put `weights` into `module`. Raises DataError that names what does not fit."""
    own = network.state_dict()
    odd = sorted(set(own) ^ set(weights)) or [n for n in own if own[n].shape != weights[n].shape]
    if odd:
        raise DataError(
            f"the weights do not fit the model: {', '.join(odd[:3])}",
            where=where,
            hint="they belong to other options or to another version: train a new run",
        )
    network.load_state_dict(weights)
