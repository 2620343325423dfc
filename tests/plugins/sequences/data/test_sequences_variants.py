"""A published file with one change is read to the same, refused or flagged; never to other values in silence.

What no number in a file can tell, and is not tried here: pixels or labels given other values of the same range, images turned within
a square, channels or cases in another order.
"""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurocli.errors import DataError
from neurocli.plugin.cards import ReaderCard
from neurocli.plugin.registry import registry
from neurocli.recordings import RecordingSet
from neurocli.recordings.readers import open_paths


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


published = _module(Path(__file__).parents[1] / "published.py")
_variants = _module(Path(__file__).parents[3] / "variants.py")
SILENT, outcome = _variants.SILENT, _variants.outcome
NAMES = ("idx", "cifar", "series", "listops", "pairs", "pathfinder")
READERS = [(card, card.load()()) for card in registry().cards(ReaderCard) if card.name in NAMES]
IMAGES, LABELS = published.images(30, seed=30), published.labels(30)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def opened(paths: list[Path]) -> RecordingSet:
    return open_paths(paths, READERS)


def _idx_values(draw: Any, values: np.ndarray) -> bytes:
    """The values in another type, order of bytes, order of axes, or range."""
    changes: list[Callable[[], bytes]] = [
        lambda: published.idx(values, order="<"),
        lambda: published.idx(values.astype(draw(st.sampled_from([">i4", "<i4", ">f4", "<f8"]))), code=8),
        lambda: published.idx(values.astype(">f4"), code=0x0D),
        lambda: published.idx(values.astype(">i4"), code=0x0C),
        lambda: published.idx(np.moveaxis(values, 0, -1)) if values.ndim > 1 else published.idx(values[:, None]),
        lambda: published.idx(values.reshape(len(values), -1)) if values.ndim > 1 else published.idx(values + 1),
        lambda: published.idx(values[:-1]),
        lambda: published.idx(values[:, :-1]) if values.ndim > 1 else published.idx(np.eye(10, dtype=np.uint8)[values]),
        lambda: published.idx(values[..., None].repeat(3, -1)),
        lambda: published.idx(values)[: draw(st.integers(0, 100))],
        lambda: published.idx(values) + bytes(draw(st.integers(1, 9))),
        lambda: np.ascontiguousarray(values).tobytes(),
    ]
    return draw(st.sampled_from(changes))()


@FEW
@given(st.data())
def test_images_and_labels(data):
    with tempfile.TemporaryDirectory() as name:
        folder = published.mnist(Path(name) / "digits", packed=data.draw(st.booleans()))
        base = opened([folder])
        whole = {group: base[group] for group in base}
        kept = RecordingSet.of(list(whole.values()), meta=base.meta)
        what = data.draw(st.sampled_from(["images", "labels"]))
        (path,) = folder.glob(f"train-{what}*")
        content = _idx_values(data.draw, IMAGES if what == "images" else LABELS)
        path.write_bytes(gzip.compress(content) if data.draw(st.booleans()) else content)
        paths = data.draw(st.sampled_from([[folder], sorted(folder.iterdir())]))
        assert outcome(kept, lambda: opened(paths), lambda _: []) != SILENT


def _replaced(old: str, new: str) -> Callable[[str, Any], str]:
    return lambda text, draw: text.replace(old, new)


def _in_data(change: Callable[[str], str]) -> Callable[[str, Any], str]:
    """The change in one line behind the header."""

    def changed(text: str, draw: Any) -> str:
        head, mark, body = text.partition("@data\n")
        lines = body.splitlines()
        number = draw(st.integers(0, len(lines) - 1))
        lines[number] = change(lines[number])
        return head + mark + "\n".join(lines) + "\n"

    return changed


TS_CHANGES: dict[str, Callable[[str, Any], str]] = {
    "decimal comma": _in_data(lambda line: line.replace(".", ",")),
    "semicolons": _in_data(lambda line: line.replace(",", ";")),
    "tabs": _in_data(lambda line: line.replace(",", "\t")),
    "commas for colons": _in_data(lambda line: line.replace(":", ",")),
    "a value less": _in_data(lambda line: line.partition(",")[2]),
    "a channel less": _in_data(lambda line: line.partition(":")[2]),
    "a channel more": _in_data(lambda line: f"{line.partition(':')[0]}:{line}"),
    "no class": _in_data(lambda line: line.rpartition(":")[0]),
    "class first": _in_data(lambda line: ":".join([line.rpartition(":")[2], line.rpartition(":")[0]])),
    "class in quotes": _in_data(lambda line: line[:-1] + f'"{line[-1]}"'),
    "another class": _in_data(lambda line: line[:-1] + "c"),
    "upper case": _in_data(lambda line: line.upper()),
    "an empty value": _in_data(lambda line: "," + line.partition(",")[2]),
    "a text": _in_data(lambda line: "n/a," + line.partition(",")[2]),
    "hexadecimal": _in_data(lambda line: "0x1F," + line.partition(",")[2]),
    "infinite": _in_data(lambda line: "Infinity," + line.partition(",")[2]),
    "missing": _in_data(lambda line: "?," + line.partition(",")[2]),
    "missing as NA": _in_data(lambda line: "NaN," + line.partition(",")[2]),
    "classes counted": _replaced("@classLabel true a b", "@classLabel true 2"),
    "fewer classes": _replaced("@classLabel true a b", "@classLabel true a c"),
    "no header of classes": _replaced("@classLabel true a b\n", ""),
    "regression": _replaced("@classLabel true a b", "@targetlabel true"),
    "another count": _replaced("@dimensions 2", "@dimensions 6"),
    "univariate": _replaced("@univariate false", "@univariate true"),
    "equal": _replaced("@equalLength false", "@equalLength true"),
    "stamps": _replaced("@timeStamps false", "@timeStamps true"),
    "line ends": _replaced("\n", "\r\n"),
    "old line ends": _replaced("\n", "\r"),
    "a mark": lambda text, draw: "\ufeff" + text,
    "cut": lambda text, draw: text[: draw(st.integers(0, len(text) - 2))].rstrip("\n"),
    "two files in one": lambda text, draw: text + text,
}


@FEW
@given(st.data())
def test_series(data):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "Toy_TRAIN.ts"
        text = published.ts(published.series(6))
        path.write_text(text)
        base = opened([path])
        kept = RecordingSet.of([base[group] for group in base], meta=base.meta)
        changed = TS_CHANGES[data.draw(st.sampled_from(sorted(TS_CHANGES)))](text, data.draw)
        encoding = data.draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-16-le", "cp1252"]))
        path.write_bytes(changed.encode(encoding, errors="replace"))
        assert outcome(kept, lambda: opened([path]), lambda _: []) != SILENT


TABLES = {"basic_train.tsv": published.listops(), "new_aan_pairs.train.tsv": published.pairs()}


def _line(text: str, draw: Any, change: Callable[[str], str]) -> str:
    lines = text.splitlines()
    number = draw(st.integers(0, len(lines) - 1))
    lines[number] = change(lines[number])
    return "\n".join(lines) + "\n"


TABLE_CHANGES: dict[str, Callable[[str, Any], str]] = {
    "commas": lambda text, draw: _line(text, draw, lambda line: line.replace("\t", ",")),
    "spaces": lambda text, draw: _line(text, draw, lambda line: line.replace("\t", " ")),
    "a tab more": lambda text, draw: _line(text, draw, lambda line: line + "\t"),
    "a tab before": lambda text, draw: _line(text, draw, lambda line: "\t" + line),
    "columns exchanged": lambda text, draw: _line(text, draw, lambda line: "\t".join(reversed(line.split("\t")))),
    "an empty line": lambda text, draw: _line(text, draw, lambda line: line + "\n"),
    "a line cut in two": lambda text, draw: _line(text, draw, lambda line: line.replace(" ", "\n", 1)),
    "line ends": lambda text, draw: text.replace("\n", "\r\n"),
    "old line ends": lambda text, draw: text.replace("\n", "\r"),
    "a mark": lambda text, draw: "\ufeff" + text,
    "no first line": lambda text, draw: text.partition("\n")[2] if "Source" in text else text,
    "cut": lambda text, draw: text[: draw(st.integers(0, len(text) - 2))].rstrip("\n"),
    "values moved": lambda text, draw: text.replace("\t9\n", "\t0\n").replace("1\tP", "3\tP"),
}


@FEW
@given(st.data())
def test_tables_of_texts(data):
    with tempfile.TemporaryDirectory() as folder:
        name = data.draw(st.sampled_from(sorted(TABLES)))
        path, text = Path(folder) / name, TABLES[name]
        path.write_text(text)
        base = opened([path])
        kept = RecordingSet.of([base[group] for group in base], meta=base.meta)
        changed = TABLE_CHANGES[data.draw(st.sampled_from(sorted(TABLE_CHANGES)))](text, data.draw)
        encoding = data.draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-16-le"]))
        path.write_bytes(changed.encode(encoding, errors="replace"))
        assert outcome(kept, lambda: opened([path]), lambda _: []) != SILENT


BATCH_CHANGES: dict[str, Callable[[np.ndarray, list[int]], dict[str, Any]]] = {
    "floats": lambda pixels, labels: {"data": pixels / 255},
    "signed": lambda pixels, labels: {"data": pixels.astype(np.int8)},
    "wide": lambda pixels, labels: {"data": pixels.astype(np.int64)},
    "images": lambda pixels, labels: {"data": pixels.reshape(-1, 32, 96)},
    "grey": lambda pixels, labels: {"data": pixels[:, :1024]},
    "turned": lambda pixels, labels: {"data": np.ascontiguousarray(pixels.T)},
    "an image less": lambda pixels, labels: {"data": pixels[1:]},
    "from one": lambda pixels, labels: {"labels": [9 + 1 for _ in labels]},
    "an array": lambda pixels, labels: {"labels": np.array(labels)},
    "texts": lambda pixels, labels: {"labels": [str(label) for label in labels]},
    "truths": lambda pixels, labels: {"labels": [bool(label % 2) for label in labels]},
    "one-hot": lambda pixels, labels: {"labels": np.eye(10)[labels].tolist()},
    "no labels": lambda pixels, labels: {"labels": None},
    "fine labels": lambda pixels, labels: {"labels": None, "fine_labels": labels},
    "no data": lambda pixels, labels: {"data": None},
    "no names": lambda pixels, labels: {"filenames": []},
}


@pytest.mark.parametrize("name", BATCH_CHANGES)
def test_batches(name, tmp_path):
    version = "cifar-10-batches-py"
    folder = published.folder_of(tmp_path / version, published.cifar(version))
    base = opened([folder])
    kept = RecordingSet.of([base[group] for group in base], meta=base.meta)
    shutil.rmtree(folder)
    pixels = published.cifar_planes(4, 0).reshape(4, -1)
    changes = BATCH_CHANGES[name](pixels, published.labels(4, 10, 0).tolist())
    published.folder_of(folder, published.cifar(version, **changes))
    assert outcome(kept, lambda: opened([folder]), lambda _: []) != SILENT


def test_the_unchanged_files_are_sound(tmp_path):
    (tmp_path / "Toy_TRAIN.ts").write_text(published.ts(published.series(6)))
    with pytest.raises(DataError):
        opened([tmp_path / "nothing"])
    assert not opened([tmp_path / "Toy_TRAIN.ts"]).notes
