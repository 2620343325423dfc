"""`neuro fetch-shd`: the published files of the Spiking Heidelberg Digits, checked against the published sums."""

from __future__ import annotations

import json as json_module
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Optional

import typer

from neurocli.errors import DataError, NeuroError
from neurocli.runs.atomic import storage_errors
from neurocli.runs.cache import cache_root

ADDRESS = "https://zenkelab.org/datasets"
FILES = ("shd_train.h5.gz", "shd_test.h5.gz")
SUMS = "md5sums.txt"

_SECONDS_BETWEEN_LINES = 5.0
_TIMEOUT_S = 30


def fetch_shd(
    out: Annotated[Optional[Path], typer.Option("--out", help="Folder for the files; unset: the cache.")] = None,  # noqa: UP045
    address: Annotated[str, typer.Option("--address", help="Where the files lie; a mirror may be named.")] = ADDRESS,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Download the Spiking Heidelberg Digits: 8,156 utterances to train on and 2,264 to test on."""
    files = [str(path) for path in fetch(out or _cache(), address.rstrip("/"))]
    if json:
        print(json_module.dumps({"schema": 1, "command": "fetch-shd", "ok": True, "data": {"files": files}}))
        return
    for file in files:
        print(file)
    named = "".join(f" --data {file}" for file in files) if out else ""
    _say(f"next: neuro train elm-v1 --task shd{named}")


def fetched() -> list[Path]:
    """Both files in the cache. Raises DataError where they are not there."""
    files = [_cache() / name for name in FILES]
    if not all(file.is_file() for file in files):
        raise DataError(
            "the Spiking Heidelberg Digits are not in the cache",
            where=str(_cache()),
            hint="`neuro fetch-shd` downloads them; or name files with --data FILE --data FILE",
        )
    return files


def _cache() -> Path:
    return cache_root() / "shd"


def fetch(folder: Path, address: str = ADDRESS) -> list[Path]:
    """Both files in `folder`, downloaded where they are not there. Raises NeuroError, DataError or StorageError."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    sums = published_sums(address)
    return [_one(folder, name, address, sums.get(name)) for name in FILES]


def published_sums(address: str) -> dict[str, str]:
    """File → md5 as published; nothing where that list cannot be had."""
    with tempfile.TemporaryDirectory(prefix="neurocli-") as folder:
        try:
            path = _retrieve(f"{address}/{SUMS}", None, Path(folder), SUMS, quiet=True)
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except (OSError, ValueError):
            return {}
    pairs = [line.split() for line in lines]
    return {pair[1].lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2 and len(pair[0]) == 32}


def _one(folder: Path, name: str, address: str, md5: str | None) -> Path:
    url = f"{address}/{name}"
    if md5 is None and (folder / name).is_file():
        _say(f"{folder / name} is there; {SUMS} cannot be had, so it is not verified")
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
        raise NeuroError(
            f"the file cannot be downloaded: {_reason(error)}",
            where=url,
            hint=f"connect to the network, or bring {' and '.join(FILES)} from elsewhere and name them with --data",
        ) from error
    _say(f"{path}: md5 as published" if md5 else f"{path}: not verified, {SUMS} cannot be had")
    return path


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
