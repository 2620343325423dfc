"""Runs that are damaged, finished, being written or without their data: named as such, and never lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from neurocli.runs.records import read_record, write_record, write_text_record


def info(run: Path, **changes) -> None:
    path = run / "run.json"
    write_record(path, {**json.loads(path.read_text()), **changes})


def text(name: str, content: bytes):
    return lambda run: (run / name).write_bytes(content)


def config(content: str):
    return lambda run: write_text_record(run / "config.toml", content)


def edited(path: Path, old: str, new: str) -> None:
    """What a text editor does."""
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


def edited_epochs(run: Path) -> None:
    edited(run / "config.toml", "epochs = ", "epochs = 1")


def spoil(run: Path, *names: str) -> None:
    """Damage the weights of these checkpoints."""
    for name in names:
        path = run / "checkpoints" / name / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:-8] + b"damaged!")


def unfinished(run: Path) -> None:
    info(run, status="interrupted")
    (run / "metrics.json").unlink()


def no_checkpoint(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")


GHOST = {"split": "by-group", "leaky": False, "groups": {"train": ["ghost"], "validation": [], "test": []}}
# what is done to the run, what the error must say, the file that it must name
DAMAGE = {
    "no checkpoint": (no_checkpoint, "restore it", "checkpoints"),
    "no checkpoint yet": (lambda run: [unfinished(run), no_checkpoint(run)], "--resume cnn-lstm-v2/", "checkpoints"),
    "no sound checkpoint": (lambda run: spoil(run, "best", "best.previous"), "sha256", "best"),
    "run.json empty": (text("run.json", b""), "cannot be read", "run.json"),
    "run.json garbage": (text("run.json", b"\xff\x00"), "cannot be read", "run.json"),
    "run.json a list": (text("run.json", b"[]"), "JSON object", "run.json"),
    "run.json of nothing": (text("run.json", b"{}"), "no model", "run.json"),
    "run.json with many digits": (text("run.json", b'{"a": ' + b"9" * 5000 + b"}"), "cannot be read", "run.json"),
    "model a number": (lambda run: info(run, model=3), "model is a int", "run.json"),
    "data a number": (lambda run: info(run, data=5), "data is a int", "run.json"),
    "paths a number": (lambda run: info(run, data={"paths": 5}), "paths is a int", "run.json"),
    "paths of numbers": (lambda run: info(run, data={"paths": [1]}), "not a path", "run.json"),
    "unset a number": (lambda run: info(run, unset=5), "unset is a int", "run.json"),
    "unset below a value": (lambda run: info(run, unset=["train.epochs.x"]), "lies inside of", "run.json"),
    "no spec": (lambda run: info(run, spec=None), "no spec", "run.json"),
    "an empty spec": (lambda run: info(run, spec={}), "does not describe its model", "run.json"),
    "split of nothing": (lambda run: info(run, split={"split": "x"}), "which groups", "split"),
    "split of a ghost": (lambda run: info(run, split=GHOST), "no longer in its data", "ghost"),
    "data gone": (lambda run: info(run, data={"paths": ["gone.h5"]}), "restore them", "gone.h5"),
    "no configuration": (lambda run: (run / "config.toml").unlink(), "cannot be read", "config.toml"),
    "configuration not text": (text("config.toml", b"\xff"), "cannot be read", "config.toml"),
    "configuration too deep": (config("x=" + "[" * 5000), "cannot be read", "config.toml"),
    "configuration of others": (config("[train]\nepochz = 3\n"), "train.epochz", "config.toml"),
    "configuration emptied": (text("config.toml", b""), "lost its sum", "config.toml"),
    "configuration edited": (edited_epochs, "its sum is another", "config.toml"),
    "run.json edited": (
        lambda run: edited(run / "run.json", '"status": "finished"', '"status":  "finished?"'),
        "its sum",
        "run.json",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_run_is_named_by_its_file(case, trained, refused, neuro):
    damage, message, place = DAMAGE[case]
    damage(trained)
    for command in ("evaluate", "interpret", "diagnose"):
        done = refused(3, command, "latest")
        assert message in done.said and place in done.error["where"]
    assert neuro("runs", "--json").code == 0  # one damaged run does not hide the others


def test_a_model_that_nobody_brings(trained, refused):
    info(trained, model="nope-v1")
    for command in ("evaluate", "interpret", "diagnose"):
        assert refused(2, command, "latest").error["kind"] == "unknown-name"


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"skill": 3}', b"\xff"])
def test_a_damaged_result_does_not_spoil_the_list(content, trained, neuro):
    for name in ("metrics.json", "evaluation.json"):
        (trained / name).write_bytes(content)
    (row,) = neuro("runs", "--json").envelope["data"]["runs"]
    assert row["status"] == "finished" and row["skill"] is None


def test_a_damaged_run_is_listed_as_such(trained, neuro):
    (trained / "run.json").write_text('{"model": "cnn-lstm-v2", "split": []}')
    (row,) = neuro("runs", "--json").envelope["data"]["runs"]
    assert row["status"].startswith("damaged: split")


def test_a_root_without_runs(place, good, neuro):
    for root in ("nothing", good, "x" * 300):
        done = neuro("runs", "--runs-dir", root, "--json")
        assert done.code == 0 and done.envelope["data"]["runs"] == []


def files_of(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file() and p.name != ".lock"}


def test_resuming_a_finished_run_changes_nothing(trained, neuro):
    before = files_of(trained)
    done = neuro("train", "--resume", "latest", "--json")
    assert done.code == 0 and done.envelope["data"]["metrics"]["epochs"] == 2
    assert files_of(trained) == before


def test_damaged_metrics_of_a_finished_run_are_made_again(trained, neuro):
    def kept() -> dict:
        metrics = read_record(trained / "metrics.json")
        return {key: value for key, value in metrics.items() if key not in ("cpu_s", "wall_s")}

    before = kept()
    (trained / "metrics.json").write_text("{")
    assert neuro("train", "--resume", "latest").code == 0
    assert kept() == before


def test_a_damaged_last_checkpoint_falls_back_with_one_line(trained, neuro):
    before = files_of(trained)
    unfinished(trained)
    spoil(trained, "last")
    done = neuro("train", "--resume", "latest")
    assert done.code == 0
    assert "warning: damaged checkpoint (last" in done.err and ".py" not in done.err
    weights = "checkpoints/last/weights.safetensors"
    assert files_of(trained)[weights] == before[weights]


def test_a_run_that_another_process_writes_is_left_alone(trained, refused):
    code = (
        "import sys; from pathlib import Path; from neurocli.runs.folder import RunFolder\n"
        "from neurocli.runs.lock import locked\n"
        "with locked(RunFolder(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(trained)], **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        before = files_of(trained)
        for command in (["train", "--resume", "latest"], ["evaluate", "latest"], ["interpret", "latest"]):
            assert f"written by process {holder.pid}" in refused(2, *command).said
        assert files_of(trained) == before
        holder.stdin.close()


def test_run_log_that_cannot_be_written_stops_nothing(trained, neuro):
    unfinished(trained)
    no_checkpoint(trained)
    (trained / "run.log").unlink()
    (trained / "run.log").mkdir()
    done = neuro("train", "--resume", "latest")
    assert done.code == 0 and (trained / "metrics.json").is_file()


@pytest.mark.parametrize("command", ["evaluate", "diagnose", "interpret"])
def test_bad_data_for_a_good_run(command, trained, place, refused):
    (place / "half.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    before = files_of(trained)
    for path, message in (("half.h5", "cut off"), ("gone.h5", "does not exist"), (".", "no file that can be read")):
        assert message in refused(3, command, "latest", "--data", path).said
    assert files_of(trained) == before


def test_new_data_of_another_size(trained, place, refused):
    from neurocli_cnn_lstm.simulation.example import small_network

    small_network(1, runs=1, duration_ms=1200.0, neurons=10).save(place / "small.h5")
    done = refused(3, "evaluate", "latest", "--data", "small.h5")
    assert "neurons: 20 in run-0000, 10 in new:run-0000" in done.said and "small.h5" in done.error["where"]


def test_a_horizon_beyond_the_runs_is_found_before_training(good, place, refused):
    done = refused(3, "train", "cnn-lstm", "--data", good, "--set", "evaluate.horizons_ms=[600.0]")
    assert "horizon of 600 ms" in done.said and not (place / "runs").exists()
