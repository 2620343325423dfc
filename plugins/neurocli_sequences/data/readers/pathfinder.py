"""Reading Pathfinder of the Long Range Arena: images in which two dots lie on one path, or on two.

FOLDER/metadata/N.npy   texts, whatever the ending says; a line: folder, file, number, label (0 or 1), and how the image was made
FOLDER/imgs/N/*.png     grey, 32 x 32 and larger
Source: Linsley et al. (2018); Tay et al. (2021), github.com/google-research/long-range-arena.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import check_path
from neurocli.recordings.files.text import read_start, read_text
from neurocli.recordings.notes import Note
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers.cases import STEP, Cases, case
from neurocli_sequences.data.readers.png import read_grey

CLASSES = ["two paths", "one path"]
EMPTY = "curv_baseline/imgs/0/sample_172.png"
"""Published without content, and left out by every user of the set."""
_HINT = "bring the folder as published"


@dataclass(frozen=True)
class _Image:
    path: Path
    label: int
    name: str


class PathfinderReader(Reader):
    """Reads one folder of images of one difficulty; an image is decoded when it is asked for."""

    def can_read(self, path: Path) -> bool:
        if not (path.is_dir() and (path / "imgs").is_dir() and (path / "metadata").is_dir()):
            return False
        return any(_looks_right(file) for file in sorted((path / "metadata").glob("*.npy"))[:3])

    def read(self, paths: list[Path]) -> RecordingSet:
        """All images that the metadata name, in their order. Raises DataError."""
        cases, notes = Cases(), list[Note]()
        layout: tuple[int, int] | None = None
        for folder in paths:
            images = _listed(folder, notes)
            shape = read_grey(images[0].path).shape
            layout = layout or (shape[0], shape[1])
            cases.add(None, folder.name, len(images), functools.partial(_case, images, layout), str(folder))
        assert layout is not None
        meta = {
            "kind": "images",
            "name": "pathfinder",
            **STEP,
            "classes": list(CLASSES),
            "layout": {"height": layout[0], "width": layout[1], "colours": 1},
        }
        return RecordingSet(cases.loaders, meta=meta, sources=[str(path) for path in paths], notes=notes)


def _looks_right(file: Path) -> bool:
    words = read_start(file, 2**10).partition("\n")[0].split()
    return len(words) >= 4 and words[1].endswith(".png") and words[3] in ("0", "1")


def _listed(folder: Path, notes: list[Note]) -> list[_Image]:
    """The images that the metadata name, all of which are there. Raises DataError."""
    files = sorted((folder / "metadata").glob("*.npy"), key=lambda path: (len(path.stem), path.stem))
    images: list[_Image] = []
    there: dict[Path, set[str]] = {}
    seen: dict[str, str] = {}
    for file in files:
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            if not line.strip():
                continue
            where = f"{file}, line {number}"
            image = _image(folder, line.split(), where)
            if f"{folder.name}/{image.name}".endswith(EMPTY):
                notes.append(Note("left-out", str(image.path), "published without content, and left out"))
                continue
            if image.name in seen:
                raise DataError(f"{image.name} stands there twice", where=f"{seen[image.name]}; {where}", hint=_HINT)
            seen[image.name] = where
            parent = image.path.parent
            if parent not in there:
                check_path(parent)
                there[parent] = {path.name for path in parent.iterdir()}
            if image.path.name not in there[parent]:
                raise DataError(f"the image {image.name} is missing", where=where, hint=_HINT)
            images.append(image)
    if not images:
        raise DataError("the metadata name no image", where=str(folder / "metadata"), hint=_HINT)
    return images


def _image(folder: Path, words: list[str], where: str) -> _Image:
    if len(words) < 4 or words[3] not in ("0", "1"):
        what = f"the label is {words[3][:20]!r}, not 0 or 1" if len(words) >= 4 else f"a line has {len(words)} words"
        raise DataError(what, where=where, hint=_HINT)
    name = PurePosixPath(words[0], words[1])
    if name.is_absolute() or ".." in name.parts or name.suffix != ".png":
        raise DataError(f"{str(name)[:60]!r} is no image in this folder", where=where, hint=_HINT)
    return _Image(folder / name, int(words[3]), str(name))


def _case(images: list[_Image], layout: tuple[int, int], number: int, group: str) -> Recording:
    image = images[number]
    pixels = read_grey(image.path)
    if pixels.shape != layout:
        raise DataError(
            f"an image of {pixels.shape[0]} x {pixels.shape[1]} pixels among those of {layout[0]} x {layout[1]}",
            where=str(image.path),
            hint=_HINT,
        )
    return case(group, pixels, "grey level", None, {"class": image.label, "original": image.name})
