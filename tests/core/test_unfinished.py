"""Runs whose process is gone: what is said of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from neurocli.runs.folder import RunFolder
from neurocli.runs.lock import is_held, locked
from neurocli.workflow.unfinished import state_of, unfinished_note


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = RunFolder.create(tmp_path, "toy", {"status": "running"}, {"train": {"epochs": 2000}}, {})
    made.metrics_csv.write_text("epoch,train_loss\n1,3.5\n2,3.25\n")
    return made


def test_a_run_without_its_process_is_interrupted(run: RunFolder) -> None:
    state = state_of(run, run.read_info())
    assert (state.status, state.in_words) == ("interrupted", "interrupted (2 of 2000 epochs)")
    with locked(run):  # as whoever scores it does
        note = unfinished_note(run)
    expected = f"the training did not finish (2 of 2000 epochs); resume it with: neuro train --resume {run.name}"
    assert note == expected


def test_a_run_that_is_being_written_is_running(run: RunFolder) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from neurocli.runs.folder import RunFolder; from neurocli.runs.lock import locked\n"
        "with locked(RunFolder(Path(sys.argv[1]))):\n    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert is_held(run)
        assert state_of(run, run.read_info()).in_words == "running (2 of 2000 epochs)"
        other.kill()
    assert not is_held(run)
    assert state_of(run, run.read_info()).status == "interrupted"


def test_asking_leaves_the_lock_free(run: RunFolder) -> None:
    with locked(run):
        assert is_held(run)
    assert not is_held(run)
    with locked(run):
        pass


def test_a_finished_run_needs_no_words(run: RunFolder) -> None:
    run.update_info(status="finished")
    assert state_of(run, run.read_info()).in_words == "finished"
    assert unfinished_note(run) is None


def test_a_damaged_configuration_hides_only_the_number(run: RunFolder) -> None:
    run.config.write_text("train = [")
    assert state_of(run, run.read_info()).in_words == "interrupted"
