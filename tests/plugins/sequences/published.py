"""Writes the formats that the plugin reads, byte for byte as they are published, without any of its code."""

from __future__ import annotations

import gzip
import importlib.util
import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

_spec = importlib.util.spec_from_file_location("python2", Path(__file__).parents[1] / "elm" / "python2.py")
assert _spec is not None and _spec.loader is not None
_python2 = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_python2)

VERSIONS = ("cifar-10-batches-py", "cifar-100-python", "cifar-10-batches-bin", "cifar-100-binary")


def images(count: int, height: int = 6, width: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width)).astype(np.uint8)


def labels(count: int, classes: int = 10, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, count).astype(np.uint8)


def idx(values: np.ndarray, order: str = ">", code: int = 8) -> bytes:
    magic = struct.pack(f"{order}I", code << 8 | values.ndim)
    return magic + struct.pack(f"{order}{values.ndim}I", *values.shape) + values.tobytes()


def mnist(folder: Path, *, train: int = 30, test: int = 12, packed: bool = True, **size: int) -> Path:
    """The four files; images and labels of a part depend on its size alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), ("t10k", test)):
        for name, values in (("images-idx3", images(count, seed=count, **size)), ("labels-idx1", labels(count))):
            content = idx(values)
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
    return folder


def cifar_planes(count: int, seed: int) -> np.ndarray:
    """[image, colour, row, column]"""
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32)).astype(np.uint8)


def _pickled(value: dict[str, Any], protocol: int | None) -> bytes:
    """As Python 2 wrote the published files, whose texts are bytes; with a protocol as Python 3 writes bytes."""
    if protocol is not None:
        return pickle.dumps({key.encode(): content for key, content in value.items()}, protocol=protocol)
    file = io.BytesIO()
    _python2.Python2Pickler(file).dump(
        {
            key: [_text(item) for item in content] if isinstance(content, list) else content
            for key, content in value.items()
        }
    )
    return file.getvalue()


def _text(item: Any) -> Any:
    return item.decode() if isinstance(item, bytes) else item


def cifar(version: str, count: int = 4, *, protocol: int | None = None, **changes: Any) -> dict[str, bytes]:
    """File name → content. changes: a key of a batch → what it is in the first one instead; None leaves it out."""
    ten, binary = "-10-" in version, "bin" in version
    if ten:
        names = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
    else:
        names = ["train", "test"]
    files: dict[str, bytes] = {}
    for number, name in enumerate(names):
        planes = cifar_planes(count, number)
        fine, coarse = labels(count, 10 if ten else 100, number), labels(count, 20, number + 50)
        if binary:
            columns = [fine[:, None]] if ten else [coarse[:, None], fine[:, None]]
            files[f"{name}.bin"] = np.concatenate([*columns, planes.reshape(count, -1)], axis=1).tobytes()
            continue
        batch: dict[str, Any] = {"batch_label": name, "data": planes.reshape(count, -1)}
        if ten:
            batch["labels"] = fine.tolist()
        else:
            batch |= {"fine_labels": fine.tolist(), "coarse_labels": coarse.tolist()}
        batch["filenames"] = [f"{name}_{k}.png".encode() for k in range(count)]
        if number == 0:
            batch = {key: value for key, value in (batch | changes).items() if value is not None}
        files[name] = _pickled(batch, protocol)
    kinds = [f"class{number}" for number in range(10 if ten else 100)]
    if binary:
        files["batches.meta.txt" if ten else "fine_label_names.txt"] = ("\n".join(kinds) + "\n\n").encode()
    else:
        key = "label_names" if ten else "fine_label_names"
        files["batches.meta" if ten else "meta"] = _pickled({key: [kind.encode() for kind in kinds]}, protocol)
    return files


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def tar(path: Path, files: dict[str, bytes], *, mode: str = "w:gz", prefix: str = "") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(prefix + name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


HEADER = """#A comment
@problemName Toy
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true a b
@data
"""


def ts(cases: list[tuple[np.ndarray, str]], header: str = HEADER) -> str:
    """cases: ([time, channel], class or target)."""
    lines = []
    for series, target in cases:
        channels = [",".join("?" if np.isnan(value) else f"{value:.6g}" for value in channel) for channel in series.T]
        lines.append(":".join([*channels, target]))
    return header + "\n".join(lines) + "\n"


def series(count: int, seed: int = 0, *, channels: int = 2) -> list[tuple[np.ndarray, str]]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(int(rng.integers(3, 9)), channels)).round(3), "ab"[k % 2]) for k in range(count)]


def png(pixels: np.ndarray, *, bits: int = 8, colours: int = 0) -> bytes:
    """A PNG image without any library: rows without a filter."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pathfinder(folder: Path, count: int = 6) -> Path:
    lines = []
    for number in range(count):
        path = folder / "imgs" / "0" / f"sample_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(images(1, 32, 32, seed=number)[0]))
        lines.append(f"imgs/0 sample_{number}.png {number} {number % 2} 1.0 14 3 {0.5 * number}")
    (folder / "metadata").mkdir()
    (folder / "metadata" / "0.npy").write_text("\n".join(lines[: count // 2]) + "\n")
    (folder / "metadata" / "1.npy").write_text("\n".join(lines[count // 2 :]) + "\n")
    return folder


LISTOPS = [
    ("( ( ( ( [MAX 2 ) 9 ) [MIN 4 7 ] ) ] )", 9),
    ("[SM 5 6 7 ]", 8),
    ("( ( ( ( [MED 1 ) 8 ) 3 ) ] )", 3),
    ("( ( ( [MIN 4 ) ( ( ( [SM 9 ) 9 ) ] ) ) ] )", 4),
    ("( ( ( [MED 3 ) 6 ) ] )", 4),
]
"""Values by hand; the median of an even number is cut to a whole number, as in the published sets."""


def listops(rows: list[tuple[str, Any]] = LISTOPS) -> str:
    return "Source\tTarget\n" + "".join(f"{source}\t{target}\n" for source, target in rows)


PAIRS = [
    ("1", "P00-1", "W01-2", "The first paper, on naïve parsing.", "A second one cites the first."),
    ("0", "P03-7", "C02-1", "Another text of more than twenty letters.", "Nothing in common with that other one."),
]


def pairs(rows: list[tuple[str, ...]] = PAIRS) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def reviews(count: int = 3) -> dict[str, bytes]:
    files = {"aclImdb/README": b"Large Movie Review Dataset\n", "aclImdb/train/unsup/0_0.txt": b"Unlabelled.\n"}
    for part in ("train", "test"):
        for name, rating in (("neg", 2), ("pos", 9)):
            for number in range(count):
                text = f"{part} {name} {number}: un café agréable<br /><br />"
                # Numbers of two digits, so that the order of names is not that of numbers.
                files[f"aclImdb/{part}/{name}/{number * 6}_{rating}.txt"] = text.encode()
    return files
