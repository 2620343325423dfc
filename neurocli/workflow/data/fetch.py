"""Downloading published data sets that plugins know, by name."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurocli.workflow.configuring import AnyPath

if TYPE_CHECKING:
    from neurocli.recordings.files.download import Download


@dataclass
class Fetched:
    """files: of one data set, where they are now; then: the command to give next."""

    name: str
    files: list[Path]
    then: str

    def as_dict(self) -> dict[str, Any]:
        """What `--json` shows."""
        return {"name": self.name, "files": [str(path) for path in self.files], "next": self.then}


def data_sets() -> list[dict[str, Any]]:
    """Every data set that can be downloaded: its name, what it is, how many files it has, and whether they are in the cache."""
    from neurocli.plugin.cards import DownloadCard
    from neurocli.plugin.registry import load_implementation, registry

    rows = []
    for card in registry().cards(DownloadCard):
        download: Download = load_implementation(card)
        about = {"name": card.name, "summary": card.summary, "files": len(download.files)}
        rows.append({**about, "address": download.address, "cached": download.is_cached})
    return rows


def fetch(name: str, *, out: AnyPath | None = None, address: str | None = None) -> Fetched:
    """Download a data set into a folder, or into the cache; what is there and verified is not downloaded again.

    address: of a mirror. Raises UnknownName, NeuroError, DataError or StorageError.
    """
    from neurocli.plugin.registry import load_implementation, registry
    from neurocli.recordings.files.download import fetch as download_files

    download: Download = load_implementation(registry().download(name))
    files = download_files(download, None if out is None else Path(out), address)
    then = download.then.replace("{files}", shlex.join(map(str, files)))
    if then == download.then and out is not None:
        then += "".join(f" --data {shlex.quote(str(file))}" for file in files)
    return Fetched(name, files, then)
