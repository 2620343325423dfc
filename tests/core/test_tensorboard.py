"""The listener for TensorBoard, read back with TensorBoard's own reader; without the package it does nothing."""

from __future__ import annotations

import subprocess
import sys

import pluggy
import pytest

from neurocli.plugin.hooks import PROJECT, Hooks
from neurocli.report.figure import saved_figure
from neurocli.training import tensorboard as listener
from neurocli.training.history import read_history

HEAVY = {"torch", "tensorboard", "numpy", "matplotlib", "lightning"}


@pytest.fixture
def hook():
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(listener)
    return manager.hook


def events_of(run):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = reader.EventAccumulator(str(run.path / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    return accumulator.Reload()


def scalars(events, name):
    return {event.step: event.value for event in events.Scalars(name)}


def test_scalars_and_pictures_are_those_of_the_run(toy, make_run, hook):
    pytest.importorskip("tensorboard")
    run = make_run(epochs=3)
    with saved_figure(run.watch / "epoch-0002" / "memory.png", width=2, height=1):
        pass
    toy.train_in(run.path, hook=hook)
    rows, events = read_history(run.metrics_csv), events_of(run)
    assert set(events.Tags()["scalars"]) == set(rows[0]) - {"epoch"}
    for name in events.Tags()["scalars"]:
        assert scalars(events, name) == pytest.approx({int(row["epoch"]): row[name] for row in rows}, rel=1e-6)
    (picture,) = events.Images("memory")
    assert (picture.step, picture.width, picture.height) == (2, 260, 130)


def test_an_epoch_that_is_trained_again_is_shown_once(toy, make_run, hook):
    pytest.importorskip("tensorboard")
    run = make_run(epochs=4)

    class Stopped(Exception):
        pass

    def stop(event):
        if event["event"] == "epoch" and event["epoch"] == 2:
            raise Stopped

    with pytest.raises(Stopped):
        toy.train_in(run.path, stop, hook=hook)
    toy.train_in(run.path, hook=hook)
    assert list(scalars(events_of(run), "train_loss")) == [1, 2, 3, 4]
    assert [event.step for event in events_of(run).Scalars("train_loss")] == [1, 2, 3, 4]


def test_without_the_package_nothing_is_written(toy, make_run, hook, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as Python has it of a module that is not to be imported
    run = make_run(epochs=1)
    toy.train_in(run.path, hook=hook)
    assert not (run.path / "tensorboard").exists() and "listener" not in run.log.read_text()


def test_it_costs_nothing_until_a_run_begins():
    code = "import sys, neurocli.training.tensorboard; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not HEAVY & set(modules.stdout.split())
