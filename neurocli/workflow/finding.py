"""A run, however it is named."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from neurocli.runs.folder import RunFolder
from neurocli.workflow.configuring import AnyPath

RUNS_DIR = Path("runs")


@runtime_checkable
class HasFolder(Protocol):
    """A `Run`."""

    folder: RunFolder


AnyRun = HasFolder | RunFolder | AnyPath


def folder_of(run: AnyRun, runs_dir: AnyPath = RUNS_DIR) -> RunFolder:
    """The folder of a run: the run itself, its folder, its name, or `latest`. Raises UnknownName or UsageError."""
    if isinstance(run, RunFolder):
        return run
    if isinstance(run, HasFolder):
        return run.folder
    return RunFolder.find(Path(runs_dir), str(run))
