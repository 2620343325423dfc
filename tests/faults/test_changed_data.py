"""The file behind a run is another one by now: every command that opens it again compares all that is in it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurocli.recordings import Recording, RecordingSet
from neurocli.runs.records import read_record, write_record


@pytest.fixture
def with_run(trained: Path, good: Path) -> tuple[Path, Path]:
    """(run, the file that it was trained on)"""
    info = json.loads((trained / "run.json").read_text())
    info["data"]["paths"] = [str(good)]
    write_record(trained / "run.json", info)
    return trained, good


def rewrite(path: Path, change: Any, truth: Any = lambda truth: truth) -> None:
    before = RecordingSet.open(path)
    recordings = change([before[group] for group in before])
    RecordingSet.of(recordings, meta=before.meta, truth=truth(dict(before.truth))).save(path.with_name("other.h5"))
    path.with_name("other.h5").replace(path)


def each(**changes: Any) -> Any:
    """Change every recording; a value is made of the recording."""
    return lambda recordings: [
        dataclasses.replace(one, **{key: value(one) for key, value in changes.items()}) for one in recordings
    ]


def another_simulation(recordings: list[Recording]) -> list[Recording]:
    from neurocli_cnn_lstm.simulation.example import small_network

    other = small_network(9, runs=len(recordings), duration_ms=1500.0, neurons=20)
    return [dataclasses.replace(new, group=old.group) for new, old in zip(other.values(), recordings, strict=True)]


def rotated(recordings: list[Recording]) -> list[Recording]:
    names = [one.group for one in recordings]
    return [dataclasses.replace(one, group=name) for one, name in zip(recordings, [*names[1:], names[0]], strict=True)]


def spikes_moved(one: Recording) -> Any:
    assert one.spikes is not None
    return dataclasses.replace(one.spikes, step=one.spikes.step + np.int32(1))


CHANGES = {
    "another simulation": (another_simulation, "signals"),
    "groups rotated": (rotated, "signals"),
    "spikes moved": (each(spikes=spikes_moved), "spikes"),
    "spikes gone": (each(spikes=lambda one: None), "spikes"),
    "inputs added": (each(inputs=lambda one: np.ones((one.steps, 1), np.float32)), "inputs"),
    "labels changed": (each(labels=lambda one: {**one.labels, "noise_seed": 1}), "labels"),
    "events added": (each(events=lambda one: {"go": np.array([3.0])}), "events"),
    "channels renamed": (each(channels=lambda one: list(reversed(one.channels or []))), "names"),
    "step changed": (each(dt_ms=lambda one: one.dt_ms * 2), "names"),
    "groups renamed": (each(group=lambda one: f"{one.group}-new"), "no longer in its data"),
}
COMMANDS = (["evaluate"], ["interpret"], ["diagnose"], ["train", "--resume"])


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_changed_behind_its_run_is_noticed(name, with_run, refused):
    run, file = with_run
    change, named = CHANGES[name]
    rewrite(file, change)
    for command in COMMANDS:
        assert named in refused(3, *command, run).said


def test_another_truth_is_noticed(with_run, refused):
    run, file = with_run
    rewrite(file, lambda recordings: recordings, lambda truth: {key: value[::-1] for key, value in truth.items()})
    for command in COMMANDS:
        assert "truth" in refused(3, *command, run).said


def test_a_control_is_not_trained_on_other_data(with_run, refused):
    run, file = with_run
    rewrite(file, CHANGES["spikes moved"][0])
    assert "spikes" in refused(3, "evaluate", run, "--controls").said


def test_the_same_content_in_another_file_is_no_change(with_run, neuro):
    run, file = with_run
    rewrite(file, lambda recordings: recordings[::-1])
    assert neuro("train", "--resume", run).code == 0


def test_data_that_moved_with_other_labels_are_refused(with_run, place, refused):
    run, file = with_run
    rewrite(file, CHANGES["labels changed"][0])
    file.rename(place / "moved.h5")
    assert "labels" in refused(3, "train", "--resume", run, "--data", "moved.h5").said
    assert "labels" in refused(3, "evaluate", run, "--data", "moved.h5").said


def test_a_run_of_before_contents_were_kept_is_compared_by_its_signals(with_run, neuro, refused):
    run, file = with_run
    info = read_record(run / "run.json")
    for key in ("contents", "truth"):
        del info["data"][key]
    write_record(run / "run.json", info)
    rewrite(file, CHANGES["labels changed"][0])
    assert neuro("evaluate", run).code == 0  # nothing in the run tells
    rewrite(file, another_simulation)
    assert "signals" in refused(3, "evaluate", run).said


def test_a_run_of_before_ids_is_read(with_run, neuro):
    run, _ = with_run
    info = {key: value for key, value in read_record(run / "run.json").items() if key != "id"}
    write_record(run / "run.json", {**info, "schema": 2})
    for name in ("provenance.json", "metrics.json"):
        write_record(run / name, read_record(run / name))
    for manifest in run.glob("checkpoints/*/manifest.json"):
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({"schema": 1, "sha256": content["sha256"]}))
    done = neuro("evaluate", run, "--json")
    assert done.code == 0 and "damaged" not in done.err and "missing" not in done.err, done
