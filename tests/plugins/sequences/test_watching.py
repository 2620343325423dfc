"""Watching a training: it ends in the same bits, in whichever epochs it is looked at, and what is kept is what the network is."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurocli.cli.main import run as neuro
from neurocli.config.resolve import resolve
from neurocli.errors import ConfigError, Notice
from neurocli.plugin.registry import registry
from neurocli.recordings.adapting import adapted
from neurocli.runs.folder import RunFolder
from neurocli.training.fit import fit
from neurocli.training.load import load_trained
from neurocli.training.readout import pooled, pooled_over_steps
from neurocli.training.rest import at_rest
from neurocli.training.watching import check_watched
from neurocli.workflow.report import report

ALL = '["states", "memory", "sequences"]'
MODELS = ["elm-v1", "elm-v2", "lstm", "gru", "linear"]


class Stopped(Exception):
    pass


def prepared(model: str, task: str, *sets: str) -> tuple[Any, Any, Any]:
    """(family, config, data) of the task's own example."""
    family = registry().family(model, task)
    short = ("data.window=100",) if task == "neuronio" else ()
    few = ("train.epochs=3", "train.steps_per_epoch=2", "train.batch_size=4", "train.device=cpu")
    config = resolve(family.Config, sets=(*few, *short, *sets)).config
    return family, config, adapted(family, family.example(0), config)


def trained(root: Path, family: Any, config: Any, data: Any, *stops: int) -> RunFolder:
    info = {"task": family.task_name}
    run = RunFolder.create(root, family.card.name, info, config.model_dump(mode="json"), {})
    for at in stops:
        events = iter(range(10**6))

        def stop(event: dict, at: int = at, events: Any = events) -> None:
            if next(events) == at:
                raise Stopped

        with pytest.raises(Stopped):
            fit(family, config, data, run, resume=True, progress=stop)
    fit(family, config, data, run, resume=True)
    return run


def left(run: RunFolder) -> list[bytes]:
    files = [folder / "weights.safetensors" for folder in (run.last, run.best)]
    return [path.read_bytes() for path in (*files, run.metrics_csv)]


def epochs_of(run: RunFolder) -> list[str]:
    return sorted(path.name for path in run.watch.iterdir()) if run.watch.exists() else []


def states_of(run: RunFolder, epoch: int) -> dict[str, np.ndarray]:
    with np.load(run.watch / f"epoch-{epoch:04d}" / "states.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "task"), [("elm-v2", "timeseries"), ("lstm", "digits")])
def test_a_watched_training_ends_in_the_same_bits_also_after_it_was_killed(tmp_path, model, task):
    plain = trained(tmp_path, *prepared(model, task))
    watched = trained(tmp_path, *prepared(model, task, f"train.watch={ALL}"))
    killed = trained(tmp_path, *prepared(model, task, f"train.watch={ALL}"), 2, 4)
    assert left(plain) == left(watched) == left(killed)
    assert epochs_of(plain) == [] and epochs_of(watched) == epochs_of(killed) == [f"epoch-000{n}" for n in (1, 2, 3)]
    for epoch in (1, 2, 3):
        for name, values in states_of(watched, epoch).items():
            np.testing.assert_array_equal(values, states_of(killed, epoch)[name])
    assert not list(watched.path.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("sets", "epochs"),
    [
        (("train.watch_every=2",), [2, 3]),
        (("train.watch_every=9", "train.max_steps=3"), [2]),
        (("train.watch_every=9", "train.epochs=9", "train.patience=1", "train.learning_rate=1e-12"), [None]),
    ],
    ids=["every second", "few steps", "patience"],
)
def test_the_last_epoch_is_always_watched(tmp_path, sets, epochs):
    run = trained(tmp_path, *prepared("linear", "timeseries", 'train.watch=["sequences"]', *sets))
    last = len(run.metrics_csv.read_text().splitlines()) - 1
    assert epochs_of(run) == [f"epoch-{epoch or last:04d}" for epoch in epochs]
    assert [path.name for path in run.watch.rglob("*.*")] == ["sequences.png"] * len(epochs)


@pytest.mark.parametrize("task", ["neuronio", "shd", "shd-adding", "digits", "timeseries", "listops", "lra-text"])
@pytest.mark.parametrize("model", ["elm-v2", "gru"])
def test_every_task_shows_what_it_is_asked_for(tmp_path, task, model):
    family, config, data = prepared(model, task, f"train.watch={ALL}")
    network = family.untrained(config, data.spec, 0).eval()
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    with torch.no_grad():
        family.watch(network, data, config, tmp_path)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1], before[2]) == (np.random.get_state()[1].tolist(), random.getstate())
    assert {path.name for path in tmp_path.iterdir()} == {"states.npz", "memory.png", "sequences.png"}
    with np.load(tmp_path / "states.npz", allow_pickle=False) as file:
        memory = file["memory" if model == "elm-v2" else "hidden"]
        assert len(file["cases"]) == len(file["lengths"]) == len(memory) and np.isfinite(memory).all()
        assert ("timescales" in file) == (model == "elm-v2") and memory.shape[1] >= file["lengths"].max()


@pytest.mark.parametrize("model", MODELS)
def test_outputs_are_what_the_states_give(model):
    family, config, data = prepared(model, "timeseries")
    network = family.inside(family.untrained(config, data.spec, 0))
    x = torch.randn(3, 7, data.spec["num_input"])
    with torch.no_grad():
        states, want = family.model.states(network, x), network(x)
        memory = next(iter(states.values()))
        if model.startswith("elm"):
            actual = network.w_y(memory)
        elif model == "linear":
            actual = memory.unflatten(2, (want.shape[2], -1)).sum(3) + network.readout.bias
        else:
            actual = network.readout(states["hidden"][:, :, -config.model.hidden :])
    torch.testing.assert_close(actual, want)
    assert all(values.shape[:2] == (3, 7) for values in states.values())
    timescales = family.model.timescales(network)
    assert timescales is None or memory.shape[2] % len(timescales) == 0


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_what_is_read_at_a_step_is_what_a_sequence_that_ends_there_gives(pooling):
    outputs = 30 * torch.randn(2, 6, 4, dtype=torch.float64)
    over = pooled_over_steps(outputs, pooling)
    for step in range(6):
        torch.testing.assert_close(over[:, step], pooled(outputs[:, : step + 1], None, pooling))


def test_a_network_at_rest_is_put_back_part_by_part():
    network = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(2)).train()
    network[1].eval()
    state = torch.get_rng_state()
    with pytest.raises(Stopped), at_rest(network):
        assert not any(part.training for part in network.modules()) and not torch.is_grad_enabled()
        torch.rand(3)
        raise Stopped
    assert [part.training for part in network.modules()] == [True, True, False] and torch.is_grad_enabled()
    assert torch.equal(state, torch.get_rng_state())


def test_what_cannot_be_watched_is_an_error_before_the_training():
    family = registry().family("gat-lstm")
    config = resolve(family.Config, sets=('train.watch=["states"]',)).config
    with pytest.raises(ConfigError, match="no sequence model"):
        check_watched(family, config)
    check_watched(family, family.Config())


def test_what_goes_wrong_is_said_once_and_stops_nothing(tmp_path):
    family, config, data = prepared("linear", "timeseries", 'train.watch=["states"]')
    run = RunFolder.create(tmp_path, "linear", {"task": "timeseries"}, config.model_dump(mode="json"), {})
    run.watch.write_text("a file where a folder should be")
    with pytest.warns(Notice, match="could not be watched") as warned:
        fit(family, config, data, run)
    assert len([w for w in warned if "watched" in str(w.message)]) == 1
    assert run.log.read_text().count("could not be watched") == 3
    assert load_trained(family, run, data).network is not None


def test_the_command_line_watches_and_the_report_shows_the_last(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    root, few = ["--runs-dir", str(tmp_path)], ["--set", "train.epochs=2", "--set", "train.steps_per_epoch=2"]
    given = ["--watch", "states,sequences", "--watch-every", "2", "--json"]
    assert neuro(["train", "linear", "--task", "digits", *few, *given, *root]) == 0
    told = json.loads(capsys.readouterr().out)["data"]
    assert told["params"]["train"]["watch"] == ["states", "sequences"]
    run = RunFolder(Path(told["run"]))
    assert epochs_of(run) == ["epoch-0002"]
    page = report(run.path).path.read_text()
    assert "Predictions over the steps, epoch 2" in page and "Memory over the steps" not in page
    (tmp_path / "other.png").write_bytes((run.watch / "epoch-0002" / "sequences.png").read_bytes())
    (run.watch / "epoch-0002" / "sequences.png").unlink()
    (run.watch / "epoch-0002" / "sequences.png").symlink_to(tmp_path / "other.png")
    assert "not among the run&#39;s own" in report(run.path).path.read_text()
    assert neuro(["train", "linear", "--task", "digits", "--watch", "everything", *root]) == 2
    assert neuro(["train", "cnn-lstm", "--watch", "states", *root]) == 2
    assert "no sequence model" in capsys.readouterr().err
