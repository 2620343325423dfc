"""Recordings of any format that a plugin reads, checked against what a model needs, written in ours."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath, Options, configured_family
from neurocli.workflow.messages import Listener, Reporter

if TYPE_CHECKING:
    from neurocli.plugin.family import ModelFamily
    from neurocli.recordings import Dataset, RecordingSet

DEFAULT_OUT = Path("prepared.h5")


@dataclass
class Prepared:
    """What `preprocess` wrote. It may stand wherever data are asked for.

    dataset: the recordings as the model would train on them, split and normalised; unsplit: why they are not split, empty where
    they are; notes: what the model exploits or assumes.

    >>> prepared.dataset.group_name(), len(prepared.dataset.split.test)  # each worm is left out once
    ('worm', 4)
    >>> neurocli.open_recordings(prepared).groups == prepared.recordings.groups
    True
    """

    model: str
    path: Path
    recordings: RecordingSet
    dataset: Dataset
    config: Any
    unsplit: str
    notes: list[str]

    def __fspath__(self) -> str:
        return os.fspath(self.path)


def preprocess(
    model: str,
    *,
    data: Any = None,
    out: AnyPath = DEFAULT_OUT,
    preset: str | None = None,
    config: AnyPath | None = None,
    options: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    overwrite: bool = False,
    task: str | None = None,
    progress: Listener | None = None,
) -> Prepared:
    """Read recordings, check that the model can use them, and write them to `out`.

    data: a path, several, or recordings in memory; without it the model's own simulator makes a small set; task: of a sequence model,
    where it is not its own.

    Raises UnknownName, ConfigError, UsageError, DataError, LeakError or StorageError.

    >>> import neurocli
    >>> prepared = neurocli.preprocess("gat-lstm", data="worms.h5", out="ready.h5")
    >>> prepared.recordings.groups
    ['simulated-net0-seed0-0000', 'simulated-net0-seed0-0001', ...]
    """
    from neurocli.errors import UsageError
    from neurocli.runs.atomic import storage_errors
    from neurocli.workflow.data.sources import recordings_for

    path = Path(out)
    with storage_errors(path):  # a name may be too long to ask
        exists, folder = path.exists(), path.is_dir()
    if folder:
        raise UsageError("this is a folder, not a file", where=str(path), hint="name a file in it with --out")
    if exists and not overwrite:
        raise UsageError("the file exists", where=str(path), hint="name another with --out, or say --overwrite")
    family, resolved = configured_family(model, Options(preset, config, sets, options or {}, task=task))
    recordings, source = recordings_for(family, resolved.config, data, Reporter(progress))
    if str(path.resolve()) in source["paths"]:
        raise UsageError("this would overwrite its own input", where=str(path), hint="name another file with --out")
    dataset, unsplit = _adapted(family, recordings, resolved.config)
    recordings.save(path)
    notes = list(family.notes(dataset, resolved.config))
    return Prepared(family.card.name, path, recordings, dataset, resolved.config, unsplit, notes)


def _adapted(family: ModelFamily, recordings: RecordingSet, config: Any) -> tuple[Dataset, str]:
    """(the adapted recordings, why they are not split): too few for a training can still be predicted."""
    from neurocli.errors import DataError, LeakError
    from neurocli.recordings import Split
    from neurocli.recordings.adapting import adapted

    try:
        return adapted(family, recordings, config), ""
    except DataError as error:
        if error.where != "split" or isinstance(error, LeakError):
            raise
        test_only = Split((), (), tuple(recordings.groups), protocol="not split")
        return family.adapt(recordings, config, test_only), error.message
