"""`neuro info`: what files hold, in words and as an envelope."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurocli.cli.main import run
from neurocli.errors import DataError
from neurocli.recordings import Note, Recording, RecordingSet


@pytest.fixture
def file(tmp_path: Path) -> Path:
    signal = np.random.default_rng(0).normal(-65, 2, (1000, 3)).astype(np.float32)
    cells = [Recording(f"cell-{n}", signal + n, 0.5, "mV", labels={"age": n}) for n in range(2)]
    doubts = [
        Note("unit", "cell-1", "a resting potential of -20 mV", "compare it with your notes"),
        Note("read", "", "2 cells"),
    ]
    RecordingSet.of(cells, meta={"lab": "ours"}, notes=doubts).save(tmp_path / "cells.h5")
    return tmp_path / "cells.h5"


def test_info_shows_recordings_doubts_and_the_content_sum(file, capsys):
    assert run(["info", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "2 recordings, 1 doubt" in shown and "cell-1" in shown and "step (ms)" in shown
    assert "content sum of" in shown and "doubt: " in shown and "-20 mV" in shown


def test_info_gives_an_envelope(file, capsys):
    assert run(["info", str(file), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert [row["recording"] for row in data["recordings"]] == ["cell-0", "cell-1"]
    assert data["recordings"][0] | {"samples": 1000, "step_ms": 0.5, "unit": "mV"} == data["recordings"][0]
    assert data["sums"].keys() == {str(file)} and len(data["sums"][str(file)]) == 32
    assert data["meta"] == {"lab": "ours"} and len(data["notes"]) == 2


def test_equal_sums_are_equal_content(file, capsys):
    def sum_of(path: Path) -> str:
        assert run(["info", str(path), "--json"]) == 0
        return json.loads(capsys.readouterr().out)["data"]["sums"][str(path)]

    again, other = file.with_name("again.h5"), file.with_name("other.h5")
    recordings = RecordingSet.open(file)
    recordings.save(again)
    recordings.subset(recordings.groups[:1]).save(other)
    assert sum_of(again) == sum_of(file) != sum_of(other)


def test_info_refuses_a_foreign_file(tmp_path, capsys):
    (tmp_path / "thesis.pdf").write_bytes(b"%PDF-1.7 ...")
    assert run(["info", str(tmp_path / "thesis.pdf")]) == DataError.exit_code
    assert "thesis.pdf" in capsys.readouterr().err
