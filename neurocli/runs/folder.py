"""`RunFolder`: one training in one folder, found by name.

model/20261121-014500-3f2a/
  run.json  config.toml  provenance.json  metrics.csv  metrics.json
  checkpoints/{last,best}/  figures/  run.log
"""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurocli.errors import DataError, StorageError, UnknownName, UsageError
from neurocli.runs import toml
from neurocli.runs.atomic import storage_errors
from neurocli.runs.records import SCHEMA, damaged, read_record, read_text_record, write_record, write_text_record


class RunFolder:
    """The files of one run. Status in run.json: created, running, interrupted, failed or finished."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path).resolve()

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunFolder) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    # -- layout --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """`model/timestamp-hash`."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def info(self) -> Path:
        return self.path / "run.json"

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def provenance(self) -> Path:
        return self.path / "provenance.json"

    @property
    def metrics_csv(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def metrics_json(self) -> Path:
        """Exists only when the training is complete."""
        return self.path / "metrics.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best"

    @property
    def recordings(self) -> Path:
        """Recordings that were in memory when it was trained."""
        return self.path / "recordings.h5"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def watch(self) -> Path:
        """A folder for each epoch that was watched."""
        return self.path / "watch"

    @property
    def log(self) -> Path:
        return self.path / "run.log"

    # -- making and finding --------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        root: Path,
        model: str,
        info: Mapping[str, Any],
        config: Mapping[str, Any],
        origins: Mapping[str, str],
        provenance: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """A new run of `model` under `root`, with its configuration (nested tables) and each value's origin.

        Raises StorageError where the folder cannot be written.
        """
        run_id = secrets.token_hex(8)
        whole = {
            "schema": SCHEMA,
            "id": run_id,
            "model": model,
            "number": max((_number(run) or 0 for run in list_runs(root)), default=0) + 1,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "status": "created",
            **info,
            "origins": dict(origins),
            "unset": toml.unset_keys(config),
        }
        run = cls(_new_folder(Path(root) / model))
        try:
            write_text_record(run.config, toml.dumps(config), run_id=run_id)
            if provenance is not None:
                write_record(run.provenance, provenance, run_id=run_id)
            write_record(run.info, whole)  # comes last: a folder with one is whole
        except BaseException:
            shutil.rmtree(run.path, ignore_errors=True)
            raise
        return run

    @classmethod
    def find(cls, root: Path, name: str) -> RunFolder:
        """The run called `name`: a path, `model/timestamp-hash`, its last part, or `latest`, which is no control of a run.

        Raises UnknownName with the nearest names, or UsageError for a folder that is not a run.
        """
        runs = list_runs(root)
        if name == "latest":
            if not runs:
                raise UnknownName("there is no run yet", where=str(root), hint="neuro train MODEL makes one")
            return next((run for run in runs if not run.is_control), runs[0])
        for run in runs:
            if name in (run.name, run.path.name):
                return run
        for candidate in (Path(root) / name, Path(os.path.expanduser(name))):  # noqa: PTH111  (never raises)
            if name and os.path.isdir(candidate):  # noqa: PTH112  (false, not an error, for impossible names)
                return _checked(candidate)
        hint = None if runs else "there is no run yet; neuro train MODEL makes one"
        raise UnknownName.among("run", name, _names_like(name, runs), hint=hint)

    # -- content -------------------------------------------------------------------------------------------------

    def read_info(self) -> dict[str, Any]:
        """The content of run.json. Raises DataError where it is missing or damaged."""
        info = _checked_info(read_record(self.info), self.info)
        source = info.get("data") or {}
        if [Path(path).parts[-3:] for path in source.get("paths") or []] == [self.recordings.parts[-3:]]:
            source["paths"] = [str(self.recordings)]  # its own, wherever the run was when it was trained
        return info

    def must_exist(self) -> None:
        """Raise StorageError where the folder was removed while it was in use: writing on would make another, without a beginning."""
        if not self.info.is_file():
            raise StorageError(
                "the run's folder was removed while it was in use", where=str(self.path), hint="train a new run"
            )

    @property
    def is_control(self) -> bool:
        """Whether it was trained to hold another run against it. False where that cannot be read."""
        try:
            return "control_of" in read_record(self.info)
        except DataError:
            return False

    def update_info(self, **changes: Any) -> dict[str, Any]:
        """Set keys of run.json, all at once; returns the new content."""
        info = {**self.read_info(), **changes}
        write_record(self.info, info)
        return info

    def read_config(self) -> dict[str, Any]:
        """The nested tables of config.toml, with a None for each value that was unset. Raises DataError."""
        try:
            values = tomllib.loads(read_text_record(self.config))
        except (OSError, ValueError, RecursionError) as error:  # TOML's and Unicode's errors are ValueErrors
            raise damaged(f"the run's configuration cannot be read: {_reason(error)}", self.config) from None
        # A value may be unset where the default is not: left out, it would come back as the default.
        for key in self.read_info().get("unset", []):
            *parents, leaf = str(key).split(".")
            table = values
            for parent in parents:
                table = table.setdefault(parent, {})
                if not isinstance(table, dict):
                    raise damaged(f"{key} lies inside of {parent}, which is a value", self.info)
            table.setdefault(leaf, None)
        return values


def list_runs(root: Path) -> list[RunFolder]:
    """The runs under `root`, newest first; those that have lost their run.json as well."""
    try:
        found = {path.parent for name in _OF_A_RUN for path in Path(root).glob(f"*/*/{name}")}
    except OSError:  # a name that no folder can have
        found = set()
    runs = [RunFolder(path) for path in found]
    numbers = {run: _number(run) for run in runs}
    known = [(_stamp(run), number) for run, number in numbers.items() if number]

    def age(run: RunFolder) -> tuple[float, str, int]:
        # By the number that it was given, since a clock may be set back. One that has lost its number comes after those that were
        # named before it: `latest` must not pass over a damaged run in silence.
        number: float | None = numbers[run]
        if number is None:
            number = max((other for stamp, other in known if stamp <= _stamp(run)), default=0) + 0.5
        return number, _stamp(run), _written(run)

    return sorted(runs, key=age, reverse=True)


_OF_A_RUN = ("run.json", "checkpoints", "metrics.csv")
"""What makes a folder a run: one that is killed while it is made has none of them."""


_INFO = {
    "model": str,
    "status": str,
    "created": str,
    "id": str,
    "preset": str,
    "data": dict,
    "split": dict,
    "spec": dict,
    "normalisation": dict,
    "origins": dict,
    "unset": list,
}


def _checked_info(info: dict[str, Any], path: Path) -> dict[str, Any]:
    """run.json, where each key that others rely on is of its kind; other keys are free."""
    if info.get("model") is None:
        raise damaged("the file names no model", path)
    data: dict[str, Any] = info["data"] if isinstance(info.get("data"), dict) else {}
    for table, kinds in (
        (info, _INFO),
        (data, {"paths": list, "fingerprints": dict, "contents": dict, "doubts": list}),
    ):
        for key, kind in kinds.items():
            if table.get(key) is not None and not isinstance(table[key], kind):
                raise damaged(f"{key} is a {type(table[key]).__name__}, not a {kind.__name__}", path)
    if not all(isinstance(item, str) for item in data.get("paths") or []):
        raise damaged("paths holds something that is not a path", path)
    return info


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _new_folder(parent: Path) -> Path:
    while True:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        path = parent / f"{stamp}-{secrets.token_hex(2)}"
        with storage_errors(path):
            parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # four hex digits can meet twice within one second
                path.mkdir()
                return path


def _stamp(run: RunFolder) -> str:
    """When it was made, as its name says."""
    return run.path.name.rpartition("-")[0]


def _written(run: RunFolder) -> int:
    """Runs of one second are told apart by their configuration."""
    try:
        return run.config.stat().st_mtime_ns
    except OSError:
        return 0


def _number(run: RunFolder) -> int | None:
    """The how manieth run of its root it is; 0 for runs of earlier versions, None where it cannot be read."""
    try:
        number = read_record(run.info).get("number")
    except DataError:
        return None
    return number if isinstance(number, int) else 0


def _names_like(name: str, runs: list[RunFolder]) -> list[str]:
    return [run.name if "/" in name else run.path.name for run in runs]


def _checked(path: Path) -> RunFolder:
    run = RunFolder(path)
    if not any((path / name).exists() for name in _OF_A_RUN):
        raise UsageError(
            "the folder is not a run: it has no run.json", where=str(path), hint="neuro runs lists the runs"
        )
    return run
