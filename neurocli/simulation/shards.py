"""The folder of an unfinished simulation: `plan.json`, one shard per finished run, and a journal of their hashes.

A shard counts when the journal has a line for it and its bytes have the hash in that line; anything else is
simulated again. A kill can therefore leave nothing behind that is believed and wrong.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from neurocli.errors import UsageError
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.runs.atomic import append_line, storage_errors, write_json, write_text
from neurocli.runs.digest import file_digest
from neurocli.simulation.plan import Plan

# The only names that are ever deleted in the folder: it may not be ours.
_SHARD = re.compile(r"^(\d{6,})\.h5$")
_LEFTOVER = re.compile(r"^\.(\d{6,}\.h5|plan\.json|journal\.jsonl)\.\d+\.tmp$")


class Shards:
    """The folder `<out>.parts`, held under a lock (see `locked`)."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.with_name(out.name + ".parts")
        self._plan = self.folder / "plan.json"
        self._journal = self.folder / "journal.jsonl"
        self._lock = self.folder / "lock"

    @classmethod
    @contextlib.contextmanager
    def locked(cls, out: Path, waiting: Callable[[str], None] | None = None) -> Iterator[Shards]:
        """The shards of `out`, for one process at a time. Raises UsageError where another one has them.

        waiting: is told that another process has them, and that its end is waited for.
        """
        folder = cls(out)
        lock = FileLock(folder._lock)
        told = False
        with storage_errors(folder.folder):
            while not lock.is_locked:
                folder.folder.mkdir(
                    parents=True, exist_ok=True
                )  # whoever is waited for may clear it, with the lock in it
                try:
                    lock.acquire(timeout=0 if waiting is None else 0.5)
                except FileNotFoundError:
                    continue
                except Timeout:
                    if waiting is None:
                        raise UsageError(
                            "another process is simulating into this file",
                            where=str(out),
                            hint="wait for it, or choose another --out",
                        ) from None
                    if not told:
                        waiting(f"waiting for another process that simulates {out.name}")
                        told = True
        try:
            folder._sweep()
            yield folder
        finally:
            folder._sweep()  # of workers that were stopped while they wrote
            # The lock goes while it is held: whoever opened it in between finds its file gone, and asks anew.
            if not any(path != folder._lock for path in folder.folder.iterdir()):
                with contextlib.suppress(OSError):
                    folder._lock.unlink(missing_ok=True)
                    folder.folder.rmdir()
            lock.release()

    def shard(self, index: int) -> Path:
        return self.folder / f"{index:06d}.h5"

    def begin(self, plan: Plan, *, overwrite: bool) -> None:
        """Make the folder this plan's. Raises UsageError where it holds unfinished work of another plan."""
        old = self._read_plan()
        if old is not None and old.key != plan.key and not overwrite:
            raise UsageError(
                f"unfinished work with other parameters is there: {'; '.join(plan.differences(old))}",
                where=str(self.folder),
                hint="--overwrite discards it; or choose another --out",
            )
        if old is None or old.key != plan.key:
            self._forget(self._indices())
        write_json(self._plan, plan.meta)

    def finished(self, plan: Plan) -> tuple[dict[int, str], list[int]]:
        """(hash by index of the sound shards of the plan, indices of damaged ones, which are removed)."""
        lines = self._read_journal()
        sound: dict[int, str] = {}
        damaged = []
        for index, digest in lines.items():
            if index not in plan.indices or not self.shard(index).exists():
                continue
            if file_digest(self.shard(index)) == digest:
                sound[index] = digest
            else:
                damaged.append(index)
                self.shard(index).unlink()
        # A torn last line would swallow the next one that is appended, so the journal is written anew.
        kept = {index: digest for index, digest in lines.items() if self.shard(index).exists()}
        write_text(self._journal, "".join(_line(index, digest) + "\n" for index, digest in kept.items()))
        return sound, damaged

    def record(self, index: int, digest: str) -> None:
        """Note that the shard of a run is whole."""
        append_line(self._journal, _line(index, digest))

    def read(self, index: int) -> Recording:
        """The recording in a shard."""
        (recording,) = RecordingSet.open(self.shard(index)).values()
        return recording

    def clear(self, plan: Plan) -> int:
        """Remove the shards that `out` now has; gives how many others (of a larger plan) are kept."""
        old = self._read_plan()
        indices = self._indices()
        if old is not None and old.key != plan.key:
            return 0  # not this plan's to remove
        spare = [index for index in indices if index not in plan.indices]
        self._forget([index for index in indices if index in plan.indices], whole=not spare)
        return len(spare)

    def _indices(self) -> list[int]:
        matches = (_SHARD.match(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def _forget(self, indices: list[int], *, whole: bool = True) -> None:
        # The plan goes last: a kill on the way leaves shards with a plan, never shards of an unknown plan.
        if whole:
            self._journal.unlink(missing_ok=True)
        for index in indices:
            self.shard(index).unlink(missing_ok=True)
        if whole:
            self._plan.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what a killed process was writing."""
        for path in self.folder.iterdir():
            if _LEFTOVER.match(path.name):
                path.unlink(missing_ok=True)
        ours = re.compile(rf"^\.{re.escape(self.out.name)}\.\d+\.tmp$")
        for path in self.out.parent.iterdir():
            if ours.match(path.name):
                path.unlink(missing_ok=True)

    def _read_plan(self) -> Plan | None:
        if not self._plan.exists():
            return None
        try:
            meta = json.loads(self._plan.read_text(encoding="utf-8"))
        except ValueError:
            return None
        return Plan.of_meta(meta) if isinstance(meta, dict) else None

    def _read_journal(self) -> dict[int, str]:
        """Hash by index. Lines that a kill or damage made unreadable are dropped: their runs are simulated again."""
        if not self._journal.exists():
            return {}
        hashes: dict[int, str] = {}
        for line in self._journal.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
                hashes[int(entry["index"])] = str(entry["sha256"])
            except (ValueError, KeyError, TypeError):
                continue
        return hashes


def _line(index: int, digest: str) -> str:
    return json.dumps({"index": index, "sha256": digest})
