"""The film reviews of IMDB: `aclImdb/{train,test}/{neg,pos}/ID_RATING.txt`, as a folder or as the archive that is published.

Ratings go from 1 to 10; those of negative reviews to 4, those of positive ones from 7.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neurocli.errors import DataError
from neurocli.recordings.files import memory
from neurocli.recordings.files.archives import first_members, read_members
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.recording import Recording
from neurocli.recordings.recordingset import RecordingSet
from neurocli_sequences.data.readers.cases import STEP, Cases, case
from neurocli_sequences.data.readers.utf8 import check_utf8

CLASSES = ("neg", "pos")
_RATINGS = ((1, 4), (7, 10))
_PARTS = ("train", "test")
_MEMBER = re.compile(r"(?:^|/)(train|test)/(neg|pos)/([^/]+)$")
_FILE = re.compile(r"(\d{1,9})_(\d{1,2})\.txt")
_HINT = "bring the folder as published"
Key = tuple[int, int, int, int]
"""Part, class, number, rating: the order of the reviews."""


def is_review(name: str) -> bool:
    """Whether a name in an archive is that of a review, or of a folder of them."""
    return bool(_MEMBER.search(name)) or name.split("/")[0] == "aclImdb"


def holds_reviews(path: Path) -> bool:
    """Whether a folder or an archive holds reviews. Never raises for a foreign file."""
    if path.is_dir():
        return any((path / part / name).is_dir() for part in _PARTS for name in CLASSES)
    return any(is_review(name) for name in first_members(path))


def read_reviews(path: Path) -> RecordingSet:
    """All reviews, by part, class and number. Raises DataError that names the file."""
    texts: dict[Key, bytes] = {}
    for name, content, where in _members(path):
        match = _MEMBER.search(name)
        assert match is not None
        check_utf8(content, where)
        texts[_key(match[1], match[2], match[3], where)] = content
    keys = sorted(texts)
    cases = Cases()
    for number, part in enumerate(_PARTS):
        in_part = [key for key in keys if key[0] == number]
        missing = [name for at, name in enumerate(CLASSES) if in_part and all(key[1] != at for key in in_part)]
        if missing:
            raise DataError(f"there are no reviews {part}/{missing[0]}", where=str(path), hint=_HINT)
        if in_part:
            cases.add(part, part, len(in_part), functools.partial(_case, texts, in_part, part), f"{path}/{part}")
    if not cases.loaders:
        raise DataError("there are no reviews in it", where=str(path), hint=_HINT)
    meta = {"kind": "text", "name": "imdb", **STEP, "classes": list(CLASSES)}
    return RecordingSet(cases.loaders, meta=meta, sources=[str(path)])


def _members(path: Path) -> Iterator[tuple[str, bytes, str]]:
    """(name, content, place) of each review."""
    if not path.is_dir():
        for name, content in read_members(path, lambda name: bool(_MEMBER.search(name)) and name.endswith(".txt")):
            yield name, content, f"{path}:{name}"
        return
    for part in _PARTS:
        for label in CLASSES:
            folder = path / part / label
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            for file in files:
                if file.name.startswith("."):
                    continue
                check_file(file)
                memory.take(file.stat().st_size, str(file))
                yield f"{part}/{label}/{file.name}", file.read_bytes(), str(file)


def _key(part: str, label: str, name: str, where: str) -> Key:
    match = _FILE.fullmatch(name)
    if match is None:
        raise DataError("the file is not called NUMBER_RATING.txt", where=where, hint=_HINT)
    number, rating = int(match[1]), int(match[2])
    lowest, highest = _RATINGS[CLASSES.index(label)]
    if not lowest <= rating <= highest:
        raise DataError(
            f"a rating of {rating} among the reviews {label}, which have {lowest} to {highest}", where=where, hint=_HINT
        )
    return _PARTS.index(part), CLASSES.index(label), number, rating


def _case(texts: dict[Key, bytes], keys: list[Key], part: str, number: int, group: str) -> Recording:
    key = keys[number]
    labels = {"class": key[1], "original": f"{part}/{CLASSES[key[1]]}/{key[2]}_{key[3]}"}
    return case(group, np.frombuffer(texts[key], np.uint8)[:, None], "byte", part, labels)
