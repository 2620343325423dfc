"""Spoken digits from training to scoreboard: learned in seconds, scored beside baselines, with the published recipe."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from neurocli.cli.main import run
from neurocli.config.resolve import resolve
from neurocli.errors import DataError
from neurocli.evaluation.class_metrics import Accuracy, LogLoss
from neurocli.evaluation.evaluate import evaluate
from neurocli.plugin.family import TrainedModel
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli_elm.data.readers.shd import ShdReader
from neurocli_elm.data.shd_split import NEW_SPEAKERS
from neurocli_elm.evaluation.shd.baselines import counts
from neurocli_elm.evaluation.shd.predictions import events_of, probabilities
from neurocli_elm.evaluation.shd.targets import HEARD, NEW
from neurocli_elm.simulation.example import small_cells

_spec = importlib.util.spec_from_file_location("shd_files", Path(__file__).parents[1].joinpath("shd_files.py"))
assert _spec is not None and _spec.loader is not None
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("shd")
    files.write(place / "shd_train.h5", files.utterances(0, 20, list(range(10))))
    files.packed(files.write(place / "shd_test.h5", files.utterances(1, 6, [0, 1, 4, 10, 11])))
    return place


@pytest.fixture(scope="module")
def digits(folder) -> RecordingSet:
    return ShdReader().read([folder / "shd_train.h5", folder / "shd_test.h5"])


def adapted(
    digits: RecordingSet, model: str = "elm-v2", sets: tuple[str, ...] = (), task: str = "shd"
) -> tuple[Any, Any, Any]:
    """(family, config, data)."""
    family = registry().family(model, task)
    config = resolve(family.Config, sets=sets).config
    return family, config, family.adapt(digits, config)


@pytest.fixture(scope="module")
def trained(digits) -> tuple[Any, TrainedModel]:
    """(family, a small neuron after 300 steps)."""
    options = ("model.num_memory=20", "data.masked=0.1", "train.batch_size=32")
    family, config, data = adapted(digits, sets=options)
    steps = 300
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = family.build(config, data.spec)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(steps // data.steps("train") + 1):
        for batch in data.batches("train", seed=0, epoch=epoch):
            optimiser.zero_grad()
            family.loss(network, batch, config).total.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            steps -= 1
            if not steps:
                break
        if not steps:
            break
    return family, TrainedModel(network.eval(), config, data, 0, [], None, family)


def test_digits_that_their_units_tell_are_learned(trained):
    family, model = trained
    actual = evaluate(family, model, say=lambda text: None)
    scores = {(s.name, s.metric, s.subset): s for s in actual.scores}
    best = scores["elm-v2", "accuracy", "all"]
    assert best.value > 0.9 and best.low > 0.85 and best.n_groups == 5
    assert scores["most frequent class", "accuracy", "all"].value < 0.1
    for name in ("spikes of each unit", "spikes in time and unit"):
        assert scores[name, "accuracy", "all"].value > 0.9 and scores[name, "log loss", "all"].value < 0.5
    assert {scores["elm-v2", "accuracy", subset].value > 0.8 for subset in (HEARD, NEW)} == {True}
    assert actual.skill["value"] is None and "not known" in actual.ceiling_reason
    assert any("3 of 5 test speakers" in note for note in actual.notes)
    json.dumps(actual.as_dict(), allow_nan=False, default=str)


def test_scores_are_those_of_scikit_learn(trained):
    family, model = trained
    target = family.targets(model.dataset, model.config)[0]
    prediction = family.predict(model, target)
    truth = np.concatenate([target.values[g].argmax(1) for g in target.groups])
    predicted = np.concatenate([prediction.values[g] for g in target.groups])
    for metric, want in (
        (Accuracy(), accuracy_score(truth, predicted.argmax(1))),
        (LogLoss(), log_loss(truth, predicted, labels=range(20))),
    ):
        statistics = [metric.statistics(target.values[g], prediction.values[g]) for g in target.groups]
        assert float(metric.value(np.stack(statistics).sum(0))) == pytest.approx(want, rel=1e-9)


def test_the_answer_is_read_at_the_last_step_of_the_unmasked_input(trained):
    family, model = trained
    data, target = model.dataset, family.targets(model.dataset, model.config)[0]
    prediction = family.predict(model, target)
    rows = data.scored_rows("test")["speaker 4"]
    batch = data.batch(rows)
    x = torch.zeros(len(rows), data.num_steps, 700)
    x.index_put_((batch["sample"], batch["step"], batch["channel"]), batch["sign"])
    with torch.no_grad():
        want = torch.softmax(model.network(x)[:, -1].double(), -1).numpy()
    np.testing.assert_allclose(prediction.values["speaker 4"], want, atol=1e-5)
    assert [data.label[n] for n in rows[:, 0]] == target.values["speaker 4"].argmax(1).tolist()
    every = probabilities(model.network, data, rows, every=20)
    assert every.shape == (len(rows), 5, 20)
    np.testing.assert_allclose(every[:, -1], want, atol=1e-5)


def test_the_loss_is_the_cross_entropy_of_the_last_step(trained):
    family, model = trained
    batch = next(iter(model.dataset.batches("validation", seed=0, epoch=0)))
    with torch.no_grad():
        y = model.network.forward_events(events_of(batch))[:, -1].double()
        actual = float(family.validation_loss(model.network, batch, model.config))
    want = -torch.log_softmax(y, -1)[torch.arange(len(y)), batch["label"]].mean()
    assert actual == pytest.approx(float(want), rel=1e-5)


def test_counts_of_the_baselines_are_those_of_the_spikes(trained):
    _, model = trained
    data = model.dataset
    rows = data.utterances("test")[:3, None]
    actual = counts(data, rows, 10, 35)
    for row, number in zip(actual, rows[:, 0], strict=True):
        recording = data.recordings[list(data.about)[number]]
        want = np.zeros((10, 35))
        for time, unit in zip(recording.events["spike_s"], recording.events["spike_unit"], strict=True):
            if time < 0.999:  # none of these lies within a rounding of an edge of 100 ms
                want[int(time * 10), unit // 20] += 1
        assert np.abs(row.reshape(10, 35) - want).sum() <= 4
        assert row.sum() == pytest.approx((recording.events["spike_s"] < 1).sum())


def test_exhibits_hold_what_the_model_says(trained, tmp_path):
    family, model = trained
    target = family.targets(model.dataset, model.config)[0]
    predictions = {target.name: family.predict(model, target)}
    (confused,) = family.evaluate_more(model, predictions, tmp_path)
    assert sum(row[1] for row in confused.table.rows) == 120 and confused.figure.is_file()
    right = sum(row[1] * row[2] for row in confused.table.rows) / 120
    assert right > 0.9
    (when,) = family.interpret(model, tmp_path)
    assert when.claims["accuracy_at_end"] == pytest.approx(right) and when.figure.is_file()
    assert when.claims["untrained_at_end"] < 0.3 and 0 < when.claims["half_of_it_at_ms"] < 1000


def test_the_diagnosis_counts_what_is_wrong(trained, tmp_path):
    family, model = trained
    findings = {f.check: f for f in family.diagnose_data(model.dataset.recordings, model.config)}
    assert findings["readable"].verdict == findings["missing-classes"].verdict == findings["usable"].verdict == "PASS"
    assert findings["shared-speakers"].verdict == "WARN" and findings["shared-speakers"].value == "3 of 5 test speakers"
    spikes = [recording.events["spike_s"] for recording in model.dataset.recordings.values()]
    late = np.concatenate(spikes) >= 1
    assert findings["late-spikes"].value == pytest.approx(late.mean())
    assert {f.check for f in family.diagnose_model(model)} >= {"timescales", "dead-synapses"}
    odd = [utterance for utterance in files.utterances(0, 3, [0, 1, 2]) if utterance[2] not in (3, 4)]
    odd[2] = ([], [], 0, 0)
    recordings = ShdReader().read([files.write(tmp_path / "shd_train.h5", odd)])
    findings = {f.check: f for f in family.diagnose_data(recordings, model.config)}
    assert findings["missing-classes"].value == "3, 4" and findings["empty"].value == "shd_train-00002"
    broken = [*odd[:5], ([0.5], [800], 1, 0)]
    recordings = ShdReader().read([files.write(tmp_path / "shd_more.h5", broken)])
    findings = {f.check: f for f in family.diagnose_data(recordings, model.config)}
    assert findings["readable"].verdict == "FAIL" and "shd_more-00005" in findings["readable"].value


def test_the_published_recipe(digits):
    family, config, data = adapted(digits, "elm-v1")
    network = family.build(config, data.spec)
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 183_020
    options = network.options
    assert (options.version, options.num_input, options.branches, options.num_output) == (1, 700, 700, 20)
    assert (options.delta_t, options.memory_tau_min, options.memory_tau_max, options.tau_value) == (10, 1, 500, 5)
    train = config.train
    assert (train.optimizer, train.learning_rate, train.epochs, train.batch_size) == ("adamax", 5e-3, 10, 8)
    assert (train.schedule, train.warmup, config.data.masked, config.data.bin_ms) == ("cosine", 0, 0.5, 10)
    assert family.loss(network, next(iter(data.batches("train", seed=0, epoch=0))), config).total.item() < 4


@pytest.mark.parametrize(("bins", "task", "outputs"), [(10, "shd", 20), (16, "shd-adding", 19)])
def test_the_neuron_takes_its_step_and_its_outputs_from_the_data(digits, bins, task, outputs):
    sets = (f"data.bin_ms={bins}", "model.num_memory=5")
    family, config, data = adapted(digits, sets=sets, task=task)
    network = family.build(config, data.spec)
    assert (network.options.delta_t, network.options.num_output) == (bins, outputs)
    target = family.targets(data, config)[0]
    prediction = family.predict(TrainedModel(network.eval(), config, data, 0, []), target)
    for group, observed in target.values.items():
        assert prediction.values[group].shape == observed.shape and observed.shape[1] == outputs
        np.testing.assert_allclose(prediction.values[group].sum(1), 1)


def test_a_task_refuses_the_data_of_another_and_says_which_it_is(digits):
    family = registry().family("elm-v1", "shd")
    with pytest.raises(DataError, match="not the Spiking Heidelberg Digits"):
        family.adapt(small_cells(0, simulations=3, duration_ms=1100), family.Config())
    family = registry().family("elm-v1")
    with pytest.raises(DataError, match="spoken digits") as caught:
        family.adapt(digits, family.Config())
    assert "--task shd" in caught.value.hint


def test_the_command_line_takes_digits_from_file_to_score(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    root = ["--runs-dir", str(tmp_path / "runs"), "--json"]
    data = ["--data", str(folder / "shd_train.h5"), "--data", str(folder / "shd_test.h5.gz")]
    options = ["--set", "train.steps_per_epoch=4", "--set", "train.epochs=2", "--set", "model.num_memory=6"]
    assert run(["train", "elm-v2", "--task", "shd", *data, *options, *root]) == 0
    told = json.loads(capsys.readouterr().out)["data"]
    assert told["protocol"]["split"] == NEW_SPEAKERS and told["protocol"]["group"] == "speaker"
    assert run(["evaluate", "latest", *root]) == 0
    told = json.loads(capsys.readouterr().out)["data"]
    assert {s["metric"] for s in told["scores"]} == {"accuracy", "log loss"}
    assert [exhibit["name"] for exhibit in told["exhibits"]] == ["chosen-on-test", "confusion"]
    # The test file alone, to a run that has been trained on the other.
    assert run(["train", "elm-v2", "--task", "shd", *data[:2], *options, *root]) == 0
    capsys.readouterr()
    assert run(["evaluate", "latest", "--data", str(folder / "shd_test.h5"), *root]) == 0
    told = json.loads(capsys.readouterr().out)["data"]
    assert told["protocol"]["split"] == "new data" and len(told["protocol"]["groups"]["test"]) == 120


def test_targets_of_other_parts_are_predicted_for_their_own_samples(trained):
    family, model = trained
    for part in ("validation", "train"):
        target = family.targets(model.dataset, model.config, part)[0]
        prediction = family.predict(model, target)
        right = [(prediction.values[g].argmax(1) == observed.argmax(1)).mean() for g, observed in target.values.items()]
        assert np.mean(right) > 0.9
