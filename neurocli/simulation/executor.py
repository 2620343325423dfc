"""Who does the work: processes of this machine, or a Dask cluster. Both give results in the order they come."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle  # between this process and its own children, over a private pipe; never for a file
import re
import signal
import sys
import threading
import time
import traceback
import types
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from neurocli.errors import MissingDependency, NeuroError, UsageError
from neurocli.interruption import SIGNALS
from neurocli.threads import VARIABLES

_ANSWER_WITHIN_S = 10
_ASKS_EVERY_S = 2.0
_WITHOUT_WORKERS_S = 30.0
"""How long a cluster may be without a worker: an adaptive one starts new ones within this time."""


class Unreachable(NeuroError):
    """A cluster that can do nothing more: what is done is kept."""


@dataclass(frozen=True)
class Task:
    """One piece of work. `job` and what it returns must be picklable; `name` is what an error calls it."""

    index: int
    name: str
    job: Callable[[], Any]


class Executor(Protocol):
    """Runs tasks somewhere. Gives (index, what the job returned or the error it raised) as each is done.

    Closing the iterator stops whatever still runs.
    """

    def run(self, tasks: Sequence[Task]) -> Generator[tuple[int, Any], None, None]: ...


def attempt(task: Task) -> Any:
    """What the task's job returns, or its error as a NeuroError, which crosses process boundaries whole."""
    try:
        return task.job()
    except NeuroError as error:
        error.where = error.where or task.name
        return error
    except MemoryError:
        return NeuroError("out of memory", where=task.name, hint="try fewer --workers")
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        return NeuroError(
            f"{type(error).__name__}: {error}",
            where=f"{task.name}{place}",
            hint="a fault of the simulator or of its options; the runs that are done are kept",
        )


class ProcessExecutor:
    """Worker processes of this machine, by default as many as there are cores for us.

    Not concurrent.futures: there, a worker that dies takes the pool with it and nobody learns which task it had;
    and workers outlive a parent that is killed.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"at least one worker is needed, not {workers}", where="--workers", hint="--workers 1")
        self.workers = workers or _cores()

    def run(self, tasks: Sequence[Task]) -> Generator[tuple[int, Any], None, None]:
        waiting, busy = deque(tasks), dict[_Worker, Task]()
        try:
            while waiting or busy:
                while waiting and len(busy) < self.workers:
                    _give(_Worker(waiting[0]), waiting.popleft(), busy)
                wait([handle for worker in busy for handle in worker.handles])
                for worker in [w for w in busy if w.ready]:
                    task = busy[worker]
                    result = worker.result(task)
                    del busy[worker]
                    if waiting and worker.alive:
                        _give(worker, waiting.popleft(), busy)
                    else:
                        worker.stop()
                    yield task.index, result
        finally:
            for worker in busy:
                worker.stop()


class _Worker:
    """One process with a pipe to it, which holds at most one task."""

    def __init__(self, task: Task) -> None:
        # spawn: a fork would inherit what brian2 and torch hold in memory, and locks held by threads.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=False)
        try:
            with _signals_waiting(), _environment(dict.fromkeys(VARIABLES, "1")), _script_left_alone(task):
                self._process.start()
            theirs.close()
        except BaseException:  # ^C while it starts: nobody else knows of it yet, and our own end would wait for its end
            self.stop()
            raise
        self.alive = True

    @property
    def handles(self) -> list[Any]:
        return [self._connection, self._process.sentinel]

    @property
    def ready(self) -> bool:
        return bool(wait(self.handles, timeout=0))

    def send(self, task: Task) -> None:
        with contextlib.suppress(BrokenPipeError):  # it died in between: `result` says so
            self._connection.send_bytes(pickle.dumps(task))

    def result(self, task: Task) -> Any:
        """What came of the task; where the process has died, an error that says how."""
        with contextlib.suppress(EOFError, ConnectionError):
            if self._connection.poll():
                # Our own child's answer, through a pipe that nobody else holds: no file, no network.
                return pickle.loads(self._connection.recv_bytes())
        self.alive = False
        self._process.join(5)
        code = self._process.exitcode
        how = _signal_name(-code) if code is not None and code < 0 else f"exit code {code}"
        memory = "the system may have run out of memory: try fewer --workers" if how == "SIGKILL" else None
        return NeuroError(f"the worker process died ({how})", where=task.name, hint=memory)

    def stop(self) -> None:
        """End the process and what it has started, at once: shards are atomic, so nothing is left half-written."""
        if self._process.pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.pid is not None:
            self._process.kill()
            self._process.join(5)
        self._connection.close()


def _give(worker: _Worker, task: Task, busy: dict[_Worker, Task]) -> None:
    busy[worker] = task
    worker.send(task)


def _work(connection: Connection) -> None:
    """Life of a worker process."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # a group of its own: ^C is for the parent alone, and our children can be stopped with us
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one that came before, too
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            message = connection.recv_bytes()
            try:
                result = attempt(pickle.loads(message))  # of our parent, through the same pipe
            except Exception as error:  # the job's code cannot be imported here
                result = NeuroError(
                    f"a worker cannot load the simulator: {type(error).__name__}: {error}",
                    where="worker",
                    hint="neuro doctor lists what is installed",
                )
            connection.send_bytes(pickle.dumps(result))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextlib.contextmanager
def _signals_waiting() -> Iterator[None]:
    """Signals wait in processes that start inside, until they have a group of their own: ^C goes to all of a terminal's group, and
    would end an interpreter that is starting with a traceback. They wait here meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # later it would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _script_left_alone(task: Task) -> Iterator[None]:
    """Processes that start inside do not run the caller's script again: a script without a guard of its own may simulate.

    Where the task's code stands in the script itself, they must.
    """
    main = sys.modules["__main__"]
    if b"__main__" not in pickle.dumps(task):
        sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _environment(defaults: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for processes started inside; what the user has set stays."""
    ours = [name for name in defaults if name not in os.environ]
    os.environ.update({name: defaults[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


class DaskExecutor:
    """Workers of a Dask cluster. They must see the output folder and the cache under the same paths as we do."""

    def __init__(self, address: str) -> None:
        if not re.match(r"^[a-z]+://[^/\s]+$", address):
            raise UsageError(
                f"{address!r} is not the address of a scheduler", where="--scheduler", hint="like tcp://host:8786"
            )
        try:
            import distributed
        except ImportError:
            raise MissingDependency.package("distributed", "a Dask scheduler", extra="cluster") from None
        self.address = address
        self._distributed = distributed

    def run(self, tasks: Sequence[Task]) -> Generator[tuple[int, Any], None, None]:
        with self._client() as client:
            # pure=False: the same command after a failure must run again, not be given the remembered error.
            futures = {client.submit(attempt, task, pure=False, retries=0): task for task in tasks}
            try:
                while futures:
                    for future in self._some_done(client, list(futures)):
                        task, error = futures.pop(future), future.exception()
                        if error is not None:
                            error = NeuroError(
                                f"the worker failed ({type(error).__name__}: {error})",
                                where=task.name,
                                hint="is the same version of everything installed there?",
                            )
                        yield task.index, error or future.result()
            except Unreachable as gone:
                yield next(iter(futures.values())).index, gone
            finally:
                with contextlib.suppress(Exception):  # the scheduler may be gone, and with it what is to be cancelled
                    client.cancel(list(futures))

    def _some_done(self, client: Any, futures: list[Any]) -> list[Any]:
        """Futures that have ended, at least one. Raises Unreachable where nobody is left who could end one."""
        since = time.monotonic()
        while True:
            try:
                with client.as_current():
                    done = self._distributed.wait(futures, timeout=_ASKS_EVERY_S, return_when="FIRST_COMPLETED").done
                lost = [future for future in done if future.cancelled() or future.status == "lost"]
                if lost:
                    raise Unreachable("the Dask scheduler is gone", where=self.address)
                return list(done)
            except (TimeoutError, self._distributed.TimeoutError):
                pass
            except (OSError, RuntimeError, CancelledError) as error:  # cancelled by the loss of the connection
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise Unreachable(f"the Dask scheduler is gone: {reason}", where=self.address) from error
            if client.status != "running":
                raise Unreachable("the Dask scheduler is gone", where=self.address)
            if client.scheduler_info()["workers"]:
                since = time.monotonic()
            elif time.monotonic() - since > _WITHOUT_WORKERS_S:
                raise Unreachable(
                    f"the Dask scheduler has had no workers for {_WITHOUT_WORKERS_S:g} s", where=self.address
                )

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        hint = "is it running, and can it be reached from here?"
        try:
            client = self._distributed.Client(self.address, timeout=_ANSWER_WITHIN_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise NeuroError(f"no Dask scheduler answers: {error}", where=self.address, hint=hint) from error
        with client:
            if not client.scheduler_info()["workers"]:
                raise NeuroError(
                    "the Dask scheduler has no workers", where=self.address, hint=f"dask worker {self.address}"
                )
            yield client
