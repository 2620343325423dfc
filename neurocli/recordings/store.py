"""The file format `neurocli-recordings`: how a recording lies in HDF5. The same recordings always give the same bytes.

/                     attrs: format, version, meta, notes (JSON), sum   /order   names of the recordings, in order
/truth/NAME           arrays that all recordings share
/recordings/GROUP     attrs: dt_ms, unit, labels (JSON), channels (JSON) ..., sum
    signal            [time, channel]; integers carry the attributes scale and offset
    mask inputs spikes/{step,channel} events/NAME truth/NAME       where there are any
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurocli import interruption
from neurocli.errors import DataError, StorageError
from neurocli.recordings.files.hdf5 import REMAKE, attribute, child, look_into, open_hdf5, read_array
from neurocli.recordings.files.writing import create_hdf5
from neurocli.recordings.notes import Note
from neurocli.recordings.recording import Recording, Spikes
from neurocli.recordings.stored import (
    ATTRIBUTES,
    ENTRIES,
    MV_OFFSET,
    MV_SCALE,
    check_mask,
    check_names,
    check_together,
    checked_unit,
    scaled,
)
from neurocli.recordings.sums import ContentSum
from neurocli.runs.atomic import replacing

FORMAT, VERSION = "neurocli-recordings", 2
WITH_SUMS = 2
"""Since this version every recording, and the file, has a content sum."""
_TOP, _TOP_ATTRIBUTES = ("order", "truth", "recordings"), ("format", "version", "meta", "notes", "sum")


def write(
    path: Path,
    recordings: Iterable[Recording],
    *,
    meta: Mapping[str, Any],
    truth: Mapping[str, NDArray[Any]],
    notes: Sequence[Note] = (),
) -> None:
    """Write a file, atomically; `recordings` may be a generator, one recording is in memory at a time.

    It takes its place after it has been read back against its sums. Raises StorageError where it was not written as it should be.
    """
    with replacing(path) as temporary:
        _write(temporary, recordings, meta=meta, truth=truth, notes=notes)
        _read_back(temporary, path)


def _read_back(temporary: Path, path: Path) -> None:
    try:
        with open_hdf5(temporary) as file:
            order, *_ = read_header(file)
            for name in order:
                interruption.check()
                read_recording(child(child(file, "recordings", h5py.Group), name, h5py.Group))
    except Changed as error:
        raise StorageError(
            f"what was written cannot be read back: {error.message}",
            where=str(path),
            hint="check the disk, and try again",
        ) from error
    except DataError as error:  # what may not be in such a file: a unit, a step
        error.where = (error.where or "").replace(str(temporary), str(path))
        raise


def _write(
    path: Path,
    recordings: Iterable[Recording],
    *,
    meta: Mapping[str, Any],
    truth: Mapping[str, NDArray[Any]],
    notes: Sequence[Note],
) -> None:
    with create_hdf5(path) as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        content = ContentSum()
        texts = {"meta": json.dumps(meta, sort_keys=True, allow_nan=False)}
        if notes:
            texts["notes"] = json.dumps([note.as_dict() for note in notes])
        for name, text in texts.items():
            file.attrs[name] = text
            content.text(name, text)
        _put_all(file.create_group("truth"), truth, content, "truth")
        holder = file.create_group("recordings")
        order: dict[str, None] = {}
        for recording in recordings:
            interruption.check()  # between recordings nothing is half-written
            if recording.group in order:
                raise DataError(
                    "two recordings have the same name", where=recording.group, hint="give each a name of its own"
                )
            order[recording.group] = None
            content.text(
                f"recordings/{recording.group}", write_recording(holder.create_group(recording.group), recording)
            )
        names = np.array([name.encode() for name in order], dtype="S") if order else np.zeros(0, "S1")
        file.create_dataset("order", data=names)
        content.array("order", names)
        file.attrs["sum"] = content.value


def write_recording(group: h5py.Group, recording: Recording) -> str:
    """Put one recording into an empty HDF5 group; gives its content sum, which is kept with it."""
    content = ContentSum()
    attributes: dict[str, Any] = {
        "dt_ms": float(recording.dt_ms),
        "unit": recording.unit,
        "labels": json.dumps(recording.labels, sort_keys=True, allow_nan=False),
    }
    for name, value in (("channels", recording.channels), ("input_names", recording.input_names)):
        if value is not None:
            attributes[name] = json.dumps(value)
    for name, value in attributes.items():
        group.attrs[name] = value
        content.text(name, value)
    _put_signal(group, recording, content)
    if recording.mask is not None:
        _put(group, "mask", recording.mask, content)
    if recording.inputs is not None:
        _put(group, "inputs", recording.inputs, content)
    if recording.spikes is not None:
        spikes = group.create_group("spikes")
        spikes.attrs["dt_ms"] = float(recording.spikes.dt_ms)
        content.text("spikes/dt_ms", float(recording.spikes.dt_ms))
        _put(spikes, "step", recording.spikes.step.astype(np.int32), content, "spikes/step")
        _put(spikes, "channel", recording.spikes.channel.astype(np.int32), content, "spikes/channel")
    for holder, arrays in (("events", recording.events), ("truth", recording.truth)):
        if arrays:
            _put_all(group.create_group(holder), arrays, content, holder)
    group.attrs["sum"] = content.value
    return content.value


def read_recording(group: h5py.Group) -> Recording:
    """One recording out of its HDF5 group. Raises DataError that names the entry, or where its content sum is another."""
    name, where = group.name.rpartition("/")[2], f"{group.file.filename}:{group.name}"
    check_names(group, ENTRIES, where)
    check_names(group.attrs, (*ATTRIBUTES, "sum"), where)
    content = ContentSum()
    dt_ms, unit = attribute(group, "dt_ms", float), attribute(group, "unit", str)
    texts = {key: attribute(group, key, str) for key in ("labels", "channels", "input_names") if key in group.attrs}
    for key, value in {"dt_ms": dt_ms, "unit": unit, **texts}.items():
        content.text(key, value)
    recording = Recording(
        group=name,
        signal=_signal(group, checked_unit(unit, where), content),
        dt_ms=dt_ms,
        unit=unit,
        channels=_json(group, "channels", list[str]) if "channels" in group.attrs else None,
        mask=check_mask(_get(group, "mask", content, ndim=2), f"{where}/mask") if "mask" in group else None,
        inputs=_get(group, "inputs", content, ndim=2) if "inputs" in group else None,
        input_names=_json(group, "input_names", list[str]) if "input_names" in group.attrs else None,
        spikes=_spikes(child(group, "spikes", h5py.Group), content) if "spikes" in group else None,
        labels=_json(group, "labels", dict),
        events=_get_all(group, "events", content),
        truth=_get_all(group, "truth", content),
    )
    check_together(recording, where)
    if "sum" in group.attrs:
        _only(group, ENTRIES)
    _compare(group, content)
    return recording


def _signal(group: h5py.Group, unit: str, content: ContentSum) -> NDArray[Any]:
    """The signal in its unit."""
    data = child(group, "signal", h5py.Dataset)
    stored = _get(group, "signal", content, ndim=2)
    if "scale" in data.attrs:
        content.text("signal/scale", [attribute(data, "scale", float), attribute(data, "offset", float)])
    return scaled(data, stored, unit)


class Changed(DataError):
    """The content is not what was written."""


def _compare(holder: h5py.Group, content: ContentSum) -> None:
    """Raises Changed where the content is not that of the sum which was written with it. Files of version 1 have none."""
    if "sum" not in holder.attrs:
        if attribute(holder.file, "version", int) < WITH_SUMS:
            return
        raise Changed("the content sum is missing", where=f"{holder.file.filename}:{holder.name}", hint=REMAKE)
    stated = attribute(holder, "sum", str)
    if stated != content.value:
        raise Changed(
            f"the content is not what was written: its sum is {content.value[:8]}…, and should be {stated[:8]}…",
            where=f"{holder.file.filename}:{holder.name}",
            hint="the file was damaged or changed after it was written: copy or make it again",
        )


def _only(holder: h5py.Group, known: Iterable[str]) -> None:
    """Raises Changed where there is an entry that nobody wrote, and nobody would read."""
    more = sorted(set(map(str, holder)) - set(known))
    if more:
        raise Changed(
            f"there is an entry which was not written with the others: {more[0]}",
            where=f"{holder.file.filename}:{holder.name}",
            hint="join recordings with neuro preprocess, or in Python with RecordingSet.joined",
        )


def read_header(file: h5py.File) -> tuple[list[str], dict[str, Any], dict[str, NDArray[Any]], list[Note]]:
    """(names of the recordings in order, meta, shared truth, notes) of an open file. Raises DataError for another format."""
    if not has_format(file):
        raise DataError(
            f"the HDF5 file is not of the format {FORMAT}",
            where=file.filename,
            hint="neuro simulate and neuro preprocess write it",
        )
    check_names(file, _TOP, file.filename)
    check_names(file.attrs, _TOP_ATTRIBUTES, file.filename)
    version = attribute(file, "version", int)
    if version > VERSION:
        raise DataError(
            f"the file has version {version}, this neurocli reads up to {VERSION}",
            where=file.filename,
            hint="update neurocli",
        )
    content = ContentSum()
    order = [name.decode(errors="replace") for name in _get(file, "order", content, ndim=1, kinds="S")]
    if len(set(order)) < len(order):
        raise DataError("two recordings have the same name", where=f"{file.filename}:/order", hint=REMAKE)
    truth = _get_all(file, "truth", content)
    for name in ("meta", "notes"):
        if name in file.attrs:
            content.text(name, attribute(file, name, str))
    _sums_of_recordings(file, order, content)
    _compare(file, content)
    return order, _json(file, "meta", dict), truth, _notes(file)


def sum_of_file(path: Path) -> str | None:
    """The content sum that a file of our format carries; None for another format, or a file from before there were sums."""
    with look_into(path) as file:
        if file is None or not has_format(file) or "sum" not in file.attrs:
            return None
        return str(attribute(file, "sum", str))


def _sums_of_recordings(file: h5py.File, order: list[str], content: ContentSum) -> None:
    """The sums of the recordings, which are parts of that of the file."""
    if attribute(file, "version", int) < WITH_SUMS and "sum" not in file.attrs:
        return
    holder = child(file, "recordings", h5py.Group)
    _only(holder, order)
    for name in order:
        content.text(f"recordings/{name}", attribute(child(holder, name, h5py.Group), "sum", str))


def _notes(file: h5py.File) -> list[Note]:
    """What the readers of the file's own sources did and doubt."""
    if "notes" not in file.attrs:
        return []
    try:
        notes = [Note(**entry) for entry in json.loads(attribute(file, "notes", str))]
        if not all(isinstance(text, str) for note in notes for text in note.as_dict().values()):
            raise TypeError
        return notes
    except (ValueError, TypeError, RecursionError):
        raise DataError("the attribute 'notes' is damaged", where=file.filename, hint=REMAKE) from None


def has_format(file: h5py.File) -> bool:
    """Whether an open file says that it is of our format."""
    return "format" in file.attrs and attribute(file, "format", str) == FORMAT


def _put_signal(group: h5py.Group, recording: Recording, content: ContentSum) -> None:
    """Millivolts go into int16 steps of 1 µV where they fit; anything else stays as it is."""
    signal = recording.signal
    if recording.unit == "mV" and signal.dtype.kind == "f" and np.isfinite(signal).all():
        steps = np.rint((signal.astype(np.float64) - MV_OFFSET) / MV_SCALE)
        if steps.size == 0 or np.abs(steps).max() <= np.iinfo(np.int16).max:
            data = _put(group, "signal", steps.astype(np.int16), content)
            data.attrs["scale"], data.attrs["offset"] = MV_SCALE, MV_OFFSET
            content.text("signal/scale", [MV_SCALE, MV_OFFSET])
            return
    _put(group, "signal", signal, content)


def _put(group: h5py.Group, name: str, values: NDArray[Any], content: ContentSum, part: str = "") -> h5py.Dataset:
    values = np.asarray(values)
    content.array(part or name, values)
    if values.size < 1024:  # compression needs chunks, which cost more than they save here
        return group.create_dataset(name, data=values)
    return group.create_dataset(name, data=values, compression="gzip", compression_opts=4, shuffle=True)


def _put_all(group: h5py.Group, arrays: Mapping[str, NDArray[Any]], content: ContentSum, holder: str) -> None:
    for name in sorted(arrays):
        _put(group, name, arrays[name], content, f"{holder}/{name}")


def _get(group: h5py.Group, name: str, content: ContentSum, part: str = "", **checks: Any) -> NDArray[Any]:
    values = read_array(group, name, **checks)
    content.array(part or name, values)
    return values


def _get_all(group: h5py.Group, name: str, content: ContentSum) -> dict[str, NDArray[Any]]:
    if name not in group:
        return {}
    holder = child(group, name, h5py.Group)
    return {key: _get(holder, key, content, f"{name}/{key}") for key in holder}


def _spikes(group: h5py.Group, content: ContentSum) -> Spikes:
    by_name = {}
    for name in ("step", "channel"):
        values = _get(group, name, content, f"spikes/{name}", ndim=1, kinds="iu")
        if values.size and int(values.max()) > np.iinfo(np.int32).max:  # the cast would make it negative
            where = f"{group.file.filename}:{group.name}/{name}"
            raise DataError(f"{values.max()} does not fit into 32 bits", where=where, hint=REMAKE)
        by_name[name] = values.astype(np.int32)
    dt_ms = attribute(group, "dt_ms", float)
    content.text("spikes/dt_ms", dt_ms)
    return Spikes(by_name["step"], by_name["channel"], dt_ms=dt_ms)


def _json(holder: h5py.Group, name: str, kind: Any) -> Any:
    """An attribute that holds JSON: an object (dict) or a list of names (list[str])."""
    try:
        value = json.loads(attribute(holder, name, str))
    except (ValueError, RecursionError) as error:
        reason: object = error
    else:
        if kind is dict and isinstance(value, dict):
            return value
        if kind == list[str] and isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        reason = f"not an object but {value!r:.40}" if kind is dict else f"not a list of names but {value!r:.40}"
    where = f"{holder.file.filename}:{holder.name}"
    raise DataError(f"the attribute {name!r} is damaged: {reason}", where=where, hint=REMAKE)
