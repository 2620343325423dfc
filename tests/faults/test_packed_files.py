"""Packed files of each format: unpacked where the format is published so, else named with the command that unpacks them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shlex
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

import neurocli
from neurocli.recordings.files.packing import packed_how

pytest.importorskip("pynwb")
FORMATS = ["own.h5", "wormwideweb.h5", "worm.nwb", "session.mat", "session5.mat", "zimmer.mat", "worm.json"]
FORMATS += ["run_0_voltages.dat", "worms.parquet"]


def _zip(name: str, content: bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("__MACOSX/._" + name, b"\x00\x05\x16\x07")
        archive.writestr(name, content)
    return memory.getvalue()


def _tar(name: str, content: bytes) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return memory.getvalue()


PACK = {
    ".gz": ("gzip", lambda name, content: gzip.compress(content)),
    ".bz2": ("bzip2", lambda name, content: bz2.compress(content)),
    ".xz": ("xz", lambda name, content: lzma.compress(content, preset=0)),
    ".zip": ("zip", _zip),
    ".tar": ("tar", _tar),
    ".tar.gz": ("tar", lambda name, content: gzip.compress(_tar(name, content))),
}
MAGIC = {
    "zstd": b"\x28\xb5\x2f\xfd",
    "lz4": b"\x04\x22\x4d\x18",
    "7-Zip": b"7z\xbc\xaf\x27\x1c",
    "RAR": b"Rar!\x1a\x07\x01\x00",
    "compress": b"\x1f\x9d\x90",
}


@pytest.fixture(scope="module")
def every(tmp_path_factory) -> dict[str, bytes]:
    import importlib.util

    spec = importlib.util.spec_from_file_location("laboratory", Path(__file__).with_name("laboratory.py"))
    assert spec is not None and spec.loader is not None
    laboratory = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(laboratory)
    folder = tmp_path_factory.mktemp("every")
    pytest.importorskip("pyarrow")
    makers = laboratory.EVERY | {"worms.parquet": laboratory.worms_parquet}
    return {name: makers[name](folder / name).read_bytes() for name in FORMATS}


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("name", FORMATS)
def test_a_packed_file_is_called_that_with_the_command_that_unpacks_it(name, ending, every, place, neuro):
    how, pack = PACK[ending]
    path = place / f"{name}{ending}"
    path.write_bytes(pack(name, every[name]))
    done = neuro("diagnose", "gat-lstm", "--data", path.name, "--json")
    assert done.code == 3, done
    error = done.error
    assert f"packed ({how})" in error["message"] and path.name in error["where"], error
    if how == "zip":
        assert name in error["message"] and "__MACOSX" not in error["message"]
    command = error["hint"].removeprefix("unpack it first: ")
    if shutil.which(shlex.split(command)[0]):
        subprocess.run(command, shell=True, cwd=place, check=True, capture_output=True)
        assert (place / name).read_bytes() == every[name]


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_a_packed_file_under_the_name_of_its_content_is_unpacked_by_the_command_too(ending, every, place, neuro):
    _, pack = PACK[ending]
    (place / "it's mine.mat").write_bytes(pack("", every["session.mat"]))
    hint = neuro("diagnose", "eirnn", "--data", "it's mine.mat", "--json").error["hint"]
    command = hint.removeprefix("unpack it first: ")
    if shutil.which(shlex.split(command)[0]):
        subprocess.run(command, shell=True, cwd=place, check=True, capture_output=True)
        assert len(neurocli.open_recordings(place / "it's mine-unpacked.mat")) == 60


@pytest.mark.parametrize("how", MAGIC)
def test_other_ways_of_packing_are_known(how, place, refused):
    (place / "worm.mat").write_bytes(MAGIC[how] + b"\0" * 50)
    packed = packed_how(place / "worm.mat")
    assert packed is not None and packed.name == how
    said = refused(3, "diagnose", "gat-lstm", "--data", "worm.mat").said
    assert f"packed ({how})" in said and "worm.mat" in said
