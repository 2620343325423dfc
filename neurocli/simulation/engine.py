"""Simulate: carry a plan out, run by run, so that a kill at any time loses only the runs that were being made."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from neurocli.errors import DataError, Interrupted, NeuroError, PartlyDone, StorageError, UsageError
from neurocli.recordings import store
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli.runs.atomic import storage_errors
from neurocli.runs.cache import cache_root
from neurocli.runs.digest import file_digest
from neurocli.simulation.executor import DaskExecutor, Executor, ProcessExecutor, Task, Unreachable
from neurocli.simulation.plan import Plan
from neurocli.simulation.shards import Shards
from neurocli.simulation.simulator import Simulator

Progress = Callable[[int, int, str], None]
Say = Callable[[str], None]


def _silent(*_: Any) -> None:
    """What is told when nobody listens."""


def simulate(
    simulator: Simulator,
    config: Any,
    *,
    runs: int,
    out: Path,
    first: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    wait: bool = False,
    progress: Progress = _silent,
    say: Say = _silent,
) -> RecordingSet:
    """Simulate groups `first` to `first + runs - 1` into the file `out`, and give its recordings.

    What is there already is used: shards of an unfinished attempt, and the runs of `out` where its parameters are the
    same. The bytes of `out` depend on the parameters and the number of runs alone.
    wait: for another process that simulates into the file, whose runs are used then; without it that is an error.
    progress: called with (runs done, runs in all, name of the last one).
    Raises UsageError where `out` is something else and may not be overwritten; PartlyDone where some runs failed;
    the first failure where all did; StorageError; Interrupted.
    """
    plan = Plan(simulator.card.name, simulator.identity(config), first, runs)
    if scheduler is not None and workers is not None:
        raise UsageError(
            "--workers and --scheduler exclude each other", where="--workers", hint="a cluster has its own workers"
        )
    executor: Executor = DaskExecutor(scheduler) if scheduler else ProcessExecutor(workers)
    out = out.absolute()
    with storage_errors(out):  # a name may be too long to ask
        if out.exists() and not out.is_file():
            raise UsageError("this is a folder or a device, not a file", where=str(out), hint="choose another --out")
    old = None if overwrite else _existing(out, plan)
    if old is not None and old[0].contains(plan) and not Shards(out).folder.exists():
        return _nothing_to_do(out, plan, *old, say)  # without a lock: the folder may be read-only
    with Shards.locked(out, say if wait else None) as unfinished:
        old = None if overwrite else _existing(out, plan)
        if old is not None and old[0].contains(plan):
            unfinished.clear(old[0])
            return _nothing_to_do(out, plan, *old, say)
        unfinished.begin(plan, overwrite=overwrite)
        reused = _by_index(*old) if old else {}
        if reused:
            say(f"reusing the {len(reused)} runs of {out.name}")
        if simulator.quick and scheduler is None:
            run_of = _at_once(simulator, config, plan, set(reused), progress, say)
        else:
            _make_shards(simulator, config, plan, unfinished, executor, set(reused), progress, say)
            run_of = unfinished.read
        recordings = (reused[i]() if i in reused else run_of(i) for i in plan.indices)
        store.write(out, recordings, meta={**simulator.meta(config), **plan.meta}, truth=simulator.truth(config))
        spare = unfinished.clear(plan)
        if spare:
            say(f"{spare} more finished runs are kept in {unfinished.folder.name} for a larger --runs")
    return RecordingSet.open(out)


def default_set(simulator: Simulator, config: Any, runs: int, say: Say, progress: Progress = _silent) -> RecordingSet:
    """The data a command works on when it was given none: from the cache, simulated at its first use."""
    from neurocli import __version__

    plan = Plan(simulator.card.name, simulator.identity(config), 0, runs)
    # Parameters do not tell when a new version simulates better, so each version keeps its own.
    out = cache_root() / "data" / __version__ / f"{simulator.card.name}-{plan.key}.h5"
    existed = out.exists()
    if not existed:
        say(f"no data given: simulating {runs} runs of {simulator.card.name}, kept in {out}")
    try:
        recordings = simulate(simulator, config, runs=runs, out=out, wait=True, progress=progress, say=_waits(say))
    except UsageError:
        if not existed or _readable(out):
            raise
        say(f"the cached data {out} is damaged: simulating it again")
        recordings = simulate(simulator, config, runs=runs, out=out, overwrite=True, wait=True, progress=progress)
    if existed:
        say(f"no data given: using {runs} simulated runs of {simulator.card.name} from {out}")
    return recordings.subset(recordings.groups[:runs])


def _waits(say: Say) -> Say:
    """Tells of waiting alone: that a set is made or used is said by whoever asked for it."""
    return lambda text: say(text) if text.startswith("waiting") else None


def make_shard(simulator: Simulator, config: Any, index: int, work: Path, path: Path) -> str:
    """Simulate one group into its own file; gives the file's sha256. Runs in a worker."""
    recording = simulator.simulate(config, index, work)
    recording.group = simulator.group_name(config, index)
    store.write(path, [recording], meta={}, truth={})
    return file_digest(path)


def _at_once(
    simulator: Simulator, config: Any, plan: Plan, reused: set[int], progress: Progress, say: Say
) -> Callable[[int], Recording]:
    """What gives a run of the plan by simulating it there and then."""
    work = _prepared(simulator, config, plan, say)
    done = itertools.count(len(reused) + 1)

    def simulated(index: int) -> Recording:
        recording = simulator.simulate(config, index, work)
        recording.group = simulator.group_name(config, index)
        progress(next(done), plan.count, recording.group)
        return recording

    progress(len(reused), plan.count, "")
    return simulated


def _make_shards(
    simulator: Simulator,
    config: Any,
    plan: Plan,
    unfinished: Shards,
    executor: Executor,
    reused: set[int],
    progress: Progress,
    say: Say,
) -> None:
    """Simulate the runs of the plan that are neither reused nor among the shards."""
    sound, damaged = unfinished.finished(plan)
    if sound:
        say(f"carrying on: {len(sound)} of {plan.count} runs are there from last time")
    if damaged:
        say(f"{len(damaged)} damaged shards are simulated again")
    done = len(reused | sound.keys())
    progress(done, plan.count, "")
    missing = [index for index in plan.indices if index not in reused and index not in sound]
    if not missing:
        return
    failed: dict[str, NeuroError] = {}
    try:
        work = _prepared(simulator, config, plan, say)
        names = {index: simulator.group_name(config, index) for index in missing}
        tasks = [
            Task(index, names[index], partial(make_shard, simulator, config, index, work, unfinished.shard(index)))
            for index in missing
        ]
        with contextlib.closing(executor.run(tasks)) as results:
            for index, result in results:
                if isinstance(result, StorageError):
                    raise result  # the other runs would meet the same disk
                if isinstance(result, Unreachable):
                    raise PartlyDone(
                        f"{result.message}; {done} of {plan.count} runs are done",
                        where=result.where,
                        hint="the finished runs are kept; the same command makes the others",
                    )
                if not isinstance(result, NeuroError) and not unfinished.shard(index).exists():
                    result = _not_shared(unfinished, names[index])
                if isinstance(result, NeuroError):
                    failed[names[index]] = result
                    say(f"{names[index]} failed: {result}")
                    continue
                unfinished.record(index, result)
                done += 1
                progress(done, plan.count, names[index])
    except (KeyboardInterrupt, Interrupted) as error:
        raise Interrupted(
            f"interrupted with {done} of {plan.count} runs done",
            signal=error.exit_code - 128 if isinstance(error, Interrupted) else 2,
            where=str(unfinished.folder),
            hint="resume with the same command",
        ) from None
    if failed and not done:
        raise next(iter(failed.values()))
    if failed:
        shown = "; ".join(f"{name}: {error}" for name, error in sorted(failed.items())[:5])
        more = f"; and {len(failed) - 5} more" if len(failed) > 5 else ""
        raise PartlyDone(
            f"{len(failed)} of {plan.count} runs failed: {shown}{more}",
            where=str(unfinished.folder),
            hint=f"the {done} finished runs are kept; the same command tries the others again",
        )


def _prepared(simulator: Simulator, config: Any, plan: Plan, say: Say) -> Path:
    """The work folder of the simulator with these parameters, prepared once and not by two processes at a time."""
    work = cache_root() / "simulators" / plan.simulator / plan.key
    with storage_errors(work):
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(work.with_suffix(".lock")):
            simulator.prepare(config, work, say)
    return work


def _existing(out: Path, plan: Plan) -> tuple[Plan, RecordingSet] | None:
    """What `out` holds, if it can serve the plan; None where it does not exist. Raises UsageError otherwise."""
    if not out.exists():
        return None
    hint = "--overwrite replaces it; or choose another --out"
    try:
        recordings = RecordingSet.open(out)
    except DataError as error:
        raise UsageError(f"the file exists and is no simulation of ours: {error}", where=str(out), hint=hint) from error
    old = Plan.of_meta(recordings.meta)
    if old is None or old.count != len(recordings):
        raise UsageError("the file exists and was not made by neuro simulate", where=str(out), hint=hint)
    if old.key != plan.key:
        differences = "; ".join(plan.differences(old))
        raise UsageError(f"the file was made with other parameters: {differences}", where=str(out), hint=hint)
    if not old.contains(plan) and not plan.contains(old):
        had = f"{old.indices.start} to {old.indices.stop - 1}"
        wanted = f"{plan.indices.start} to {plan.indices.stop - 1}"
        raise UsageError(f"the file has runs {had}, not all of which are among {wanted}", where=str(out), hint=hint)
    return old, recordings


def _nothing_to_do(out: Path, plan: Plan, old: Plan, recordings: RecordingSet, say: Say) -> RecordingSet:
    more = "" if old.count == plan.count else f"; it has {old.count}, all of which stay"
    say(f"{out.name} already has the {plan.count} runs asked for{more}: nothing to do")
    return recordings


def _by_index(old: Plan, recordings: RecordingSet) -> dict[int, Callable[[], Recording]]:
    return {
        index: partial(recordings.__getitem__, group)
        for index, group in zip(old.indices, recordings.groups, strict=True)
    }


def _readable(path: Path) -> bool:
    try:
        return Plan.of_meta(RecordingSet.open(path).meta) is not None
    except DataError:
        return False


def _not_shared(unfinished: Shards, name: str) -> NeuroError:
    hint = "workers must see the output folder under the same path"
    return NeuroError(f"a worker has written {name} where we cannot see it", where=str(unfinished.folder), hint=hint)
