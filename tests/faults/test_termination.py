"""SIGTERM ends any command within five seconds with code 143, whatever it is doing, and nothing that it started goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from neurocli.cli.main import run
from neurocli.cli.termination import gone_in_time

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
WITHIN_S = 5.0


def ended(process: subprocess.Popen[str]) -> tuple[int, float, str]:
    """(code, seconds that it took, stderr) of a process that is sent SIGTERM now."""
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    return process.returncode, time.monotonic() - start, err


def started(*words: object, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "neurocli", *map(str, words)]
    env = {**os.environ, "NEUROCLI_CACHE": str(cwd / ".cache"), **environment}
    return subprocess.Popen(
        command, cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def program(code: str, cwd: Path) -> subprocess.Popen[str]:
    """A Python program that prints `ready` when it may be sent the signal."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def test_while_everything_is_imported(good, place):
    process = started("train", "cnn-lstm", "--data", good, cwd=place)
    time.sleep(0.7)
    code, seconds, err = ended(process)
    assert code in (143, -signal.SIGTERM) and seconds < WITHIN_S and "Traceback" not in err


@pytest.mark.slow
def test_during_a_training(good, place):
    process = started("train", "cnn-lstm", "--data", good, "--set=train.epochs=100000", "--device=cpu", cwd=place)
    deadline = time.monotonic() + 60
    while not list(place.glob("runs/*/*/checkpoints/last")) and time.monotonic() < deadline:
        time.sleep(0.1)
    code, seconds, err = ended(process)
    assert (code, "Traceback" in err) == (143, False) and seconds < WITHIN_S
    assert "resume it with" in err


@pytest.mark.slow
def test_while_a_large_file_is_read(place):
    """Twelve seconds of decompression in one call of the library."""
    with h5py.File(place / "large.h5", "w", rdcc_nbytes=0) as file:
        file.attrs.update(format="neurocli-recordings", version=1, meta="{}")
        file["order"] = np.array([b"one"])
        group = file.create_group("recordings/one")
        group.attrs.update(dt_ms=1.0, unit="mV", labels="{}")
        shape = (300_000, 1000)
        signal_ = group.create_dataset("signal", shape, "i1", chunks=(3000, 1000), compression="gzip", fillvalue=-60)
        chunk = np.full((3000, 1000), -60, "i1") + np.random.default_rng(0).integers(-5, 5, (3000, 1000), "i1")
        for start in range(0, 60_000, 3000):
            signal_[start : start + 3000] = chunk
    process = started("diagnose", "cnn-lstm", "--data", "large.h5", cwd=place)
    time.sleep(4)
    assert process.poll() is None, process.communicate()
    code, seconds, err = ended(process)
    assert (code, "Traceback" in err) == (143, False) and seconds < WITHIN_S


@pytest.mark.slow
def test_during_a_diagnosis_of_a_session(place):
    assert run(["simulate", "sc-session", "--runs", "150", "--out", "session.h5"]) == 0
    for wait in (1.0, 2.0, 3.5):
        process = started("diagnose", "eirnn", "--data", "session.h5", cwd=place)
        time.sleep(wait)
        if process.poll() is not None:
            process.communicate()
            continue
        code, seconds, err = ended(process)
        assert (code, "Traceback" in err) == (143, False) and seconds < WITHIN_S


def test_a_simulation_takes_its_workers_with_it(place):
    process = started(
        "simulate", "celegans", "--runs", "400", "--workers", "2", "--duration-s", "2000", "--out", "x.h5", cwd=place
    )
    deadline = time.monotonic() + 60
    workers: list[psutil.Process] = []
    while time.monotonic() < deadline and process.poll() is None:
        workers = [p for p in psutil.Process(process.pid).children(recursive=True) if "spawn_main" in str(p.cmdline())]
        if len(workers) >= 2:
            break
        time.sleep(0.05)
    assert len(workers) >= 2, process.communicate()
    time.sleep(1.5)
    code, seconds, err = ended(process)
    assert (code, "Traceback" in err) == (143, False) and seconds < WITHIN_S
    _, alive = psutil.wait_procs(workers, timeout=3)
    assert not alive


IN_NATIVE_CODE = """
    import os, signal, sys, time
    import neurocli.cli.main as main
    {before}
    def work(argv):
        print("ready", flush=True)
        {work}
        return 0
    main._dispatch = work
    sys.exit(main.run(["x"]))
"""


@pytest.mark.parametrize(
    "before, work",
    [
        ("import torch", "a = torch.randn(3000, 3000)\n        for _ in range(1): torch.linalg.eigvals(a); torch.linalg.eigvals(a)"),
        ("import ctypes", "ctypes.CDLL(None).sleep(30)"),
        ("", "[sum(range(100)) for _ in iter(int, 1)]"),
        # An error of the signal that is caught, again and again.
        ("", "t = time.time()\n        while time.time() < t + 30:\n            try: time.sleep(1)\n            except Exception: pass"),
        # An error of the signal that Python drops: it comes within a callback of a weak reference.
        ("import weakref", "for t in (set() for _ in range(2)):\n            r = weakref.ref(t, lambda _: time.sleep(15))"),
    ],
    ids=["torch", "native", "python", "swallowed", "dropped"],
)  # fmt: skip
def test_whatever_code_is_running(before, work, place):
    code, seconds, err = ended(program(IN_NATIVE_CODE.format(before=before, work=work), place))
    assert (code, "Traceback" in err) == (143, False) and seconds < WITHIN_S


def test_a_signal_that_was_taken_for_another_error_ends_with_its_own_code(place):
    work = (
        "try: time.sleep(30)\n        except Exception: raise main.UsageError('damaged', where='x', hint='y') from None"
    )
    code, _, err = ended(program(IN_NATIVE_CODE.format(before="", work=work), place))
    assert code == 143 and "stopped by SIGTERM" in err
    work = "try: time.sleep(30)\n        except Exception: pass"
    assert ended(program(IN_NATIVE_CODE.format(before="", work=work), place))[0] == 143


def test_threads_of_libraries_do_not_keep_a_stopped_command_alive(place):
    code = """
        import sys, threading, time
        import neurocli.cli.main as main
        from neurocli.__main__ import main as entry
        def work(argv):
            threading.Thread(target=time.sleep, args=[30]).start()
            print("ready", flush=True)
            time.sleep(30)
        main._dispatch = work
        sys.argv = ["neuro", "x"]
        entry()
    """
    code, seconds, _ = ended(program(code, place))
    assert code == 143 and seconds < WITHIN_S


def test_a_block_that_is_left_in_time_is_not_ended():
    """The process lives on: this one."""
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with gone_in_time(signal.SIGTERM, grace_s=0.3):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
        time.sleep(0.5)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_commands_within_commands_and_in_other_threads_leave_nothing_behind(neuro):
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    handler, threads = signal.getsignal(signal.SIGTERM), threading.active_count()
    open_files = psutil.Process().num_fds()
    with gone_in_time(signal.SIGTERM):
        assert neuro("--version").code == 0
        assert signal.set_wakeup_fd(-1) not in (-1, before)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(neuro("explain", "skill").code))
    thread.start()
    thread.join()
    assert codes == [0] and signal.getsignal(signal.SIGTERM) is handler
    assert (threading.active_count(), psutil.Process().num_fds()) == (threads, open_files)


def _sleep(connection) -> None:
    connection.send("here")
    time.sleep(30)


def test_a_forked_process_keeps_nobody_waiting_and_its_signals_are_its_own():
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    start = time.monotonic()
    with gone_in_time(signal.SIGTERM, grace_s=0.3):
        child = context.Process(target=_sleep, args=(theirs,), daemon=True)
        child.start()
        assert ours.recv() == "here"
        os.kill(child.pid, signal.SIGTERM)  # its own end, not ours
        child.join(5)
        assert child.exitcode == -signal.SIGTERM
        second = context.Process(target=_sleep, args=(theirs,), daemon=True)
        second.start()  # holds our pipe open when the block is left
        assert ours.recv() == "here"
        time.sleep(0.5)
    assert time.monotonic() - start < 5
    second.kill()


def test_where_there_are_no_forks_there_is_nothing_to_watch(monkeypatch):
    monkeypatch.delattr(os, "register_at_fork")
    threads = threading.active_count()
    with gone_in_time(signal.SIGTERM):
        assert threading.active_count() == threads
