"""A listener to the life of a run: its scalars, and what was watched, for TensorBoard; nothing where that is not installed.

An example of a plugin that brings no cards: an entry point of its own names this module, which loads nothing until a run begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurocli.plugin import hookimpl

_writers: dict[Path, Any] = {}
"""What writes for each run of this process; None until its first epoch has ended."""


@hookimpl
def neurocli_run_started(run: Any) -> None:
    from importlib.util import find_spec

    if find_spec("tensorboard") is not None:
        _writers[run.path] = None


@hookimpl
def neurocli_run_logged(run: Any, row: dict[str, float]) -> None:
    if run.path not in _writers:
        return
    epoch = int(row["epoch"])
    if _writers[run.path] is None:
        from torch.utils.tensorboard import SummaryWriter

        # A run that was killed repeats its last epoch: what was written of it before is not shown.
        _writers[run.path] = SummaryWriter(str(run.path / "tensorboard"), purge_step=epoch)
    writer = _writers[run.path]
    for name, value in row.items():
        if name != "epoch":
            writer.add_scalar(name, value, epoch)
    for picture in sorted((run.watch / f"epoch-{epoch:04d}").glob("*.png")):
        from matplotlib.image import imread

        writer.add_image(picture.stem, imread(picture)[:, :, :3], epoch, dataformats="HWC")
    writer.flush()


@hookimpl
def neurocli_run_finished(run: Any, status: str) -> None:
    writer = _writers.pop(run.path, None)
    if writer is not None:
        writer.close()
