"""Every mistake ends in one clear block or envelope with the right code, and never in a traceback."""

import json
import os
import subprocess
import sys

import pytest


def _neuro(tmp_path, *arguments):
    environment = {**os.environ, "NEUROCLI_CACHE": str(tmp_path / "cache")}
    return subprocess.run(
        [sys.executable, "-m", "neurocli", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=120,
    )


# arguments, exit code, kind, what the message or the hint must say
CASES = {
    "unknown command": (["trian"], 2, "usage", "train"),
    "unknown option": (["train", "cnn-lstm", "--sead", "1"], 2, "usage", "--sead"),
    "missing argument": (["simulate"], 2, "usage", "NAME"),
    "no model": (["train"], 2, "usage", "MODEL"),
    "unknown model": (["train", "cnn-lstn"], 2, "unknown-name", "did you mean cnn-lstm"),
    "unknown simulator": (["simulate", "brunell"], 2, "unknown-name", "did you mean brunel"),
    "unknown preset": (["train", "cnn-lstm", "--preset", "quik"], 2, "unknown-name", "did you mean quick"),
    "unknown run": (["evaluate", "nothing"], 2, "unknown-name", "neuro train"),
    "no run yet": (["evaluate", "latest"], 2, "unknown-name", "neuro train"),
    "neither model nor run": (["diagnose", "cnn-lstn"], 2, "unknown-name", "cnn-lstm"),
    "unknown key": (["train", "cnn-lstm", "--set", "train.epochz=3"], 2, "config", "did you mean train.epochs"),
    "key without section": (["train", "cnn-lstm", "--set", "epochs=3"], 2, "config", "did you mean train.epochs"),
    "not key=value": (["train", "cnn-lstm", "--set", "train.epochs"], 2, "config", "key=value"),
    "out of range": (["train", "cnn-lstm", "--set", "train.epochs=0"], 2, "config", "train.epochs"),
    "wrong type": (["train", "cnn-lstm", "--set", "train.epochs=many"], 2, "config", "train.epochs"),
    "negative seed": (["train", "cnn-lstm", "--seed", "-1"], 2, "config", "train.seed"),
    "unknown split": (["train", "cnn-lstm", "--split", "sideways"], 2, "config", "data.split"),
    "no config file": (["train", "cnn-lstm", "--config", "none.toml"], 2, "config", "does not exist"),
    "no runs": (["simulate", "brunel", "--runs", "0"], 2, "usage", "--runs"),
    "absent device": (["train", "cnn-lstm", "--device", "cuda:99"], 2, "device", "cpu"),
    "not a device": (["train", "cnn-lstm", "--device", "gpu"], 2, "device", "cpu"),
    "missing file": (["train", "cnn-lstm", "--data", "none.h5"], 3, "data", "none.h5"),
    "empty file": (["diagnose", "cnn-lstm", "--data", "empty.h5"], 3, "data", "empty"),
    "not HDF5": (["diagnose", "cnn-lstm", "--data", "text.h5"], 3, "data", "not HDF5"),
    "unknown format": (["diagnose", "cnn-lstm", "--data", "text.xyz"], 3, "data", "formats known"),
    "empty folder": (["diagnose", "cnn-lstm", "--data", "folder"], 3, "data", "folder"),
    "not a run": (["evaluate", "./folder"], 2, "usage", "not a run"),
    "unknown output format": (["simulate", "brunel", "--format", "dta"], 2, "unknown-name", "output format"),
}


@pytest.fixture
def place(tmp_path):
    (tmp_path / "empty.h5").touch()
    (tmp_path / "text.h5").write_text("these are not the bytes you are looking for")
    (tmp_path / "text.xyz").write_text("nor are these")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_the_envelope_of_an_error(case, place):
    arguments, code, kind, said = CASES[case]
    done = _neuro(place, *arguments, "--json")
    answer = json.loads(done.stdout)
    assert (answer["schema"], answer["ok"]) == (1, False)
    assert (answer["error"]["kind"], answer["error"]["exit"], done.returncode) == (kind, code, code)
    assert said in json.dumps(answer["error"], ensure_ascii=False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("case", ["unknown model", "unknown key", "missing file", "unknown command"])
def test_the_block_of_an_error(case, place):
    arguments, code, _, said = CASES[case]
    done = _neuro(place, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ") and said in done.stderr and "Traceback" not in done.stderr
    assert not (place / "runs").exists()
