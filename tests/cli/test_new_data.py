"""What a run is asked about: its own data as they were when it was trained, or new ones that it has not seen."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurocli.cli.main import run
from neurocli.errors import ConfigError, DataError, LeakError
from neurocli.recordings import Recording, RecordingSet, Split
from neurocli.recordings.copies import refuse_copies
from neurocli.recordings.split import NEW_DATA, leave_one_out
from neurocli.runs.folder import RunFolder
from neurocli.workflow.data.leak_guard import beside_training
from neurocli.workflow.data.reopening import trained_of_run
from neurocli.workflow.data.sources import fingerprints
from neurocli.workflow.messages import Event, Reporter

# -- what new data are, and what they may not hold -------------------------------------------------------------------


def walks(*names: str, seed: int = 0) -> RecordingSet:
    rng = np.random.default_rng((seed, *map(ord, "".join(names))))
    made = [rng.normal(size=(400, 3)).cumsum(axis=0).astype(np.float32) for _ in names]
    return RecordingSet.of([Recording(name, signal, 1.0, "a.u.") for name, signal in zip(names, made, strict=True)])


def run_on(recordings: RecordingSet, split: Split) -> dict[str, Any]:
    return {"data": {"fingerprints": fingerprints(recordings)}, "split": split.as_dict()}


def test_a_scaled_copy_is_refused_beside_a_run_over_folds() -> None:
    known = walks("w0", "w1", "w2", "w3")
    split = leave_one_out(known.groups, "leave one out")
    copy = dataclasses.replace(known["w0"], signal=known["w0"].signal * np.float32(1.001))
    whole, asked = beside_training(run_on(known, split), known, split, RecordingSet.of([copy]), Reporter())
    assert asked.test == ("new:w0",) and len(asked.folds) == 4
    with pytest.raises(LeakError, match=r"w0 .train. and new:w0 .test. hold the same data"):
        refuse_copies(whole, asked)
    refuse_copies(*beside_training(run_on(known, split), known, split, walks("v0", "v1", seed=1), Reporter()))


@pytest.mark.parametrize("folds", [False, True])
def test_a_copy_is_refused_by_its_fingerprint_when_the_data_of_the_run_are_gone(folds: bool) -> None:
    known = walks("w0", "w1", "w2", "w3")
    split = leave_one_out(known.groups, "leave one out") if folds else Split(("w0", "w1"), ("w2",), ("w3",))
    copy = dataclasses.replace(known["w0"], group="another")
    with pytest.raises(LeakError, match=r"trained on w0, .* another"):
        beside_training(run_on(known, split), None, None, RecordingSet.of([copy]), Reporter())
    fresh = walks("w0", seed=1)  # of the same name, with other content
    assert beside_training(run_on(known, split), None, None, fresh, Reporter()) == (
        fresh,
        Split((), (), ("w0",), protocol=NEW_DATA),
    )


# -- the same of a run that was trained ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the worms of a run, and the run."""
    from neurocli_gat_lstm.simulation.example import small_worms

    place = tmp_path_factory.mktemp("trained")
    small_worms(0, worms=3, neurons=6, steps=250).save(place / "worms.h5")
    short = ["--epochs=1", "--set=train.steps_per_epoch=1", "--set=loss.chunk=30", "--set=loss.rollout=3"]
    short += ["--device=cpu", "--set=evaluate.horizons=[1,5]", "--runs-dir", str(place / "runs")]
    assert run(["train", "gat-lstm-v2", "--data", str(place / "worms.h5"), *short]) == 0
    return place


@pytest.fixture
def place(trained: Path, tmp_path: Path) -> Path:
    """A copy of that folder, whose run knows the copied file."""
    place = Path(shutil.copytree(trained, tmp_path / "copy"))
    of(place).update_info(data={**of(place).read_info()["data"], "paths": [str(place / "worms.h5")]})
    return place


def of(place: Path) -> RunFolder:
    return RunFolder.find(place / "runs", "latest")


def asked(place: Path, *words: object) -> int:
    return run([str(word) for word in ("evaluate", "latest", "--runs-dir", place / "runs", *words)])


def rewritten(place: Path, change: Any) -> None:
    """The file of the worms, with another first one."""
    worms = RecordingSet.open(place / "worms.h5")
    first, *others = [worms[group] for group in worms]
    RecordingSet.of([change(first, others), *others], meta=worms.meta, truth=worms.truth).save(place / "other.h5")
    (place / "other.h5").replace(place / "worms.h5")


CHANGES = {
    "another value": lambda first, others: dataclasses.replace(first, signal=first.signal + np.float32(0.5)),
    "content of another": lambda first, others: dataclasses.replace(others[0], group=first.group),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("command", ["evaluate", "diagnose", "interpret", "compare"])
def test_a_run_is_not_asked_about_data_that_changed_since(place: Path, command: str, change: str, capsys) -> None:
    first = RecordingSet.open(place / "worms.h5").groups[0]
    rewritten(place, CHANGES[change])
    runs = [str(of(place).path)]
    if command == "compare":
        runs.append(shutil.copytree(runs[0], place / "second"))
    capsys.readouterr()
    assert run([command, *map(str, runs), "--runs-dir", str(place / "runs")]) == DataError.exit_code
    said = capsys.readouterr().err
    assert f"changed since it was trained: {first}" in said and "worms.h5" in said


def test_a_run_is_asked_about_the_data_that_it_was_trained_on(place: Path) -> None:
    rewritten(place, lambda first, others: first)  # written anew, with the same content
    _, now = trained_of_run(of(place), None, "cpu", Reporter())
    assert list(now.dataset.split.test) == of(place).read_info()["split"]["groups"]["test"]


def test_a_run_finds_its_own_data_in_another_place(place: Path) -> None:
    """Under other names too: its groups are known by their content, and none of them is new."""
    split = json.loads(json.dumps(of(place).read_info()["split"]))
    worms = RecordingSet.open(place / "worms.h5")
    renamed = [dataclasses.replace(worms[group], group=f"moved-{k}") for k, group in enumerate(worms)]
    RecordingSet.of(renamed, meta=worms.meta, truth=worms.truth).save(place / "moved.h5")
    (place / "worms.h5").unlink()
    told: list[Event] = []
    _, now = trained_of_run(of(place), [place / "moved.h5"], "cpu", Reporter(told.append))
    assert now.dataset.split.as_dict() == split
    assert any("these are the data of the run" in event.text for event in told)
    assert not any(event.kind == "warning" for event in told)


def test_a_run_whose_data_are_gone_does_not_score_its_training_as_new(place: Path, capsys) -> None:
    worms = RecordingSet.open(place / "worms.h5")
    again = dataclasses.replace(worms[worms.groups[0]], group="again")
    RecordingSet.of([again], meta=worms.meta, truth=worms.truth).save(place / "again.h5")
    (place / "worms.h5").unlink()
    capsys.readouterr()
    assert asked(place, "--data", place / "again.h5") == LeakError.exit_code
    assert "same as that of again" in capsys.readouterr().err


def test_a_scaled_part_of_the_training_is_not_scored_as_new(place: Path, capsys) -> None:
    worms = RecordingSet.open(place / "worms.h5")
    first = worms[worms.groups[0]]
    steps = int(0.7 * first.steps)
    events = {name: values[:steps] if len(values) == first.steps else values for name, values in first.events.items()}
    mask = None if first.mask is None else first.mask[:steps]
    inputs = None if first.inputs is None else first.inputs[:steps]
    part = dataclasses.replace(
        first,
        group="part",
        signal=first.signal[:steps] * np.float32(1.001),
        mask=mask,
        inputs=inputs,
        events=events,
        labels={**first.labels, "worm": "another"},
    )
    RecordingSet.of([part], meta=worms.meta, truth=worms.truth).save(place / "part.h5")
    capsys.readouterr()
    assert asked(place, "--data", place / "part.h5") == LeakError.exit_code
    assert "part (test) hold the same data" in capsys.readouterr().err


# -- how a run is asked ----------------------------------------------------------------------------------------------


def test_options_of_the_evaluation_are_set_for_a_trained_run(place: Path, capsys) -> None:
    def scored(*words: object) -> dict[str, Any]:
        capsys.readouterr()
        assert asked(place, "--json", *words) == 0
        return json.loads(capsys.readouterr().out)["data"]

    def model(found: dict[str, Any]) -> dict[str, Any]:
        return next(s for s in found["scores"] if s["kind"] == "model")

    before = of(place).config.read_bytes()
    usual, sparse = model(scored()), model(scored("--set", "evaluate.stride=40"))
    assert of(place).config.read_bytes() == before  # the run stays as it was trained
    assert usual["value"] != sparse["value"]
    assert usual["cpu_s"] == sparse["cpu_s"] > 0 and usual["parameters"] > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("train.epochs=3", "cannot be set for a trained run"),
        ("evaluate.strid=3", "no option"),
        ("evaluate.horizons=[2]", "fixed by the training"),
    ],
)
def test_other_options_belong_to_the_training(place: Path, given: str, said: str, capsys) -> None:
    assert asked(place, "--set", given) == ConfigError.exit_code
    assert said in capsys.readouterr().err
