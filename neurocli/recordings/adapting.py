"""How a command gets a model's dataset: adapted by its family, and audited by nobody but the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurocli.recordings.copies import refuse_copies

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily
    from neurocli.recordings.dataset import Dataset
    from neurocli.recordings.recordingset import RecordingSet
    from neurocli.recordings.split import Split


def adapted(family: ModelFamily, recordings: RecordingSet, config: Any, split: Split | None = None) -> Dataset:
    """What `family.adapt` gives, where no part of its split holds data of another. Raises DataError or LeakError."""
    data = family.adapt(recordings, config, split)
    if not data.audited:
        refuse_copies(data.recordings, data.split)
    return data
