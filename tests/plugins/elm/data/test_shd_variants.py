"""A file of spoken digits with one change is read to the same, refused or flagged; never to other values in silence.

What no number in a file can tell, and is not tried here: labels or speakers given other numbers of the same range, and units counted
from 1 where none of the last unit fires.
"""

from __future__ import annotations

import gzip
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocli.errors import DataError
from neurocli.plugin.cards import ReaderCard
from neurocli.recordings import RecordingSet
from neurocli.recordings.readers import open_paths
from neurocli_elm.config import ShdConfig
from neurocli_elm.data.readers.shd import ShdReader
from neurocli_elm.diagnosis.shd import utterance_findings


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


files = _module(Path(__file__).parents[1] / "shd_files.py")
_variants = _module(Path(__file__).parents[3] / "variants.py")
SILENT, outcome = _variants.SILENT, _variants.outcome
CARD = ReaderCard(name="shd", summary="", implementation="neurocli_elm.data.readers.shd:ShdReader", suffixes=(".h5",))
Change = Callable[[h5py.File, Any], object]
GIVEN = files.utterances(3, 3, [0, 1, 2])


def lists(name: str, change: Callable[[np.ndarray], np.ndarray], stored: Any) -> Change:
    """The change in each list of /spikes/NAME, kept as numbers of a type."""

    def changed(file: h5py.File, data: Any) -> None:
        values = [change(row.astype(np.float64)) for row in file["spikes"][name]]
        del file["spikes"][name]
        new = file.create_dataset(f"spikes/{name}", (len(values),), dtype=h5py.vlen_dtype(stored))
        with np.errstate(over="ignore", invalid="ignore"):
            for k, row in enumerate(values):
                new[k] = row.astype(stored)

    return changed


def _factor(file: h5py.File, data: Any) -> None:
    factor = data.draw(st.sampled_from([1e-6, 1e-3, 1 / 60, 60.0, 100.0, 250.0, 1e3, 1e6, 16e3, 48e3, -1.0]))
    lists("times", lambda t: t * factor, data.draw(st.sampled_from([np.float16, np.float32, np.float64])))(file, data)


def _type(file: h5py.File, data: Any) -> None:
    name = data.draw(st.sampled_from(["times", "units"]))
    stored = data.draw(st.sampled_from(["<f4", ">f4", "<f8", "<i2", "<u2", ">i8", "<i4", "u1"]))
    lists(name, lambda v: v, np.dtype(stored))(file, data)


def _labels(file: h5py.File, data: Any) -> None:
    labels = file["labels"][()].astype(int)
    options = [labels + 1, labels - 1, labels.astype(float), labels[:-1], labels[:, None], np.eye(20)[labels]]
    options += [np.array([b"zero"] * len(labels)), labels.astype(">i8"), labels % 10]
    value = options[data.draw(st.integers(0, len(options) - 1))]
    del file["labels"]
    file["labels"] = value


def _shift(file: h5py.File, data: Any) -> None:
    lists("times", lambda t: t + data.draw(st.sampled_from([-0.5, 5.0, 100.0])), np.float32)(file, data)


def _rename(file: h5py.File, data: Any) -> None:
    name = data.draw(st.sampled_from(["spikes", "labels", "spikes/times", "spikes/units"]))
    change = data.draw(st.sampled_from([str.upper, str.title, lambda n: n + "_", lambda n: n + " "]))
    holder, _, last = name.rpartition("/")
    file.move(name, f"{holder}/{change(last)}")


def _fixed(file: h5py.File, data: Any) -> None:
    """Lists of one length, padded with zeros, or transposed."""
    name = data.draw(st.sampled_from(["times", "units"]))
    rows = list(file["spikes"][name])
    padded = np.zeros((len(rows), max(map(len, rows))))
    for k, row in enumerate(rows):
        padded[k, : len(row)] = row
    del file["spikes"][name]
    file[f"spikes/{name}"] = padded.T if data.draw(st.booleans()) else padded


def _flat(file: h5py.File, data: Any) -> None:
    for name in ("times", "units"):
        rows = list(file["spikes"][name])
        del file["spikes"][name]
        file[f"spikes/{name}"] = np.concatenate(rows)


def _swapped(file: h5py.File, data: Any) -> None:
    file.move("spikes/times", "spikes/x")
    file.move("spikes/units", "spikes/times")
    file.move("spikes/x", "spikes/units")


def _padded(file: h5py.File, data: Any) -> None:
    value = data.draw(st.sampled_from([0.0, -1.0, np.nan, 1e4]))
    names = data.draw(st.sampled_from([("times",), ("units",), ("times", "units")]))
    for name in names:
        kind = np.float16 if name == "times" else np.int32
        lists(name, lambda v: np.concatenate([v, np.full(200, value)]), kind)(file, data)


def _without(name: str) -> Change:
    def changed(file: h5py.File, data: Any) -> None:
        del file[name]

    return changed


CHANGES: dict[str, Change] = {
    "factor of the times": _factor,
    "type": _type,
    "labels": _labels,
    "times shifted": _shift,
    "name": _rename,
    "one length": _fixed,
    "flat": _flat,
    "swapped": _swapped,
    "padded": _padded,
    "units from 1": lists("units", lambda u: u + 1, np.uint16),
    "units reversed and from 1": lists("units", lambda u: 700 - u, np.uint16),
    "units out of 1400": lists("units", lambda u: u * 2, np.uint16),
    "units wrap": lists("units", lambda u: u - 1, np.uint16),
    "times without units": _without("spikes/units"),
    "no speakers": _without("extra/speaker"),
    "no labels": _without("labels"),
    "no keys": _without("extra/keys"),
    "in ms as float16": lists("times", lambda t: t * 1000, np.float16),
    "in whole ms": lists("times", lambda t: np.rint(t * 1000), np.int32),
}


def checks(recordings: RecordingSet) -> Any:
    return utterance_findings(recordings, ShdConfig())


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROCLI_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def opened(path: Path) -> RecordingSet:
    return open_paths([path], [(CARD, ShdReader())])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RecordingSet:
    return opened(files.write(tmp_path_factory.mktemp("base") / "shd_train.h5", GIVEN))


def tried(name: str, data: Any, base: RecordingSet, folder: Path) -> None:
    path = folder / "shd_train.h5"
    shutil.copy(base.sources[0], path)
    with h5py.File(path, "a") as file:
        CHANGES[name](file, data)
    if data.draw(st.booleans()):
        path = files.packed(path)
    assert outcome(base, lambda: opened(path), checks) != SILENT


_options: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=30, **_options)
@given(st.sampled_from(sorted(CHANGES)), st.data())
def test_one_change_is_never_silent(base, tmp_path_factory, name, data):
    tried(name, data, base, tmp_path_factory.mktemp("changed"))


@pytest.mark.slow
@settings(max_examples=160, **_options)
@given(st.sampled_from(sorted(CHANGES)), st.data())
def test_no_change_is_silent(base, tmp_path_factory, name, data):
    tried(name, data, base, tmp_path_factory.mktemp("changed"))


def test_the_base_has_no_doubt(base, tmp_path):
    copied = shutil.copy(base.sources[0], tmp_path / "shd_train.h5")
    assert outcome(base, lambda: opened(files.packed(Path(copied))), checks) == "same"
    assert not base.notes


def test_milliseconds_are_named_when_the_file_is_opened(tmp_path):
    given = [(times * 1000, units, label, speaker) for times, units, label, speaker in GIVEN]
    with pytest.raises(DataError, match=r"the median of the last spike times is .* is it in ms") as caught:
        opened(files.write(tmp_path / "shd_train.h5", given))
    assert "shd_train.h5:/spikes/times" in caught.value.where


def test_numbers_from_one_are_asked_about(tmp_path):
    labels = np.array([utterance[2] for utterance in GIVEN]) + 1
    with pytest.raises(DataError, match="a label is 20, not from 0 to 19: are they counted from 1"):
        opened(files.write(tmp_path / "shd_train.h5", GIVEN, labels=labels))


def test_speakers_that_are_missing_are_a_doubt(tmp_path):
    actual = opened(files.write(tmp_path / "shd_train.h5", GIVEN, speakers=False))
    assert [note.check for note in actual.notes if note.is_doubt] == ["speakers"]


def test_a_packed_file_of_another_kind_is_left_to_others(tmp_path):
    path = tmp_path / "worms.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(10)
    packed = files.packed(path)
    assert not ShdReader().can_read(packed)
    with pytest.raises(DataError, match="packed"):
        opened(packed)
    assert ShdReader().can_read(files.packed(files.write(tmp_path / "digits.h5", GIVEN)))


def test_what_cannot_be_read_does_not_stay_in_the_cache_and_is_named_by_its_own_name(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    path = files.packed(files.write(tmp_path / "shd_train.h5", GIVEN, labels=np.full(len(GIVEN), 25)))
    with pytest.raises(DataError, match="a label is 25") as caught:
        opened(path)
    assert str(path) in caught.value.where and "cache" not in f"{caught.value.where} {caught.value.message}"
    assert not list((tmp_path / "cache").rglob("*.h5"))
    broken = [list(utterance) for utterance in GIVEN]
    broken[50][0] = np.full_like(broken[50][0], np.nan)
    path = files.packed(files.write(tmp_path / "shd_test.h5", [tuple(utterance) for utterance in broken]))
    actual = opened(path)
    with pytest.raises(DataError, match="nan") as caught:
        actual["shd_test-00050"]
    assert str(path) in caught.value.where and "cache" not in caught.value.where


def test_a_damaged_copy_in_the_cache_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    path = files.packed(files.write(tmp_path / "shd_train.h5", GIVEN))
    opened(path)
    (kept,) = (tmp_path / "cache").rglob("*.h5")
    kept.write_bytes(kept.read_bytes()[:2000])
    assert len(opened(path)) == len(GIVEN)


def test_lists_that_share_what_is_stored_once_are_counted(tmp_path):
    """One list of 3 MB, which 1,000 utterances name: HDF5 allows it, and no honest writer does it."""
    path, count = tmp_path / "shd_train.h5", 1000
    files.write(path, [(np.linspace(0, 1, 1_000_000), np.zeros(1_000_000), 1, 0), *[([0.5], [1], 1, 0)] * (count - 1)])
    with h5py.File(path) as file:
        places = {name: file[f"spikes/{name}"].id.get_offset() for name in ("times", "units")}
    content = bytearray(path.read_bytes())
    for at in places.values():
        content[at : at + 16 * count] = bytes(content[at : at + 16]) * count
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="the content claims"):
        opened(path)["shd_train-00000"]


def test_an_upper_case_file_is_told_what_it_misses(tmp_path):
    path = files.write(tmp_path / "digits.h5", GIVEN)
    with h5py.File(path, "a") as file:
        file.move("spikes", "SPIKES")
        del file["extra"]
    with pytest.raises(DataError, match="comes near shd, but the group spikes is missing; there is SPIKES"):
        opened(path)


def test_a_cut_archive_is_named(tmp_path):
    path = tmp_path / "shd_train.h5.gz"
    path.write_bytes(gzip.compress(files.write(tmp_path / "a.h5", GIVEN).read_bytes())[:-20])
    with pytest.raises(DataError, match="truncated") as caught:
        opened(path)
    assert str(path) in caught.value.where
