"""Checkpoints as folders: `weights.safetensors`, `state.pt` and a manifest with their sums; whole or not there.

A folder is written beside its place and renamed. The one before is kept as `NAME.previous`, so that a crash or a bad
disk costs one epoch at most.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from neurocli.errors import DataError
from neurocli.recordings.pickles.torch_archive import check_archive
from neurocli.runs.atomic import storage_errors, sync
from neurocli.runs.digest import file_digest

_LARGEST_STATE = 1 << 36
WEIGHTS, STATE, MANIFEST = "weights.safetensors", "state.pt", "manifest.json"


@dataclass
class Checkpoint:
    """Weights by name, and the state of the training: numbers, text, lists, dicts and tensors."""

    weights: dict[str, torch.Tensor]
    state: dict[str, Any]


class Damaged(Exception):
    """Why a checkpoint folder cannot be used."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `folder`; the checkpoint that was there becomes `NAME.previous`. Raises StorageError."""
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
            (temporary / MANIFEST).write_text(
                json.dumps({"schema": 1, "sha256": sums}, indent=1) + "\n", encoding="utf-8"
            )
            for path in (*temporary.iterdir(), temporary):
                sync(path)
        except (SafetensorError, RuntimeError) as error:  # both libraries wrap the system's error in text
            shutil.rmtree(temporary, ignore_errors=True)
            raise OSError(*_errno(error)) from error
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        if folder.exists():
            if _is_sound(folder):
                shutil.rmtree(previous, ignore_errors=True)
                folder.rename(previous)
            else:  # a damaged one must not push out the good one before it
                shutil.rmtree(folder)
        temporary.rename(folder)
        sync(folder.parent)


def load_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in `folder`, or with a warning the one before where it is damaged.

    Raises DataError when neither can be used.
    """
    reasons = []
    for candidate in (folder, previous_of(folder)):
        if not candidate.is_dir():
            continue
        try:
            checkpoint = _read(candidate)
        except Damaged as reason:
            reasons.append(f"{candidate.name}: {reason}")
            continue
        if reasons:
            warnings.warn(f"damaged checkpoint ({reasons[0]}); going back to the one before", UserWarning, stacklevel=2)
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
    return folder.is_dir() or previous_of(folder).is_dir()


def previous_of(folder: Path) -> Path:
    """Where the checkpoint before the one in `folder` is kept."""
    return folder.with_name(f"{folder.name}.previous")


def _is_sound(folder: Path) -> bool:
    try:
        _verify(folder)
    except Damaged:
        return False
    return True


def _verify(folder: Path) -> None:
    try:
        sums = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        wrong = [name for name in (WEIGHTS, STATE) if sums[name] != file_digest(folder / name)]
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
        weights = load_file(folder / WEIGHTS)
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
