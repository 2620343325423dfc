"""Published data sets: where their files lie, what their sums are, and how they come into the cache."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from neurocli.errors import DataError, NeuroError
from neurocli.runs.atomic import storage_errors
from neurocli.runs.cache import cache_root

_SECONDS_BETWEEN_LINES = 5.0
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Download:
    """One published data set.

    files: (file name, its path below the address, its md5 as published, None where none is); address: where they lie; sums: a list of
    md5 sums that is published beside them; about: what it is called in a sentence, as "MNIST" or "the Spiking Heidelberg Digits"; then:
    the command to give next, with {files} where their names belong; without, files that are not in the cache are added with --data.
    """

    name: str
    about: str
    address: str
    files: tuple[tuple[str, str, str | None], ...]
    sums: str = ""
    then: str = "neuro info {files}"

    @property
    def cache(self) -> Path:
        """Its folder in the cache."""
        return cache_root() / self.name

    @property
    def cached(self) -> list[Path]:
        """Where its files are in the cache, or would be."""
        return [self.cache / name for name, _, _ in self.files]

    @property
    def is_cached(self) -> bool:
        """Whether all its files are in the cache."""
        return all(path.is_file() for path in self.cached)


def fetched(download: Download) -> list[Path]:
    """Its files in the cache. Raises DataError where they are not there."""
    if not download.is_cached:
        raise DataError(
            f"{download.about} {'are' if download.about.startswith('the ') else 'is'} not in the cache",
            where=str(download.cache),
            hint=f"`neuro fetch {download.name}` downloads {_it(download)}; or name files with --data FILE",
        )
    return download.cached


def fetch(download: Download, folder: Path | None = None, address: str | None = None) -> list[Path]:
    """Its files in `folder`, or in the cache, downloaded where they are not there and held against the sums that are published.

    address: of a mirror that holds them under the same paths. Raises NeuroError, DataError or StorageError.
    """
    folder = folder or download.cache
    address = (address or download.address).rstrip("/")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    sums = published_sums(f"{address}/{download.sums}") if download.sums else {}
    return [
        _one(folder, name, f"{address}/{path}", sums.get(name) or md5, download) for name, path, md5 in download.files
    ]


def published_sums(url: str) -> dict[str, str]:
    """File → md5 in a published list of sums; nothing where that list cannot be had."""
    with tempfile.TemporaryDirectory(prefix="neurocli-") as folder:
        try:
            path = _retrieve(url, None, Path(folder), "sums", quiet=True)
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except (OSError, ValueError):
            return {}
    pairs = [line.split() for line in lines]
    return {pair[1].lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2 and len(pair[0]) == 32}


def _one(folder: Path, name: str, url: str, md5: str | None, download: Download) -> Path:
    unknown = f"{download.sums} cannot be had" if download.sums else "no sum of it is published"
    if md5 is None and (folder / name).is_file():
        _say(f"{folder / name} is there; {unknown}, so it is not verified")
        return folder / name
    try:
        path = _retrieve(url, f"md5:{md5}" if md5 else None, folder, name)
    except ValueError as error:  # pooch's word for another sum
        raise DataError(
            "the downloaded file is not the published one: its md5 differs",
            where=url,
            hint="try again; if it stays so, the download was cut or changed on its way",
        ) from error
    except OSError as error:  # also what requests raises
        with storage_errors(folder / name):
            if error.errno is not None:
                raise
        names = [name for name, _, _ in download.files]
        raise NeuroError(
            f"the file cannot be downloaded: {_reason(error)}",
            where=url,
            hint=f"connect to the network, name a mirror with --address, or bring {_listed(names)} from elsewhere and name "
            f"{'it' if len(names) == 1 else 'them'} with --data",
        ) from error
    _say(f"{path}: md5 as published" if md5 else f"{path}: not verified, {unknown}")
    return path


def _it(download: Download) -> str:
    return "them" if download.about.startswith("the ") else "it"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _reason(error: OSError) -> str:
    """Why a download failed, without what requests adds about itself."""
    from requests import exceptions

    if isinstance(error, exceptions.Timeout):
        return f"no answer within {_TIMEOUT_S} s"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    return " ".join(str(error).split())[:160] or type(error).__name__


def _retrieve(url: str, known_hash: str | None, folder: Path, name: str, *, quiet: bool = False) -> Path:
    import logging

    import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    downloader = pooch.HTTPDownloader(progressbar=False if quiet else _Lines(name), timeout=_TIMEOUT_S)
    return Path(pooch.retrieve(url, known_hash, fname=name, path=folder, downloader=downloader))


class _Lines:
    """Progress as pooch tells it: a line on stderr now and then."""

    def __init__(self, name: str) -> None:
        self.name, self.total, self.done = name, 0, 0
        self._last = time.monotonic()

    def update(self, size: int) -> None:
        self.done += size
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            total = f" of {self.total / 2**20:.0f}" if self.total else ""
            _say(f"downloading {self.name}: {self.done / 2**20:.0f}{total} MiB")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing is held."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
