"""What readers doubt reaches whoever uses the recordings: once, on every way that a file takes."""

from __future__ import annotations

import json

import h5py
import pytest

from neurocli.recordings import Note, RecordingSet

FAST = ["--device=cpu", "--set=train.epochs=1", "--set=train.steps_per_epoch=1", "--set=evaluate.horizons_ms=[1.0]"]
DOUBT = Note("labels", "run-0001", "2 uncertain: AVAL?, AVAR?", "look at them")
SAID = Note("padding", "run-0002", "padded with zeros, which are left out")
LINE = "warning: run-0001: 2 uncertain: AVAL?, AVAR?; look at them"


@pytest.fixture
def doubtful(good):
    path = good.with_name("doubtful.h5")
    RecordingSet.open(good).with_notes([DOUBT, SAID, DOUBT]).save(path)
    return path


def test_a_doubt_is_a_finding_and_not_a_warning_too(doubtful, neuro):
    done = neuro("diagnose", "cnn-lstm", "--data", doubtful)
    assert done.err.count("uncertain") == 0 and done.out.count("2 uncertain") == 1
    found = neuro("diagnose", "cnn-lstm", "--data", doubtful, "--json").envelope["data"]["findings"]
    by_check = {f["check"]: f for f in found}
    assert by_check["labels"]["verdict"] == "WARN" and by_check["labels"]["advice"] == "look at them"
    assert by_check["padding"]["verdict"] == "PASS" and by_check["padding"]["advice"] == ""


def test_doubts_survive_preprocessing_training_evaluation_and_the_report(doubtful, neuro, place):
    done = neuro("preprocess", "cnn-lstm", "--data", doubtful, "--out", "prepared.h5")
    assert done.code == 0 and done.err.count(LINE) == 1 and "padding" not in done.err
    assert RecordingSet.open("prepared.h5").notes == [DOUBT, SAID]
    done = neuro("train", "cnn-lstm", "--data", "prepared.h5", *FAST, "--json")
    assert done.err.count(LINE) == 1 and done.envelope["data"]["warnings"] == [LINE.removeprefix("warning: ")]
    (info,) = place.glob("runs/*/*/run.json")
    assert json.loads(info.read_text())["data"]["doubts"] == [str(DOUBT)]
    for command in ("evaluate", "diagnose"):
        done = neuro(command, "latest", "--json")
        assert done.code == 0 and done.err.count(LINE) <= 1, done
        assert done.out.count("2 uncertain") == 1
    assert neuro("report", "latest", "--out", "page.html").code == 0
    assert (place / "page.html").read_text().count("2 uncertain") >= 1


def test_many_doubts_of_one_kind_are_counted(good, neuro):
    path = good.with_name("many.h5")
    notes = [Note("labels", f"run-{k:04d}", f"{k} uncertain", "look at them") for k in range(500)]
    RecordingSet.open(good).with_notes(notes).save(path)
    done = neuro("preprocess", "cnn-lstm", "--data", path, "--out", "prepared.h5")
    assert done.code == 0 and len(done.err.splitlines()) < 8 and "497 more" in done.err
    assert len(RecordingSet.open("prepared.h5").notes) == 500


@pytest.mark.parametrize(
    "notes",
    ["5", "[5]", "{", '["x"]', '[{"check": []}]', '[{"check": [], "where": "", "found": ""}]', "[" * 99999],
)
def test_damaged_notes_are_refused(notes, good, refused):
    with h5py.File(good, "r+") as file:
        file.attrs["version"] = 1  # without sums, which would tell first
        for holder in (file, *file["recordings"].values()):
            del holder.attrs["sum"]
        file.attrs["notes"] = notes
    assert "'notes' is damaged" in refused(3, "diagnose", "cnn-lstm", "--data", good).said
