"""Recordings as WormWideWeb publishes them (Atanas, Kim et al., Cell 186:4134, 2023): JSON, and the authors' HDF5.

JSON: uid, trace_original and trace_array (z-scored) [neuron][time], timestamp_confocal in s, avg_timestep in minutes per
frame, labeled {column from 1: {label, neuron_class}}, dataset_type. HDF5: gcamp/trace_array_original, gcamp/trace_array,
timing/timestamp_confocal, and neuron_names where somebody put them there. Which axis is time shows from the timestamps.
"""

from __future__ import annotations

import json
import math
import mmap
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import check_file, child, open_hdf5, read_array
from neurocli.recordings.files.lengths import take_lengths
from neurocli.recordings.readers import Reader
from neurocli.recordings.recordingset import RecordingSet
from neurocli_gat_lstm.data.worm import ARBITRARY, GCAMP, GFP, STANDARD, Z_SCORE, Worm, split_name, worm_set

LARGEST_JSON_BYTES = 2**30
"""Python needs about four times as much to hold the numbers; published files have some ten megabytes."""

SOURCE = "WormWideWeb"
ATANAS = "Atanas2023"
_ATANAS = re.compile(r"atanas\W*(_?kim)?\W*_?2023", re.IGNORECASE)
_HINT = "download it again"
_H5_ORIGINAL, _H5_SCORED = "trace_array_original", "trace_array"


class WormWideWebJsonReader(Reader):
    """Reads a worm from each JSON file."""

    def can_read(self, path: Path) -> bool:
        """By the names of its keys, which are looked for and not parsed."""
        try:
            if not path.is_file() or not 0 < path.stat().st_size <= LARGEST_JSON_BYTES:
                return path.is_file() and path.suffix.lower() == ".json" and path.stat().st_size > LARGEST_JSON_BYTES
            with path.open("rb") as file:
                if not file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                    return False
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    traces = (b'"trace_array"', b'"trace_original"')
                    others = (b'"timestamp_confocal"', b'"avg_timestep"', b'"labeled"')
                    return any(content.find(key) >= 0 for key in traces) and any(
                        content.find(key) >= 0 for key in others
                    )
        except OSError:
            return False

    def read(self, paths: list[Path]) -> RecordingSet:
        return worm_set((read_json(path).recording() for path in paths), paths)


class WormWideWebHdf5Reader(Reader):
    """Reads a worm from each HDF5 file."""

    def can_read(self, path: Path) -> bool:
        try:
            if not path.is_file() or not h5py.is_hdf5(path):
                return False
            with h5py.File(path, "r") as file:
                gcamp = file.get("gcamp")
                return isinstance(gcamp, h5py.Group) and (_H5_SCORED in gcamp or _H5_ORIGINAL in gcamp)
        except (OSError, RuntimeError, KeyError, ValueError):
            return False

    def read(self, paths: list[Path]) -> RecordingSet:
        return worm_set((read_hdf5(path).recording() for path in paths), paths)


def read_json(path: Path) -> Worm:
    """The worm of a JSON file. Raises DataError that names the file and the key."""
    content = _json(path)
    original = bool(content.get("trace_original"))
    key = "trace_original" if original else "trace_array"
    where = f"{path}:{key}"
    traces = _rows(content.get(key), where)
    time_s = _times(content, path, traces.shape)
    traces = _time_first(traces, len(time_s), where)
    kinds = content.get("dataset_type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    is_gfp = any(isinstance(kind, str) and "gfp" in kind.lower() for kind in kinds)
    uid = content.get("uid")
    texts = [content.get(name) for name in ("paper", "dataset", "source", "uid")]
    return Worm(
        source=_source(path, *texts),
        worm=uid.strip() if isinstance(uid, str) and uid.strip() else _worm(path),
        time_s=time_s,
        traces=traces,
        names=_labelled(content.get("labeled"), traces.shape[1], f"{path}:labeled"),
        where=where,
        file=path.name,
        indicator=GFP if is_gfp else GCAMP,
        unit=ARBITRARY if original else Z_SCORE,
        normalization_method="none" if original else STANDARD,
    )


def read_hdf5(path: Path) -> Worm:
    """The worm of an HDF5 file. Raises DataError that names the file and the dataset."""
    with open_hdf5(path) as file:
        gcamp = child(file, "gcamp", h5py.Group)
        original = _H5_ORIGINAL in gcamp
        key = _H5_ORIGINAL if original else _H5_SCORED
        where = f"{path}:/gcamp/{key}"
        traces = read_array(gcamp, key, ndim=2)
        time_s = read_array(child(file, "timing", h5py.Group), "timestamp_confocal").ravel()
        traces = _time_first(traces, len(time_s), where)
        names = _stored_names(file, traces.shape[1])
    return Worm(
        source=_source(path),
        worm=_worm(path),
        time_s=time_s,
        traces=traces,
        names=names,
        where=where,
        file=path.name,
        indicator=GFP if "gfp" in path.stem.lower() else GCAMP,
        unit=ARBITRARY if original else Z_SCORE,
        normalization_method="none" if original else STANDARD,
    )


def _source(path: Path, *texts: Any) -> str:
    """Whose data these are, where the file or its name says it."""
    sources = [text for text in (*texts, path.stem) if isinstance(text, str)]
    return ATANAS if any(_ATANAS.search(text) for text in sources) else SOURCE


def _worm(path: Path) -> str:
    """The worm's name out of the file's, which is "Source_worm" or the worm's alone."""
    source, worm = split_name(path.stem)
    return path.stem if source == path.stem else worm


def _json(path: Path) -> dict[str, Any]:
    check_file(path)
    size = path.stat().st_size
    if size > LARGEST_JSON_BYTES:
        raise DataError(
            f"a JSON file of {size / 2**30:.1f} GiB is not read",
            where=str(path),
            hint="take the HDF5 file of the same recording",
        )
    try:
        with path.open(encoding="utf-8-sig") as file:
            content = json.load(file)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"the JSON file is damaged: {reason}", where=str(path), hint=_HINT) from None
    if not isinstance(content, dict):
        raise DataError("the JSON file holds no object", where=str(path), hint=_HINT)
    return content


def _rows(rows: Any, where: str) -> NDArray[np.float32]:
    """A list of lists of numbers as an array; null is a sample that was not recorded."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise DataError("there are no traces: a list of lists of numbers is needed", where=where, hint=_HINT)
    traces = np.empty((len(rows), len(rows[0])), np.float32)
    for number, row in enumerate(rows):
        if len(row) != traces.shape[1]:
            raise DataError(
                f"row {number} (counted from 0) has {len(row)} values, the first {traces.shape[1]}",
                where=where,
                hint=_HINT,
            )
        traces[number] = _numbers(row, f"{where}, row {number}")
    return traces


def _numbers(values: list[Any], where: str) -> NDArray[np.float64]:
    """A list of numbers and nulls."""
    fault = next((v for v in values if v is not None and (isinstance(v, bool) or not isinstance(v, int | float))), None)
    if fault is not None:
        raise DataError(f"{fault!r:.40} is not a number", where=where, hint=_HINT)
    try:
        return np.array([math.nan if value is None else float(value) for value in values], np.float64)
    except OverflowError:
        raise DataError("a number is too large", where=where, hint=_HINT) from None


def _times(content: dict[str, Any], path: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """[time] in seconds: the timestamps, or multiples of the mean step, which the files give in minutes."""
    stamps = content.get("timestamp_confocal")
    if isinstance(stamps, list) and stamps:
        return _numbers(stamps, f"{path}:timestamp_confocal")
    step, steps = content.get("avg_timestep"), content.get("max_t", shape[1])
    if not isinstance(step, int | float) or isinstance(step, bool) or not 0 < step < math.inf:
        raise DataError("there are neither timestamp_confocal nor avg_timestep", where=str(path), hint=_HINT)
    if steps not in shape:
        raise DataError(
            f"max_t is {steps!r}, the traces are {shape[0]} x {shape[1]}", where=f"{path}:max_t", hint=_HINT
        )
    return np.arange(int(steps), dtype=np.float64) * float(step) * 60


def _time_first(traces: NDArray[Any], steps: int, where: str) -> NDArray[Any]:
    """Traces as [time, neuron]. Raises DataError where the number of times fits both axes, or none."""
    rows, columns = traces.shape
    if rows == columns == steps:
        raise DataError(
            f"there are {steps} times, and as many rows as columns: which of them is time cannot be told",
            where=where,
            hint="leave out one neuron",
        )
    if steps not in (rows, columns):
        raise DataError(f"there are {steps} times for traces of {rows} x {columns}", where=where, hint=_HINT)
    return traces if rows == steps else traces.T


def _labelled(labels: Any, neurons: int, where: str) -> list[str | None]:
    """Names by column, out of {column from 1: {label, ...}}."""
    names: list[str | None] = [None] * neurons
    if labels is None:
        return names
    if not isinstance(labels, dict):
        raise DataError("the labels are not an object with a key for each labelled neuron", where=where, hint=_HINT)
    for key, entry in labels.items():
        column = int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else 0
        if not 1 <= column <= neurons:
            raise DataError(f"the label {key[:20]!r} is no column from 1 to {neurons}", where=where, hint=_HINT)
        label = entry.get("label") if isinstance(entry, dict) else entry
        names[column - 1] = label if isinstance(label, str) else None
    return names


def _stored_names(file: h5py.File, neurons: int) -> list[str | None]:
    """`neuron_names` as fixed-length or variable-length texts; none where the file has none."""
    if "neuron_names" not in file:
        return [None] * neurons
    data = child(file, "neuron_names", h5py.Dataset)
    where = f"{file.filename}:/neuron_names"
    if data.shape != (neurons,):
        raise DataError(f"there are names of the shape {data.shape} for {neurons} neurons", where=where, hint=_HINT)
    if data.dtype.kind == "S":
        names = [name.decode(errors="replace") for name in read_array(file, "neuron_names", kinds="S").tolist()]
    elif h5py.check_string_dtype(data.dtype) is not None and not data.is_virtual and not data.external:
        take_lengths(data, where)
        names = [str(name) for name in data.asstr(errors="replace")[()]]
    else:
        raise DataError(f"the names are of type {data.dtype}, not texts", where=where, hint=_HINT)
    return list(names)
