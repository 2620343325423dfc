"""The file format `neurocli-recordings`: how a recording lies in HDF5. The same recordings always give the same bytes.

/                     attrs: format, version, meta, notes (JSON)   /order   names of the recordings, in order
/truth/NAME           arrays that all recordings share
/recordings/GROUP     attrs: dt_ms, unit, labels (JSON), channels (JSON) ...
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
from neurocli.errors import DataError
from neurocli.recordings.files.hdf5 import REMAKE, attribute, child, read_array
from neurocli.recordings.files.writing import create_hdf5
from neurocli.recordings.notes import Note
from neurocli.recordings.recording import Recording, Spikes
from neurocli.runs.atomic import replacing

FORMAT, VERSION = "neurocli-recordings", 1
# Text files of membrane voltage carry three decimals; so do we, around a usual resting potential.
_MV_SCALE, _MV_OFFSET = 1e-3, -70.0


def write(
    path: Path,
    recordings: Iterable[Recording],
    *,
    meta: Mapping[str, Any],
    truth: Mapping[str, NDArray[Any]],
    notes: Sequence[Note] = (),
) -> None:
    """Write a file, atomically; `recordings` may be a generator, one recording is in memory at a time."""
    with replacing(path) as temporary, create_hdf5(temporary) as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs["meta"] = json.dumps(meta, sort_keys=True, allow_nan=False)
        if notes:
            file.attrs["notes"] = json.dumps([note.as_dict() for note in notes])
        _put_all(file.create_group("truth"), truth)
        holder = file.create_group("recordings")
        order: dict[str, None] = {}
        for recording in recordings:
            interruption.check()  # between recordings nothing is half-written
            if recording.group in order:
                raise DataError(
                    "two recordings have the same name", where=recording.group, hint="give each a name of its own"
                )
            order[recording.group] = None
            write_recording(holder.create_group(recording.group), recording)
        file.create_dataset(
            "order", data=np.array([name.encode() for name in order], dtype="S") if order else np.zeros(0, "S1")
        )


def write_recording(group: h5py.Group, recording: Recording) -> None:
    """Put one recording into an empty HDF5 group."""
    group.attrs["dt_ms"], group.attrs["unit"] = float(recording.dt_ms), recording.unit
    group.attrs["labels"] = json.dumps(recording.labels, sort_keys=True, allow_nan=False)
    for name, value in (("channels", recording.channels), ("input_names", recording.input_names)):
        if value is not None:
            group.attrs[name] = json.dumps(value)
    _put_signal(group, recording)
    if recording.mask is not None:
        _put(group, "mask", recording.mask)
    if recording.inputs is not None:
        _put(group, "inputs", recording.inputs)
    if recording.spikes is not None:
        spikes = group.create_group("spikes")
        spikes.attrs["dt_ms"] = float(recording.spikes.dt_ms)
        _put(spikes, "step", recording.spikes.step.astype(np.int32))
        _put(spikes, "channel", recording.spikes.channel.astype(np.int32))
    if recording.events:
        _put_all(group.create_group("events"), recording.events)
    if recording.truth:
        _put_all(group.create_group("truth"), recording.truth)


def read_recording(group: h5py.Group) -> Recording:
    """One recording out of its HDF5 group. Raises DataError that names the entry."""
    name = group.name.rpartition("/")[2]
    data = child(group, "signal", h5py.Dataset)
    signal = read_array(group, "signal", ndim=2)
    if "scale" in data.attrs:
        scale, offset = attribute(data, "scale", float), attribute(data, "offset", float)
        if not np.isfinite([scale, offset]).all():
            where = f"{group.file.filename}:{data.name}"
            raise DataError(f"scale {scale} and offset {offset} are not numbers", where=where, hint=REMAKE)
        with np.errstate(over="ignore"):
            signal = (signal * scale + offset).astype(np.float32)
    return Recording(
        group=name,
        signal=signal,
        dt_ms=attribute(group, "dt_ms", float),
        unit=attribute(group, "unit", str),
        channels=_json(group, "channels", list[str]) if "channels" in group.attrs else None,
        mask=read_array(group, "mask", ndim=2).astype(bool) if "mask" in group else None,
        inputs=read_array(group, "inputs", ndim=2) if "inputs" in group else None,
        input_names=_json(group, "input_names", list[str]) if "input_names" in group.attrs else None,
        spikes=_spikes(child(group, "spikes", h5py.Group)) if "spikes" in group else None,
        labels=_json(group, "labels", dict),
        events=_get_all(group, "events"),
        truth=_get_all(group, "truth"),
    )


def read_header(file: h5py.File) -> tuple[list[str], dict[str, Any], dict[str, NDArray[Any]], list[Note]]:
    """(names of the recordings in order, meta, shared truth, notes) of an open file. Raises DataError for another format."""
    if not has_format(file):
        raise DataError(
            f"the HDF5 file is not of the format {FORMAT}",
            where=file.filename,
            hint="neuro simulate and neuro preprocess write it",
        )
    version = attribute(file, "version", int)
    if version > VERSION:
        raise DataError(
            f"the file has version {version}, this neurocli reads up to {VERSION}",
            where=file.filename,
            hint="update neurocli",
        )
    order = [name.decode(errors="replace") for name in read_array(file, "order", ndim=1, kinds="S")]
    if len(set(order)) < len(order):
        raise DataError("two recordings have the same name", where=f"{file.filename}:/order", hint=REMAKE)
    return order, _json(file, "meta", dict), _get_all(file, "truth"), _notes(file)


def _notes(file: h5py.File) -> list[Note]:
    """What the readers of the file's own sources did and doubt."""
    if "notes" not in file.attrs:
        return []
    try:
        return [Note(**entry) for entry in json.loads(attribute(file, "notes", str))]
    except (ValueError, TypeError, RecursionError):
        raise DataError("the attribute 'notes' is damaged", where=file.filename, hint=REMAKE) from None


def has_format(file: h5py.File) -> bool:
    """Whether an open file says that it is of our format."""
    return "format" in file.attrs and attribute(file, "format", str) == FORMAT


def _put_signal(group: h5py.Group, recording: Recording) -> None:
    """Millivolts go into int16 steps of 1 µV where they fit; anything else stays as it is."""
    signal = recording.signal
    if recording.unit == "mV" and signal.dtype.kind == "f" and np.isfinite(signal).all():
        steps = np.rint((signal.astype(np.float64) - _MV_OFFSET) / _MV_SCALE)
        if steps.size == 0 or np.abs(steps).max() <= np.iinfo(np.int16).max:
            data = _put(group, "signal", steps.astype(np.int16))
            data.attrs["scale"], data.attrs["offset"] = _MV_SCALE, _MV_OFFSET
            return
    _put(group, "signal", signal)


def _put(group: h5py.Group, name: str, values: NDArray[Any]) -> h5py.Dataset:
    values = np.asarray(values)
    if values.size < 1024:  # compression needs chunks, which cost more than they save here
        return group.create_dataset(name, data=values)
    return group.create_dataset(name, data=values, compression="gzip", compression_opts=4, shuffle=True)


def _put_all(group: h5py.Group, arrays: Mapping[str, NDArray[Any]]) -> None:
    for name in sorted(arrays):
        _put(group, name, arrays[name])


def _get_all(group: h5py.Group, name: str) -> dict[str, NDArray[Any]]:
    if name not in group:
        return {}
    holder = child(group, name, h5py.Group)
    return {key: read_array(holder, key) for key in holder}


def _spikes(group: h5py.Group) -> Spikes:
    by_name = {}
    for name in ("step", "channel"):
        values = read_array(group, name, ndim=1, kinds="iu")
        if values.size and int(values.max()) > np.iinfo(np.int32).max:  # the cast would make it negative
            where = f"{group.file.filename}:{group.name}/{name}"
            raise DataError(f"{values.max()} does not fit into 32 bits", where=where, hint=REMAKE)
        by_name[name] = values.astype(np.int32)
    return Spikes(by_name["step"], by_name["channel"], dt_ms=attribute(group, "dt_ms", float))


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
