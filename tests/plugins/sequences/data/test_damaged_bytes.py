"""Hundreds of files of each format with bytes changed, cut, copied or put in: an error with its place, or recordings; nothing else."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurocli.errors import DataError
from neurocli_sequences.data.readers.cifar import CifarReader
from neurocli_sequences.data.readers.idx import IdxReader
from neurocli_sequences.data.readers.listops import ListOpsReader
from neurocli_sequences.data.readers.pairs import PairsReader
from neurocli_sequences.data.readers.pathfinder import PathfinderReader
from neurocli_sequences.data.readers.series import SeriesReader
from neurocli_sequences.data.readers.text import TextReader


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


published = _module(Path(__file__).parents[1] / "published.py")
mutating = _module(Path(__file__).parents[3] / "faults" / "mutants" / "mutating.py")
COUNT = 250


def _series(folder: Path) -> Path:
    path = folder / "Toy_TRAIN.ts"
    path.write_text(published.ts(published.series(6)))
    return path


def _text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


def _cifar(version: str) -> Callable[[Path], Path]:
    return lambda folder: published.folder_of(folder / version, published.cifar(version, count=2))


def _archive(version: str, name: str, mode: str) -> Callable[[Path], Path]:
    files = published.cifar(version, count=1)
    return lambda folder: published.tar(folder / name, files, mode=mode, prefix=f"{version}/")


# name → (reader, how it is made, the file that is changed, whether it is a text)
FORMATS: dict[str, tuple[Any, Callable[[Path], Path], str, bool]] = {
    "images": (IdxReader, lambda f: published.mnist(f / "m", packed=False), "m/train-images-idx3-ubyte", False),
    "labels": (IdxReader, lambda f: published.mnist(f / "m", packed=False), "m/train-labels-idx1-ubyte", False),
    "images-gz": (IdxReader, lambda f: published.mnist(f / "m"), "m/train-images-idx3-ubyte.gz", False),
    "cifar10": (CifarReader, _cifar("cifar-10-batches-py"), "cifar-10-batches-py/data_batch_1", False),
    "cifar100": (CifarReader, _cifar("cifar-100-python"), "cifar-100-python/train", False),
    "cifar-meta": (CifarReader, _cifar("cifar-10-batches-py"), "cifar-10-batches-py/batches.meta", False),
    "cifar-bin": (CifarReader, _cifar("cifar-10-batches-bin"), "cifar-10-batches-bin/data_batch_1.bin", False),
    "cifar-tar": (CifarReader, _archive("cifar-100-python", "a.tar", "w"), "a.tar", False),
    "cifar-targz": (CifarReader, _archive("cifar-100-python", "a.tar.gz", "w:gz"), "a.tar.gz", False),
    "series": (SeriesReader, _series, "Toy_TRAIN.ts", True),
    "series-zip": (
        SeriesReader,
        lambda f: published.zipped(f / "Toy.zip", {"Toy_TRAIN.ts": published.ts(published.series(6)).encode()}),
        "Toy.zip",
        False,
    ),
    "listops": (ListOpsReader, _text("basic_train.tsv", published.listops()), "basic_train.tsv", True),
    "pairs": (PairsReader, _text("new_aan_pairs.test.tsv", published.pairs()), "new_aan_pairs.test.tsv", True),
    "pathfinder": (PathfinderReader, lambda f: published.pathfinder(f / "p"), "p/metadata/0.npy", True),
    "png": (PathfinderReader, lambda f: published.pathfinder(f / "p"), "p/imgs/0/sample_1.png", False),
    "text": (TextReader, _text("wiki.train.tokens", "a text\n" * 30), "wiki.train.tokens", True),
}


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_but_a_clear_error_comes_of_damage(name, tmp_path):
    make_reader, make, changed, is_text = FORMATS[name]
    given = make(tmp_path)
    # What IDX takes is files; the others take what was made.
    paths = sorted(given.iterdir()) if make_reader is IdxReader else [given]
    reader = make_reader()
    original = reader.read(paths)
    whole = [original[group].content() for group in original]
    path = tmp_path / changed
    mutator = mutating.Mutator(path.read_bytes(), name, is_text=is_text)
    refused = 0
    for number in range(COUNT):
        how, content = mutator.mutant(number)
        if not content:
            continue
        path.write_bytes(content)
        for asked in paths:
            reader.can_read(asked)
            reader.can_read_archive(asked)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                actual = reader.read(paths)
                recordings = [actual[group] for group in actual]
            except DataError as error:
                assert error.where and error.hint and error.message, f"mutant {number}, {how}: {error!r}"
                assert str(tmp_path) in error.where
                refused += 1
                continue
        assert all(np.issubdtype(recording.signal.dtype, np.number) for recording in recordings)
    path.write_bytes(mutator.content)
    again = reader.read(paths)
    assert [again[group].content() for group in again] == whole
    assert refused > 0


# What a sum, a header or a second column of the same file can tell must not pass in silence.
@pytest.mark.parametrize("name", ["images-gz", "cifar-targz", "series-zip", "png"])
def test_no_changed_byte_of_what_carries_a_sum_is_read_to_other_values(name, tmp_path):
    make_reader, make, changed, _ = FORMATS[name]
    given = make(tmp_path)
    paths = sorted(given.iterdir()) if make_reader is IdxReader else [given]
    original = make_reader().read(paths)
    whole = [original[group].content() for group in original]
    path = tmp_path / changed
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.integers(0, len(content), 120).tolist():
        path.write_bytes(content[:place] + bytes([content[place] ^ int(rng.integers(1, 256))]) + content[place + 1 :])
        try:
            actual = make_reader().read(paths)
            assert [actual[group].content() for group in actual] == whole or actual.notes, place
        except DataError:
            refused += 1
    assert refused > 30
