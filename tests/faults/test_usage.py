"""A wrong command, option, name, value or device: code 2, what is right, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

# arguments, kind, what the message, the place or the hint must say
CASES = {
    "unknown command": (["trian"], "usage", "train"),
    "unknown option": (["train", "cnn-lstm", "--sead", "1"], "usage", "--sead"),
    "missing argument": (["simulate"], "usage", "NAME"),
    "no name to show": (["models", "show"], "usage", "NAME"),
    "no plugin to check": (["plugins", "check"], "usage", "NAME"),
    "no model": (["train"], "usage", "MODEL"),
    "option without value": (["simulate", "brunel", "--runs"], "usage", "--runs"),
    "not a seed": (["train", "cnn-lstm", "--seed", "x"], "usage", "--seed"),
    "unknown model": (["train", "cnn-lstn"], "unknown-name", "did you mean cnn-lstm"),
    "unknown model, preprocess": (["preprocess", "cnn-lstn"], "unknown-name", "did you mean cnn-lstm"),
    "unknown model, show": (["models", "show", "cnn-lstn"], "unknown-name", "did you mean cnn-lstm"),
    "unknown model, check": (["plugins", "check", "cnn_lsm"], "unknown-name", "cnn_lstm"),
    "unknown simulator": (["simulate", "brunell"], "unknown-name", "did you mean brunel"),
    "unknown run": (["evaluate", "nothing"], "unknown-name", "neuro train"),
    "no run yet": (["evaluate", "latest"], "unknown-name", "neuro train"),
    "no run yet, interpret": (["interpret", "latest"], "unknown-name", "neuro train"),
    "no run yet, diagnose": (["diagnose", "latest"], "unknown-name", "neuro train"),
    "no run yet, resume": (["train", "--resume", "latest"], "unknown-name", "neuro train"),
    "a run's name of any length": (["evaluate", "a" * 5000], "unknown-name", "neuro train"),
    "neither model nor run": (["diagnose", "cnn-lstn"], "unknown-name", "cnn-lstm"),
    "not a run": (["evaluate", "./folder"], "usage", "not a run"),
    "unknown preset": (["train", "cnn-lstm", "--preset", "quik"], "unknown-name", "did you mean quick"),
    "preset far from any": (["train", "cnn-lstm", "--preset", "zzz"], "unknown-name", "there are: demo, quick"),
    "preset without a name": (["train", "cnn-lstm", "--preset", ""], "unknown-name", "there are: demo, quick"),
    "preset of a simulator": (["simulate", "brunel", "--preset", "x"], "unknown-name", "published"),
    "unknown key": (["train", "cnn-lstm", "--set", "train.epochz=3"], "config", "did you mean train.epochs"),
    "key without section": (["train", "cnn-lstm", "--set", "epochs=3"], "config", "did you mean train.epochs"),
    "key of a simulator": (["simulate", "brunel", "--set", "durationms=3"], "config", "duration_ms"),
    "a section is no key": (["train", "cnn-lstm", "--set", "train=3"], "config", "no option 'train'"),
    "not key=value": (["train", "cnn-lstm", "--set", "train.epochs"], "config", "key=value"),
    "no key": (["train", "cnn-lstm", "--set", "=3"], "config", "key=value"),
    "out of range": (["train", "cnn-lstm", "--set", "train.epochs=0"], "config", "its default is 20"),
    "wrong type": (["train", "cnn-lstm", "--set", "train.epochs=many"], "config", "train.epochs"),
    "true is no number": (["train", "cnn-lstm", "--set", "train.epochs=true"], "config", "not true"),
    "a list is no number": (["diagnose", "cnn-lstm", "--set", "train.epochs=[1]"], "config", "train.epochs"),
    "not finite": (["train", "cnn-lstm", "--set", "train.learning_rate=nan"], "config", "finite"),
    "too many digits": (["train", "cnn-lstm", "--set", "train.epochs=" + "9" * 5000], "config", "train.epochs"),
    "too large": (["train", "cnn-lstm", "--set", "train.seed=0x" + "f" * 5000], "config", "64 bits"),
    "too many brackets": (["train", "cnn-lstm", "--set", "train.epochs=" + "[" * 3000], "config", "train.epochs"),
    "as many threads": (["train", "cnn-lstm", "--set", "train.threads=100000"], "config", "train.threads"),
    "a horizon behind": (["train", "cnn-lstm", "--set", "evaluate.horizons_ms=[0.0]"], "config", "above 0 ms"),
    "negative seed": (["train", "cnn-lstm", "--seed", "-1"], "config", "train.seed"),
    "unknown split": (["train", "cnn-lstm", "--split", "sideways"], "config", "data.split"),
    "no runs": (["simulate", "brunel", "--runs", "0"], "usage", "--runs"),
    "fewer than no runs": (["simulate", "brunel", "--runs", "-1"], "usage", "--runs"),
    "more runs than memory": (["simulate", "brunel", "--runs", "99999999999999999999"], "usage", "--first"),
    "no workers": (["simulate", "brunel", "--workers", "0"], "usage", "--workers"),
    "before the first run": (["simulate", "brunel", "--first", "-1"], "usage", "--first"),
    "unknown output format": (["simulate", "brunel", "--format", "dta"], "unknown-name", "dat"),
    "no address": (["simulate", "brunel", "--scheduler", "x"], "usage", "tcp://"),
    "no config file": (["train", "cnn-lstm", "--config", "none.toml"], "config", "does not exist"),
    "config is a folder": (["train", "cnn-lstm", "--config", "folder"], "config", "folder | check the path"),
    "config under a file": (["train", "cnn-lstm", "--config", "bad.toml/x"], "config", "cannot be read"),
    "config is not TOML": (["train", "cnn-lstm", "--config", "bad.toml"], "config", "line 1"),
    "config is not text": (["train", "cnn-lstm", "--config", "binary.toml"], "config", "byte 7"),
    "config is too deep": (["train", "cnn-lstm", "--config", "deep.toml"], "config", "not TOML"),
    "config, unknown key": (["train", "cnn-lstm", "--config", "key.toml"], "config", "key.toml | did you mean"),
    "config, wrong value": (["simulate", "brunel", "--config", "value.toml"], "config", "value.toml"),
}


@pytest.fixture
def files(place: Path) -> None:
    (place / "folder").mkdir()
    (place / "bad.toml").write_text("[train\nepochs = 3")
    (place / "binary.toml").write_bytes(b"[train]\xff\xfe")
    (place / "deep.toml").write_text("x = " + "[" * 5000)
    (place / "key.toml").write_text("[train]\nepochz = 3\n")
    (place / "value.toml").write_text("duration_ms = -3\n")


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_named_with_what_is_right(case, files, place, refused):
    arguments, kind, said = CASES[case]
    before = sorted(place.rglob("*"))
    done = refused(2, *arguments)
    assert done.error["kind"] == kind and said in done.said
    assert sorted(place.rglob("*")) == before


DEVICES = ["mps", "cuda", "cuda:9", "cuda:99999", "gpu", ""]


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_is_not_there_lists_those_that_are(device, good, place, refused):
    from neurocli.training.devices import available_devices

    if {"cuda": "cuda:0"}.get(device, device) in available_devices():
        pytest.skip(f"this machine has {device}")
    for command in (["train", "cnn-lstm", "--data", good], ["diagnose", "cnn-lstm", "--data", good]):
        done = refused(2, *command, "--device", device)
        assert (done.error["kind"], done.error["where"]) == ("device", "--device")
        assert all(name in done.error["hint"] for name in available_devices())
    assert not (place / "runs").exists()


@pytest.mark.parametrize("command", ["evaluate", "interpret", "diagnose"])
@pytest.mark.parametrize("device", ["nonsense", ""])
def test_a_run_is_not_asked_on_such_a_device(command, device, trained, refused):
    assert "cpu" in refused(2, command, "latest", "--device", device).error["hint"]


def test_a_run_keeps_its_options(trained, refused):
    assert "a run keeps its options" in refused(2, "train", "--resume", "latest", "--set", "train.epochs=9").said
    assert "not of cnn-lstm-v1" in refused(2, "train", "cnn-lstm-v1", "--resume", "latest").said
    assert "a run has its own options" in refused(2, "diagnose", "latest", "--preset", "").said


@pytest.mark.parametrize("case", ["unknown model", "unknown key", "unknown command", "no runs", "config is not TOML"])
def test_without_json_it_is_a_block_on_stderr(case, files, place, neuro):
    arguments, _, said = CASES[case]
    done = neuro(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and "\nwhere: " in done.err and "\nhint:  " in done.err
    assert said in done.err.replace("\nhint:  ", " | ")
