"""Simulating on a Dask cluster: the same bytes, and an end when the cluster has one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from neurocli.errors import MissingDependency, NeuroError, PartlyDone, UsageError
from neurocli.simulation.engine import simulate
from neurocli.simulation.executor import DaskExecutor

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # workers are given the same path
from toy_simulator import CARD, Toy, ToyConfig  # noqa: E402


def test_dask_addresses() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match="address"):
        DaskExecutor("localhost")
    began = time.monotonic()
    with pytest.raises(NeuroError, match="no Dask scheduler answers"):
        list(DaskExecutor("tcp://127.0.0.1:9").run([]))
    assert time.monotonic() - began < 15


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependency) as caught:
        DaskExecutor("tcp://127.0.0.1:8786")
    assert caught.value.exit_code == 6 and "neurocli[cluster]" in (caught.value.hint or "")


def test_a_dask_cluster_gives_the_same_bytes(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        simulate(Toy(CARD), ToyConfig(), runs=3, out=tmp_path / "a.h5", scheduler=cluster.scheduler_address)
    simulate(Toy(CARD), ToyConfig(), runs=3, out=tmp_path / "b.h5", workers=2)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.fixture
def dask_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """(address, scheduler process, worker process) of a cluster of one worker."""
    pytest.importorskip("distributed")
    path = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TOY_SLEEP": "60"}
    about = tmp_path / "scheduler.json"
    options = ["--scheduler-file", str(about), "--no-dashboard"]
    start_part = partial(subprocess.Popen, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    scheduler = start_part([sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *options])
    worker = start_part(
        [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1", *options]
    )
    while not about.exists():
        time.sleep(0.1)
    address = json.loads(about.read_text())["address"]
    import distributed

    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=30)
    monkeypatch.setattr("neurocli.simulation.executor._WITHOUT_WORKERS_S", 2.0)
    yield address, scheduler, worker
    for part in (worker, scheduler):
        part.kill()
        part.wait()


@pytest.mark.parametrize(("killed", "says"), [(1, "had no workers"), (0, "scheduler")])
def test_a_cluster_that_is_killed_ends_the_command(killed: int, says: str, tmp_path: Path, dask_parts: Any) -> None:
    """Not for ever waiting: what is done is kept, and the same command makes the rest."""
    address, *parts = dask_parts
    threading.Timer(1.5, parts[killed].kill).start()
    began = time.monotonic()
    with pytest.raises(PartlyDone, match=f"{says}.*0 of 3 runs are done") as caught:
        simulate(Toy(CARD), ToyConfig(), runs=3, out=tmp_path / "a.h5", scheduler=address)
    assert time.monotonic() - began < 40 and "same command" in (caught.value.hint or "")
    simulate(Toy(CARD), ToyConfig(), runs=3, out=tmp_path / "a.h5", workers=2)
