"""What a notebook does: the six verbs as functions, and a run as an object."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import neurocli
from neurocli.errors import ConfigError, DataError, UnknownName, UsageError
from neurocli.recordings import Recording, RecordingSet
from neurocli.workflow.messages import Event

PUBLIC = {
    "Run", "compare", "diagnose", "evaluate", "interpret", "load_run", "open_recordings", "preprocess", "resume", "simulate", "train",
}  # fmt: skip
FAST = {"train.max_steps": 3, "device": "cpu", "rivals": "none"}


def walks(number: int = 6) -> RecordingSet:
    rng = np.random.default_rng(0)
    made = [rng.normal(size=(1400, 3)).cumsum(axis=0).astype(np.float32) for _ in range(number)]
    return RecordingSet.of([Recording(f"w{n}", signal, 1.0, "mV") for n, signal in enumerate(made)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> neurocli.Run:
    place = tmp_path_factory.mktemp("api")
    walks().save(place / "walks.h5")
    return neurocli.train("cnn-lstm", data=place / "walks.h5", options=FAST, seed=3, runs_dir=place / "runs")


def test_public_names() -> None:
    assert set(neurocli.__all__) == PUBLIC
    assert all(getattr(neurocli, name).__doc__ for name in PUBLIC) and set(dir(neurocli)) >= PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        neurocli.simulat  # noqa: B018


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, {}json; print(json.dumps(sorted(sys.modules)))"
    bare, loaded = (
        json.loads(subprocess.run([sys.executable, "-c", code.format(name)], capture_output=True, check=True).stdout)
        for name in ("", "neurocli, ")
    )
    added = {name.split(".")[0] for name in {*loaded} - {*bare}}
    assert added <= {"neurocli", *sys.stdlib_module_names} and "neurocli" in added
    assert [name for name in loaded if name.startswith("neurocli")] == ["neurocli"]


def test_importing_it_costs_at_most_40_ms() -> None:
    """Of CPU, over an empty Python: the smallest of a few, since a busy machine makes each dearer and none cheaper."""

    def cost(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(cost("pass"), cost("import neurocli")) for _ in range(5)]
    assert min(loaded for _, loaded in pairs) - min(empty for empty, _ in pairs) <= 0.04


@pytest.mark.parametrize(
    "package", sorted({"neurocli", *(point.value.partition(".")[0] for point in entry_points(group="neurocli"))})
)
def test_its_types_are_shipped(package: str) -> None:
    """Installed from the wheel, as README's commands do, this is the wheel's content."""
    assert (files(package) / "py.typed").is_file()


def test_a_run_knows_its_training(trained: neurocli.Run) -> None:
    assert trained.status == "finished" and trained.model == "cnn-lstm-v2"
    assert trained.config.train.seed == 3 and trained.config.train.max_steps == 3
    assert trained.metrics["steps"] == 3 and trained.history[-1]["epoch"] == trained.metrics["epochs"]
    assert sum(p.numel() for p in trained.network.parameters()) == trained.metrics["parameters"]
    assert set(trained.dataset.recordings) == {f"w{n}" for n in range(6)}
    again = neurocli.load_run("latest", runs_dir=trained.path.parents[1])
    assert again.name == trained.name and neurocli.load_run(trained.path).name == trained.name
    with pytest.raises(DataError, match="no evaluation yet"):
        neurocli.load_run(trained.path).scores  # noqa: B018
    with pytest.raises(UnknownName):
        neurocli.load_run("nobody", runs_dir=trained.path.parents[1])


def test_predictions_are_what_is_scored(trained: neurocli.Run) -> None:
    result = neurocli.evaluate(trained)
    assert result.file.is_file() and result.verdict.startswith("R2") and trained.scores == result.scores
    target = result.evaluation.targets[0]["name"]
    wanted = ("RMSE", "mV", target, "model", "all")
    keys = ("metric", "unit", "target", "kind", "subset")
    score = next(s["value"] for s in result.scores if tuple(s[key] for key in keys) == wanted)
    found = [p for p in trained.predictions() if p.target == target]
    assert [p.group for p in found] == list(trained.dataset.split.test)
    for p in found:
        assert p.observed.shape == p.predicted.shape == (len(p.time_ms), len(p.channels)) and p.unit == "mV"
        signal = trained.dataset.recordings[p.group].signal
        np.testing.assert_allclose(p.observed, signal[np.rint(p.time_ms).astype(int)], rtol=1e-6)
    errors = np.concatenate([p.predicted.astype(float) - p.observed for p in found])
    assert score == pytest.approx(np.sqrt(np.mean(errors**2)))


def test_new_data_are_asked_about_without_being_kept(trained: neurocli.Run) -> None:
    rng = np.random.default_rng(7)
    new = RecordingSet.of([Recording("new", rng.normal(size=(1300, 3)).cumsum(0).astype(np.float32), 1.0, "mV")])
    assert {p.group for p in trained.predictions(new)} == {"new"}
    result = neurocli.evaluate(trained, data=new, options={"rivals": "none"})
    assert result.evaluation.protocol["test"] == ["new"] and result.file.name == "evaluation-new-data.json"


def test_recordings_in_memory_are_kept_with_the_run(tmp_path: Path) -> None:
    run = neurocli.train("cnn-lstm", data=walks(), options=FAST, runs_dir=tmp_path)
    again = neurocli.load_run(run.path)
    np.testing.assert_array_equal(again.dataset.recordings["w0"].signal, walks()["w0"].signal)
    assert neurocli.resume(again).metrics["steps"] == 3


def test_progress_hears_of_stages_and_epochs(tmp_path: Path) -> None:
    told: list[Event] = []
    neurocli.train("cnn-lstm", data=walks(), options=FAST, runs_dir=tmp_path, progress=told.append)
    kinds = [event.kind for event in told]
    assert kinds.index("began") < kinds.index("epoch") < kinds.index("ended")
    last = [event.row for event in told if event.kind == "epoch"][-1]
    assert last["epoch"] == last["epochs"] or last["step"] == 3


def test_options_by_their_own_name_or_in_full(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no option 'epoch'"):
        neurocli.train("cnn-lstm", data=walks(), options={"epoch": 3}, runs_dir=tmp_path)
    with pytest.raises(ConfigError, match="cannot be set for a trained run"):
        neurocli.evaluate(
            neurocli.train("cnn-lstm", data=walks(), options=FAST, runs_dir=tmp_path), options={"epochs": 3}
        )
    assert not list(tmp_path.glob("**/evaluation.json"))


def test_simulate_gives_recordings_that_train_takes(tmp_path: Path) -> None:
    options = {"seed": 5, "num_excitatory": 6, "num_inhibitory": 3}  # of a simulator that compiles nothing
    made = neurocli.simulate("sc-session", runs=2, out=tmp_path / "b.h5", options=options)
    assert made.config.seed == 5 and len(made.recordings) == 2 and made.path == tmp_path / "b.h5"
    assert neurocli.open_recordings(made).groups == made.recordings.groups
    assert all(exhibit.figure is None or exhibit.figure.is_file() for exhibit in made.exhibits)


def test_preprocess_diagnose_compare_interpret(trained: neurocli.Run, tmp_path: Path) -> None:
    walks().save(tmp_path / "walks.h5")
    prepared = neurocli.preprocess("cnn-lstm", data=tmp_path / "walks.h5", out=tmp_path / "ready.h5")
    assert neurocli.open_recordings(prepared).groups == walks().groups
    with pytest.raises(UsageError, match="the file exists"):
        neurocli.preprocess("cnn-lstm", data=walks(), out=tmp_path / "ready.h5")
    assert neurocli.diagnose("cnn-lstm", data=prepared).path is None
    diagnosis = neurocli.diagnose(trained)
    assert diagnosis.file == trained.path / "diagnosis.json" and diagnosis.count["PASS"] > 0
    other = neurocli.train(
        "cnn-lstm", data=trained.info["data"]["paths"], options=FAST, seed=4, runs_dir=trained.path.parents[1]
    )
    compared = neurocli.compare(trained, other)
    assert compared.differing[other.name].keys() == {"train.seed"} and compared.differences
    assert neurocli.interpret(trained).exhibits and trained.exhibits and trained.figures
    assert trained.report().read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
