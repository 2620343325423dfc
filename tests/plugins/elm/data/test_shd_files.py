"""Files of the Spiking Heidelberg Digits: read as published, refused with the place of the fault, downloaded and checked."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import importlib.util
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurocli import open_recordings
from neurocli.cli.main import run
from neurocli.errors import DataError
from neurocli.recordings import RecordingSet
from neurocli.recordings.files.download import fetch
from neurocli_elm.data.download import DIGITS
from neurocli_elm.data.readers import shd_gzip
from neurocli_elm.data.readers.shd import ShdReader
from neurocli_elm.data.readers.shd_gzip import unpacked

_spec = importlib.util.spec_from_file_location("shd_files", Path(__file__).parents[1].joinpath("shd_files.py"))
assert _spec is not None and _spec.loader is not None
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)
FILES = [name for name, _, _ in DIGITS.files]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_written_is_read_to_the_bit(tmp_path):
    given = files.utterances(0, 7, [3, 5])  # 140: more than are read at a time
    path = files.write(tmp_path / "shd_train.h5", given)
    actual = open_recordings([path])
    assert actual.meta == {"kind": "shd"} and len(actual) == 140
    for number in (0, 1, 127, 128, 139, 4):
        recording = actual[f"shd_train-{number:05d}"]
        times, units, label, speaker = given[number]
        np.testing.assert_array_equal(recording.events["spike_s"], times.astype(np.float16).astype(np.float32))
        np.testing.assert_array_equal(recording.events["spike_unit"], units)
        assert recording.events["spike_s"].dtype == np.float32 and recording.events["spike_unit"].dtype == np.int32
        assert recording.labels == {"label": label, "speaker": speaker, "file": "shd_train.h5"}
        inside = times.astype(np.float16).astype(float) < 1
        assert recording.signal.sum() == inside.sum() and recording.dt_ms == 1


def test_utterances_of_one_digit_are_not_taken_for_copies(tmp_path):
    actual = open_recordings([files.write(tmp_path / "shd_train.h5", files.utterances(0, 5, [0]))])
    assert len({actual[group].fingerprint() for group in actual}) == 100


def test_without_speakers_nothing_is_made_up(tmp_path):
    actual = open_recordings([files.write(tmp_path / "a.h5", files.utterances(0, 1, [3]), speakers=False)])
    assert "speaker" not in actual["a-00000"].labels


def test_both_forms_of_a_file_hold_the_same_and_the_packed_one_is_unpacked_once(tmp_path, cache):
    plain = files.write(tmp_path / "shd_test.h5", files.utterances(0, 1, [0]))
    packed = files.packed(plain)
    first, second = (ShdReader().read([path]) for path in (plain, packed))
    assert first.groups == second.groups
    assert [first[g].fingerprint() for g in first] == [second[g].fingerprint() for g in second]
    assert second["shd_test-00003"].labels["file"] == "shd_test.h5.gz"
    cached = unpacked(packed)
    changed = cached.stat().st_mtime_ns
    assert cached.is_relative_to(cache) and unpacked(packed).stat().st_mtime_ns == changed


def test_our_own_format_keeps_everything(tmp_path):
    actual = open_recordings([files.write(tmp_path / "shd_train.h5", files.utterances(0, 1, [0, 1]))])
    actual.save(tmp_path / "ours.h5")
    again = RecordingSet.open(tmp_path / "ours.h5")
    for group in actual:
        assert again[group].labels == actual[group].labels
        assert again[group].fingerprint() == actual[group].fingerprint()
        for name, values in actual[group].events.items():
            np.testing.assert_array_equal(again[group].events[name], values)
            assert again[group].events[name].dtype == values.dtype


def _changed(place: int, number: int, value: object) -> list:
    given = [list(column) for column in files.utterances(0, 1, [0])]
    given[number][place] = value
    return [column[place] for column in given]


@pytest.mark.parametrize(
    ("changes", "said", "where"),
    [
        ({"times": _changed(0, 2, [0.1, -0.25]), "units": _changed(1, 2, [1, 2])}, "-0.25", "times[2], spike 1"),
        ({"times": _changed(0, 2, [0.1, np.nan]), "units": _changed(1, 2, [1, 2])}, "nan", "times[2], spike 1"),
        ({"times": _changed(0, 2, [np.inf]), "units": _changed(1, 2, [1])}, "inf", "times[2], spike 0"),
        ({"times": _changed(0, 2, [200.0]), "units": _changed(1, 2, [1])}, "200", "times[2], spike 0"),
        ({"times": _changed(0, 3, [0.1]), "units": _changed(1, 3, [700])}, "700", "units[3], spike 0"),
        ({"times": _changed(0, 3, [0.1])}, "1 times for", "times[3]"),
        ({"times": None}, "missing", "spikes/times"),
        ({"times": None, "units": None}, "missing", "spikes"),
        ({"labels": np.zeros(19, int)}, "different lengths", "shd_train.h5"),
        ({"speaker": np.zeros(21, int)}, "different lengths", "shd_train.h5"),
        ({"labels": np.full(20, 20)}, "a label is 20", "labels[0]"),
        ({"labels": np.zeros(20)}, "float64", "labels"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, changes, said, where):
    path = files.write(tmp_path / "shd_train.h5", files.utterances(0, 1, [0]), **changes)
    with pytest.raises(DataError) as caught:
        actual = open_recordings([path])
        for group in actual:
            actual[group]
    assert said in caught.value.message and where in caught.value.where and "shd_train.h5" in caught.value.where


def test_times_of_another_kind_are_refused(tmp_path):
    path = files.write(tmp_path / "shd_train.h5", files.utterances(0, 1, [0]))
    with h5py.File(path, "a") as file:
        del file["spikes/times"]
        file["spikes/times"] = np.zeros((20, 5), np.float16)
    with pytest.raises(DataError, match="not a list of floating-point numbers"):
        open_recordings([path])


def test_times_kept_elsewhere_are_not_followed(tmp_path):
    other = files.write(tmp_path / "other.h5", files.utterances(0, 1, [0]))
    path = files.write(tmp_path / "shd_train.h5", files.utterances(0, 1, [0]))
    with h5py.File(path, "a") as file:
        del file["spikes/times"]
        file["spikes/times"] = h5py.ExternalLink(str(other), "/spikes/times")
    with pytest.raises(DataError, match="link"):
        open_recordings([path])


def test_a_file_with_the_same_names_is_refused(tmp_path):
    (tmp_path / "b").mkdir()
    paths = [files.write(tmp_path / at / "shd_train.h5", files.utterances(0, 1, [0])) for at in (".", "b")]
    with pytest.raises(DataError, match="two files hold an utterance"):
        open_recordings(paths)


def test_a_truncated_archive_leaves_nothing_behind(tmp_path, cache):
    packed = files.packed(files.write(tmp_path / "shd_test.h5", files.utterances(0, 1, [0])))
    packed.write_bytes(packed.read_bytes()[:-400])
    with pytest.raises(DataError, match="truncated"):
        open_recordings([packed])
    assert not list(cache.rglob("*"))[1:]


def test_an_archive_that_unpacks_without_end_is_stopped(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(shd_gzip, "SPARE_BYTES", 2**20)
    path = tmp_path / "shd_test.h5.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"\x89HDF\r\n\x1a\n" + bytes(64 * 2**20))
    assert path.stat().st_size < 2**17
    with pytest.raises(DataError, match="unpack to more than"):
        open_recordings([path])
    assert not list(cache.rglob("*.h5"))


def test_foreign_files_are_left_to_others(tmp_path):
    reader = ShdReader()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["spikes"] = np.zeros(3)
    (tmp_path / "b.h5").write_bytes(b"nothing")
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"some text"))
    (tmp_path / "d.gz").write_bytes(b"\x1f\x8b and no more")
    assert not any(reader.can_read(tmp_path / name) for name in ("a.h5", "b.h5", "c.gz", "d.gz", "none"))


# -- downloading -----------------------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path) -> Iterator[tuple[str, Path]]:
    """(address, folder) of a server on this machine with both files and their sums."""
    folder = tmp_path / "served"
    folder.mkdir()
    sums = []
    for name in FILES:
        plain = files.write(folder / name.removesuffix(".gz"), files.utterances(len(name), 1, [0, 1]))
        content = files.packed(plain).read_bytes()
        plain.unlink()
        sums.append(f"{hashlib.md5(content).hexdigest()}  {name}\n")
    (folder / "md5sums.txt").write_text("".join(sums))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def test_files_are_fetched_checked_and_readable(served, tmp_path, capsys):
    address, folder = served
    actual = fetch(DIGITS, tmp_path / "here", address)
    assert [path.read_bytes() for path in actual] == [(folder / name).read_bytes() for name in FILES]
    assert capsys.readouterr().err.count("md5 as published") == 2
    assert len(open_recordings(actual)) == 40


def test_fetched_files_need_no_naming_and_missing_ones_are_asked_for(served, tmp_path, capsys, monkeypatch):
    address, _ = served
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    assert run(["diagnose", "--task", "shd", "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert "not in the cache" in error["message"] and "neuro fetch shd" in error["hint"]
    assert not list((tmp_path / "cache").rglob("*.h5"))  # and no cell was simulated in their place
    assert run(["fetch", "shd", "--address", address]) == 0
    assert "--task shd\n" in capsys.readouterr().err
    assert run(["diagnose", "--task", "shd", "--json"]) in (0, 4)
    actual = capsys.readouterr()
    assert "shd_train.h5.gz" in actual.err and json.loads(actual.out)["data"]["findings"]
