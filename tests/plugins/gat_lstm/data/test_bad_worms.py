"""Bad worms and bad connectomes by the command line: code 3 and one clear error."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neurocli.recordings import RecordingSet
from neurocli_gat_lstm.config import DataConfig
from neurocli_gat_lstm.data.selection import usable

EDGES = "pre,post,chemical,gap\nAVAL,AVAR,3,0\nAVAR,AVBL,1,2\nAVBL,AVAR,0,2\n"


@pytest.fixture
def refused(neuro, tmp_path):
    """`refused(recordings, *options)` → what the error says: message, place and hint."""

    def ask(recordings, *options):
        path = tmp_path / "worms.h5"
        recordings.save(path)
        done = neuro(
            "train",
            "gat-lstm-v2",
            "--data",
            path,
            "--runs-dir",
            tmp_path / "runs",
            "--device=cpu",
            "--epochs=1",
            *options,
        )
        assert done.code == 3 and not done.envelope["ok"], done
        error = done.envelope["error"]
        assert error["kind"] in ("data", "leak") and all(error[k] for k in ("message", "where", "hint")), error
        return " | ".join((error["message"], error["where"], error["hint"]))

    return ask


def changed(recordings, group, **values):
    with_change = [dataclasses.replace(r, **values) if g == group else r for g, r in recordings.items()]
    return RecordingSet.of(with_change, meta=recordings.meta)


def test_a_sound_set_is_fine(walks, neuro, tmp_path):
    walks(3).save(tmp_path / "worms.h5")
    (tmp_path / "edges.csv").write_text(EDGES)
    fast = (
        "--device=cpu",
        "--epochs=1",
        "--set=train.steps_per_epoch=2",
        "--set=loss.chunk=12",
        "--set=loss.rollout=2",
        "--set=evaluate.horizons=[1]",
    )
    done = neuro(
        "train",
        "gat-lstm-v2",
        "--data",
        tmp_path / "worms.h5",
        "--runs-dir",
        tmp_path / "runs",
        *fast,
        f"--set=model.connectome={tmp_path / 'edges.csv'}",
    )
    assert done.code == 0, done
    assert any("3 edges among 4 neurons" in line for line in done.envelope["data"]["notes"])


def test_a_recording_shorter_than_the_window(walks, refused):
    message = refused(
        RecordingSet.of([*walks(3).values(), dataclasses.replace(walks(4, frames=40)["lab-w3"])], meta={"kind": "worm"})
    )
    assert "31 frames" in message and "after the burn-in" in message and "lab-w3" in message and "loss.chunk" in message


@pytest.mark.parametrize("what", ["worms", "connectome"])
def test_what_is_refused_leaves_no_run_behind(walks, refused, tmp_path, what):
    refused(walks(2 if what == "worms" else 3), "--set=model.connectome=cook2018")
    assert not list((tmp_path / "runs").rglob("run.json"))


def test_gaps_that_leave_no_window(walks, refused):
    worms = walks(3)
    time_s = np.cumsum(np.where(np.arange(200) % 40, 0.3, 20.0))
    message = refused(changed(worms, "lab-w1", events={"time_s": time_s}))
    assert "40 frames without a gap" in message and "lab-w1" in message


@pytest.mark.parametrize(
    "change",
    [
        {"mask": np.zeros((200, 4), bool)},
        {"signal": np.full((200, 4), np.nan, np.float32)},
        {"signal": np.full((200, 4), 0.5, np.float32)},
    ],
    ids=["all neurons are masked", "nothing but NaN", "nothing moves"],
)
def test_a_worm_without_a_signal_is_left_out_and_said(change, walks, refused):
    used, left_out = usable(changed(walks(4), "lab-w2", **change), DataConfig())
    assert list(used) == ["lab-w0", "lab-w1", "lab-w3"]
    assert left_out == ["lab-w2: only 0 identified neurons with a signal, and at least 2 are needed"]
    assert "0 identified neurons with a signal" in refused(changed(walks(1), "lab-w0", **change))


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_worms(walks, refused, count):
    assert f"{count} independent group{'s' * (count > 1)} cannot be left out" in refused(walks(count))


def test_copies_do_not_make_three_worms(walks, refused):
    worms = walks(2)
    copy = dataclasses.replace(worms["lab-w0"], group="copy", labels={**worms["lab-w0"].labels, "worm": "copy"})
    assert "2 independent groups" in refused(RecordingSet.of([*worms.values(), copy], meta=worms.meta))


def test_two_different_worms_of_one_name(walks, refused):
    worms = walks(4)
    message = refused(changed(worms, "lab-w3", labels=worms["lab-w0"].labels))
    assert "two different worms are called lab w0" in message and "lab-w3" in message


@pytest.mark.parametrize("name", ["cook2018", "__import__('os').system('true')", "cect:NoSuchReader", "gone.csv"])
def test_an_unknown_connectome(walks, refused, name):
    message = refused(walks(3), f"--set=model.connectome={name}")
    assert name[:12] in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EDGES + "AVAL,NOBODY,2,0\n", ("NOBODY", ":5")),
        (EDGES + "AVAL,AVBR,nan,0\n", ("nan", ":5")),
        (EDGES + "AVAL,AVBR,inf,0\n", ("inf", ":5")),
        (EDGES + "AVAL,AVBR,-1,0\n", ("-1", ":5")),
        (EDGES + "AVAL,AVBR\n", ("2 columns", ":5")),
        ("", ("edges.csv",)),
    ],
)
def test_a_bad_edge_list(walks, refused, tmp_path, text, expected):
    path = tmp_path / "edges.csv"
    path.write_text(text)
    message = refused(walks(3), f"--set=model.connectome={path}")
    assert all(word in message for word in expected), message
