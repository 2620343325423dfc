"""Files that no reader takes: one line says what each is, and what to do."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

FORMATS = "formats known"


def zipped(**files: bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return memory.getvalue()


def saved(write) -> bytes:
    memory = io.BytesIO()
    write(memory)
    return memory.getvalue()


def nothing_of_matlab() -> bytes:
    import scipy.io

    return saved(lambda memory: scipy.io.savemat(memory, {"spikes": np.zeros(3), "fs": 30000.0}))


def foreign_hdf5() -> bytes:
    def write(memory) -> None:
        with h5py.File(memory, "w") as file:
            file["estimates/C"] = np.zeros(3)

    return saved(write)


ZEROS = b"\0" * 400
# name → content, what the message must say, what the hint must say
FILES: dict[str, tuple[bytes, str, str]] = {
    "a.mat": (nothing_of_matlab(), "MATLAB file with the variables fs, spikes", FORMATS),
    "caiman.hdf5": (foreign_hdf5(), "HDF5 with the entries estimates", FORMATS),
    "a.npy": (saved(lambda m: np.save(m, np.zeros(3))), "array of numpy", "RecordingSet.of"),
    "a.npz": (saved(lambda m: np.savez(m, dff=np.zeros(3), t=np.zeros(3))), "arrays of numpy (.npz): dff, t", "Record"),
    "renamed.mat": (saved(lambda m: np.savez(m, x=np.zeros(3))), "arrays of numpy", "RecordingSet.of"),
    "a.pkl": (pickle.dumps({"x": np.zeros(3)}), "a Python pickle", "RecordingSet.of"),
    "old.pkl": (pickle.dumps({"x": [1]}, protocol=0), "a Python pickle", "RecordingSet.of"),
    "a.xlsx": (zipped(**{"xl__workbook.xml": b"x", "[Content_Types].xml": b"x"}), "an Excel workbook", "as text"),
    "a.docx": (zipped(**{"word__document.xml": b"x"}), "a Word document", "file of the data"),
    "a.pt": (zipped(**{"archive__data.pkl": b"x", "archive__version": b"3"}), "torch", "RecordingSet.of"),
    "a.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + ZEROS, "old Excel", "as text"),
    "a.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document", "file of the data"),
    "a.png": (b"\x89PNG\r\n\x1a\n" + ZEROS, "a PNG image", "file of the data"),
    "a.tif": (b"II*\0\x08\0\0\0" + ZEROS, "a TIFF image or stack", "traces of cells"),
    "a.avi": (b"RIFF\x10\0\0\0AVI LIST" + ZEROS, "an AVI video", "traces of cells"),
    "a.rhd": (struct.pack("<I", 0xC6912702) + ZEROS, "an Intan recording", "sort its spikes"),
    "a.rhs": (struct.pack("<I", 0xD69127AC) + ZEROS, "an Intan recording", "sort its spikes"),
    "a.continuous": (b"header.format = 'Open Ephys Data Format'; \n" + ZEROS, "an Open Ephys recording", "sort"),
    "a.ncs": (b"######## Neuralynx Data File Header\r\n" + ZEROS, "a Neuralynx recording", "sort its spikes"),
    "a.plx": (b"PLEX" + ZEROS, "a Plexon recording", "sort its spikes"),
    "a.abf": (b"ABF2" + ZEROS, "an Axon recording", "save it"),
    "a.edf": (b"0       " + b"X" * 300, "an EDF recording", "save it"),
    "a.nev": (b"NEURALEV" + ZEROS, "a Blackrock recording", "sort its spikes"),
    "traces.csv": (b"time,AVAL,AVAR\n0.0,1.2,1.3\n0.4,1.2,1.3\n", "the columns time, AVAL, AVAR", FORMATS),
    "keys.json": (json.dumps({"traces": [[1]], "fps": 3}).encode(), "JSON with the keys traces, fps", FORMATS),
    "list.json": (json.dumps([{"a": 1}, {"a": 2}]).encode(), "a list of 2, each with the keys a", FORMATS),
    "cut.json": (b'{"traces": [[1.0, 2.0], [3.', "damaged or cut off at line 1", FORMATS),
    "notes.xyz": ("Wurm 3, Vergrößerung 40×".encode("cp1252"), "a text that begins with 'Wurm 3", FORMATS),
    "config.ini": (b"[recording]\nrate = 3\n", "a text that begins with '[recording]", FORMATS),
    "utf16.txt": ("the second worm".encode("utf-16"), "a text that begins with 'the second", FORMATS),
    "lfs.mat": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n", "Git LFS", "git lfs pull"),
    "annexed.nwb": (b"/annex/objects/SHA256E-s12--4d.nwb\n", "git-annex", "datalad get"),
    "login.mat": (b"\n<!DOCTYPE html>\n<html><head>", "a web page", "download"),
    "login.h5": (b"<html><head><title>Sign in", "not HDF5, as its name says: it is a web page", "download"),
    "pickle.h5": (pickle.dumps([1, 2]), "not HDF5, as its name says: it is a Python pickle", "RecordingSet.of"),
    "noise.bin": (bytes(range(256)) * 3, "no reader knows", FORMATS),
}


@pytest.mark.parametrize("name", FILES)
def test_an_unknown_file_is_called_what_it_is(name, place, refused):
    content, what, advice = FILES[name]
    (place / name).write_bytes(content)
    error = refused(3, "diagnose", "gat-lstm", "--data", name).error
    assert what in error["message"] and advice in error["hint"] and name in error["where"]
    assert "packed" not in error["message"] and "\n" not in error["message"]


def test_names_in_a_file_cannot_write_to_the_terminal(place, neuro):
    (place / "hostile.json").write_text(json.dumps({"\x1b[31mred\x07": 1, "x" * 5000: 2}))
    done = neuro("diagnose", "gat-lstm", "--data", "hostile.json")
    assert "\x1b" not in done.err and "\x07" not in done.err and len(done.err) < 2000


def test_what_a_system_leaves_is_passed_over_even_if_named(laboratory, place, neuro):
    worm = laboratory.own_h5(place / "worm.h5")
    beside = place / "._worm.h5"
    beside.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + ZEROS)
    (place / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + ZEROS)
    (place / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + ZEROS)
    named = [word for path in (worm, beside, place / "Thumbs.db") for word in ("--data", path)]
    for words in (named, ["--data", place]):
        done = neuro("diagnose", "gat-lstm", *words, "--json")
        assert done.code == 0, done
        assert not any(f["check"] == "left-out" and f["verdict"] != "PASS" for f in done.envelope["data"]["findings"])
    assert neuro("diagnose", "gat-lstm", "--data", beside, "--json").code == 3


def test_a_real_file_may_begin_with_a_point_and_a_line(laboratory, place, neuro):
    assert neuro("diagnose", "gat-lstm", "--data", laboratory.own_h5(place / "._mine.h5")).code == 0


def test_folders_say_what_is_in_them_and_not_searched(laboratory, place, neuro, refused):
    data = place / "data"
    (data / "day 1").mkdir(parents=True)
    said = refused(3, "diagnose", "gat-lstm", "--data", data).said
    assert "folders in it are not searched: day 1" in said and f"--data {data}/day 1" in said
    laboratory.own_h5(data / "worm.h5")
    (data / "README.md").write_text("about")
    (data / "behaviour.csv").write_text("a,b\n1,2\n")
    done = neuro("diagnose", "gat-lstm", "--data", data, "--json")
    values = [f["value"] for f in done.envelope["data"]["findings"] if f["check"] == "left-out"]
    assert len(values) == 2 and "behaviour.csv" in values[0] and "day 1" in values[1]


def test_a_file_of_a_folder_that_should_be_read_and_is_not_is_told(laboratory, place, neuro):
    data = place / "data"
    data.mkdir()
    laboratory.own_h5(data / "worm.h5")
    (data / "empty.mat").write_bytes(b"")
    (data / "other.mat").write_bytes(nothing_of_matlab())
    (data / "gone.nwb").symlink_to(".git/annex/objects/xx/gone.nwb")
    (data / "cut.h5").write_bytes((data / "worm.h5").read_bytes()[:900])
    done = neuro("diagnose", "gat-lstm", "--data", data, "--json")
    found = {f["subject"].rpartition("/")[2]: f for f in done.envelope["data"]["findings"] if f["check"] == "left-out"}
    assert set(found) == {"empty.mat", "other.mat", "gone.nwb", "cut.h5"}
    assert all(finding["verdict"] == "WARN" and finding["advice"] for finding in found.values())
    assert "datalad get" in found["gone.nwb"]["advice"]


def test_a_link_to_nothing_says_so(place, refused):
    (place / "worm.mat").symlink_to("../.git/annex/objects/ab/worm.mat")
    error = refused(3, "diagnose", "gat-lstm", "--data", "worm.mat").error
    assert "a link to" in error["message"] and "datalad get worm.mat" in error["hint"]


def test_a_file_is_read_once_however_often_it_is_named(laboratory, place, neuro):
    path = laboratory.own_h5(place / "worm.h5")
    (place / "again.h5").symlink_to(path)
    words = [word for name in ("worm.h5", "./worm.h5", path, place, "again.h5") for word in ("--data", name)]
    assert neuro("diagnose", "gat-lstm", *words).code == 0
    assert neuro("diagnose", "gat-lstm", *words, "--json").envelope["data"] == neuro(
        "diagnose", "gat-lstm", "--data", place, "--json"
    ).envelope["data"] | {"cpu_s": pytest.approx(0, abs=100)}


def test_a_reader_that_trusts_a_foreign_file_does_not_stop_the_others(laboratory, place):
    from neurocli.plugin.cards import ReaderCard
    from neurocli.recordings.readers import Reader, open_paths

    class Trusting(Reader):
        def can_read(self, path: Path) -> bool:
            return bool({}["no such key"])

        def read(self, paths):
            raise AssertionError

        def lacks(self, path: Path) -> str | None:
            raise RuntimeError

    card = ReaderCard(name="trusting", summary="", implementation="x:y", suffixes=(".h5", ".txt"))
    assert len(open_paths([laboratory.own_h5(place / "worm.h5")], [(card, Trusting())])) == 2


def test_missing_packages_are_named_at_once_and_the_rest_is_read(laboratory, place, neuro, refused, monkeypatch):
    pytest.importorskip("pynwb")
    pytest.importorskip("pyarrow")
    laboratory.worm_nwb(place / "worm.nwb")
    laboratory.zimmer_mat(place / "zimmer.mat")
    laboratory.worms_parquet(place / "worms.parquet")
    for package in ("pynwb", "pyarrow"):
        monkeypatch.setitem(sys.modules, package, None)
    done = neuro("preprocess", "gat-lstm", "--data", place, "--out", "out.h5")
    assert done.code == 0, done
    (line,) = [line for line in done.err.splitlines() if "pip install" in line]
    assert "worm.nwb" in line and "worms.parquet" in line and 'pip install "neurocli[nwb,worm]"' in line
    for words in (["worm.nwb", "worms.parquet"], ["zimmer.mat", "worms.parquet", "worm.nwb"]):
        error = refused(6, "diagnose", "gat-lstm", *[w for name in words for w in ("--data", name)]).error
        assert "pynwb" in error["message"] and "pyarrow" in error["message"]
        assert error["hint"].count("pip install") == 1 and "nwb" in error["hint"] and "worm" in error["hint"]
