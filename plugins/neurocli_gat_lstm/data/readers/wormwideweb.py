"""Recordings as WormWideWeb publishes them (Atanas, Kim et al., Cell 186:4134, 2023), in JSON.

uid, trace_original and trace_array (z-scored) [neuron][time], timestamp_confocal in s, avg_timestep in minutes per frame,
labeled {column from 1: {label, neuron_class, confidence}}, dataset_type. Which axis is time shows from the timestamps.
"""

from __future__ import annotations

import json
import math
import mmap
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocli.diagnosis.words import listed
from neurocli.errors import DataError
from neurocli.recordings import Note, RecordingSet
from neurocli.recordings.files import memory
from neurocli.recordings.files.hdf5 import check_file
from neurocli.recordings.files.text import encoding_of, read_text
from neurocli.recordings.plausible import FRAME_MS
from neurocli.recordings.readers import Reader
from neurocli_gat_lstm.data.readers.spelling import renamed
from neurocli_gat_lstm.data.worm import (
    ARBITRARY,
    GCAMP,
    GFP,
    STANDARD,
    Z_SCORE,
    Worm,
    measured_unit,
    split_name,
    time_first,
    worm_set,
)

LARGEST_JSON_BYTES = 2**30
"""Python needs about four times as much to hold the numbers; published files have some ten megabytes."""

SOURCE = "WormWideWeb"
ATANAS = "Atanas2023"
HINT = "download it again"
LOW_CONFIDENCE = 2.5
"""Of 1 to 5, as the authors rate their labels; they use what is above."""
_ATANAS = re.compile(r"atanas\W*(_?kim)?\W*_?2023", re.IGNORECASE)
_TRACE_KEYS = ("trace_original", "trace_array")
_OTHER_KEYS = ("timestamp_confocal", "avg_timestep", "labeled")
_ALL_KEYS = (*_TRACE_KEYS, *_OTHER_KEYS, "max_t", "num_neurons", "uid", "dataset_type")


class WormWideWebJsonReader(Reader):
    """Reads a worm from each JSON file."""

    def can_read(self, path: Path) -> bool:
        """By the names of its keys, which are looked for and not parsed."""
        try:
            if not path.is_file() or not 0 < path.stat().st_size <= LARGEST_JSON_BYTES:
                return path.is_file() and path.suffix.lower() == ".json" and path.stat().st_size > LARGEST_JSON_BYTES
            there = _keys(path)
            return any(key in there for key in _TRACE_KEYS) and any(key in there for key in _OTHER_KEYS)
        except OSError:
            return False

    def read(self, paths: list[Path]) -> RecordingSet:
        return worm_set(paths, lambda path: iter([(path.name, partial(read_json, path))]))

    def lacks(self, path: Path) -> str | None:
        there = _keys(path) if path.stat().st_size <= LARGEST_JSON_BYTES else set()
        if not there:
            return None
        lacking = [] if there.intersection(_TRACE_KEYS) else ["trace_original (or trace_array) is missing"]
        if not there.intersection(_OTHER_KEYS):
            lacking.append("timestamp_confocal (or avg_timestep) is missing")
        return f"{', '.join(sorted(there))} is there; {'; '.join(lacking)}"


def read_json(path: Path) -> Worm:
    """The worm of a JSON file. Raises DataError that names the file and the key."""
    content, spellings = renamed(_json(path), _ALL_KEYS)
    original = bool(content.get("trace_original"))
    key = "trace_original" if original else "trace_array"
    where = f"{path}:{key}"
    traces = _rows(content.get(key), where)
    stated_s = _stated_step(content, path)
    time_s = _times(content, path, traces.shape, stated_s)
    traces = time_first(traces, len(time_s), where)
    unit, notes = scored(traces, original, where)
    names, doubted, doubts = _labelled(content.get("labeled"), traces.shape[1], f"{path}:labeled")
    if spellings:
        notes.append(Note("spelling", str(path), f"keys in another case are read: {listed(spellings)}"))
    kinds = content.get("dataset_type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    is_gfp = any(isinstance(kind, str) and "gfp" in kind.lower() for kind in kinds)
    uid = content.get("uid")
    texts = [content.get(name) for name in ("paper", "dataset", "source", "uid")]
    return Worm(
        source=source_of(path, *texts),
        worm=uid.strip() if isinstance(uid, str) and uid.strip() else worm_of(path),
        time_s=time_s,
        traces=traces,
        names=names,
        doubted=doubted,
        where=where,
        file=path.name,
        indicator=GFP if is_gfp else GCAMP,
        unit=unit,
        normalization_method=STANDARD if unit == Z_SCORE else "none",
        step_s=stated_s,
        notes=[*notes, *doubts, *_counts(content, traces, where)],
    )


def scored(traces: NDArray[Any], original: bool, where: str) -> tuple[str, list[Note]]:
    """(the unit of the traces [time, neuron], a doubt where they are said to be z-scores and are not)."""
    if measured_unit(traces) == Z_SCORE:
        return Z_SCORE, []
    if original:
        return ARBITRARY, []
    found = "trace_array is z-scored, as published; here mean and sd are not 0 and 1"
    return ARBITRARY, [Note("trace-unit", where, found, "export trace_array again, or the original traces")]


def source_of(path: Path, *texts: Any) -> str:
    """Whose data these are, where the file or its name says it."""
    sources = [text for text in (*texts, path.stem) if isinstance(text, str)]
    return ATANAS if any(_ATANAS.search(text) for text in sources) else SOURCE


def worm_of(path: Path) -> str:
    """The worm's name out of the file's, which is "Source_worm" or the worm's alone."""
    source, worm = split_name(path.stem)
    return path.stem if source == path.stem else worm


def _keys(path: Path) -> set[str]:
    """Which of our keys a JSON text has, in small or capital letters and in any encoding."""
    with path.open("rb") as file:
        start = file.read(256)
        if not start.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0").startswith(b"{"):
            return set()
        encoding = "utf-16-be" if start.startswith(b"\xfe\xff") else encoding_of(path) or "utf-8"
        encoding = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return {
                key
                for key in (*_TRACE_KEYS, *_OTHER_KEYS)
                if any(content.find(f'"{text}"'.encode(encoding)) >= 0 for text in (key, key.upper()))
            }


def _json(path: Path) -> dict[str, Any]:
    check_file(path)
    size = path.stat().st_size
    if size > LARGEST_JSON_BYTES:
        raise DataError(
            f"a JSON file of {size / 2**30:.1f} GiB is not read",
            where=str(path),
            hint="take the HDF5 file of the same recording",
        )
    with memory.reading(path, expansion=memory.PLAIN):
        memory.take(24 * size, str(path))  # "0," may become a Python number in a list
        text = read_text(path)
        try:
            content = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"the JSON file is damaged: {reason}", where=str(path), hint=HINT) from None
    if not isinstance(content, dict):
        raise DataError("the JSON file holds no object", where=str(path), hint=HINT)
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError where a key is there twice: which of the two counts nobody can know."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)[:40]!r} is there twice")
    return content


def _rows(rows: Any, where: str) -> NDArray[np.float32]:
    """A list of lists of numbers as an array; null is a sample that was not recorded."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise DataError("there are no traces: a list of lists of numbers is needed", where=where, hint=HINT)
    traces = np.empty((len(rows), len(rows[0])), np.float32)
    for number, row in enumerate(rows):
        if len(row) != traces.shape[1]:
            raise DataError(
                f"row {number} (counted from 0) has {len(row)} values, the first {traces.shape[1]}",
                where=where,
                hint=HINT,
            )
        traces[number] = _numbers(row, f"{where}, row {number}")
    return traces


def _numbers(values: list[Any], where: str) -> NDArray[np.float64]:
    """A list of numbers and nulls."""
    fault = next((v for v in values if v is not None and (isinstance(v, bool) or not isinstance(v, int | float))), None)
    if fault is not None:
        raise DataError(f"{fault!r:.40} is not a number", where=where, hint=HINT)
    try:
        return np.array([math.nan if value is None else float(value) for value in values], np.float64)
    except OverflowError:
        raise DataError("a number is too large", where=where, hint=HINT) from None


def _stated_step(content: dict[str, Any], path: Path) -> float | None:
    """avg_timestep in s; the files give it in minutes. Raises DataError where it cannot be."""
    step = content.get("avg_timestep")
    if step is None:
        return None
    where = f"{path}:avg_timestep"
    if not isinstance(step, int | float) or isinstance(step, bool) or not 0 < step < math.inf:
        raise DataError(f"avg_timestep is {step!r:.40}, and neither a time nor null", where=where, hint=HINT)
    return (
        FRAME_MS.check(float(step), where, stated="minutes", hint="avg_timestep is in minutes per frame: convert it")
        / 1e3
    )


def _count(content: dict[str, Any], key: str) -> int | None:
    value = content.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _times(content: dict[str, Any], path: Path, shape: tuple[int, ...], stated_s: float | None) -> NDArray[np.float64]:
    """[time] in seconds: the timestamps, or multiples of the mean step."""
    stamps = content.get("timestamp_confocal")
    if isinstance(stamps, list) and stamps:
        return _numbers(stamps, f"{path}:timestamp_confocal")
    if stated_s is None:
        raise DataError("there are neither timestamp_confocal nor avg_timestep", where=str(path), hint=HINT)
    neurons = _count(content, "num_neurons")
    steps = content.get("max_t")
    if steps is None:
        steps = shape[0] if neurons == shape[1] != shape[0] else shape[1]
    if steps not in shape:
        raise DataError(
            f"max_t is {steps!r:.40}, the traces are {shape[0]} x {shape[1]}", where=f"{path}:max_t", hint=HINT
        )
    return np.arange(int(steps), dtype=np.float64) * stated_s


def _counts(content: dict[str, Any], traces: NDArray[Any], where: str) -> list[Note]:
    """Doubts where the file states other numbers of frames and neurons than its traces have."""
    wrong = [
        f"{key} is {content[key]!r:.20}, the traces have {size}"
        for key, size in (("max_t", traces.shape[0]), ("num_neurons", traces.shape[1]))
        if content.get(key) is not None and content[key] != size
    ]
    return [Note("counts", where, "; ".join(wrong), "find out whether frames or neurons were cut")] if wrong else []


def _labelled(labels: Any, neurons: int, where: str) -> tuple[list[str | None], list[bool], list[Note]]:
    """(names by column, columns with a low confidence, doubts) out of {column from 1: {label, ...}}."""
    names: list[str | None] = [None] * neurons
    low = [False] * neurons
    if labels is None:
        return names, low, []
    if not isinstance(labels, dict):
        raise DataError("the labels are not an object with a key for each labelled neuron", where=where, hint=HINT)
    strange, taken = [], set()
    for key, entry in labels.items():
        column = int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else 0
        if not 1 <= column <= neurons or column in taken:
            problem = "there twice" if column in taken else f"no column from 1 to {neurons}"
            hint = "labels are counted from 1: add 1 to each" if key == "0" else HINT
            raise DataError(f"the label {key[:20]!r} is {problem}", where=where, hint=hint)
        taken.add(column)
        about = entry if isinstance(entry, dict) else {"label": entry}
        about, _ = renamed(about, ("label", "neuron_class", "confidence"))
        label, kind, confidence = about.get("label"), about.get("neuron_class"), about.get("confidence")
        names[column - 1] = label if isinstance(label, str) else None
        if (
            isinstance(label, str)
            and isinstance(kind, str)
            and not label.strip().upper().startswith(kind.strip().upper())
        ):
            strange.append(f"{label[:20]} of the class {kind[:20]}")
        side = about.get("LR")
        if isinstance(label, str) and side in ("L", "R") and label.strip().upper()[-1:] in {"L", "R"} - {side}:
            strange.append(f"{label[:20]} of the side {side}")
        if isinstance(confidence, int | float) and not isinstance(confidence, bool):
            low[column - 1] = not confidence > LOW_CONFIDENCE
    advice = "find out whether labels and neurons were shifted against each other"
    return names, low, [Note("label-classes", where, listed(strange), advice)] if strange else []
