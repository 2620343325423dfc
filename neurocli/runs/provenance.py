"""What made a run: versions, machine, commit, command line and the sums of its data files."""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from neurocli.runs.digest import file_digest

PACKAGES = (
    "neurocli",
    "torch",
    "lightning",
    "torch-geometric",
    "numpy",
    "scipy",
    "h5py",
    "brian2",
    "pydantic",
    "safetensors",
)


def provenance(sources: Iterable[str | Path] = (), *, packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """Everything that is worth knowing when a run is read years later, JSON-able.

    `sources` are the data files. Versions come from the installed packages' metadata, so nothing heavy is imported.
    """
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": list(sys.argv),
        "folder": str(Path.cwd()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "versions": {name: version for name in packages if (version := _version(name)) is not None},
        "git": git_commit(),
        "data": [describe_file(Path(source)) for source in sources],
    }


def describe_file(path: Path) -> dict[str, Any]:
    """Path, size in bytes and sha256 of a file; a file that is gone has neither."""
    try:
        digest = file_digest(path)
        return {"path": str(path.resolve()), "bytes": path.stat().st_size, "sha256": digest}
    except OSError as error:
        return {"path": str(path), "missing": error.strerror or str(error)}


def git_commit() -> dict[str, Any] | None:
    """Commit of the checkout that the current folder is in, and whether it has changes; None outside of one."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
