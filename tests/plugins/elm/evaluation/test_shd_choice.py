"""What choosing the epoch on the test set would claim: recorded in every epoch, never used, and the same after any kill."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neurocli.config.resolve import resolve
from neurocli.evaluation.class_metrics import Accuracy
from neurocli.plugin.registry import registry
from neurocli.runs.folder import RunFolder
from neurocli.training.fit import fit
from neurocli.training.history import read_history
from neurocli.training.load import load_trained
from neurocli_elm.data.readers.shd import ShdReader
from neurocli_elm.evaluation.shd.choice import chosen_on_test

_spec = importlib.util.spec_from_file_location("shd_files", Path(__file__).parents[1].joinpath("shd_files.py"))
assert _spec is not None and _spec.loader is not None
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)

SETS = ("train.epochs=3", "train.steps_per_epoch=6", "train.device=cpu", "model.num_memory=8", "data.masked=0.1")


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> tuple[Any, Any, Any]:
    """(family, config, data)."""
    place = tmp_path_factory.mktemp("shd")
    files.write(place / "shd_train.h5", files.utterances(0, 5, list(range(5))))
    files.write(place / "shd_test.h5", files.utterances(1, 2, [0, 8]))
    family = registry().family("elm-v2", "shd")
    config = resolve(family.Config, sets=SETS).config
    return family, config, family.adapt(ShdReader().read([place / "shd_train.h5", place / "shd_test.h5"]), config)


def trained_run(prepared, root: Path, *stops: int, **data_options: Any) -> RunFolder:
    """A run that was stopped at some of its events."""
    family, config, data = prepared
    config = config.model_copy(update={"data": config.data.model_copy(update=data_options)})
    run = RunFolder.create(root, family.card.name, {"task": "shd"}, config.model_dump(mode="json"), {})
    for at in stops:
        events = iter(range(10**6))

        def stop(event: dict, at: int = at, events: Any = events) -> None:
            if next(events) == at:
                raise Stopped

        with pytest.raises(Stopped):
            fit(family, config, data, run, resume=True, progress=stop)
    fit(family, config, data, run, resume=True)
    return run


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory) -> RunFolder:
    return trained_run(prepared, tmp_path_factory.mktemp("runs"))


def weights(run: RunFolder) -> list[bytes]:
    return [(folder / "weights.safetensors").read_bytes() for folder in (run.last, run.best)]


def test_the_record_of_the_best_epoch_is_the_score_of_the_evaluation(prepared, run):
    family, config, data = prepared
    model = load_trained(family, run, data, which="best", device="cpu")
    rows = read_history(run.metrics_csv)
    chosen = min(rows, key=lambda row: row["validation_loss"])
    target = family.targets(data, config)[0]
    prediction, metric = family.predict(model, target), Accuracy()
    statistics = sum(metric.statistics(target.values[g], prediction.values[g]) for g in target.groups)
    assert chosen["test_accuracy"] == pytest.approx(float(metric.value(statistics)), abs=1e-12)
    assert len(rows) == 3 and all(0 <= row["test_accuracy"] <= 1 for row in rows)


def test_a_killed_run_ends_with_the_same_record(prepared, run, tmp_path):
    killed = trained_run(prepared, tmp_path, 2, 9, 3)
    assert killed.metrics_csv.read_bytes() == run.metrics_csv.read_bytes() and weights(killed) == weights(run)


def test_the_record_changes_nothing_and_can_be_left_out(prepared, run, tmp_path):
    without = trained_run(prepared, tmp_path, test_each_epoch=False)
    assert weights(without) == weights(run)
    assert all("test_accuracy" not in row for row in read_history(without.metrics_csv))


def test_an_epoch_that_is_best_on_the_test_set_by_chance_is_told_apart(prepared, run, tmp_path):
    family, _, data = prepared
    model = load_trained(family, run, data, which="best", device="cpu")
    losses, accuracies = [2.0, 1.0, 1.5, 1.0], [0.5, 0.7, 0.8, 0.6]
    planted = [
        {"epoch": n, "validation_loss": loss, "test_accuracy": accuracy}
        for n, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), 1)
    ]
    exhibit = chosen_on_test(replace(model, history=planted), tmp_path)
    assert exhibit is not None and exhibit.table is not None and exhibit.figure is not None
    (_, own, honest, _), (_, best, claimed, difference) = exhibit.table.rows
    assert (own, honest, best, claimed) == (2, 0.7, 3, 0.8) and exhibit.figure.is_file()
    assert difference == exhibit.claims["difference"] == pytest.approx(0.1)
    # Nothing is shown of a history that does not hold every epoch's, nor of data that are not the published test file.
    assert chosen_on_test(replace(model, history=[*planted, {"epoch": 5.0}]), tmp_path) is None
    assert chosen_on_test(replace(model, history=[]), tmp_path) is None
    assert {exhibit.name for exhibit in family.evaluate_more(model, predictions(family, model), tmp_path)} == {
        "chosen-on-test",
        "confusion",
    }


def predictions(family: Any, model: Any) -> dict[str, Any]:
    target = family.targets(model.dataset, model.config)[0]
    return {target.name: family.predict(model, target)}


def test_the_notes_say_who_chose_the_epoch(prepared):
    family, config, data = prepared
    (chose,) = {data.about[group].speaker for group in data.split.validation}
    note = next(note for note in family.notes(data, config) if "the epoch is chosen" in note)
    assert f"speaker {chose}," in note and "not in the test file" in note and "1 of 2 test speakers" in note
