"""Recordings of any format that a plugin reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neurocli.workflow.configuring import AnyPath
from neurocli.workflow.messages import Listener, Reporter

if TYPE_CHECKING:
    from neurocli.recordings import RecordingSet


def open_recordings(path: AnyPath | Sequence[AnyPath], *, progress: Listener | None = None) -> RecordingSet:
    """The recordings of a file, of a folder, or of several, by the name of their group. Raises DataError.

    >>> import neurocli
    >>> recordings = neurocli.open_recordings("brunel.h5")  # doctest: +SKIP
    >>> recordings["run-0000"].signal.shape  # [time, channel]  # doctest: +SKIP
    (1000, 100)
    """
    from neurocli.workflow.sources import open_files

    return open_files(path, Reporter(progress))
