"""Checkpoints as folders: `weights.safetensors`, `state.pt` and a manifest with their sums; whole or not there.

A folder is written beside its place and renamed. The one before is kept as `NAME.previous`, so that a crash or a bad
disk costs one epoch at most.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from neurocli.errors import DataError, Notice
from neurocli.recordings.pickles.torch_archive import check_archive
from neurocli.runs.atomic import storage_errors, sync
from neurocli.runs.digest import file_digest
from neurocli.runs.records import WITH_ID, read_record, write_record
from neurocli.training.history import HISTORY, sum_of_history

_LARGEST_STATE = 1 << 36
WEIGHTS, STATE, MANIFEST = "weights.safetensors", "state.pt", "manifest.json"


@dataclass
class Checkpoint:
    """Weights by name, and the state of the training: numbers, text, lists, dicts and tensors."""

    weights: dict[str, torch.Tensor]
    state: dict[str, Any]


class Damaged(Exception):
    """Why a checkpoint folder cannot be used."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, history: Path | None = None) -> None:
    """Write `folder`; the checkpoint that was there becomes `NAME.previous`. Raises StorageError.

    history: metrics.csv as it is at this epoch; its sum is kept, so that a change is noticed.
    """
    temporary, previous = folder.with_name(f".{folder.name}.tmp"), previous_of(folder)
    with storage_errors(folder):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            # Clones, since safetensors refuses tensors that share memory (tied weights).
            weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in checkpoint.weights.items()}
            save_file(weights, temporary / WEIGHTS)
            torch.save(checkpoint.state, temporary / STATE)
            sums = {name: file_digest(temporary / name) for name in (WEIGHTS, STATE)}
            manifest: dict[str, Any] = {"schema": 2, "name": folder.name, "sha256": sums}
            if history is not None:
                manifest[HISTORY] = sum_of_history(history)
            write_record(temporary / MANIFEST, manifest, home=_run_of(folder))
            for path in (*temporary.iterdir(), temporary):
                sync(path)
        except (SafetensorError, RuntimeError) as error:  # both libraries wrap the system's error in text
            shutil.rmtree(temporary, ignore_errors=True)
            raise OSError(*_errno(error)) from error
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        if os.path.lexists(folder):
            if _is_sound(folder):
                shutil.rmtree(previous, ignore_errors=True)
                folder.rename(previous)
            elif folder.is_dir() and not folder.is_symlink():  # a damaged one must not push out the good one before it
                shutil.rmtree(folder)
            else:
                folder.unlink()
        temporary.rename(folder)
        sync(folder.parent)


def load_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in `folder`, or with a warning the one before where it is damaged.

    Raises DataError when neither can be used.
    """
    reasons = []
    for candidate in (folder, previous_of(folder)):
        if not os.path.lexists(candidate):
            continue
        try:
            checkpoint = _read(candidate)
        except Damaged as reason:
            reasons.append(f"{candidate.name}: {reason}")
            continue
        if candidate != folder:
            why = f"damaged checkpoint ({reasons[0]})" if reasons else f"the checkpoint {folder.name} is missing"
            warnings.warn(f"{why}; going back to the one before{_epoch_of(checkpoint)}", Notice, stacklevel=2)
        return checkpoint
    if reasons:
        raise DataError(
            f"no usable checkpoint: {'; '.join(reasons)}",
            where=str(folder),
            hint="train the model again with neuro train",
        )
    raise DataError(
        "no usable checkpoint: the run has none",
        where=str(folder),
        hint="training ended before the first epoch was complete; resume it with: neuro train --resume RUN",
    )


def has_checkpoint(folder: Path) -> bool:
    """Whether there is something to load, sound or not."""
    return any(os.path.lexists(path) for path in (folder, previous_of(folder)))


def previous_of(folder: Path) -> Path:
    """Where the checkpoint before the one in `folder` is kept."""
    return folder.with_name(f"{folder.name}.previous")


def _run_of(folder: Path) -> Path:
    """The folder of the run that a checkpoint belongs to."""
    return folder.parent.parent


def _epoch_of(checkpoint: Checkpoint) -> str:
    """` (epoch 3)`"""
    progress = checkpoint.state.get("progress")
    epoch = progress.get("epoch") if isinstance(progress, dict) else None
    return f" (epoch {epoch})" if epoch is not None else ""


def _is_sound(folder: Path) -> bool:
    try:
        _verify(folder)
    except Damaged:
        return False
    return True


def _verify(folder: Path) -> None:
    try:
        manifest = read_record(folder / MANIFEST, home=_run_of(folder), since=WITH_ID)
        sums, name = manifest["sha256"], folder.name.removesuffix(".previous")
        if manifest.get("name", name) != name:
            raise Damaged(f"it is the checkpoint {manifest['name']}")
        wrong = [name for name in (WEIGHTS, STATE) if sums[name] != file_digest(folder / name)]
    except DataError as error:
        raise Damaged(f"{MANIFEST}: {error.message}") from error
    except OSError as error:
        raise Damaged(f"{Path(error.filename or folder).name}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"{MANIFEST} is not a manifest") from error
    if wrong:
        raise Damaged(f"{wrong[0]} does not match its sha256 sum")


def _read(folder: Path) -> Checkpoint:
    _verify(folder)
    try:
        check_archive(folder / STATE, largest=_LARGEST_STATE)  # before torch believes the sizes in it
        weights = load((folder / WEIGHTS).read_bytes())  # safetensors opens no path that is not UTF-8
        # weights_only refuses to run code that a file may hold.
        state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    except DataError as error:
        raise Damaged(f"{STATE}: {error.message}") from error
    except (
        Exception
    ) as error:  # both libraries report damage in a dozen types, and torch advises to load it all the same
        raise Damaged(f"its weights or its {STATE} cannot be read ({type(error).__name__})") from error
    if not isinstance(state, dict):
        raise Damaged(f"{STATE} does not hold a dictionary")
    return Checkpoint(weights, state)


def _errno(error: Exception) -> tuple[int, str]:
    text = str(error)
    code = re.search(r"os error (\d+)", text)
    # torch writes zip files, and says of a full disk that it stands at another position than it should.
    full = any(words in text.lower() for words in ("write", "unexpected pos"))
    number = int(code[1]) if code else errno.ENOSPC if full else errno.EIO
    return number, text
