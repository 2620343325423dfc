"""The budget of memory: what a file may become, and what this process, its limits and its container still give."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from neurocli.errors import DataError
from neurocli.recordings.files import memory


@pytest.fixture
def small(tmp_path) -> Path:
    path = tmp_path / "small.h5"
    path.write_bytes(b"x" * 1000)
    return path


def test_a_small_file_cannot_become_much(small):
    with memory.reading(small) as budget:
        budget.take(memory.SMALLEST, "here")
        with pytest.raises(DataError, match=r"the content claims .* in a file of 1000 bytes") as caught:
            budget.take(1, "there")
        assert caught.value.where == "there"
    with memory.reading(small), pytest.raises(DataError, match=r"an array claims 7\.28 TiB"):
        memory.take(8 * 10**12, "here")


def test_blocks_of_one_file_share_a_budget_and_those_of_others_do_not(small, tmp_path):
    other = tmp_path / "other.h5"
    other.write_bytes(b"x")
    with memory.reading(small) as first:
        with memory.reading(small) as again:
            assert again is first
        with memory.reading(other) as second:
            memory.take(5, "here")
            assert second is not first and (first.taken, second.taken) == (0, 5)
        memory.take(7, "here")
        first.give_back(2)
        assert first.taken == 5


def test_a_memory_error_becomes_an_error_of_the_file(small):
    with pytest.raises(DataError, match="more memory than there is") as caught, memory.reading(small):
        raise MemoryError
    assert str(small) in caught.value.where


def test_many_small_arrays_cost_no_time():
    start = time.perf_counter()
    for _ in range(100_000):
        memory.take(1000, "here")
    assert time.perf_counter() - start < 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space")
def test_a_limit_on_this_process_is_respected():
    program = """
        import resource, psutil
        from neurocli.errors import DataError
        from neurocli.recordings.files import memory
        before = memory.free()
        limit = psutil.Process().memory_info().vms + 300 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        assert memory.free() < min(before, 301 * 2**20), memory.free()
        memory.check_free(100 * 2**20, "here")
        try:
            memory.check_free(200 * 2**20, "here")
        except DataError as error:
            print(error.message)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert "reading it takes 400 MiB of memory" in done.stdout and "are free" in done.stdout, done


GROUPS = {
    "version 2": ("0::/job/step\n", "job", {"memory.max": "{limit}", "memory.current": "{use}"}, "inactive_file {kept}"),
    "version 1": (
        "9:cpu:/\n4:memory:/job/step\n0::/\n",
        "memory/job",
        {"memory.limit_in_bytes": "{limit}", "memory.usage_in_bytes": "{use}"},
        "inactive_file 0\ntotal_inactive_file {kept}",
    ),
    "a container": ("0::/outside/name\n", ".", {"memory.max": "{limit}", "memory.current": "{use}"}, "inactive_file {kept}"),
}  # fmt: skip


@pytest.mark.parametrize("version", GROUPS)
def test_a_limit_on_a_container_or_a_job_is_respected(version, tmp_path, monkeypatch):
    own, folder, files, statistics = GROUPS[version]
    numbers = {"limit": 500 * 2**20, "use": 300 * 2**20, "kept": 50 * 2**20}
    (tmp_path / "root" / folder).mkdir(parents=True)
    for name, text in {**files, "memory.stat": "anon 5\n" + statistics}.items():
        (tmp_path / "root" / folder / name).write_text(text.format(**numbers) + "\n")
    (tmp_path / "own").write_text(own)
    groups = memory._control_groups.__wrapped__(str(tmp_path / "root"), str(tmp_path / "own"))
    monkeypatch.setattr(memory, "_control_groups", lambda: groups)
    assert memory.free() == 250 * 2**20
    limit = next(name for name in files if "limit" in name or name.endswith("max"))
    for unlimited in ("max", "9223372036854771712", "nonsense"):
        (tmp_path / "root" / folder / limit).write_text(unlimited)
        assert memory.free() > 250 * 2**20 or unlimited == "0"


def test_where_there_are_no_control_groups(tmp_path):
    assert memory._control_groups.__wrapped__(str(tmp_path), str(tmp_path / "none")) == []


def test_amounts_in_words():
    assert [memory.amount(n) for n in (5, 70_000, 13.5 * 2**30)] == ["5 bytes", "68.4 kiB", "13.5 GiB"]
