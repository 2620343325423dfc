"""Reading texts: files and folders of UTF-8, WikiText as published, and the film reviews of IMDB with their classes.

Nearly any file is a text, so that this reader is used where a task asks for texts, and is not among those that look at every file.
Sources: Merity et al. (2017), wikitext.smerity.com; Maas et al. (2011), ai.stanford.edu/~amaas/data/sentiment.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.archives import first_members, read_members
from neurocli.recordings.files.contents import is_of_system
from neurocli.recordings.files.hdf5 import check_file, check_path
from neurocli.recordings.files.text import encoding_of
from neurocli.recordings.notes import Note, left_out
from neurocli.recordings.readers import Reader
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers import imdb
from neurocli_sequences.data.readers.cases import STEP, WORDS, case, part_of
from neurocli_sequences.data.readers.utf8 import check_utf8

_BOM = b"\xef\xbb\xbf"


class TextReader(Reader):
    """Reads every text of the files, folders and archives that are named; each is one recording, called by its path in the folder, with : for /."""

    def can_read(self, path: Path) -> bool:
        if path.is_dir():
            return any(self.can_read(file) for file in _inside(path))
        return path.is_file() and encoding_of(path) in ("utf-8", "utf-8-sig")

    def can_read_archive(self, path: Path) -> bool:
        return any(_is_wikitext(name) or imdb.is_review(name) for name in first_members(path))

    def read(self, paths: list[Path]) -> RecordingSet:
        """The texts, in order. Raises DataError; what cannot be read in a folder is left out and noted."""
        for path in paths:
            check_path(path)
        reviews = [path for path in paths if imdb.holds_reviews(path)]
        if reviews:
            if len(paths) > 1:
                raise DataError(
                    "reviews and other texts together", where=str(reviews[0]), hint="name the reviews alone"
                )
            return imdb.read_reviews(reviews[0])
        notes: list[Note] = []
        texts: dict[str, tuple[bytes, str]] = {}
        for path in paths:
            for name, content, where in _texts(path, notes):
                if name in texts:
                    raise DataError(
                        f"two texts are called {name}", where=f"{texts[name][1]}, {where}", hint="rename one"
                    )
                texts[name] = content, where
        if not texts:
            reason = f": {notes[0].found}" if notes else ""
            raise DataError(
                f"there is no text in it{reason}", where=", ".join(map(str, paths)), hint="name texts in UTF-8"
            )
        # A name with a slash would be a group within a group in our own format.
        loaders = {
            name.replace("/", ":"): functools.partial(_case, content, name) for name, (content, _) in texts.items()
        }
        if len(loaders) < len(texts):
            raise DataError("names of files differ by / and : alone", where=str(paths[0]), hint="rename one of them")
        meta = {"kind": "text", "name": "text", **STEP}
        return RecordingSet(loaders, meta=meta, sources=[str(path) for path in paths], notes=notes)


def _texts(path: Path, notes: list[Note]) -> Iterator[tuple[str, bytes, str]]:
    """(name, content, place) of each text. Raises DataError for a file that was named and is none."""
    if path.is_dir():
        for file in _inside(path):
            try:
                yield file.relative_to(path).as_posix(), _read(file), str(file)
            except DataError as error:
                notes.append(left_out(str(file), error, "file"))
    elif any(_is_wikitext(name) for name in first_members(path)):
        for name, content in read_members(path, _is_wikitext):
            yield PurePosixPath(name).name, _plain(content, f"{path}:{name}"), f"{path}:{name}"
    else:
        yield path.name, _read(path), str(path)


def _read(path: Path) -> bytes:
    """The bytes of a text, without a byte-order mark. Raises DataError for what is no UTF-8, or empty."""
    check_file(path)
    with memory.reading(path):
        memory.take(path.stat().st_size, str(path))
        return _plain(path.read_bytes(), str(path))


def _plain(content: bytes, where: str) -> bytes:
    content = content.removeprefix(_BOM)
    check_utf8(content, where)
    return content


def _case(content: bytes, name: str) -> Recording:
    return case(name.replace("/", ":"), np.frombuffer(content, np.uint8)[:, None], "byte", _part(name), {})


def _part(name: str) -> str | None:
    """The part that the first folder or the file's name tells: `train/a.txt`, `valid.txt`, `wiki.train.tokens`."""
    path = PurePosixPath(name.lower())
    words = path.name.split(".")
    folder = path.parts[0] if len(path.parts) > 1 else ""
    return WORDS.get(folder) or WORDS.get(words[1] if words[0] == "wiki" and len(words) > 2 else words[0])


def _is_wikitext(name: str) -> bool:
    """Whether a member of a zip is one of the three texts of WikiText."""
    base = PurePosixPath(name).name
    return base.startswith("wiki.") and base.endswith((".tokens", ".raw")) and part_of(base) is not None


def _inside(folder: Path) -> list[Path]:
    """The files below a folder, in order, without what is hidden or of the system."""
    files = [path for path in folder.rglob("*") if path.is_file() and not is_of_system(path)]
    return sorted(path for path in files if not any(p.startswith(".") for p in path.relative_to(folder).parts))
