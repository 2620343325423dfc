"""HDF5 files that another program holds, on drives with locks and without: never "damaged", never "no reader knows"."""

from __future__ import annotations

import contextlib
import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

import neurocli

pytest.importorskip("pynwb")
FORMATS = ["own.h5", "wormwideweb.h5", "worm.nwb", "shd_train.h5", "session.mat"]
MODELS = {"shd_train.h5": "elm", "session.mat": "eirnn"}
_HOLD = """
import sys, time, h5py
with h5py.File(sys.argv[1], sys.argv[2], **{options}) as file:
    {work}
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def held(path: Path, mode: str = "r+", *, options: str = "{}", work: str = "pass") -> Iterator[subprocess.Popen[str]]:
    """Another process has `path` open for writing."""
    program = _HOLD.format(options=options, work=work)
    process = subprocess.Popen([sys.executable, "-c", program, str(path), mode], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_another_program_writes_is_called_that(name, laboratory, place, refused):
    path = laboratory.HDF5[name](place / name)
    (place / "folder").mkdir()
    inside = laboratory.HDF5[name](place / "folder" / name)
    with held(path), held(inside):
        for data in (path, place / "folder"):
            said = refused(3, "diagnose", MODELS.get(name, "gat-lstm"), "--data", data).said
            assert "another program has the file open for writing" in said and name in said
            assert "no reader knows" not in said and "is damaged" not in said
    assert len(neurocli.open_recordings(path))


def test_a_folder_goes_on_without_a_file_that_is_being_written(laboratory, place, neuro):
    laboratory.own_h5(place / "first.h5")
    held_one = laboratory.own_h5(place / "second.h5")
    with held(held_one):
        (note,) = neurocli_notes(place)
    assert "second.h5" in note and "another program" in note
    assert neurocli_notes(place / "first.h5") == []


def neurocli_notes(path: Path) -> list[str]:
    from neurocli.recordings.readers import open_paths
    from neurocli.workflow.data.sources import load_readers
    from neurocli.workflow.messages import Reporter

    return [str(note) for note in open_paths([path], load_readers(Reporter())).notes]


def test_a_file_of_which_nothing_is_written_yet(place, refused):
    for name, work in (("new.h5", "pass"), ("new.nwb", "file['x'] = 'texts in a heap'")):
        with held(place / name, "w", work=work):
            said = refused(3, "diagnose", "gat-lstm", "--data", place / name).said
            assert "another program has the file open for writing" in said


def test_a_file_whose_writer_was_killed(place, refused):
    path = place / "dead.h5"
    with held(path, "w", options='{"libver": "latest"}', work="file['x'] = [1.0]; file.flush()") as process:
        process.kill()
        process.wait()
        said = refused(3, "diagnose", "gat-lstm", "--data", path).said
    assert "ended before it had closed it" in said and "h5clear" in said


@pytest.mark.parametrize(("name", "number"), [(name, errno.ENOLCK) for name in FORMATS] + [("own.h5", errno.ENOSYS)])
def test_a_drive_that_has_no_locks_is_read(name, number, laboratory, place, monkeypatch):
    path = laboratory.HDF5[name](place / name)
    expected = neurocli.open_recordings(path)
    values = [expected[group].fingerprint() for group in expected.groups[:2]]
    without_locks(monkeypatch, number)
    actual = neurocli.open_recordings(path)
    assert [actual[group].fingerprint() for group in actual.groups[:2]] == values


def without_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """h5py as it is on a network drive: a file opens where no lock is asked for."""
    opened = h5py.File.__init__

    def init(self, name, mode="r", *args, **kwargs):
        if isinstance(name, (str, Path)) and mode == "r" and kwargs.get("locking") is not False:
            message = (
                f"Unable to synchronously open file (unable to lock file, errno = {number}, error message = '...')"
            )
            raise OSError(number, message)
        opened(self, name, mode, *args, **kwargs)

    monkeypatch.setattr(h5py.File, "__init__", init)


def test_a_path_with_lock_in_its_name_is_not_taken_for_a_lock(laboratory, place, monkeypatch):
    from neurocli.errors import DataError
    from neurocli.recordings.files.hdf5 import open_hdf5

    (place / "locked").mkdir()
    path = laboratory.own_h5(place / "locked" / "clock.h5")

    def forbidden(*args, **kwargs):
        raise OSError(errno.EACCES, f"unable to open file: name = '{path}', errno = 13")

    monkeypatch.setattr(h5py, "File", forbidden)
    with pytest.raises(DataError) as caught, open_hdf5(path):
        pass
    assert "another program" not in caught.value.message
