"""Training: the same bits after any kill, valid checkpoints after any signal, errors that say what to do."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from neurocli.config.sections import TrainConfig
from neurocli.errors import DataError, DeviceError, Interrupted, NeuroError, UsageError
from neurocli.runs.records import read_record
from neurocli.training import checkpoint as checkpoints
from neurocli.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from neurocli.training.devices import resolve_device
from neurocli.training.history import append_row, read_history, truncate
from neurocli.training.load import load_trained
from neurocli.training.schedule import Schedule

SCHEDULES = [
    {"schedule": "cosine", "warmup": 0.2, "optimizer": "adamw", "weight_decay": 0.01},
    {"schedule": "plateau", "plateau_patience": 0, "optimizer": "adamax"},
    {"schedule": "constant", "steps_per_epoch": 17, "max_steps": 60},
]


def left(run):
    """What must not depend on how often a run was killed."""
    weights = [(run.checkpoints / which / checkpoints.WEIGHTS).read_bytes() for which in ("last", "best")]
    metrics = read_record(run.metrics_json)
    return weights, run.metrics_csv.read_bytes(), {k: v for k, v in metrics.items() if k not in ("cpu_s", "wall_s")}


def wait_for(path, seconds=20):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


def test_a_run_ends_with_all_that_it_promises(toy, make_run, capfd):
    run = make_run(epochs=6, learning_rate=0.02)
    seen = []
    result = toy.train_in(run.path, seen.append, resume=False)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert read_record(run.metrics_json) == result
    assert result["epochs"] == 6 and result["steps"] == 6 * 12 and result["parameters"] == 57
    info = run.read_info()
    assert info["status"] == "finished" and info["spec"] == {"channels": 3} and info["normalisation"] is None
    assert len(info["test_fingerprint"]) == 64 and info["split"]["split"] == "by-group"
    rows = read_history(run.metrics_csv)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert result["best_validation_loss"] == min(row["validation_loss"] for row in rows)
    assert math.isclose(rows[0]["train_loss"], rows[0]["train_error"] + rows[0]["train_size"])
    assert sum(event["event"] == "batch" for event in seen) == 72 and seen[-1]["event"] == "epoch"
    assert not list(run.path.rglob("lightning_logs")) and "epoch 6" in run.log.read_text()

    family = toy.toy_family()
    config = toy.ToyConfig()
    trained = load_trained(family, run, family.adapt(family.example(0), config))
    assert not trained.network.training and trained.history == rows
    with torch.no_grad():
        losses = [
            family.validation_loss(trained.network, b, trained.config)
            for b in trained.dataset.batches("validation", seed=0, epoch=0)
        ]
    assert math.isclose(float(torch.stack(losses).mean()), result["best_validation_loss"], rel_tol=1e-5)
    control = family.untrained(config, info["spec"], 0)
    assert not torch.equal(control.stack[0].weight, trained.network.stack[0].weight)
    assert toy.train_in(run.path) == result
    with pytest.raises(UsageError):
        toy.train_in(run.path, resume=False)


@pytest.mark.parametrize("train", SCHEDULES, ids=lambda train: train["schedule"])
def test_interruptions_leave_the_same_bits(toy, make_run, train):
    whole, broken = make_run(epochs=5, **train), make_run(epochs=5, **train)
    toy.train_in(whole.path)

    class Stopped(Exception):
        pass

    for at in (0, 1, 20, 33):
        events = iter(range(10**6))

        def stop(event, at=at, events=events):
            if next(events) == at:
                raise Stopped

        with pytest.raises(Stopped):
            toy.train_in(broken.path, stop)
    toy.train_in(broken.path)
    assert left(whole) == left(broken)


def test_sigkill_at_random_moments_leaves_the_same_bits(toy, make_run, trainings):
    whole, killed = make_run(epochs=8), make_run(epochs=8, model={"delay_s": 0.005})
    toy.train_in(whole.path)
    kills = 0
    for _ in range(40):
        pid = trainings.start(killed)
        time.sleep(random.uniform(0.15, 0.6))
        os.kill(pid, signal.SIGKILL)
        code = trainings.wait(pid)
        assert code in (0, -signal.SIGKILL)
        kills += code != 0
        if code == 0 or killed.metrics_json.exists():
            break
        if kills == 7:
            break
    assert trainings.wait(trainings.start(killed)) == 0
    assert kills >= 1
    assert left(whole) == left(killed)
    assert killed.read_info()["status"] == "finished"


def test_a_kill_between_any_two_writes_leaves_the_same_bits(toy, make_run, monkeypatch):
    """Every rename, unlink and rmtree of an epoch's end is made the last thing that a process does."""
    whole = make_run(epochs=3)
    toy.train_in(whole.path)

    class Killed(BaseException):
        pass

    import pathlib
    import shutil

    points = 0
    for at in range(0, 400, 5):
        run, count = make_run(epochs=3), iter(range(10**6))
        with monkeypatch.context() as patch:
            for owner, name in ((pathlib.Path, "rename"), (os, "replace"), (shutil, "rmtree"), (os, "fsync")):
                real = getattr(owner, name)

                def guarded(*args, real=real, count=count, at=at, **kwargs):
                    if next(count) >= at:
                        raise Killed
                    return real(*args, **kwargs)

                patch.setattr(owner, name, guarded)
            try:
                toy.train_in(run.path)
            except Killed:
                points += 1
        toy.train_in(run.path)
        assert left(whole) == left(run), at
        if next(count) <= at:  # the training came to its end before its turn to be killed
            break
    assert points > 8


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_a_valid_checkpoint(toy, make_run, trainings, number, code):
    run, whole = make_run(epochs=4, model={"delay_s": 0.02}), make_run(epochs=4)
    pid = trainings.start(run)
    wait_for(run.last)
    with pytest.raises(UsageError, match=str(pid)):  # one writer
        toy.train_in(run.path)
    os.kill(pid, number)
    assert trainings.wait(pid) == code
    assert run.read_info()["status"] == "interrupted"
    assert 1 <= load_checkpoint(run.last).state["progress"]["epoch"] < 4
    toy.train_in(run.path)
    toy.train_in(whole.path)
    assert left(run) == left(whole)


def test_a_damaged_last_falls_back_and_ends_the_same(toy, make_run):
    whole, run = make_run(epochs=4), make_run(epochs=4)
    toy.train_in(whole.path)

    def stop(event):
        if event["event"] == "epoch" and event["epoch"] == 3:
            raise Interrupted("here", signal=15)

    with pytest.raises(Interrupted):
        toy.train_in(run.path, stop)
    weights = run.last / checkpoints.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-8] + b"damaged!")
    with pytest.warns(UserWarning, match="sha256"):
        toy.train_in(run.path)
    assert left(whole) == left(run)


def test_no_usable_checkpoint(toy, make_run, tmp_path):
    run = make_run(epochs=2)
    family = toy.toy_family()
    data = family.adapt(family.example(0), toy.ToyConfig())
    with pytest.raises(DataError, match="has not been trained"):
        load_trained(family, run, data)
    toy.train_in(run.path)
    for folder in run.checkpoints.iterdir():
        (folder / checkpoints.STATE).write_bytes(b"")
    with pytest.raises(DataError, match="no usable checkpoint") as caught:
        load_trained(family, run, data)
    assert caught.value.exit_code == 3 and caught.value.hint
    with pytest.raises(DataError, match="no usable checkpoint: the run has none"):
        load_checkpoint(tmp_path / "nothing")


def test_a_pickle_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    save_checkpoint(tmp_path / "last", Checkpoint({"w": torch.zeros(2)}, {"evil": Evil()}))
    with pytest.raises(DataError):
        load_checkpoint(tmp_path / "last")
    assert not (tmp_path / "owned").exists()


def test_a_damaged_checkpoint_never_pushes_out_the_good_one(tmp_path):
    for value in (1.0, 2.0):
        save_checkpoint(tmp_path / "last", Checkpoint({"w": torch.tensor([value])}, {}))
    (tmp_path / "last" / checkpoints.STATE).write_bytes(b"x")
    save_checkpoint(tmp_path / "last", Checkpoint({"w": torch.tensor([3.0])}, {}))
    (tmp_path / "last" / checkpoints.MANIFEST).write_text("[]")
    with pytest.warns(UserWarning):
        assert float(load_checkpoint(tmp_path / "last").weights["w"]) == 1.0


def test_a_loss_that_is_not_finite_names_its_place_and_keeps_the_checkpoint(toy, make_run):
    run = make_run(epochs=3, model={"poison_step": 15})
    with pytest.raises(NeuroError, match=r"error.*not finite in epoch 2, step 15") as caught:
        toy.train_in(run.path)
    assert caught.value.exit_code == 1
    assert run.read_info()["status"] == "failed" and load_checkpoint(run.last).state["progress"]["epoch"] == 1


def test_patience_ends_a_run(toy, make_run):
    run = make_run(epochs=50, patience=2, learning_rate=0.5, schedule="constant")
    result = toy.train_in(run.path)
    assert result["epochs"] == result["best_epoch"] + 2 < 50


def test_other_data_are_refused(toy, make_run):
    from neurocli.training.fit import fit

    run = make_run(epochs=2)
    with pytest.raises(ZeroDivisionError):
        toy.train_in(run.path, lambda event: 1 / 0 if event["event"] == "epoch" else None)
    family, config = toy.toy_family(), toy.ToyConfig()
    with pytest.raises(DataError, match="not the data"):
        fit(family, config, family.adapt(family.example(1), config), run, resume=True)


def test_a_failing_listener_stops_nothing(toy, make_run, capfd):
    import pluggy

    from neurocli.plugin.hooks import PROJECT, Hooks, hookimpl

    told = []

    class Bad:
        @hookimpl
        def neurocli_run_logged(self, run, row):
            print("noise")
            raise RuntimeError("mine")

    class Good:
        @hookimpl
        def neurocli_run_logged(self, row):
            told.append(row["epoch"])

        @hookimpl
        def neurocli_run_finished(self, run, status):
            told.append(status)

    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(Bad())
    manager.register(Good())
    run = make_run(epochs=2)
    toy.train_in(run.path, hook=manager.hook)
    assert told == [1, 2, "finished"]
    assert "mine" in run.log.read_text() and capfd.readouterr().out == ""


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    resolve_device("auto")
    for name in ("cuda:77", "gpu", "", "cuda:x", "cuda:-1", *([] if torch.cuda.is_available() else ["cuda"])):
        with pytest.raises(DeviceError) as caught:
            resolve_device(name)
        assert caught.value.exit_code == 2 and "cpu" in caught.value.hint


def test_schedules():
    config = TrainConfig(schedule="cosine", learning_rate=1.0, warmup=0.1, minimum_rate=0.0)
    schedule = Schedule(config, total_steps=100, steps_per_epoch=10)
    assert [schedule.rate(s) for s in (0, 5, 10)] == [0.0, 0.5, 1.0]
    assert math.isclose(schedule.rate(55), 0.5) and math.isclose(schedule.rate(100), 0.0, abs_tol=1e-12)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, min_lr=0.1)
    ours = Schedule(
        TrainConfig(schedule="plateau", learning_rate=1.0, plateau_patience=2, minimum_rate=0.1),
        total_steps=1000,
        steps_per_epoch=1,
    )
    generator = torch.Generator().manual_seed(0)
    for epoch in range(60):
        loss = 2.0 + float(torch.rand(1, generator=generator))
        reference.step(loss)
        ours.epoch_ended(loss, epoch + 1)
        assert math.isclose(ours.rate(epoch + 1), optimizer.param_groups[0]["lr"])


def test_history_drops_what_a_kill_left(tmp_path):
    path = tmp_path / "metrics.csv"
    for epoch in (1, 2, 3):
        append_row(path, {"epoch": epoch, "loss": 0.1 * epoch})
    with path.open("a") as file:
        file.write("4,0.")
    assert [row["epoch"] for row in read_history(path)] == [1, 2, 3]
    truncate(path, 2)
    assert read_history(path) == [{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 0.2}]


def test_runs_are_light():
    code = "import sys, neurocli.runs.folder, neurocli.runs.lock, neurocli.runs.provenance as p; p.provenance();"
    code += "assert not {'torch', 'numpy', 'lightning'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
