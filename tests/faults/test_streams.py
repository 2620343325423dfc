"""Standard streams that nobody reads, that are closed or lie on a full disk: no traceback, and the right code."""

from __future__ import annotations

import subprocess
import sys

import pytest


def shell(place, line: str) -> subprocess.CompletedProcess[str]:
    line = line.replace("neuro ", f"{sys.executable} -m neurocli ")
    return subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["neuro models", "neuro models --json", "neuro --help"])
def test_a_closed_pipe_is_quiet(command, place):
    done = shell(place, command + " | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closing, place):
    assert shell(place, f"neuro models --json {closing}").returncode == 0
    done = shell(place, f"neuro train nope --json {closing}")
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_with_stderr_closed_nothing_is_missing_from_stdout(place):
    assert shell(place, "neuro models 2>&-").stdout == shell(place, "neuro models").stdout != ""


@pytest.mark.parametrize("command", ["neuro models", "neuro runs --json", "neuro --help"])
def test_a_result_that_cannot_be_written(command, place):
    done = shell(place, f"{command} > /dev/full")
    assert done.returncode == 1 and "Exception ignored" not in done.stderr and "Traceback" not in done.stderr
    assert "error: cannot write: the disk is full\nwhere: standard output\n" in done.stderr
