"""Recordings of every format here, saved in our own format and opened again, are the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from neurocli import open_recordings
from neurocli.recordings import RecordingSet
from neurocli_sequences.data.readers.text import TextReader

_spec = importlib.util.spec_from_file_location("published", Path(__file__).parents[1] / "published.py")
assert _spec is not None and _spec.loader is not None
published = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(published)


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


SETS: dict[str, Callable[[Path], RecordingSet]] = {
    "idx": lambda f: open_recordings(published.mnist(f / "digits")),
    "cifar10": lambda f: open_recordings(published.folder_of(f / published.VERSIONS[0], published.cifar("cifar-10-"))),
    "series": lambda f: open_recordings(_write(f / "Toy_TRAIN.ts", published.ts(published.series(5)))),
    "listops": lambda f: open_recordings(_write(f / "basic_val.tsv", published.listops())),
    "pairs": lambda f: open_recordings(_write(f / "new_aan_pairs.eval.tsv", published.pairs())),
    "pathfinder": lambda f: open_recordings(published.pathfinder(f / "curv_baseline")),
    "texts": lambda f: TextReader().read([published.folder_of(f / "t", {"a/b.txt": b"text", "c": "ü".encode()})]),
    "imdb": lambda f: TextReader().read([published.folder_of(f, published.reviews()) / "aclImdb"]),
}


@pytest.mark.parametrize("name", SETS)
def test_what_is_saved_is_what_was_read(name, tmp_path):
    actual = SETS[name](tmp_path)
    actual.save(tmp_path / "ours.h5")
    again = RecordingSet.open(tmp_path / "ours.h5")
    assert again.groups == actual.groups and again.meta == actual.meta
    for group in actual:
        first, second = actual[group], again[group]
        assert first.content() == second.content() and first.labels == second.labels
        assert first.signal.dtype == second.signal.dtype and (first.signal == second.signal).all()
