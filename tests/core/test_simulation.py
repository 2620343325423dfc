"""The simulation engine: the same bytes whatever happens on the way, and nothing simulated twice."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurocli.errors import (
    ConfigError,
    DataError,
    Interrupted,
    NeuroError,
    PartlyDone,
    UsageError,
)
from neurocli.recordings.recordingset import RecordingSet
from neurocli.simulation.engine import default_set, simulate
from neurocli.simulation.executor import ProcessExecutor
from neurocli.simulation.plan import Plan
from neurocli.simulation.shards import Shards

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # workers are given the same path
from toy_simulator import CARD, Toy, ToyConfig  # noqa: E402

SCRIPT = """
import sys; sys.path.insert(0, {here!r})
from pathlib import Path
from neurocli.errors import Interrupted, NeuroError
from neurocli.simulation.engine import simulate
from toy_simulator import CARD, Toy, ToyConfig
if __name__ == "__main__":
    {limit}
    try:
        simulate(Toy(CARD), ToyConfig(**{config!r}), runs={runs}, out=Path({out!r}), workers=2,
                 progress=lambda done, total, name: print(done, flush=True))
    except (NeuroError, Interrupted) as error:
        print(type(error).__name__, error.exit_code, error, error.where, error.hint, flush=True)
        sys.exit(error.exit_code)
"""


def attempts(log: Path) -> list[int]:
    return sorted(int(path.name.partition("-")[0]) for path in log.iterdir())


def make(out: Path, runs: int, workers: int = 2, **kwargs) -> RecordingSet:
    config = ToyConfig(**kwargs.pop("config", {}))
    return simulate(Toy(CARD), config, runs=runs, out=out, workers=workers, **kwargs)


def start(tmp_path: Path, out: Path, runs: int, *, config: dict | None = None, limit: str = "") -> subprocess.Popen:
    # A file, not -c: workers import the main module again.
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(here=str(HERE), out=str(out), runs=runs, config=config or {}, limit=limit))
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen, line: str) -> None:
    assert process.stdout is not None
    for found in process.stdout:
        if found.strip() == line:
            return
    pytest.fail(f"{line} never came")


def journalled(out: Path) -> set[int]:
    lines = (Shards(out).folder / "journal.jsonl").read_text().split("\n")[:-1]
    return {json.loads(line)["index"] for line in lines}


def test_same_bytes_whatever_the_workers_and_the_steps(tmp_path: Path, log: Path) -> None:
    one, two, halves = (tmp_path / f"{name}.h5" for name in ("one", "two", "halves"))
    make(one, 4, workers=1)
    recordings = make(two, 4, workers=2)
    make(halves, 2)
    said: list[str] = []
    make(halves, 4, say=said.append)
    assert one.read_bytes() == two.read_bytes() == halves.read_bytes()
    assert attempts(log) == sorted([0, 1, 2, 3] * 3)  # the second half has not simulated the first again
    assert said == ["reusing the 2 runs of halves.h5"]
    assert recordings.groups == [f"run-{i:04d}" for i in range(4)]
    assert [recordings[g].labels["index"] for g in recordings] == [0, 1, 2, 3]
    assert recordings.meta["simulation"] == {"first": 0, "runs": 4}
    assert recordings.truth["scale"] == [1.0]
    assert sorted(p.name for p in tmp_path.glob("*.h5*")) == ["halves.h5", "one.h5", "two.h5"]


def test_a_part_in_the_middle_is_extended_on_both_sides(tmp_path: Path, log: Path) -> None:
    make(tmp_path / "a.h5", 2, first=1)
    make(tmp_path / "a.h5", 4)
    assert attempts(log) == [0, 1, 2, 3]
    make(tmp_path / "b.h5", 4)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with pytest.raises(UsageError, match="runs 0 to 3"):
        make(tmp_path / "a.h5", 4, first=2)


def test_killed_and_carried_on(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "killed.h5"
    monkeypatch.setenv("TOY_SLEEP", "0.2")
    process = start(tmp_path, out, 7)
    read_until(process, "3")
    process.kill()
    process.wait()
    time.sleep(0.5)  # the workers notice
    kept, before = journalled(out), attempts(log)
    assert len(kept) >= 3 and not out.exists()
    with (Shards(out).folder / "journal.jsonl").open("a") as journal:
        journal.write('{"index": 6, "sha')  # what a kill in the middle of a write leaves
    (Shards(out).folder / ".000006.h5.123.tmp").write_bytes(b"half")
    (tmp_path / ".killed.h5.123.tmp").write_bytes(b"half")
    time.sleep(0.3)
    assert attempts(log) == before  # no orphan goes on
    monkeypatch.delenv("TOY_SLEEP")
    make(out, 7)
    again = list(attempts(log))
    for index in before:
        again.remove(index)
    assert sorted(again) == sorted(set(range(7)) - kept)
    make(tmp_path / "whole.h5", 7)
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not Shards(out).folder.exists() and not list(tmp_path.glob(".*"))


def test_interrupt_stops_at_once_and_keeps_what_is_done(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_SLEEP", "30")
    process = start(tmp_path, tmp_path / "a.h5", 2)
    while not attempts(log):
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and "Interrupted" in text and "resume" in text
    assert time.monotonic() - began < 3


def test_damaged_shards_are_not_read(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.h5"
    monkeypatch.setenv("TOY_FAIL", "3")
    with pytest.raises(PartlyDone, match="1 of 4 runs failed: run-0003: this run diverged") as caught:
        make(out, 4)
    assert caught.value.exit_code == 5 and not out.exists()
    shard = Shards(out).shard(1)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 255
    shard.write_bytes(data)
    Shards(out).shard(2).write_bytes(Shards(out).shard(2).read_bytes()[:1000])
    monkeypatch.delenv("TOY_FAIL")
    said: list[str] = []
    make(out, 4, say=said.append)
    assert attempts(log) == [0, 1, 1, 2, 2, 3, 3]
    assert "2 damaged shards are simulated again" in said
    make(tmp_path / "b.h5", 4)
    assert out.read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_other_parameters_and_other_files_are_refused(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "a.h5"
    make(out, 1)
    before = out.read_bytes()
    with pytest.raises(UsageError, match=r"scale: 1\.0 → 2\.0") as caught:
        make(out, 1, config={"scale": 2.0})
    assert "--overwrite" in (caught.value.hint or "") and out.read_bytes() == before
    make(out, 1, config={"scale": 2.0}, overwrite=True)
    assert RecordingSet.open(out).meta["parameters"]["scale"] == 2.0
    out.write_text("my thesis")
    with pytest.raises(UsageError, match="no simulation of ours"):
        make(out, 1)
    assert out.read_text() == "my thesis"
    RecordingSet.of([]).save(out)
    with pytest.raises(UsageError, match="not made by neuro simulate"):
        make(out, 1)
    with pytest.raises(UsageError, match="folder"):
        make(tmp_path, 1)


def test_nothing_to_do(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "a.h5"
    make(out, 3)
    before, said = out.read_bytes(), list[str]()
    make(out, 3, say=said.append)
    assert len(make(out, 2, say=said.append)) == 3
    assert attempts(log) == [0, 1, 2] and out.read_bytes() == before
    assert "nothing to do" in said[0] and "it has 3" in said[1]


def test_unfinished_work_of_a_larger_or_another_plan(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.h5"
    monkeypatch.setenv("TOY_FAIL", "0")
    with pytest.raises(PartlyDone):
        make(out, 4)
    monkeypatch.delenv("TOY_FAIL")
    with pytest.raises(UsageError, match=r"unfinished.*scale: 1\.0 → 2\.0"):
        make(out, 4, config={"scale": 2.0})
    said: list[str] = []
    assert len(make(out, 2, say=said.append)) == 2
    assert any("2 more finished runs are kept" in text for text in said)
    make(out, 4)
    assert attempts(log) == [0, 0, 1, 2, 3]  # the larger plan's shards were not lost
    assert not Shards(out).folder.exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, log: Path) -> None:
    foreign = tmp_path / "a.h5.parts" / "thesis.tex"
    foreign.parent.mkdir()
    foreign.write_text("mine")
    make(tmp_path / "a.h5", 1)
    assert foreign.read_text() == "mine"


def test_wrong_numbers(tmp_path: Path, log: Path) -> None:
    for wrong in ({"runs": 0}, {"runs": 1, "first": -1}, {"runs": 1, "workers": 0}):
        with pytest.raises(UsageError) as caught:
            simulate(Toy(CARD), ToyConfig(), out=tmp_path / "a.h5", **wrong)
        assert caught.value.exit_code == 2
    assert not list(tmp_path.glob("a.h5*"))


def test_a_dead_worker_costs_its_run_alone(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_DIE", "1")
    with pytest.raises(PartlyDone, match=r"run-0001: the worker process died \(SIGKILL\)"):
        make(tmp_path / "a.h5", 3)
    monkeypatch.delenv("TOY_DIE")
    make(tmp_path / "a.h5", 3)
    assert attempts(log) == [0, 1, 1, 2]


def test_when_all_fail_the_first_error_is_raised(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_FAIL", "0,1")
    with pytest.raises(DataError, match="diverged") as caught:
        make(tmp_path / "a.h5", 2)
    assert caught.value.hint == "a smaller step" and caught.value.where in ("run-0000", "run-0001")


def test_a_bug_in_a_simulator_names_the_run(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Toy, "prepare", lambda *_: None)  # its runs miss their file
    with pytest.raises(NeuroError, match="FileNotFoundError") as caught:
        make(tmp_path / "a.h5", 1)
    assert (caught.value.where or "").startswith("run-0000")


def test_one_process_at_a_time(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "a.h5"
    with Shards.locked(out), pytest.raises(UsageError, match="another process"):
        make(out, 1)
    assert not Shards(out).folder.exists()


def test_full_disk(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "a.h5"
    # Files may not grow beyond this in the process and its workers: one shard does.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    process = start(tmp_path, out, 3, config={"steps": 20_000, "unit": "pA"}, limit=limit)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 1 and "StorageError" in text and "free some space" in text, text
    assert not out.exists() and not list(Shards(out).folder.glob("*.h5")) and not list(tmp_path.rglob("*.tmp"))


def test_full_disk_while_joining(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "a.h5"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))"
    process = start(tmp_path, out, 6, limit=limit)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 1 and "StorageError" in text, text
    assert not out.exists() and not list(tmp_path.rglob("*.tmp"))
    assert len(journalled(out)) == 6
    make(out, 6)
    assert attempts(log) == list(range(6))


def test_default_set_is_made_once(tmp_path: Path, log: Path) -> None:
    said: list[str] = []
    first = default_set(Toy(CARD), ToyConfig(), 2, said.append)
    assert len(default_set(Toy(CARD), ToyConfig(), 2, said.append)) == 2
    assert len(default_set(Toy(CARD), ToyConfig(), 1, said.append)) == 1
    assert attempts(log) == [0, 1] and "simulating 2 runs" in said[0]
    (path,) = (tmp_path / "cache" / "data").rglob("*.h5")
    assert path.as_posix() in first.sources[0]
    path.write_bytes(path.read_bytes()[:500])
    assert len(default_set(Toy(CARD), ToyConfig(), 2, said.append)) == 2
    assert any("damaged" in text for text in said)


def test_plan() -> None:
    plan = Plan("toy", {"a": (1, 2), "b": {"c": 1}}, 0, 5)
    assert plan.key == Plan("toy", {"b": {"c": 1}, "a": [1, 2]}, 3, 9).key
    assert Plan.of_meta(json.loads(json.dumps(plan.meta))) == plan
    assert Plan("toy", {"a": [1, 2], "b": {"c": 2}, "d": None}, 0, 1).differences(plan) == [
        "b.c: 1 → 2",
        "d: unset → null",
    ]
    for meta in (
        {},
        {"simulator": 1, "parameters": {}, "simulation": {}},
        {**plan.meta, "simulation": {"first": "0", "runs": 1}},
    ):
        assert Plan.of_meta(meta) is None


@pytest.mark.parametrize("error", [ConfigError("m", where="w", hint="h"), Interrupted("m", signal=15, where="w")])
def test_errors_cross_processes_whole(error: NeuroError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and copy.as_dict() == error.as_dict() and str(copy) == str(error)


def test_first_commands_at_once_wait_for_the_one_that_simulates(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    code = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from neurocli.simulation.engine import default_set\nfrom toy_simulator import CARD, Toy, ToyConfig\n"
        "if __name__ == '__main__':\n    print(len(default_set(Toy(CARD), ToyConfig(), 3, print)))\n"
    )
    commands = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    ends = [(command.communicate(timeout=120)[0], command.returncode) for command in commands]
    assert all(code == 0 and text.endswith("3\n") for text, code in ends), ends
    assert sorted(attempts(log)) == [0, 1, 2]  # simulated once


def test_workers_default_to_the_cores_we_may_use() -> None:
    assert ProcessExecutor().workers >= 1


def test_a_script_without_a_guard_may_simulate(tmp_path: Path) -> None:
    """Its workers do not run it again, as spawned processes otherwise do."""
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\nimport operator\n"
        "from neurocli.simulation.executor import ProcessExecutor, Task\n"
        "print(sorted(ProcessExecutor(2).run([Task(n, str(n), partial(operator.add, n, 1)) for n in range(3)])))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[(0, 1), (1, 2), (2, 3)]\n"), done.stderr


def test_a_script_with_a_guard_may_hold_the_simulator_itself(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\n"
        "from neurocli.simulation.executor import ProcessExecutor, Task\n"
        "def add(a, b):\n    return a + b\n"
        "if __name__ == '__main__':\n"
        "    print(sorted(ProcessExecutor(2).run([Task(n, str(n), partial(add, n, 1)) for n in range(3)])))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[(0, 1), (1, 2), (2, 3)]\n"), done.stderr
