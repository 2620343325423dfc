"""Arrays in a temporary file: what was written is read, in memory or on disk, and nothing stays behind."""

from __future__ import annotations

import contextlib
import gc
import tempfile
from pathlib import Path

import numpy as np
import pytest

from neurocli.errors import StorageError
from neurocli.recordings.files import scratch
from neurocli.recordings.files.scratch import Scratch

ARRAYS = {
    "floats": np.arange(24.0).reshape(6, 2, 2),
    "strided": np.arange(40, dtype=np.float32).reshape(8, 5).T,
    "empty": np.zeros((0, 3), np.int8),
    "flags": np.array([True, False, True]),
    "codes": np.array([2**64 - 1, 5], np.uint64),
}


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("limit", [10**6, 1])
def test_what_is_written_is_read(limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", limit)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = Scratch.of(ARRAYS.items())
    assert list(kept) == list(ARRAYS) and not list(tmp_path.iterdir())  # no file has a name
    for name, array in ARRAYS.items():
        assert kept[name].dtype == array.dtype
        np.testing.assert_array_equal(kept[name], array)
        np.testing.assert_array_equal(kept.rows(name, len(array) // 2, len(array)), array[len(array) // 2 :])
    kept["floats"][:] = 0  # a copy
    np.testing.assert_array_equal(kept["floats"], ARRAYS["floats"])


def test_rows_that_are_not_there_are_refused() -> None:
    kept = Scratch.of(ARRAYS.items())
    for start, stop in ((-1, 2), (3, 7), (4, 3)):
        with pytest.raises(IndexError):
            kept.rows("floats", start, stop)
    with pytest.raises(KeyError):
        kept["none"]
    with pytest.raises(ValueError, match="already"):
        kept.keep("floats", np.zeros(1))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_the_file_goes_with_the_last_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", 1)
    gc.collect()
    before = _open_files()
    kept = Scratch.of(ARRAYS.items())
    assert _open_files() == before + 1
    del kept
    gc.collect()
    assert _open_files() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Scratch()
    kept._file = Path("/dev/full").open("w+b")  # type: ignore[assignment]  # noqa: SIM115
    with pytest.raises(StorageError, match="disk is full"):
        kept.keep("floats", ARRAYS["floats"])
    with contextlib.suppress(OSError):  # what could not be written is tried again
        kept._file.close()
