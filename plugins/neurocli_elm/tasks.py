"""Which task is meant, by recordings, data, batch or spec."""

from __future__ import annotations

from typing import Any

from neurocli.errors import DataError
from neurocli.recordings import Batch, RecordingSet
from neurocli_elm.data.shd_dataset import ShdData
from neurocli_elm.neuronio_task import NeuronioTask
from neurocli_elm.shd_task import ShdTask
from neurocli_elm.task import Task

NEURONIO, SHD = NeuronioTask(), ShdTask()

_HOW = {
    NEURONIO.kind: "bring simulations of a cell, or leave --data out",
    SHD.kind: "`neuro fetch-shd` downloads them; then name both files with --data FILE --data FILE",
}
_WHAT = {NEURONIO.kind: "simulations of a cell", SHD.kind: "the Spiking Heidelberg Digits"}


def task_of_recordings(recordings: RecordingSet, wanted: str = "any") -> Task:
    """By what the set says of itself. Raises DataError where the options were made for another kind of data."""
    task: Task = SHD if recordings.meta.get("kind") == SHD.kind else NEURONIO
    if wanted not in ("any", task.kind):
        raise DataError(
            f"these options are for {_WHAT[wanted]}, and the data are {_WHAT[task.kind]}",
            where="data.kind",
            hint=_HOW[wanted],
        )
    return task


def task_of_data(data: Any) -> Task:
    return SHD if isinstance(data, ShdData) else NEURONIO


def task_of_batch(batch: Batch) -> Task:
    return SHD if "label" in batch else NEURONIO
